"""The check of class lists: the zip file in, findings out. It reads each list as a spreadsheet does.

Looked for: every CSV has its XLSX with the same lines, and no other file is there; heads, school years, year levels and
names are as they must be; no cell is, or would be read as, a formula; and the schools' lists, one after another, are
the whole list. No finding repeats what stands in the file: it names the school and the line.
"""

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from typing import BinaryIO, Final, cast

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import BROKEN_ZIP, opened_zip, walked
from dataflyt.exports.model import Finding, Openable

NOT_A_LIST: Final = "Fil som ikke er en klasseliste"
WITHOUT_TWIN: Final = "Liste som mangler i CSV eller XLSX"
OTHER_HEADS: Final = "Andre kolonner enn listen skal ha"
NOT_VALID: Final = "Linje som ikke er som den skal"
FORMULA: Final = "Celle som blir lest som en formel"
NOT_THE_SAME: Final = "CSV og XLSX er ikke like"
NOT_THE_WHOLE: Final = "Skolenes lister er ikke hele listen"

_COLUMNS = ["Skoleår", "Trinn", "Gruppetype", "Fornavn", "Etternavn", "Gruppe", "Skole"]
_NAME = re.compile(r"alle-skoler|skoler/([0-9]{9})(-[a-z0-9]+)*")
_SIGNS = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_RUNS_IN = re.compile(_SIGNS)
_BEGINS_CELL = re.compile(rf"(^|[,;]\s*)(?={_SIGNS})")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_YEAR = re.compile(r"([0-9]{4})/([0-9]{4})")
_LEVEL = re.compile(r"|[1-9]|1[0-3]")


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a zip file of class lists; raise Unreadable when it is not one."""
    return walked(path, _walk)


def _walk(file: BinaryIO) -> Iterator[Finding]:
    archive = opened_zip(file)
    names = archive.namelist()
    bare = [name.rpartition(".")[0] for name in names]
    if names[:2] != ["alle-skoler.csv", "alle-skoler.xlsx"]:
        raise Unreadable("Filen begynner ikke med listen over alle skoler.")
    for at, name in enumerate(names):
        if not _NAME.fullmatch(bare[at]) or not name.endswith((".csv", ".xlsx")):
            yield Finding(NOT_A_LIST, f"fil {at + 1} i zip-filen", "navnet er et annet", 0, blocks=True)
            return
        if names.count(name) > 1 or bare.count(bare[at]) != 2:
            yield Finding(WITHOUT_TWIN, _where(bare[at]), "det skal være én av hver", 0, blocks=True)
            return
    whole, schools = hashlib.sha256(), hashlib.sha256()
    for one in bare[::2]:
        yield from _list(archive, one, whole if one == "alle-skoler" else schools)
    if whole.digest() != schools.digest():
        yield Finding(NOT_THE_WHOLE, "alle skoler", "de har ikke de samme linjene", 0, blocks=True)


def _where(name: str) -> str:
    found = _NAME.fullmatch(name)
    return f"NO{found[1]}" if found and found[1] else "alle skoler"


def _list(archive: zipfile.ZipFile, name: str, seen: "hashlib._Hash") -> Iterator[Finding]:
    """Yield what is wrong with one list, read in both formats side by side; add its lines to ``seen``."""
    where = _where(name)
    lines = zip_longest(_csv(archive, f"{name}.csv"), _xlsx(archive, f"{name}.xlsx"))
    for number, (line, row) in enumerate(lines, 1):
        for kind, detail in _wrong(number, line, row):
            yield Finding(kind, where, f"linje {number}: {detail}", number, blocks=True)
        if number > 1:
            seen.update(repr(line).encode())


def _wrong(number: int, line: list[str] | None, row: list[tuple[str, str]] | None) -> Iterator[tuple[str, str]]:
    if line is None or row is None:
        yield NOT_THE_SAME, "den ene slutter før den andre"
        return
    if number == 1:
        if line != _COLUMNS or [value for value, _ in row] != _COLUMNS:
            yield OTHER_HEADS, "hodene er andre"
        return
    if len(line) != len(_COLUMNS):
        yield NOT_VALID, f"{len(line)} celler"
        return
    if any(kind == "f" for _, kind in row) or any(_RUNS_IN.match(cell) for cell in line):
        yield FORMULA, "den begynner som en"
    if len(row) != len(line) or not all(map(_says, line, (value for value, _ in row))):
        yield NOT_THE_SAME, "cellene er ulike"
    if any(_UNSEEN.search(cell) for cell in line):
        yield NOT_VALID, "et tegn som ikke synes"
    year, level, kind, given, family, group, school = line
    found = _YEAR.fullmatch(year)
    if not found or int(found[2]) != int(found[1]) + 1:
        yield NOT_VALID, "skoleåret"
    if not _LEVEL.fullmatch(level):
        yield NOT_VALID, "trinnet"
    if kind != "Klasse" or not (given or family) or not group or not school:
        yield NOT_VALID, "gruppetype, navn, gruppe eller skole mangler"


def _says(cell: str, value: str) -> bool:
    """Tell whether a cell of CSV says what a cell of XLSX does, with an apostrophe wherever a formula would begin."""
    return cell == _BEGINS_CELL.sub(r"\1'", value)


def _csv(archive: zipfile.ZipFile, name: str) -> Iterator[list[str]]:
    try:
        with archive.open(name) as file:
            if file.read(3) != b"\xef\xbb\xbf":
                raise Unreadable("En liste i CSV begynner ikke med tegnet som Excel kjenner UTF-8 på.")
            text = io.TextIOWrapper(cast("BinaryIO", file), encoding="utf-8", newline="")
            yield from csv.reader(text, delimiter=";", strict=True)
    except (csv.Error, *BROKEN_ZIP):
        raise Unreadable("En liste kan ikke leses som CSV.") from None


def _xlsx(archive: zipfile.ZipFile, name: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the rows of the one sheet, each cell with its type; an empty cell is an empty text."""
    import openpyxl

    try:
        with archive.open(name) as file:
            book = openpyxl.load_workbook(io.BytesIO(file.read()), read_only=True)
    except Exception:  # openpyxl raises whatever its parser meets
        raise Unreadable("En liste kan ikke leses som XLSX.") from None
    if len(book.sheetnames) != 1:
        raise Unreadable("En liste i XLSX har ikke ett ark.")
    rows = book[book.sheetnames[0]].iter_rows()
    while True:
        try:
            row = next(rows, None)
        except Exception:
            raise Unreadable("En liste kan ikke leses som XLSX.") from None
        if row is None:
            return
        cells = [("" if cell.value is None else str(cell.value), getattr(cell, "data_type", "n")) for cell in row]
        yield cells + [("", "n")] * (len(_COLUMNS) - len(cells))
