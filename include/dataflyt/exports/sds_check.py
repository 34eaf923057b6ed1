"""The check of a School Data Sync 2.1 zip file, and the file read back. Both read it as a receiver would.

Source: Microsoft Learn, "SDS V2.1 CSV file format" and "Default list of values"; headers by the samples of
OfficeDev/O365-EDU-Tools. Looked for: the files that must be there and no others; every header; required columns,
enumerations and dates; ids that are unique in their file and lead to a row; usernames that are unique whatever the
case; a role for each user who is nobody's guardian, and one primary role; a guardian's e-mail address.

The files are streamed: only ids are remembered. A finding names the file and the line, and repeats nothing from it.
"""

import re
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import RUNS, UNSEEN, Row, is_day, lines_of, opened_zip, rows, walked
from dataflyt.exports.model import Finding, Openable, ReadRow

NO_FILE: Final = "Fil som mangler, eller som ikke hører til"
WRONG_HEADS: Final = "Kolonner som ikke er formatets"
MISSING: Final = "Kolonne som må ha en verdi"
NOT_VALID: Final = "Verdi som formatet ikke kjenner"
NOT_ALLOWED: Final = "Kolonne som denne eksporten aldri har"
DUPLICATE: Final = "Samme rad to ganger"
SAME_NAME: Final = "Samme brukernavn på to brukere"
UNRESOLVED: Final = "Henvisning til noe som ikke finnes"
WITHOUT_ROLE: Final = "Bruker uten rolle"
NOT_ONE_PRIMARY: Final = "Bruker uten nøyaktig én hovedrolle"
NO_MAIL: Final = "Foresatt uten e-postadresse"
REVERSED: Final = "Datoer i feil rekkefølge"
FORMULA: Final = "Tekst som blir lest som en formel"

_DOES_NOT_BLOCK: Final = frozenset((REVERSED,))
_COLUMNS: Final = {
    "orgs": "sourcedId! name! type! parentSourcedId",
    "academicSessions": "sourcedId! title! type! schoolYear! startDate! endDate!",
    "courses": "sourcedId! orgSourcedId! title! code schoolYearSourcedId subject grade",
    "classes": "sourcedId! orgSourcedId! title! sessionSourcedIds courseSourcedId",
    "users": "sourcedId! username! givenName! familyName! password activeDirectoryMatchId email phone sms",
    "roles": "userSourcedId! orgSourcedId! role! sessionSourcedId grade isPrimary roleStartDate roleEndDate",
    "enrollments": "classSourcedId! userSourcedId! role!",
    "demographics": "userSourcedId! sex birthDate birthCity birthState birthCountry ethnicityCodes raceCodes",
    "relationships": "userSourcedId! relationshipUserSourcedId! relationshipRole!",
}
"""Every file, before those that refer to it, with its columns; ``!`` marks those that must have a value here."""
_OPTIONAL = frozenset(("demographics", "relationships"))
_NEVER = frozenset(
    (
        *("password", "activeDirectoryMatchId", "phone", "subject", "schoolYearSourcedId", "sessionSourcedId"),
        *("sex", "birthCity", "birthState", "birthCountry", "ethnicityCodes", "raceCodes"),
    )
)
_MAIL = re.compile(r"[^@\sA-Z]+@[^@\sA-Z]+\.[^@\s.A-Z]+")
_VALID: Final = {
    "orgs.type": re.compile("school|municipality"),
    "academicSessions.type": re.compile("schoolYear|semester"),
    "academicSessions.schoolYear": re.compile("[0-9]{4}"),
    "courses.grade": re.compile("0[1-9]|1[0-3]"),
    "users.username": re.compile(r"[^@\s]+@[^@\s]+"),
    "users.email": _MAIL,
    "users.sms": re.compile(r"\+[0-9]{8,15}"),
    "roles.role": re.compile("student|teacher|staff"),
    "roles.isPrimary": re.compile("TRUE|FALSE"),
    "enrollments.role": re.compile("student|teacher|staff"),
    "relationships.relationshipRole": re.compile("guardian"),
}
_REFERS: Final = {
    "orgSourcedId": "orgs",
    "parentSourcedId": "orgs",
    "sessionSourcedIds": "academicSessions",
    "courseSourcedId": "courses",
    "classSourcedId": "classes",
    "userSourcedId": "users",
    "relationshipUserSourcedId": "users",
}
_PERIODS: Final = {"academicSessions": ("startDate", "endDate"), "roles": ("roleStartDate", "roleEndDate")}
_DAYS = frozenset(("startDate", "endDate", "roleStartDate", "roleEndDate", "birthDate"))
_ID = re.compile(r"[0-9A-Za-z._/@-]{1,255}")


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a School Data Sync 2.1 zip file; raise Unreadable when it is not one."""
    return walked(path, lambda file: _Check(_opened(file)).run())


def read(path: Openable) -> Iterator[ReadRow]:
    """Yield each pupil and employee by sourcedId, and each one's classes. Raises Unreadable."""
    return walked(path, _rows)


