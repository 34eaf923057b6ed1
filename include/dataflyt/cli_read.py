"""``dataflyt read`` and ``dataflyt id``: what Dataflyt reads from a file, and from a number, as JSON a line.

Registered by ``dataflyt.cli``. The only commands that print personal data: they print the file they are given.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import orjson
import typer

from dataflyt.errors import Unreadable
from dataflyt.identity import numbers
from dataflyt.letters import GARBLED
from dataflyt.sources import Table

_GARBLED = re.compile(GARBLED).search
_NAME = re.compile(r"(?<!user)name$|navn$")
SOURCES = ("freg", "krr", "hr", "sas")


def read_command(
    source: Annotated[str, typer.Argument(help="freg, krr, hr or sas")],
    format: Annotated[
        str,
        typer.Argument(
            help="freg: bulk, person, oppvekst, residents; krr: personer, fiks; hr: stamdata3, visma; "
            "sas: pifu, oneroster, timetable, ical"
        ),
    ],
    file: Annotated[Path, typer.Argument(help="The file to read.")],
) -> None:
    """Print what Dataflyt reads from a file, before any check.

    One JSON object a line, with `table` and the row's fields. How many rows have names with garbled letters is told
    besides: a run sets them aside. A file that cannot be read gives one sentence and exit code 2.
    """
    if source not in SOURCES:
        _fail(f"There is no source {source!r}; the sources are {', '.join(SOURCES)}.")
    rows = import_module(f"dataflyt.sources.{source}.rows")
    if format not in rows.FORMATS:
        _fail(f"The source {source} has no format {format!r}; it has {', '.join(rows.FORMATS)}.")
    if file.is_dir():
        _fail(f"{file} is a folder, not a file.")
    try:
        stream = file.open("rb")
    except OSError as error:
        _fail(f"{file} cannot be opened: {error.strerror}.")
    try:
        with stream:
            garbled = Counter[str]()
            _print(_counted(_objects(rows.TABLES, rows.FORMATS[format], stream), garbled))
        for table, count in (+garbled).items():
            typer.echo(
                f"{file.name}: {count} {'rad' if count == 1 else 'rader'} i {table} har navn med ødelagte bokstaver, "
                "som «PrÃ¸ve» for «Prøve», og blir ikke brukt. Be leverandøren levere filen i UTF-8.",
                err=True,
            )
    except Unreadable as error:
        _fail(error.sentence)
    except OSError as error:
        _forget_output()
        _fail(f"{file} could not be read, or its rows could not be written: {error.strerror}.")


def id_command(
    number: Annotated[list[str], typer.Argument(help="One or more national identity numbers.", metavar="NUMBER...")],
) -> None:
    """Print what a national identity number says, one JSON object a line; a number that is not valid says so."""
    _print(
        {
            "number": found.number,
            "valid": found.valid,
            "kind": found.kind,
            "synthetic": found.synthetic,
            "rule": found.rule,
            "birth_date": found.birth_date,
        }
        for found in map(numbers.parse, (text.encode(errors="replace").decode() for text in number))
    )


def _objects(
    tables: dict[str, Table], reader: Callable[[BinaryIO], Iterator[Any]], stream: BinaryIO
) -> Iterator[dict[str, object]]:
    names = {table.row: name for name, table in tables.items()}
    for row in reader(stream):
        yield {"table": names[type(row)], **row._asdict()}


def _counted(objects: Iterator[dict[str, object]], garbled: Counter[str]) -> Iterator[dict[str, object]]:
    """Yield the objects, and count per table those with a name that no run would take."""
    for item in objects:
        names = (str(value) for field, value in item.items() if value and _NAME.search(field))
        garbled[str(item["table"])] += any(map(_GARBLED, names))
        yield item


def _print(objects: Iterator[dict[str, object]]) -> None:
    """Write the objects as they come; a reader that goes away (``| head``) ends it quietly."""
    out = sys.stdout.buffer
    try:
        for item in objects:
            out.write(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE))
        out.flush()
    except BrokenPipeError:
        _forget_output()


def _forget_output() -> None:
    """Keep what is still buffered from being written when Python ends: nobody is there to read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(sentence: str) -> NoReturn:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
    typer.echo(sentence, err=True)
    raise typer.Exit(2)
