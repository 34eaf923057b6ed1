"""The class lists of a school owner, for people: one zip file with every list as CSV and as XLSX.

In: a ``Shown``, which gives the pupils of the classes as they may be shown. Out: ``alle-skoler.csv`` and
``alle-skoler.xlsx``, then the same two of each school in the folder ``skoler``: ``974588145-skaaredalen-skole.csv``.
The same input gives the same bytes.

It is the report that school administration systems have («Hent rapport» in Vigilo): a line a pupil and class, with the
columns Skoleår, Trinn, Gruppetype, Fornavn and Etternavn, in that order. Two columns of our own stand to the right,
Gruppe and Skole: without them nobody could tell 3A from 3B. A pupil in two classes has two lines; one in none is not in
the list. Numbers, birth dates, contact details and guardians are not in it: a list on paper needs none of them.

Why one zip file: an export is one file, which is published, withdrawn and named in the manifest as a whole. Files of
schools that come and go would need a manifest that lists them, and a reader who takes away the right ones. The schools'
lists are of the same moment as the whole one.

Memory holds a chunk of the whole list or the list of one school. The whole list is read twice, since a zip file takes
one file at a time.

``class_list_check`` reads the file as a spreadsheet would, before it is published.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from io import BytesIO
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from zipfile import ZipFile

from dataflyt.exports.class_list_check import check
from dataflyt.exports.model import ClassMember, Counts, Export, School, Shown
from dataflyt.formats import sheets
from dataflyt.formats.dates import OSLO, known_day, school_year
from dataflyt.identity.names import ascii_fold, clean

if TYPE_CHECKING:
    import pandas as pd

HEADS: Final = ("Skoleår", "Trinn", "Gruppetype", "Fornavn", "Etternavn", "Gruppe", "Skole")
_CHUNK: Final = 5_000
_LONGEST: Final = 255
_NAMELESS: Final = "Uten navn"


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the class lists of one school owner to ``out`` and return the counts."""
    moment = shown.as_of()
    today = moment.astimezone(OSLO).date()
    schools = list(shown.schools())
    people: set[str] = set()
    classes: set[str] = set()
    lines = 0

    def counted() -> Iterator[ClassMember]:
        nonlocal lines
        for member in shown.class_members():
            people.add(member.person_id)
            classes.add(member.group_id)
            lines += 1
            yield member

    with ZipFile(out, "w") as archive:

        def put(name: str, once: Iterable["pd.DataFrame"], again: Iterable["pd.DataFrame"]) -> None:
            """Write a list as CSV and as XLSX; the columns' widths are learned on the way."""
            longest = dict.fromkeys(HEADS, 0)
            with archive.open(sheets.zipped(f"{name}.csv"), "w") as file:
                sheets.write_csv(_measured(once, longest), cast("BinaryIO", file))
            sheet = BytesIO()
            sheets.write_xlsx(again, sheet, "Klasseliste", letters=longest, made=moment.astimezone(UTC))
            with archive.open(sheets.zipped(f"{name}.xlsx"), "w") as file:
                file.write(sheet.getbuffer())

        put("alle-skoler", _frames(counted(), today), _frames(shown.class_members(), today))
        for school, members in _by_school(schools, shown.class_members()):
            frames = list(_frames(members, today))
            put(f"skoler/{_file_name(school)}", frames, frames)
    return Counts(
        owners=1,
        schools=len(schools),
        people=len(people),
        pupils=len(people),
        employees=0,
        groups=len(classes),
        memberships=lines,
        left_out=0,
    )


def _by_school(
    schools: Iterable[School], members: Iterable[ClassMember]
) -> Iterator[tuple[School, Iterable[ClassMember]]]:
    """Yield every school with its members, if it has any. Both come in the order of the organisation numbers."""
    parts = groupby(members, attrgetter("orgnr"))
    part = next(parts, None)
    for school in schools:
        if part is not None and part[0] == school.orgnr:
            yield school, part[1]
            part = next(parts, None)
        else:
            yield school, ()


def _frames(members: Iterable[ClassMember], today: date) -> Iterator["pd.DataFrame"]:
    """Yield the list in frames, at least one."""
    rest = iter(members)
    yield _frame(list(islice(rest, _CHUNK)), today)
    while chunk := list(islice(rest, _CHUNK)):
        yield _frame(chunk, today)


def _frame(members: list[ClassMember], today: date) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([_line(member, today) for member in members], columns=list(HEADS)).astype({"Trinn": "Int64"})


def _line(member: ClassMember, today: date) -> tuple[str | int | None, ...]:
    """Return a pupil's line. The school year is today's, unless the class has not begun or has ended."""
    day = max(today, known_day(member.from_date) or today)
    begins = school_year(min(day, known_day(member.to_date) or day))
    level = member.year_level or 0
    given, family = _plain(member.given_names), _plain(member.family_name)
    return (
        f"{begins}/{begins + 1}",
        level if 1 <= level <= 13 else None,
        "Klasse",
        given,
        family or ("" if given else _NAMELESS),
        _plain(member.group) or _plain(member.group_id) or _NAMELESS,
        _plain(member.school) or member.orgnr,
    )


def _plain(value: str) -> str:
    """Return a text that CSV and XLSX hold alike: without what XML cannot hold, and no longer than anybody reads."""
    return clean(sheets.NOT_IN_XML.sub("", clean(value)))[:_LONGEST].strip()


def _measured(frames: Iterable["pd.DataFrame"], longest: dict[str, int]) -> Iterator["pd.DataFrame"]:
    for frame in frames:
        for name, letters in sheets.longest(frame).items():
            longest[name] = max(longest[name], letters)
        yield frame


def _file_name(school: School) -> str:
    """Return number and name in small ASCII letters; two schools of one name differ by their numbers.

    >>> _file_name(School("974588145", "../Skåredalen  skole"))
    '974588145-skaaredalen-skole'
    """
    letters = "".join(one if one.isalnum() else " " for one in ascii_fold(school.name).lower())
    return "-".join([school.orgnr, *letters.split()])[:70].rstrip("-")


EXPORT: Final = Export(name="class_list", file="klasselister.zip", write=write, check=check, of_classes=True)