def _rows(file: BinaryIO) -> Iterator[ReadRow]:
    archive = _opened(file)
    with_role = {row["userSourcedId"] for _, row in rows(archive, "roles")}
    for _, row in rows(archive, "users"):
        if row["sourcedId"] in with_role:
            yield ReadRow(row["sourcedId"], "", False, "")
    for _, row in rows(archive, "enrollments"):
        yield ReadRow(row["userSourcedId"], row["classSourcedId"], row["role"] == "student", "")


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    archive = opened_zip(file)
    if not {"orgs.csv", "users.csv", "roles.csv"} <= set(archive.namelist()):
        raise Unreadable("Zip-filen har ikke orgs.csv, users.csv og roles.csv.")
    return archive


class _Check:
    """One walk through the files, and its memory of the ids it has passed."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._ids: dict[str, set[str]] = {}
        self._without_mail: set[str] = set()
        self._names: set[int] = set()  # hashes of usernames
        self._primary: dict[str, int] = {}  # user -> number of primary roles
        self._guardians: set[str] = set()
        self._unread: set[str] = set()  # files with other columns

    def run(self) -> Iterator[Finding]:
        names = self._archive.namelist()
        for at, name in enumerate(names, 1):
            if name.removesuffix(".csv") not in _COLUMNS or names.count(name) > 1:
                yield _finding(NO_FILE, f"fil {at} i zip-filen", "ikke i formatet, eller to ganger", 0)
        for name in _COLUMNS:
            if f"{name}.csv" in names:
                yield from self._file(name)
            elif name not in _OPTIONAL:
                yield _finding(NO_FILE, f"{name}.csv", "mangler: det den hadde, blir inaktivt", 0)
        if self._unread & {"users", "roles"}:
            return
        for number, row in rows(self._archive, "users"):
            user = row["sourcedId"]
            if user not in self._primary and user not in self._guardians:
                yield _finding(WITHOUT_ROLE, f"users.csv linje {number}", "ingen rad i roles.csv", number)
            elif self._primary.get(user, 1) != 1:
                yield _finding(NOT_ONE_PRIMARY, f"users.csv linje {number}", "isPrimary i roles.csv", number)

    def _file(self, name: str) -> Iterator[Finding]:
        wanted = _COLUMNS[name].split()
        columns = [column.removesuffix("!") for column in wanted]
        if next(lines_of(self._archive, f"{name}.csv"), (1, []))[1] != columns:
            yield _finding(WRONG_HEADS, f"{name}.csv", "hodet er et annet", 1)
            self._unread.add(name)
            return
        needed = {column[:-1] for column in wanted if column.endswith("!")}
        keyed = [column for column in columns if column == "sourcedId"] or sorted(needed)
        seen: set[int] = set()  # hashes: the keys of enrolments are long, and there are many
        for number, row in rows(self._archive, name):
            key = hash("\t".join(row[column] for column in keyed))
            if key in seen:
                yield _finding(DUPLICATE, f"{name}.csv linje {number}", ", ".join(keyed), number)
            seen.add(key)
            if name in _REFERS.values():
                self._ids.setdefault(name, set()).add(row["sourcedId"])
            for kind, detail in self._row(name, row, needed):
                yield _finding(kind, f"{name}.csv linje {number}", detail, number)

    def _row(self, name: str, row: Row, needed: set[str]) -> Iterator[tuple[str, str]]:
        for column, value in row.items():
            if value:
                yield from self._cell(name, column, value)
            elif column in needed:
                yield MISSING, column
        begins, ends = _PERIODS.get(name, ("", ""))
        if row.get(begins) and row.get(ends) and row[ends] < row[begins]:
            yield REVERSED, ends
        if name == "users":
            username = hash(row["username"].lower())
            if username in self._names:
                yield SAME_NAME, "username"
            self._names.add(username)
            if not row["email"]:
                self._without_mail.add(row["sourcedId"])
        elif name == "roles":
            user = row["userSourcedId"]
            self._primary[user] = self._primary.get(user, 0) + (row["isPrimary"] == "TRUE")
        elif name == "relationships":
            self._guardians.add(row["relationshipUserSourcedId"])
            if row["relationshipUserSourcedId"] in self._without_mail:
                yield NO_MAIL, "relationshipUserSourcedId"

    def _cell(self, name: str, column: str, value: str) -> Iterator[tuple[str, str]]:
        valid = _VALID.get(f"{name}.{column}") or (_ID if column == "sourcedId" else None)
        if column in _NEVER:
            yield NOT_ALLOWED, column
        if UNSEEN.search(value) or (valid and not valid.fullmatch(value)):
            yield NOT_VALID, column
        if column in _DAYS and not is_day(value):
            yield NOT_VALID, column
        if RUNS.search(value) and column != "sms":
            yield FORMULA, column
        target = _REFERS.get(column)
        # The owner stands above its schools, so every reference is to a row that has been read.
        if target and any(one not in self._ids.get(target, ()) for one in value.split(",")):
            yield UNRESOLVED, column


def _finding(name: str, where: str, detail: str, line: int) -> Finding:
    return Finding(name, where, detail, line, blocks=name not in _DOES_NOT_BLOCK)
