"""OneRoster 1.1 and 1.2 to rows: a zip file of CSV files, all of them whole (bulk).

In: manifest, orgs, users, classes and enrollments, in 1.2 roles too; courses, academicSessions and demographics if the
file has them. Out: rows of the tables of the school system: schools, groups, people with the guardians that they name,
then memberships. A file of changes (delta), one without manifest, a broken or swollen zip file and a row without its id
raise ``Unreadable``. Rows marked ``tobedeleted`` or ``inactive`` count as absent, and such a class has no members. A
user with ``enabledUser`` false is read, with the ``recstatus`` disabled: the school has to tell whether the user has
left. Paths in the zip file may be written as Windows does.

Values that later rows refer to (courses, sessions, birth dates, pupils and guardians) are kept in memory; every other
row is yielded and forgotten. Limits hold for both the kept values and the unpacked size, in proportion to the file.
Nothing is unpacked to a disk.

Source: 1EdTech OneRoster CSV Binding 1.1 and 1.2.1. The Norwegian contents of the fields are those of FINT's provider,
which speaks OneRoster's REST interface. CSV from a Norwegian system was not found, so this is assumed: ``identifier``
is a school's organisation number, and a user's national identity number (eleven digits; anything else is a local
number); ``userIds`` has ``{Feide:…}``; a homeroom is a basisgruppe, a scheduled class an undervisningsgruppe; subject
codes are Grep's. Assumed too: a pupil's agents are guardians, and a guardian's are the children; a session's last day
is in it (FINT writes 12-31). Of a user's roles at several schools the one at ``primaryOrgSourcedId`` is the main one;
without it, every primary role. An enrolment's ``endDate`` is the first day after it (1EdTech).
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import IO, BinaryIO, NamedTuple, cast

from dataflyt.errors import Unreadable
from dataflyt.formats.csv_rows import csv_rows
from dataflyt.formats.dates import day, end_day, start_day
from dataflyt.formats.text import refuse_other_formats, tidy
from dataflyt.identity import numbers
from dataflyt.sources.sas.rows import Group, Guardian, Membership, Person, School
from dataflyt.sources.sas.values import grep_codes, nine_digits, year_level_in

MOST_TIMES = 100
"""A roster may unpack to this many times its size, plus ``_SOME`` bytes: text is seldom packed to a twentieth."""
_SOME = 16 * 1024 * 1024
_MOST_AT_ONCE = 256 * 1024

_LEVELS = {"school": "skole", "district": "skoleeier", "local": "skoleeier"}
_GROUP_TYPES = {"homeroom": "basisgruppe", "scheduled": "undervisningsgruppe"}
_SEX = {"female": "kvinne", "male": "mann"}
_GUARDIANS = frozenset({"guardian", "parent", "relative"})
_ROLES = {
    "student": "01",
    "teacher": "02",
    "proctor": "04",
    "counselor": "04",
    "principal": "05",
    "administrator": "07",
    "siteadministrator": "07",
    "systemadministrator": "07",
    "districtadministrator": "07",
    "aide": "08",
}
"""PIFU's two digits for a role."""
_SUBROLES = {"principal": "rektor", "counselor": "rådgiver"}
"""PIFU's subrole for a role that says more than the digits do."""
DISABLED = "disabled"
"""The ``recstatus`` of a user who may not log in."""
_NO = frozenset({"false", "0", "no"})
_GONE = frozenset({"tobedeleted", "inactive"})
_USER_ID = re.compile(r"\{\s*([^:{}]{1,40}?)\s*:\s*([^{}]{1,200}?)\s*\}")
_SUBJECT = re.compile(r"[A-ZÆØÅ]{3}[0-9]{2,4}")


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield the rows of a OneRoster zip file. Raises Unreadable."""
    archive = _Archive(stream)
    version = _version(archive)
    yield from _schools(archive)
    yield from _groups(archive)
    yield from _people(archive, version)
    yield from _memberships(archive, version)


def _version(archive: "_Archive") -> str:
    """Return 1.1 or 1.2. Raises Unreadable for a file of changes, and for one that lacks a required file."""
    said: dict[str, str] = {}
    for _, (key, value) in archive.rows("manifest", ("propertyName", "value"), needed=2):
        if key and len(said) < 200:
            said[key.lower()] = (value or "").lower()
    version = ".".join(said.get("oneroster.version", "").split(".")[:2])
    if version not in ("1.1", "1.2"):
        raise Unreadable("Filen manifest.csv sier ikke at dette er OneRoster 1.1 eller 1.2.")
    for name in (*_NEEDED, *(("roles",) if version == "1.2" else ()), *_OPTIONAL):
        kind = said.get(f"file.{name.lower()}", "absent")
        if kind == "delta":
            raise Unreadable(f"Filen {name}.csv har bare endringer (delta), og skulle hatt alt (bulk).")
        if kind == "absent" and name not in _OPTIONAL:
            raise Unreadable(f"Filen manifest.csv sier at {name}.csv ikke er med (absent), og den må være med.")
        if kind != "absent" and not archive.has(name):
            raise Unreadable(f"Filen {name}.csv er nevnt i manifest.csv, men er ikke med.")
    return version


_NEEDED = ("orgs", "users", "classes", "enrollments")
_OPTIONAL = ("courses", "academicSessions", "demographics")


# --- Schools and groups ----------------------------------------------------------------------------------------------


def _schools(archive: "_Archive") -> Iterator[School]:
    wanted = ("sourcedId", "name", "type", "identifier", "parentSourcedId")
    for school_id, (name, kind, identifier, parent_id) in archive.records("orgs", wanted, needed=3):
        word = (kind or "").lower()
        yield School(
            school_id=school_id,
            parent_id=None if parent_id == school_id else parent_id,
            level=_LEVELS.get(word, word or None),
            orgnr=nine_digits(identifier) if word in _LEVELS else None,
            name=name,
            school_type=None,
        )


def _groups(archive: "_Archive") -> Iterator[Group]:
    sessions = _Kept(archive)
    for session_id, (begins, ends, year) in archive.records(
        "academicSessions", ("sourcedId", "startDate", "endDate", "schoolYear")
    ):
        sessions.keep(session_id, (day(begins), day(ends), year))
    courses = _Kept(archive)
    for course_id, values in archive.records("courses", ("sourcedId", "title", "courseCode", "grades", "subjectCodes")):
        courses.keep(course_id, values)
    wanted = ("sourcedId", "title", "classType", "schoolSourcedId", "courseSourcedId", "termSourcedIds", "grades")
    for group_id, (title, kind, school_id, course, terms, grades, codes) in archive.records(
        "classes", (*wanted, "subjectCodes"), needed=4
    ):
        course_title, course_code, course_grades, course_codes = courses.get(course or "", (None,) * 4)
        code, uri = _grep(codes, course_codes, course_code)
        during = [sessions[term] for term in _listed(terms) if term in sessions]
        word = (kind or "").lower().removeprefix("ext:")
        yield Group(
            group_id=group_id,
            school_id=school_id,
            group_type=_GROUP_TYPES.get(word, word or None),
            name=title,
            long_name=course_title,
            grep_code=code,
            grep_uri=uri,
            year_level=year_level_in(_only(grades), uri, _only(course_grades), course_title),
            begin_date=start_day(min((begins for begins, _, _ in during if begins), default=None)),
            end_date=end_day(max((ends for _, ends, _ in during if ends), default=None)),
            adminperiod=next((_school_year(year) for _, _, year in during if year), None),
        )


def _grep(codes: str | None, course_codes: str | None, course_code: str | None) -> tuple[str | None, str | None]:
    """Return the short code and the long form of the first subject code; a course's own code if it looks like one."""
    for code in (*_listed(codes), *_listed(course_codes)):
        return grep_codes(None, code)
    return (course_code, None) if course_code and _SUBJECT.fullmatch(course_code) else (None, None)


