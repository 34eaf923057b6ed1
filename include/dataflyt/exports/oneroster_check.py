"""The check of a OneRoster 1.2 zip file, and the file read back. Both read it as a receiver would.

Source: 1EdTech OneRoster CSV Binding 1.2.1: the manifest and the files it names; every header, in order; required
columns and enumerations; dates. Beyond the columns: ids are unique in their file and lead to a row; a user has a role;
of a user's roles at an organisation exactly one is primary; a class belongs to a school, and its enrolments to that
school; a guardian is a user's agent and no other; lists of subjects and of their codes are of one length.

The files are streamed: only ids are remembered. A finding names the file and the line, and repeats nothing from it.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import RUNS, UNSEEN, Row, is_day, lines_of, opened_zip, rows, walked
from dataflyt.exports.model import Finding, Openable, ReadRow

NO_FILE: Final = "Fil som ikke er slik manifest.csv sier"
WRONG_HEADS: Final = "Kolonner som ikke er standardens"
MISSING: Final = "Kolonne som må ha en verdi"
NOT_VALID: Final = "Verdi som standarden ikke kjenner"
NOT_ALLOWED: Final = "Kolonne som denne eksporten aldri har"
DUPLICATE: Final = "Samme sourcedId to ganger"
UNRESOLVED: Final = "Henvisning til noe som ikke finnes"
WITHOUT_ROLE: Final = "Bruker uten rolle"
NOT_ONE_PRIMARY: Final = "Bruker uten nøyaktig én hovedrolle ved en organisasjon"
OTHER_SCHOOL: Final = "Medlem av en klasse ved en annen skole"
NO_CHILD: Final = "Foresatt uten elev"
REVERSED: Final = "Datoer i feil rekkefølge"
FORMULA: Final = "Tekst som blir lest som en formel"

_DOES_NOT_BLOCK: Final = frozenset((REVERSED,))
COLUMNS: Final = {
    "orgs": "sourcedId! status dateLastModified name! type! identifier parentSourcedId",
    "academicSessions": "sourcedId! status dateLastModified title! type! startDate! endDate! parentSourcedId "
    "schoolYear!",
    "courses": "sourcedId! status dateLastModified schoolYearSourcedId title! courseCode grades orgSourcedId! subjects "
    "subjectCodes",
    "classes": "sourcedId! status dateLastModified title! grades courseSourcedId! classCode classType! location "
    "schoolSourcedId! termSourcedIds! subjects subjectCodes periods",
    "users": "sourcedId! status dateLastModified enabledUser! username! userIds givenName! familyName! middleName "
    "identifier email sms phone agentSourcedIds grades password userMasterIdentifier preferredGivenName "
    "preferredMiddleName preferredFamilyName primaryOrgSourcedId pronouns",
    "roles": "sourcedId! status dateLastModified userSourcedId! roleType! role! beginDate endDate orgSourcedId! "
    "userProfileSourcedId",
    "userProfiles": "sourcedId! status dateLastModified userSourcedId! profileType! vendorId! applicationId "
    "description credentialType! username! password",
    "enrollments": "sourcedId! status dateLastModified classSourcedId! schoolSourcedId! userSourcedId! role! primary "
    "beginDate endDate",
    "demographics": "sourcedId! status dateLastModified birthDate sex americanIndianOrAlaskaNative asian "
    "blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces "
    "hispanicOrLatinoEthnicity countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
}
"""Every file, before those that refer to it, with its columns; ``!`` marks those that must have a value."""
OTHERS: Final = (
    *("categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems"),
    *("lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales"),
    "userResources",
)
NEVER: Final = frozenset(
    (
        *("status", "dateLastModified", "password", "location", "phone", "periods", "userMasterIdentifier", "pronouns"),
        *("sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "white"),
        *("nativeHawaiianOrOtherPacificIslander", "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity"),
        *("countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth", "publicSchoolResidenceStatus"),
    )
)
"""Columns that stay empty: status and dateLastModified in bulk, and what no receiver needs in order to give access."""
ID: Final = re.compile(r"[0-9A-Za-z._/@-]{1,255}")
VALID: Final = {
    "orgs.type": re.compile("department|school|district|local|state|national"),
    "academicSessions.type": re.compile("gradingPeriod|semester|schoolYear|term"),
    "academicSessions.schoolYear": re.compile("[0-9]{4}"),
    "classes.classType": re.compile("homeroom|scheduled"),
    "classes.grades": re.compile("0[1-9]|1[0-3]"),
    "courses.grades": re.compile("0[1-9]|1[0-3]"),
    "users.enabledUser": re.compile("true|false"),
    "users.userIds": re.compile("({[^:{}]+:[^:{},]+}(,(?!$)|$))+"),
    "users.email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+"),
    "users.sms": re.compile(r"\+[0-9]{8,15}"),
    "roles.roleType": re.compile("primary|secondary"),
    "roles.role": re.compile(
        "aide|counselor|districtAdministrator|guardian|parent|principal|proctor|relative|siteAdministrator|student|"
        "systemAdministrator|teacher"
    ),
    "enrollments.role": re.compile("administrator|proctor|student|teacher"),
    "enrollments.primary": re.compile("true|false"),
}
REFERS: Final = {
    "orgs.parentSourcedId": "orgs",
    "academicSessions.parentSourcedId": "academicSessions",
    "courses.schoolYearSourcedId": "academicSessions",
    "courses.orgSourcedId": "orgs",
    "classes.courseSourcedId": "courses",
    "classes.schoolSourcedId": "orgs",
    "classes.termSourcedIds": "academicSessions",
    "users.agentSourcedIds": "users",
    "users.primaryOrgSourcedId": "orgs",
    "roles.userSourcedId": "users",
    "roles.orgSourcedId": "orgs",
    "roles.userProfileSourcedId": "userProfiles",
    "userProfiles.userSourcedId": "users",
    "enrollments.classSourcedId": "classes",
    "enrollments.schoolSourcedId": "orgs",
    "enrollments.userSourcedId": "users",
    "demographics.sourcedId": "users",
}
_WITHIN = frozenset(("orgs", "academicSessions", "users"))
"""Files with references to rows of their own, which may stand below: they are looked up when the file has been read."""
_PERIODS: Final = {
    "academicSessions": ("startDate", "endDate"),
    "roles": ("beginDate", "endDate"),
    "enrollments": ("beginDate", "endDate"),
}
DAYS: Final = frozenset(("startDate", "endDate", "beginDate", "birthDate"))


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a OneRoster 1.2 zip file; raise Unreadable when it is not one."""
    return walked(path, lambda file: _Check(file).run())


