"""The check of the changes of a OneRoster file: a zip file in which the manifest says ``delta``, findings out.

A row must be as it is in a full file, but for ``status`` and ``dateLastModified``, which must be there. The check has
no receiver's data: a row may refer to what the receiver has already, but not to what this file deletes. A finding names
the file and the line, and repeats nothing from it.

Source: as ``oneroster_check``.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import Row, lines_of, opened_zip, rows, walked
from dataflyt.exports.model import Finding, Openable
from dataflyt.exports.oneroster_check import (
    COLUMNS,
    DUPLICATE,
    ID,
    MISSING,
    NO_FILE,
    NOT_VALID,
    OTHERS,
    REFERS,
    UNRESOLVED,
    WRONG_HEADS,
    faults_of,
)

NOT_A_CHANGE: Final = "Rad uten gyldig status og dateLastModified"
ORDER: Final = "Endring i feil rekkefølge"
SAYS_TOO_MUCH: Final = "Sletting som sier mer enn id-en"

_LEADS = re.compile(rb"from: [0-9a-f]{64}\nto: [0-9a-f]{64}\n")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_OF_CHANGES: Final = frozenset(("status", "dateLastModified"))
_NAMES: Final = frozenset(("name", "title", "username", "givenName", "familyName"))


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a file of changes; raise Unreadable when it is not one."""
    return walked(path, lambda file: _Check(file).run())


class _Check:
    """One walk through the tables, and its memory of the ids that they delete."""

    def __init__(self, file: BinaryIO) -> None:
        self._archive = opened_zip(file)
        self._deleted: dict[str, set[str]] = {}
        self._moments: set[str] = set()

    def run(self) -> Iterator[Finding]:
        names = self._archive.namelist()
        if not _LEADS.fullmatch(self._archive.comment) or names.count("manifest.csv") != 1:
            raise Unreadable("Filen sier ikke hvilken fil den endrer, og hvilken den fører til.")
        lines = [cells for _, cells in lines_of(self._archive, "manifest.csv")]
        if lines[:1] != [["propertyName", "value"]] or any(len(line) != 2 for line in lines):
            raise Unreadable("manifest.csv har ikke kolonnene propertyName og value.")
        said = dict(lines[1:])
        if said.get("manifest.version") != "1.0" or said.get("oneroster.version") != "1.2":
            raise Unreadable("manifest.csv sier ikke at dette er OneRoster 1.2.")
        known = {f"{table}.csv" for table in COLUMNS} | {"manifest.csv"}
        if len(names) != len(set(names)) or not known.issuperset(names):
            yield _finding(NO_FILE, "zip-filen", "en fil er der to ganger, eller er ikke med i denne eksporten", 0)
        for table in (*COLUMNS, *OTHERS):
            if said.get(f"file.{table}") != ("delta" if f"{table}.csv" in names else "absent"):
                yield _finding(NO_FILE, f"{table}.csv", "manifest.csv sier ikke delta eller absent, slik det er", 0)
        for table in COLUMNS:
            if f"{table}.csv" in names:
                yield from self._table(table)
        if len(self._moments) > 1:
            yield _finding(NOT_A_CHANGE, "zip-filen", "radene har ikke samme dateLastModified", 0)

    def _table(self, table: str) -> Iterator[Finding]:
        wanted = COLUMNS[table].split()
        needed = {column[:-1] for column in wanted if column.endswith("!")}
        if next(lines_of(self._archive, f"{table}.csv"), (1, []))[1] != [name.removesuffix("!") for name in wanted]:
            yield _finding(WRONG_HEADS, f"{table}.csv", "hodet er et annet", 1)
            return
        seen: set[int] = set()
        deleted = self._deleted.setdefault(table, set())
        given = False
        for number, row in rows(self._archive, table):
            goes = row["status"] == "tobedeleted"
            faults = [*self._row(table, row, needed), *(_of_tombstone(row, needed) if goes else ())]
            if goes and given:
                faults.append((ORDER, "rader som går, kommer først"))
            if hash(row["sourcedId"]) in seen:
                faults.append((DUPLICATE, "sourcedId"))
            for kind, detail in faults:
                yield _finding(kind, f"{table}.csv linje {number}", detail, number)
            given = given or not goes
            seen.add(hash(row["sourcedId"]))
            if goes and table in REFERS.values():
                deleted.add(row["sourcedId"])
        if not seen:
            yield _finding(NO_FILE, f"{table}.csv", "en fil uten rader skal ikke være med", 1)

    def _row(self, table: str, row: Row, needed: set[str]) -> Iterator[tuple[str, str]]:
        self._moments.add(row["dateLastModified"])
        if row["status"] not in ("active", "tobedeleted") or not _MOMENT.fullmatch(row["dateLastModified"]):
            yield NOT_A_CHANGE, "status eller dateLastModified"
        if row["sourcedId"] and not ID.fullmatch(row["sourcedId"]):
            yield NOT_VALID, "sourcedId"
        for column, value in row.items():
            if value and column not in _OF_CHANGES:
                yield from self._cell(f"{table}.{column}", column, value, active=row["status"] == "active")
            elif not value and column in needed:
                yield MISSING, column
        if row.get("subjects", "").count(",") != row.get("subjectCodes", "").count(","):
            yield NOT_VALID, "subjects og subjectCodes er ikke like lange"

    def _cell(self, full: str, column: str, value: str, *, active: bool) -> Iterator[tuple[str, str]]:
        yield from faults_of(full, column, value)
        if active and full in REFERS and self._deleted.get(REFERS[full], set()).intersection(value.split(",")):
            yield UNRESOLVED, f"{column}: til en rad som går"


def _of_tombstone(row: Row, needed: set[str]) -> Iterator[tuple[str, str]]:
    for column, value in row.items():
        if column in _OF_CHANGES:
            continue
        if (value and column not in needed) or (column in _NAMES and column in needed and value != row["sourcedId"]):
            yield SAYS_TOO_MUCH, column


def _finding(name: str, where: str, detail: str, line: int) -> Finding:
    return Finding(name, where, detail, line, blocks=True)
