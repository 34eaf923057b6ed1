"""Text as others write it: blanks taken away, windows-1252 decoded, and files of another format refused."""

from dataflyt.errors import Unreadable
from dataflyt.formats.letters import WINDOWS_1252


def tidy(value: str | None) -> str | None:
    """Return the text without blanks at the ends and without U+0000, which PostgreSQL cannot store; None when empty."""
    if value is None:
        return None
    if "\0" in value:
        value = value.replace("\0", "")
    return value.strip() or None


def from_windows_1252(data: bytes) -> str:
    """Return the text of bytes in windows-1252, or in ISO-8859-1; five bytes stay control characters."""
    return data.decode("iso-8859-1").translate(WINDOWS_1252)


def refuse_other_formats(start: bytes, expected: str) -> None:
    """Raise Unreadable if the first bytes are not of the format ``expected``, in Norwegian («en kalender»)."""
    bare = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if not bare:
        raise Unreadable(f"Filen er tom, og skulle vært {expected}.")
    for signs, name in (
        ((b"\x1f\x8b",), "pakket med gzip"),
        ((b"pk\x03\x04",), "en zip-fil"),
        ((b"%pdf-",), "en PDF-fil"),
        ((b"<!doctype html", b"<html"), "en nettside (HTML)"),
    ):
        if start.lower().startswith(signs) or bare.startswith(signs):
            raise Unreadable(f"Filen er {name}, og skulle vært {expected}.")
    if expected != "XML" and bare.startswith((b"<?xml", b"<")):
        raise Unreadable(f"Filen er XML, og skulle vært {expected}.")
    if expected == "XML" and bare.startswith((b"{", b"[")):
        raise Unreadable(f"Filen er JSON, og skulle vært {expected}.")