def read(path: Openable) -> Iterator[ReadRow]:
    """Yield each pupil and employee by sourcedId, and each one's classes. Raises Unreadable."""
    return walked(path, _rows)


def _rows(file: BinaryIO) -> Iterator[ReadRow]:
    archive = opened_zip(file)
    at_school = {row["userSourcedId"] for _, row in rows(archive, "roles") if row["role"] != "guardian"}
    for _, row in rows(archive, "users"):
        if row["sourcedId"] in at_school:
            yield ReadRow(row["sourcedId"], "", False, "")
    for _, row in rows(archive, "enrollments"):
        yield ReadRow(row["userSourcedId"], row["classSourcedId"], row["role"] == "student", "")


def faults_of(full: str, column: str, value: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a cell by itself; ``full`` is its column's name after that of the table and a dot."""
    if column in NEVER:
        yield NOT_ALLOWED, column
    if UNSEEN.search(value) or (full in VALID and not VALID[full].fullmatch(value)):
        yield NOT_VALID, column
    if column in DAYS and not is_day(value):
        yield NOT_VALID, column
    if RUNS.search(value) and full != "users.sms":
        yield FORMULA, column


class _Check:
    """One walk through the files, and its memory of the ids it has passed."""

    def __init__(self, file: BinaryIO) -> None:
        self._archive = opened_zip(file)
        self._ids: dict[str, set[str]] = {}
        self._schools: set[str] = set()
        self._school_of: dict[str, str] = {}  # class -> school
        self._later: list[tuple[str, str, int]] = []  # column, id, line
        self._agents: set[str] = set()
        self._guardians: dict[str, int] = {}  # user -> line in roles
        self._roles: dict[tuple[str, str], int] = {}  # user and org -> number of primary roles
        self._unread: set[str] = set()  # files with other columns

    def run(self) -> Iterator[Finding]:
        said = self._manifest()
        yield from self._files(said)
        for name in COLUMNS:
            if f"{name}.csv" in self._archive.namelist():
                yield from self._file(name)
        if not self._unread & {"users", "roles"}:
            yield from self._end()

    def _manifest(self) -> dict[str, str]:
        names = self._archive.namelist()
        if names.count("manifest.csv") != 1:
            raise Unreadable("Zip-filen har ikke én manifest.csv.")
        lines = [cells for _, cells in lines_of(self._archive, "manifest.csv")]
        if lines[:1] != [["propertyName", "value"]] or any(len(line) != 2 for line in lines):
            raise Unreadable("manifest.csv har ikke kolonnene propertyName og value.")
        said = dict(lines[1:])
        if said.get("manifest.version") != "1.0" or said.get("oneroster.version") != "1.2":
            raise Unreadable("manifest.csv sier ikke at dette er OneRoster 1.2.")
        return said

    def _files(self, said: dict[str, str]) -> Iterator[Finding]:
        names = [name for name in self._archive.namelist() if name != "manifest.csv"]
        for at, name in enumerate(names, 1):
            table = name.removesuffix(".csv")
            if table not in COLUMNS or names.count(name) > 1 or said.get(f"file.{table}") != "bulk":
                yield _finding(NO_FILE, f"fil {at} i zip-filen", "ikke nevnt som bulk, eller to ganger", 0)
        for table in (*COLUMNS, *OTHERS):
            word = said.get(f"file.{table}")
            if word not in ("bulk", "absent") or (word == "bulk" and f"{table}.csv" not in names):
                yield _finding(NO_FILE, f"{table}.csv", "manifest.csv sier ikke om den er med", 0)

    def _file(self, name: str) -> Iterator[Finding]:
        wanted = COLUMNS[name].split()
        needed = {column[:-1] for column in wanted if column.endswith("!")}
        columns = [column.removesuffix("!") for column in wanted]
        heads = next(lines_of(self._archive, f"{name}.csv"), (1, []))[1]
        if heads != columns:
            yield _finding(WRONG_HEADS, f"{name}.csv", "hodet er et annet", 1)
            self._unread.add(name)
            return
        ids = self._ids.setdefault(name, set())
        referred_to = name in REFERS.values()
        seen: set[int] = set()  # hashes: an enrolment's id is long, there are many, and nothing refers to it
        for number, row in rows(self._archive, name):
            for kind, detail in self._row(name, row, needed, number):
                yield _finding(kind, f"{name}.csv linje {number}", detail, number)
            if hash(row["sourcedId"]) in seen:
                yield _finding(DUPLICATE, f"{name}.csv linje {number}", "sourcedId", number)
            seen.add(hash(row["sourcedId"]))
            if referred_to:
                ids.add(row["sourcedId"])
        if not seen:
            yield _finding(NO_FILE, f"{name}.csv", "en fil uten rader skal ikke være med", 1)
        for column, target, number in self._later:
            if target not in ids:
                yield _finding(UNRESOLVED, f"{name}.csv linje {number}", column, number)
        self._later.clear()

    def _row(self, name: str, row: Row, needed: set[str], number: int) -> Iterator[tuple[str, str]]:
        if row["sourcedId"] and not ID.fullmatch(row["sourcedId"]):
            yield NOT_VALID, "sourcedId"
        for column, value in row.items():
            yield from self._cell(name, column, value, needed, number)
        begins, ends = _PERIODS.get(name, ("", ""))
        if row.get(begins) and row.get(ends) and row[ends] < row[begins]:
            yield REVERSED, ends
        subjects, codes = (row.get(column, "").split(",") for column in ("subjects", "subjectCodes"))
        if len(subjects) != len(codes):
            yield NOT_VALID, "subjects og subjectCodes er ikke like lange"
        if name == "orgs" and row["type"] == "school":
            self._schools.add(row["sourcedId"])
        elif name == "classes":
            self._school_of[row["sourcedId"]] = row["schoolSourcedId"]
            if row["schoolSourcedId"] not in self._schools:
                yield UNRESOLVED, "schoolSourcedId er ikke en skole"
        elif name == "users":
            self._agents.update(filter(None, row["agentSourcedIds"].split(",")))
        elif name == "roles":
            key = (row["userSourcedId"], row["orgSourcedId"])
            self._roles[key] = self._roles.get(key, 0) + (row["roleType"] == "primary")
            if row["role"] == "guardian":
                self._guardians.setdefault(row["userSourcedId"], number)
        elif name == "enrollments" and self._school_of.get(row["classSourcedId"]) != row["schoolSourcedId"]:
            yield OTHER_SCHOOL, "schoolSourcedId"

    def _cell(self, name: str, column: str, value: str, needed: set[str], number: int) -> Iterator[tuple[str, str]]:
        full = f"{name}.{column}"
        if not value:
            if column in needed:
                yield MISSING, column
            return
        yield from faults_of(full, column, value)
        if full in REFERS:
            for target in value.split(","):
                if REFERS[full] == name and name in _WITHIN:
                    self._later.append((column, target, number))
                elif REFERS[full] == "userProfiles":
                    pass  # the file stands below
                elif target not in self._ids.get(REFERS[full], ()):
                    yield UNRESOLVED, column

    def _end(self) -> Iterator[Finding]:
        with_role = {user for user, _ in self._roles}
        for number, row in rows(self._archive, "users"):
            if row["sourcedId"] not in with_role:
                yield _finding(WITHOUT_ROLE, f"users.csv linje {number}", "ingen rad i roles.csv", number)
        for number, row in rows(self._archive, "roles"):
            if self._roles.pop((row["userSourcedId"], row["orgSourcedId"]), 1) != 1:
                yield _finding(NOT_ONE_PRIMARY, f"roles.csv linje {number}", "roleType", number)
        for user, number in self._guardians.items():
            if user not in self._agents:
                yield _finding(NO_CHILD, f"roles.csv linje {number}", "ingen har brukeren som agent", number)
        if self._agents - self._guardians.keys():
            yield _finding(UNRESOLVED, "users.csv", "en agent har ikke rollen guardian", 0)


def _finding(name: str, where: str, detail: str, line: int) -> Finding:
    return Finding(name, where, detail, line, blocks=name not in _DOES_NOT_BLOCK)