def _school_year(ends: str) -> str:
    """Return a school year in full. OneRoster names it by the year it ends in: 2027 is 2026/2027."""
    return f"{int(ends) - 1}/{ends}" if re.fullmatch("[1-9][0-9]{3}", ends) else ends


def _only(grades: str | None) -> str | None:
    listed = _listed(grades)
    return listed[0] if len(listed) == 1 else None


def _listed(value: str | None) -> list[str]:
    return [part for one in (value or "").split(",") if (part := one.strip())]


# --- People ----------------------------------------------------------------------------------------------------------


def _people(archive: "_Archive", version: str) -> Iterator[NamedTuple]:
    born = _Kept(archive)
    same: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}  # few birth dates, many people
    for user_id, (birth_date, sex) in archive.records("demographics", ("userSourcedId|sourcedId", "birthDate", "sex")):
        said = (start_day(birth_date), _SEX.get((sex or "").lower()))
        born.keep(user_id, same.setdefault(said, said) if len(same) < 50_000 else said)
    roles = _Kept(archive)
    if version == "1.2":
        for _, (user, role) in archive.records("roles", ("sourcedId", "userSourcedId", "role"), needed=3):
            word = (role or "").lower()
            if user and (word == "student" or (word in _GUARDIANS and user not in roles)):
                roles.keep(user, (word,))
    wanted = ("sourcedId", "username", "userIds", "givenName", "middleName", "familyName", "identifier", "email", "sms")
    for person_id, values in archive.records("users", (*wanted, "agentSourcedIds", "role", "enabledUser"), needed=1):
        username, user_ids, given, middle, family, identifier, email, sms, agents, role, enabled = values
        ids = {kind.lower(): value for kind, value in _USER_ID.findall(user_ids or "")}
        birth_date, sex = born.get(person_id, (None, None))
        told = numbers.told(None, identifier, person_id, born=birth_date)
        yield Person(
            person_id=person_id,
            old_person_id=None,
            number=told.number,
            local_number=told.local_number,
            feide_id=tidy(ids.get("feide")),
            username=username,
            given_name=" ".join(part for part in (given, middle) if part) or None,
            family_name=family,
            full_name=None,
            sex=sex,
            birth_date=birth_date,
            email=email,
            mobile=sms,
            recstatus=DISABLED if (enabled or "").lower() in _NO else None,
            number_kind=told.number_kind,
        )
        word = (role or roles.get(person_id, ("",))[0] or "").lower()
        for agent in _listed(agents):
            if word == "student":
                yield Guardian(person_id, agent, "guardian")
            elif word in _GUARDIANS:
                yield Guardian(agent, person_id, "guardian")


