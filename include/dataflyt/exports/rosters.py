"""What rosters in CSV have in common (OneRoster, School Data Sync): files of a zip file, ids, texts and school terms.

A roster goes to a system, not to a spreadsheet. Its texts are written as they are, but none begins as a formula, also
not after a semicolon: people do open such files in Excel, and a Norwegian one begins a new cell there.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import islice
from typing import Final, NamedTuple
from zipfile import ZipFile

from dataflyt.exports.model import Group, Membership
from dataflyt.formats import reaching
from dataflyt.formats.dates import known_day, school_year
from dataflyt.formats.sheets import FORMULA, zipped
from dataflyt.identity.names import clean

KINDS: Final = ("basisgruppe", "undervisningsgruppe")
"""The groups that are classes in a roster. Contact teachers' groups and year levels have no counterpart there."""
PUPIL: Final = "01"
TEACHERS: Final = ("02", "06")
_NOT_IN_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
_CHUNK: Final = 500
_BEGINS = "".join((*FORMULA, " "))
_AFTER_SEMICOLON = re.compile(f";[{re.escape(_BEGINS)}]+")
_AS_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/@-]{0,199}")


def put(
    archive: ZipFile, name: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, always: bool = False
) -> int:
    """Write a CSV file (RFC 4180) to the archive and return its number of rows.

    A file without rows is written only with ``always``.
    """
    rest = iter(rows)
    chunk: list[Sequence[str]] = list(islice(rest, _CHUNK))
    if not chunk and not always:
        return 0
    written = 0
    with archive.open(zipped(name), "w") as file:
        file.write(_lines([heads]).encode())
        while True:
            file.write(_lines(chunk).encode())
            written += len(chunk)
            if len(chunk) < _CHUNK:
                return written
            chunk = list(islice(rest, _CHUNK))


def put_lines(archive: ZipFile, name: str, heads: Sequence[str], lines: Iterable[str]) -> int:
    """Write a CSV file of lines that are ready, with their ends, as ``put`` does; made of ``cell``, or of plain ids."""
    rest = iter(lines)
    chunk = list(islice(rest, _CHUNK))
    if not chunk:
        return 0
    written = 0
    with archive.open(zipped(name), "w") as file:
        file.write(_lines([heads]).encode())
        while chunk:
            file.write("".join(chunk).encode())
            written += len(chunk)
            chunk = list(islice(rest, _CHUNK))
    return written


def cell(value: str) -> str:
    """Return a value as it stands in a line of a CSV file.

    >>> cell("SKA/7A"), cell('a "b", c')
    ('SKA/7A', '"a ""b"", c"')
    """
    return _lines([(value, "")])[:-3]


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def plain(value: str) -> str:
    """Return a text on one line, without letters that nobody sees, and no part of it beginning as a formula.

    >>> plain(" =Ola   Nordmann"), plain("7A;=1+1"), plain("Norsk; 7A")
    ('Ola Nordmann', '7A; 1+1', 'Norsk; 7A')
    """
    text = _AFTER_SEMICOLON.sub("; ", clean(_NOT_IN_XML.sub("", value)))
    return text.lstrip(_BEGINS)[:255].strip()


def mail(value: str) -> str | None:
    """Return an address that a roster can hold; None for a text that is none, or that begins as a formula."""
    found = reaching.mail(value)
    return found if found is not None and plain(found) == found else None


def local_id(value: str) -> str:
    """Return an id that every receiver can take: it is kept, or hashed when it has other letters than ids may have.

    >>> local_id("SKA/7A/2026"), len(local_id("7 Å"))
    ('SKA/7A/2026', 33)
    """
    if _AS_ID.fullmatch(value):
        return value
    return f"h{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def level(year_level: int | None) -> str:
    """Return a year level in two digits, as CEDS writes them: 1 to 10, and 11 to 13 for vg1 to vg3."""
    return f"{year_level:02}" if year_level and 1 <= year_level <= 13 else ""


class Names(NamedTuple):
    """A person's given and family name, of which rosters demand both: a person with one name gets it as both."""

    given: str
    family: str


def names(given_names: str, family_name: str, otherwise: str) -> Names:
    """Return both names; a person of whose names nothing is left gets the id as both."""
    given, family = plain(given_names), plain(family_name)
    return Names(given or family or otherwise, family or given or otherwise)


class Session(NamedTuple):
    """A period: a school year, a half of one, or a class's own."""

    session_id: str
    title: str
    kind: str
    begins: date
    ends: date
    parent_id: str
    year: int
    """The year that the school year ends in, which is the one that rosters name it by."""


def year_session(begins: int) -> Session:
    """Return the session of the school year that begins in this year."""
    first, last = date(begins, 8, 1), date(begins + 1, 7, 31)
    return Session(f"{begins}-{begins + 1}", f"{begins}/{begins + 1}", "schoolYear", first, last, "", begins + 1)


def sessions(begins: date | None, ends: date | None, today: date) -> tuple[Session, ...]:
    """Return the sessions in which a class is taught.

    A class of a whole school year has its two halves, as FINT's provider writes it. A class with other days has a
    session of its own. A day that is missing is the school year's first or last.
    """
    begins, ends = known_day(begins), known_day(ends)
    if begins is None:
        begins = date(school_year(min(today, ends or today)), 8, 1)
    if ends is None or ends < begins:
        ends = date(school_year(max(today, begins)) + 1, 7, 31)
    year = year_session(school_year(begins))
    if (begins, ends) == (year.begins, year.ends):
        autumn, spring = begins.year, ends.year
        return (
            Session(f"{autumn}-1", f"Høst {autumn}", "term", begins, date(autumn, 12, 31), year.session_id, year.year),
            Session(f"{autumn}-2", f"Vår {spring}", "term", date(spring, 1, 1), ends, year.session_id, year.year),
        )
    within = ends <= year.ends
    own = f"{begins.isoformat()}_{ends.isoformat()}"
    title = f"{begins.isoformat()} til {ends.isoformat()}"
    parent = year.session_id if within else ""
    return (Session(own, title, "term", begins, ends, parent, school_year(ends) + 1),)


def courses(group: Group) -> tuple[str, str]:
    """Return id and title of the course that a class is of: its year level or its subject."""
    if group.kind == "basisgruppe":
        return (
            (f"trinn-{group.year_level}", f"{group.year_level}. trinn")
            if level(group.year_level)
            else ("klasse", "Klasse")
        )
    return (f"fag-{local_id(group.grep)}", plain(group.grep)) if group.grep else ("fag", "Uten fagkode")


class MainSchools:
    """The main school of each person, of all the schools that the person is at: a position's before a pupil's."""

    def __init__(self, of_schools: Iterable[Membership]) -> None:
        self._of: dict[str, tuple[int, str]] = {}
        for part in of_schools:
            rank = 2 if not part.main else 1 if part.role == PUPIL else 0
            if part.person_id not in self._of or rank < self._of[part.person_id][0]:
                self._of[part.person_id] = (rank, part.target)

    def get(self, person_id: str) -> str:
        """Return the organisation number; empty for a person at no school."""
        return self._of.get(person_id, (0, ""))[1]
