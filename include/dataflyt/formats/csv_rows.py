"""CSV from strangers: its records as lists of cells, whatever its separator and encoding.

In comes a stream of bytes; out go line numbers and cells, one record at a time. A file that cannot be read raises
``Unreadable`` with one sentence that tells the fault and its line, and never repeats the data.
"""

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator
from typing import BinaryIO

from dataflyt.errors import Unreadable
from dataflyt.formats.text import from_windows_1252, refuse_other_formats

_LONGEST_LINE = 64 * 1024
_MOST_LINES = 200
"""Lines. A record that runs over more lines than this has a quotation mark that is not closed."""


def csv_rows(stream: BinaryIO, what: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each record, the heading first; ``what`` names the file in Norwegian.

    The separator is comma, semicolon or tab: the one that occurs most in the heading, or the one that a line above the
    heading names (``sep=;``, which Excel reads and writes). The encoding is UTF-8, with or without a BOM. It is
    windows-1252, which includes the letters of ISO-8859-1, where the first letters beyond ASCII are not UTF-8. A byte
    that is a letter in neither encoding becomes a control character, which the quality rules find.
    """
    start = stream.read(4096)
    refuse_other_formats(start, f"{what} i CSV")
    if b"\0" in start:
        raise Unreadable(f"Filen ({what}) er ikke i UTF-8 eller ISO-8859-1.")
    whole = io.BufferedReader(_Resumed(start, stream))
    lines = _Lines(io.TextIOWrapper(whole, encoding="utf-8-sig", errors="surrogateescape", newline=""))
    try:
        first, separator, above = heading(lines)
        reader = csv.reader(itertools.chain([first], lines), delimiter=separator)
        for row in reader:
            lines.since = 0
            yield above + reader.line_num, row
        return
    except UnicodeError:
        sentence = f"Filen ({what}) er i flere tegnsett om hverandre (linje {lines.number}), og skulle vært i UTF-8."
    except csv.Error:
        where = f"linje {lines.number - lines.since + 1}"
        sentence = (
            f"Filen ({what}) er ikke CSV, for en celle er for lang eller et anførselstegn er ikke lukket ({where})."
        )
    raise Unreadable(sentence)


_SAID_SEPARATOR = re.compile(r"\"?sep=([;,\t])\"?[;,\t]*\r?\n?", re.IGNORECASE)


def heading(lines: Iterator[str]) -> tuple[str, str, int]:
    """Read up to the line with the columns' names; return it, the separator, and the number of lines above it.

    The lines above it may be Excel's line about the separator (``sep=;``) and PowerShell's about a type (``#TYPE …``).
    Without Excel's line the separator is comma, semicolon or tab: the one that occurs most in the heading.
    """
    said: re.Match[str] | None = None
    line, above = next(lines, ""), 0
    while above < 2 and ((found := _SAID_SEPARATOR.fullmatch(line)) or line.startswith("#TYPE ")):
        said = said or found
        line, above = next(lines, ""), above + 1
    return line, said[1] if said else max(",;\t", key=line.count), above


class _Resumed(io.RawIOBase):
    """A stream that is read from its beginning again after ``start`` has been read from it."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start = start
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._start[: len(buffer)] or self._stream.read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Lines:
    """Lines of text, decoded in the encoding of the first letters beyond ASCII.

    ``number`` counts them, ``since`` those of the record that is being read.
    """

    def __init__(self, lines: io.TextIOWrapper) -> None:
        self._lines = lines
        self._is_utf8: bool | None = None
        self.number = self.since = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._lines.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self.since += 1
        if len(line) >= _LONGEST_LINE or self.since > _MOST_LINES:
            raise csv.Error
        if not line.isascii():
            line = self._decoded(line)
        return line.replace("\0", "")

    def _decoded(self, line: str) -> str:
        raw = line.encode("utf-8", "surrogateescape")
        if self._is_utf8 is None:
            with contextlib.suppress(UnicodeDecodeError):
                raw.decode("utf-8")
                self._is_utf8 = True
            self._is_utf8 = bool(self._is_utf8)
        return raw.decode() if self._is_utf8 else from_windows_1252(raw)
