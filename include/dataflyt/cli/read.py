"""``dataflyt read`` and ``dataflyt id``: print a file's rows, or the facts in a number, as JSON lines.

Registered by ``dataflyt.cli.main``. The only commands that print personal data: they print the file they are given.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import orjson
import typer

from dataflyt.cli import terminal
from dataflyt.cli.terminal import echo
from dataflyt.config.formats import HR, SAS, TIMETABLES
from dataflyt.errors import Unreadable, why_refused
from dataflyt.formats.letters import GARBLED
from dataflyt.identity import numbers
from dataflyt.sources import Reader, Table

_GARBLED = re.compile(GARBLED).search
_NAME = re.compile(r"(?<!user)name$|navn$")
SOURCES = ("freg", "krr", "hr", "sas")


def read_command(
    source: Annotated[str, typer.Argument(metavar="KILDE", help="freg, krr, hr eller sas")],
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="freg: bulk, person, oppvekst, residents; krr: personer, fiks; "
            f"hr: {', '.join(HR)}; sas: {', '.join((*SAS, *TIMETABLES.values()))}",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FIL", help="Filen som skal leses.")],
) -> None:
    """Skriv ut det Dataflyt leser fra en fil, før alle kontroller.

    Ett JSON-objekt per linje, med `table` og feltene i raden. I tillegg sies det hvor mange rader som har navn med
    ødelagte bokstaver: en kjøring legger dem til side. Kan filen ikke leses, er det én setning og returkode 2.
    """
    if source not in SOURCES:
        _fail(f"Kilden «{source}» finnes ikke: skriv {', '.join(SOURCES[:-1])} eller {SOURCES[-1]}.")
    tables: dict[str, Table] = import_module(f"dataflyt.sources.{source}.rows").TABLES
    formats: dict[str, Reader] = import_module(f"dataflyt.sources.{source}.formats").FORMATS
    if format not in formats:
        _fail(f"Kilden {source} har ikke formatet «{format}»: skriv {' eller '.join(formats)}.")
    if file.is_dir():
        _fail(f"{file} er en mappe, ikke en fil.")
    try:
        stream = file.open("rb")
    except OSError as error:
        _fail(f"{file} kan ikke åpnes: {why_refused(error)}.")
    try:
        with stream:
            garbled = Counter[str]()
            _print(_counted(_objects(tables, formats[format], stream), garbled))
        for table, count in (+garbled).items():
            echo(
                f"{file.name}: {count} {'rad' if count == 1 else 'rader'} i {table} har navn med ødelagte bokstaver, "
                "som «PrÃ¸ve» for «Prøve», og blir ikke brukt. Be leverandøren levere filen i UTF-8.",
                err=True,
            )
    except Unreadable as error:
        _fail(error.sentence)
    except OSError as error:
        terminal.forget_output()
        _fail(f"{file} kunne ikke leses, eller radene kunne ikke skrives: {why_refused(error)}.")


def id_command(
    number: Annotated[
        list[str], typer.Argument(help="Ett eller flere fødselsnummer, D-nummer eller lignende.", metavar="NUMMER")
    ],
) -> None:
    """Skriv hva et fødselsnummer eller D-nummer sier, ett JSON-objekt per linje, også at det er ugyldig."""
    _print(map(_said, (text.encode(errors="replace").decode() for text in number)))


def _said(text: str) -> dict[str, object]:
    """Return the kind of number that every reader takes a text for (``meant``), and the facts in its digits."""
    written = numbers.read(text)
    found = numbers.parse(written.value if written and written.kind == "number" else text)
    return {
        "number": found.number,
        "meant": written and written.kind,
        "valid": found.valid,
        "kind": found.kind,
        "synthetic": found.synthetic,
        "rule": found.rule,
        "birth_date": found.birth_date,
    }


def _objects(
    tables: dict[str, Table], reader: Callable[[BinaryIO], Iterator[Any]], stream: BinaryIO
) -> Iterator[dict[str, object]]:
    names = {table.row: name for name, table in tables.items()}
    for row in reader(stream):
        yield {"table": names[type(row)], **row._asdict()}


def _counted(objects: Iterator[dict[str, object]], garbled: Counter[str]) -> Iterator[dict[str, object]]:
    """Yield the objects, and count per table those with a name that a run would refuse."""
    for item in objects:
        names = (str(value) for field, value in item.items() if value and _NAME.search(field))
        garbled[str(item["table"])] += any(map(_GARBLED, names))
        yield item


def _print(objects: Iterator[dict[str, object]]) -> None:
    """Write the objects as they come. End silently when the reader of the pipe ends (``| head``)."""
    out = sys.stdout.buffer
    try:
        for item in objects:
            out.write(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE))
        out.flush()
    except BrokenPipeError:
        terminal.forget_output()


def _fail(sentence: str) -> NoReturn:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        terminal.forget_output()
    echo(sentence, err=True)
    raise typer.Exit(2)