# --- Who is where ----------------------------------------------------------------------------------------------------


def _memberships(archive: "_Archive", version: str) -> Iterator[Membership]:
    if version == "1.1":
        for person_id, (role, orgs) in archive.records("users", ("sourcedId", "role", "orgSourcedIds"), needed=3):
            for org in _listed(orgs):
                yield from _membership(org, person_id, role, None, None, None)
    else:
        main_of = _Kept(archive)
        for person_id, (main_org,) in archive.records("users", ("sourcedId", "primaryOrgSourcedId")):
            if main_org:
                main_of.keep(person_id, (main_org,))
        wanted = ("sourcedId", "userSourcedId", "orgSourcedId", "role", "roleType", "beginDate", "endDate")
        for _, (person, org_id, role, kind, begins, ends) in archive.records("roles", wanted, needed=4):
            if person in archive.gone["users"]:
                continue
            main = {"primary": True, "secondary": False}.get((kind or "").lower())
            if main and person and person in main_of:  # each organisation has a primary role of its own
                main = main_of[person] == (org_id,)
            yield from _membership(org_id, person, role, main, begins, ends)
    wanted = ("sourcedId", "userSourcedId", "classSourcedId", "role", "primary", "beginDate", "endDate")
    for _, (person, group_id, role, primary, begins, ends) in archive.records("enrollments", wanted, needed=4):
        if person in archive.gone["users"] or group_id in archive.gone["classes"]:
            continue
        main = {"true": True, "false": False}.get((primary or "").lower())
        yield from _membership(group_id, person, role, main, begins, ends)


def _membership(
    group_id: str | None,
    person_id: str | None,
    role: str | None,
    main: bool | None,
    begins: str | None,
    ends: str | None,
) -> Iterator[Membership]:
    """Yield the membership, unless it is a guardian's: a guardian belongs to a pupil and not to a group."""
    word = (role or "").lower()
    if word not in _GUARDIANS:
        yield Membership(
            group_id=group_id or "",
            person_id=person_id or "",
            role=_ROLES.get(word, word or None),
            subrole=_SUBROLES.get(word),
            active=None,
            main=main,
            begin_date=start_day(begins),
            end_date=_day_before(ends),
        )


def _day_before(value: str | None) -> str | None:
    found = end_day(value)
    try:
        return (date.fromisoformat(found) - timedelta(days=1)).isoformat() if found else None
    except (ValueError, OverflowError):
        return found


# --- The zip file ----------------------------------------------------------------------------------------------------


