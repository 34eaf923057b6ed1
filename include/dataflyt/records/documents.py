"""Documents that people read: sections with tables, as HTML for the screen and the printer, and as PDF."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataflyt.errors import ConfigError


@dataclass(frozen=True)
class Section:
    """A part of a document: a heading, sentences, and perhaps a table."""

    heading: str
    sentences: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


@dataclass(frozen=True)
class Document:
    """A document: its title, the sentences at its head, and its sections. ``warning`` is shown first, in a frame."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)
    warning: str = ""


def html(document: Document) -> str:
    """Return the document as one HTML page that needs nothing else. Every value is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(loader=PackageLoader("dataflyt.records", "."), autoescape=True, undefined=StrictUndefined)
    return made.get_template("document.html.j2").render(document=document)


def pdf(document: Document) -> bytes:
    """Return the document as PDF. Nothing is fetched while it is made.

    Raises ConfigError where the machine has not the libraries that draw the text (Pango).
    """
    try:
        from weasyprint import HTML
    except OSError:
        raise ConfigError(
            "PDF kan ikke lages på denne maskinen, for Pango mangler: installer pakken libpango-1.0-0 og "
            "libpangoft2-1.0-0, eller skriv ut HTML-filen fra nettleseren."
        ) from None
    return bytes(HTML(string=html(document), url_fetcher=_nothing).write_pdf())


def _nothing(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError("a document fetches nothing")


def write_private(path: Path, content: bytes) -> Path:
    """Write a new file that only its owner can read. Raises ConfigError when it exists: nothing is overwritten."""
    import os

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} finnes fra før: velg en annen mappe med --to, eller ta filen bort.") from None
    except OSError:
        raise ConfigError(f"{path} kan ikke skrives: velg en annen mappe med --to.") from None
    with os.fdopen(number, "wb") as file:
        file.write(content)
    return path
