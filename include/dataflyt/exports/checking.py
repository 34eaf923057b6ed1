"""Open a file to check it or to read it back. An unreadable file is refused with the same sentence everywhere.

Also what the checks of zip files with CSV in them look for alike.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from typing import BinaryIO, Final, TypeVar, cast

from dataflyt.errors import Unreadable, why_refused
from dataflyt.exports.model import Openable

One = TypeVar("One")
Row = dict[str, str]

BROKEN_ZIP: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, KeyError, ValueError),
)
"""What ``zipfile`` raises while it reads a damaged archive, and Python where the text in it is not UTF-8."""
RUNS: Final = re.compile(r"(?:^|;)\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Where a text of CSV begins as a formula: also after a semicolon, at which a Norwegian Excel begins a cell."""
UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
"""Letters that nobody sees."""


def opened(path: Openable) -> BinaryIO:
    """Open a file to read; raise Unreadable when it cannot be opened.

    A file in an object store reads no line of a limited length by itself, which checks of a stranger's bytes need.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"Filen kan ikke åpnes ({why_refused(error)}).") from None
    return file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", file))


def walked(path: Openable, walk: Callable[[BinaryIO], Iterator[One]]) -> Iterator[One]:
    """Yield what ``walk`` yields from the file; raise Unreadable when it cannot be opened or read."""
    with opened(path) as file:
        try:
            yield from walk(file)
        except OSError as error:
            raise Unreadable(f"Filen kan ikke leses ({why_refused(error)}).") from None


def opened_zip(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip file; raise Unreadable when it is none."""
    try:
        return zipfile.ZipFile(file)
    except BROKEN_ZIP:
        raise Unreadable("Filen er ikke en hel zip-fil.") from None


def rows(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, Row]]:
    """Yield line number and row of a file by the names in its first line; nothing for a file that is not there."""
    if f"{name}.csv" in archive.namelist():
        lines = lines_of(archive, f"{name}.csv")
        heads = next(lines, (1, []))[1]
        for number, cells in lines:
            if len(cells) != len(heads):
                raise Unreadable(f"Linje {number} i {name}.csv har ikke like mange kolonner som hodet.")
            yield number, dict(zip(heads, cells, strict=True))


def lines_of(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of a CSV file of the archive. Raises Unreadable."""
    number = 0
    try:
        with archive.open(name) as file:
            text = io.TextIOWrapper(cast("BinaryIO", file), encoding="utf-8-sig", newline="")
            lines = csv.reader(text, strict=True)
            for cells in lines:
                number = lines.line_num
                yield number, cells
    except (csv.Error, *BROKEN_ZIP):
        raise Unreadable(f"{name} kan ikke leses som CSV i UTF-8 (etter linje {number}).") from None


def is_day(value: str) -> bool:
    """Tell whether a text is a day as ``2026-08-01``."""
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