class _Archive:
    """The CSV files of a zip file from outside, read within limits."""

    def __init__(self, stream: BinaryIO) -> None:
        start = stream.read(4096)
        if not start.startswith(b"PK"):
            refuse_other_formats(start, "en zip-fil med OneRoster")
            raise Unreadable("Filen er ikke en zip-fil, og skulle vært en zip-fil med OneRoster.")
        if not stream.seekable():
            raise Unreadable("Filen ligger på et lager der den bare kan leses forfra.")
        self.size = stream.seek(0, io.SEEK_END)
        self.left = _SOME + MOST_TIMES * self.size
        self.kept = 2 * _SOME + 8 * self.size
        self.gone = {"users": _Kept(self), "classes": _Kept(self)}
        self._entries: dict[str, zipfile.ZipInfo] = {}
        broken = False
        try:
            self._zip = zipfile.ZipFile(cast("BinaryIO", _Limited(stream)))
        except _BROKEN:
            broken = True
        if broken:
            raise Unreadable(_DAMAGED)
        for entry in self._zip.infolist():
            folder, _, name = entry.filename.replace("\\", "/").rpartition("/")  # as some Windows programs write
            if name.lower().endswith(".csv") and "__MACOSX" not in folder:
                if name.lower() in self._entries:
                    raise Unreadable("Zip-filen har to filer med samme navn, og skulle hatt én av hver.")
                self._entries[name.lower()] = entry
        if "manifest.csv" not in self._entries:
            raise Unreadable("Zip-filen mangler manifest.csv, som sier om alt er med.")

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return f"{name.lower()}.csv" in self._entries

    def records(
        self, name: str, columns: Sequence[str], *, needed: int = 1
    ) -> Iterator[tuple[str, tuple[str | None, ...]]]:
        """Yield id and other cells of the rows that are not marked as deleted; the first of ``columns`` is the id."""
        for line, (status, row_id, *cells) in self.rows(name, ("status", *columns), needed=needed + 1):
            if status and status.lower() in _GONE:
                if row_id and name in self.gone:
                    self.gone[name].keep(row_id, ())
                continue
            if row_id is None:
                raise Unreadable(f"Raden i linje {line} i {name}.csv har ingen sourcedId.")
            yield row_id, tuple(cells)

    def rows(self, name: str, columns: Sequence[str], *, needed: int) -> Iterator[tuple[int, tuple[str | None, ...]]]:
        """Yield line number and the cells of these columns; nothing for an absent file.

        The file must have the first ``needed`` columns, except ``status``. ``a|b`` is the column a, or b if there is no
        a.
        """
        if not self.has(name):
            return
        rows = csv_rows(cast("BinaryIO", self._open(name)), f"{name}.csv")
        _, header = next(rows, (1, []))
        names = [cell.strip().lower() for cell in header]
        places = []
        for at, column in enumerate(columns):
            either = [one for one in column.lower().split("|") if one in names]
            if not either and at < needed and column != "status":
                raise Unreadable(f"Filen {name}.csv mangler kolonnen {column}.")
            places.append(names.index(either[0]) if either else -1)
        for line, row in rows:
            if row:
                yield line, tuple([tidy(row[at]) if 0 <= at < len(row) else None for at in places])

    def _open(self, name: str) -> "_Unpacked":
        entry = self._entries[f"{name.lower()}.csv"]
        if entry.flag_bits & 1:
            raise Unreadable("Zip-filen er låst med passord.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable(
                "Zip-filen er pakket på en måte som ikke blir lest, og skulle vært pakket på vanlig måte (deflate)."
            )
        try:
            return _Unpacked(self, self._zip.open(entry))
        except _BROKEN:
            pass
        raise Unreadable(_DAMAGED)


_DAMAGED = "Zip-filen er ødelagt, for den er ikke hel eller er endret underveis."
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    IndexError,
    KeyError,
)


class _Limited:
    """The zip file as ``zipfile`` reads it, in bounded pieces: large enough for the list of a roster's few files."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if 0 <= size <= _MOST_AT_ONCE else _MOST_AT_ONCE + 1)
        if len(data) > _MOST_AT_ONCE:
            raise Unreadable("Zip-filen nevner langt flere filer enn OneRoster har.")
        return data


class _Unpacked(io.RawIOBase):
    """A file of the zip file as it is unpacked, counted together with the others."""

    def __init__(self, archive: _Archive, stream: IO[bytes]) -> None:
        self._archive = archive
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = b""
        broken = False
        try:
            data = self._stream.read(len(buffer))
        except _BROKEN:
            broken = True
        if broken:
            raise Unreadable(_DAMAGED)
        self._archive.left -= len(data)
        if self._archive.left < 0:
            raise Unreadable("Zip-filen blir langt større når den pakkes ut, og ble ikke lest.")
        buffer[: len(data)] = data
        return len(data)


class _Kept(dict[str, tuple[str | None, ...]]):
    """Values that later rows refer to, by id. All the values together may not grow far beyond the file."""

    def __init__(self, archive: _Archive) -> None:
        super().__init__()
        self._archive = archive

    def keep(self, key: str, values: tuple[str | None, ...]) -> None:
        """Keep values. Raises Unreadable if they have grown too large."""
        self._archive.kept -= 200 + len(key) + sum(60 + len(value) for value in values if value)
        if self._archive.kept < 0:
            raise Unreadable(
                "Zip-filen nevner langt flere fag eller personer enn størrelsen tilsier, og ble ikke lest."
            )
        self[key] = values
