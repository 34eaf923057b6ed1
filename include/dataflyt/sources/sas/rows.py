"""Files of the school administration system to rows.

In: a full PIFU-IMS SAS file (``pifu``: namespaces 1.1, 1.2 and v1, or none), and a timetable as CSV (``timetable``:
columns ``group``, ``weekday``, ``start``, ``end``, ``room``; comma or semicolon; UTF-8). Out: rows of the tables
below in the order of the file; a ``person`` is followed by its ``guardian`` rows. A file that says it holds only
changes (``properties/type`` delta or event), an element without its id, and a broken file raise ``Unreadable``. No
person at all is readable: whether that may be is for the checks.

Source: Senter for IKT i utdanningen, PIFU-IMS SAS 1.3 (XSD and guide). The timetable's form is our own.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.sources import Reader, Table
from dataflyt.sources.reading import (
    Element,
    attribute,
    children,
    day,
    name_of,
    records,
    refuse_other_formats,
    texts,
    tidy,
)


class School(NamedTuple):
    """The school owner or a school: ``level`` is skoleeier or skole. ``orgnr`` is nine digits."""

    school_id: str
    parent_id: str | None
    level: str | None
    orgnr: str | None
    name: str | None
    school_type: str | None


class Group(NamedTuple):
    """A group of a school. ``group_type`` is PIFU's word (basisgruppe, undervisningsgruppe, trinn, …).

    ``grep_code`` is the short code (MAT0006) of a subject group; ``grep_uri`` the long form (a psi.udir.no address or
    ``uuid:…`` without doubled prefix); ``year_level`` 1-13 when the group stands for or names one.
    """

    group_id: str
    school_id: str | None
    group_type: str | None
    name: str | None
    long_name: str | None
    grep_code: str | None
    grep_uri: str | None
    year_level: int | None
    begin_date: str | None
    end_date: str | None
    adminperiod: str | None


class Person(NamedTuple):
    """A person in the school system: pupil, employee or a guardian entered by hand.

    ``number`` is fødselsnummer or D-number as written, ``local_number`` a locally issued one (personLIN), ``sex``
    kvinne, mann or None.
    """

    person_id: str
    old_person_id: str | None
    number: str | None
    local_number: str | None
    feide_id: str | None
    username: str | None
    given_name: str | None
    family_name: str | None
    full_name: str | None
    sex: str | None
    birth_date: str | None
    email: str | None
    mobile: str | None
    recstatus: str | None


class Membership(NamedTuple):
    """A person's part in a group or school (``group_id`` may be a school's id).

    ``role`` is PIFU's two digits (01 elev, 02 lærer, 06 kontaktlærer, …); ``main`` is pifu_primaryRelation.
    """

    group_id: str
    person_id: str
    role: str | None
    subrole: str | None
    active: bool | None
    main: bool | None
    begin_date: str | None
    end_date: str | None


class Guardian(NamedTuple):
    """A contact person that somebody entered by hand: ``contact_type`` is guardian or nextOfKin."""

    child_id: str
    guardian_id: str
    contact_type: str | None


class Timetable(NamedTuple):
    """A lesson of a group: ``weekday`` 1 (Monday) to 7, times ``HH:MM``."""

    group_id: str
    weekday: int | None
    start: str | None
    end: str | None
    room: str | None


TABLES = {
    table.name: table
    for table in (
        Table("school", School, ("school_id",), "school_id"),
        Table("group", Group, ("group_id",), "group_id"),
        Table("person", Person, ("person_id",), "person_id"),
        Table("membership", Membership, ("group_id", "person_id", "role", "begin_date"), "person_id"),
        Table("guardian", Guardian, ("child_id", "guardian_id", "contact_type"), "child_id"),
        Table("timetable", Timetable, ("group_id", "weekday", "start", "room"), "group_id"),
    )
}

_CONTAINERS = {"enterprise": frozenset[str](), "membership": frozenset({"sourcedid"})}
_SEX = {"1": "kvinne", "2": "mann"}
_ORG_LEVELS = {"1": "skoleeier", "2": "skole"}
_GROUP_TYPES = {
    "1": "basisgruppe",
    "2": "undervisningsgruppe",
    "3": "kontaktlærergruppe",
    "4": "trinn",
    "5": "utdanningsprogram",
    "6": "programområde",
    "7": "fag",
    "8": "foresattegruppe",
    "9": "språkopplæring",
    "10": "sammensattgruppe",
    "11": "elevråd",
    "12": "fau",
    "13": "skoleutvalg",
    "14": "skolemiljøutvalg",
    "15": "sfo",
    "16": "eksamensgruppe",
}
_YES_NO = {"1": True, "0": False}


def pifu(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read a PIFU-IMS SAS file."""
    membership: Element | None = None
    group_id = ""
    for parent, record in records(stream, "enterprise", _CONTAINERS, "a PIFU-IMS file"):
        match name_of(record):
            case "properties":
                _refuse_changes(record)
            case "person":
                yield from _person(record)
            case "group":
                yield _group(record)
            case "member" if name_of(parent) == "membership":
                if membership is not parent:
                    membership, group_id = parent, _wanted_id(parent)
                yield from _member(record, group_id)
            case _:
                pass


def _refuse_changes(properties: Element) -> None:
    kind = (texts(properties).get("type") or "full").lower()
    if kind != "full":
        shown = f" ({kind})" if kind in {"delta", "event", "melding"} else ""
        raise Unreadable(f"The file holds only changes{shown}; a full extract (properties/type full) is required.")


def _ids(element: Element) -> dict[str, str]:
    """Return the ids of an element by ``sourcedidtype`` in lower case, ``new`` where none is given."""
    found: dict[str, str] = {}
    for name, child in children(element):
        if name == "sourcedid":
            value = texts(child).get("id")
            if value:
                found.setdefault((attribute(child, "sourcedidtype") or "new").lower(), value)
    return found


def _id(element: Element) -> str | None:
    ids = _ids(element)
    return ids.get("new") or next(iter(ids.values()), None)


def _wanted_id(element: Element) -> str:
    found = _id(element)
    if found is None:
        raise Unreadable(f"The element {name_of(element)} in line {element.sourceline} has no sourcedid.")
    return found


def _person(person: Element) -> Iterator[NamedTuple]:
    person_id = _wanted_id(person)
    user_ids: dict[str, str | None] = {}
    name: dict[str, str | None] = {}
    demographics: dict[str, str | None] = {}
    emails: dict[str, str | None] = {}
    mobiles: dict[str, str | None] = {}
    contacts: list[Guardian] = []
    for tag, child in children(person):
        if tag == "userid":
            user_ids.setdefault((attribute(child, "useridtype") or "").lower(), tidy(child.text))
        elif tag == "name":
            name = _name(child)
        elif tag == "demographics":
            demographics = texts(child)
        elif tag == "email":
            emails.setdefault("", tidy(child.text))
        elif tag == "tel" and attribute(child, "teltype") == "3":
            mobiles.setdefault("", tidy(child.text))
        elif tag == "extension":
            for more, extra in children(child):
                if more == "pifu_email":
                    emails.setdefault((attribute(extra, "type") or "").lower(), tidy(extra.text))
                elif more == "pifu_tel":
                    mobiles.setdefault((attribute(extra, "type") or "?").lower(), tidy(extra.text))
                elif more == "pifu_hascontactperson":
                    guardian_id = _id(extra)
                    if guardian_id:
                        contacts.append(Guardian(person_id, guardian_id, attribute(extra, "type")))
    yield Person(
        person_id=person_id,
        old_person_id=_ids(person).get("old"),
        number=user_ids.get("personnin"),
        local_number=user_ids.get("personlin"),
        feide_id=user_ids.get("feideid"),
        username=user_ids.get("username"),
        given_name=name.get("given"),
        family_name=name.get("family"),
        full_name=name.get("fn"),
        sex=_SEX.get(demographics.get("gender") or ""),
        birth_date=day(demographics.get("bday")),
        email=emails.get("") or emails.get("personemailatorg") or emails.get("personemailprivate"),
        mobile=mobiles.get("") or mobiles.get("personmobileatorg") or mobiles.get("personmobileprivate"),
        recstatus=attribute(person, "recstatus"),
    )
    yield from contacts


def _name(element: Element) -> dict[str, str | None]:
    """Return ``fn`` and, from inside ``n``, ``given`` and ``family``."""
    found = texts(element)
    for name, child in children(element):
        if name == "n":
            found |= texts(child)
    return found


def _group(group: Element) -> School | Group:
    group_id = _wanted_id(group)
    organisation: str | None = None
    kind: str | None = None
    parent_id: str | None = None
    description: dict[str, str | None] = {}
    frame: dict[str, str | None] = {}
    ids: dict[str, str] = {}
    names: dict[str, str] = {}
    school_type: str | None = None
    for name, child in children(group):
        if name == "grouptype":
            is_organisation, word = _group_type(child)
            if is_organisation:
                organisation = organisation or word
            else:
                kind = kind or word
        elif name == "description":
            description = texts(child)
        elif name == "timeframe":
            frame = texts(child)
        elif name == "relationship":
            if attribute(child, "relation") in (None, "1") and parent_id is None:
                parent_id = _id(child)
        elif name == "extension":
            for more, extra in children(child):
                if more == "pifu_id":
                    _keep_value(ids, extra)
                elif more == "pifu_name":
                    _keep_value(names, extra)
                elif more == "pifu_schooltype":
                    school_type = school_type or tidy(extra.text)
    short = description.get("short")
    if organisation:
        return School(
            school_id=group_id,
            parent_id=None if parent_id == group_id else parent_id,
            level=organisation,
            orgnr=_nine_digits(ids.get("organizationnumber")),
            name=names.get("name") or short or names.get("fullname") or names.get("legalname"),
            school_type=school_type,
        )
    code, uri = _grep(ids)
    return Group(
        group_id=group_id,
        school_id=parent_id,
        group_type=kind,
        name=short,
        long_name=description.get("long") or description.get("full"),
        grep_code=code,
        grep_uri=uri,
        year_level=_year_level(ids.get("grepcodegradelevel"), uri, code if kind == "trinn" else None),
        begin_date=day(frame.get("begin")),
        end_date=day(frame.get("end")),
        adminperiod=frame.get("adminperiod"),
    )


def _group_type(element: Element) -> tuple[bool, str | None]:
    """Return whether it is an organisation (school owner or school) rather than a group, and PIFU's word for it."""
    scheme = word = level = None
    for name, child in children(element):
        if name == "scheme":
            scheme = tidy(child.text)
        elif name == "typevalue":
            word, level = (tidy(child.text) or "").lower() or None, attribute(child, "level")
    is_organisation = (scheme or "").lower().endswith("-org") or word in _ORG_LEVELS.values()
    words = _ORG_LEVELS if is_organisation else _GROUP_TYPES
    known = word if word in words.values() else words.get(level or "")
    return is_organisation, known or word or ("skole" if is_organisation else None)


def _keep_value(found: dict[str, str], element: Element) -> None:
    kind, value = attribute(element, "type"), texts(element).get("pifu_value")
    if kind and value:
        found.setdefault(kind.lower(), value)


def _nine_digits(value: str | None) -> str | None:
    """Take away the blanks and the ``NO`` that some systems write around an organisation number."""
    bare = "".join((value or "").split()).upper().removeprefix("NO")
    return bare if len(bare) == 9 and bare.isdecimal() else value


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CODE_AT_END = re.compile(r"/kl06/(?:v\d+/[a-z0-9-]+/)?([A-Z]{3}\d{2,4})$")


def _grep(ids: dict[str, str]) -> tuple[str | None, str | None]:
    """Return the short code and the long form; ``uuid:`` stands once, though some write it never or twice."""
    code, long = ids.get("grepcodeshortform"), ids.get("grepcode")
    if long is None:
        return code, None
    bare = long
    while bare.lower().startswith("uuid:"):
        bare = bare[5:].strip()
    if bare != long or _UUID.fullmatch(bare):
        return code, f"uuid:{bare}" if bare else None
    if long.lower().startswith(("http:", "https:")):
        at_end = _CODE_AT_END.search(long)
        return code or (at_end[1] if at_end else None), long
    return code or long, None


_YEAR_LEVEL = re.compile(r"(?:^|/)(?:(?:aarstrinn|årstrinn)?(\d{1,2})(?:\. ?(?:års)?trinn)?|vg([123]))$", re.IGNORECASE)


def _year_level(*texts_with_it: str | None) -> int | None:
    """Return 1-13 from the first text that says it: ``…/aarstrinn7``, ``7``, ``7. årstrinn`` or ``…/vg1`` (11)."""
    for value in texts_with_it:
        found = _YEAR_LEVEL.search(value or "")
        if found:
            level = int(found[1]) if found[1] else 10 + int(found[2])
            if 1 <= level <= 13:
                return level
    return None


def _member(member: Element, group_id: str) -> Iterator[Membership]:
    person_id = _wanted_id(member)
    roles: list[Element] = []
    for name, child in children(member):
        if name == "role":
            roles.append(child)
        elif name == "idtype" and tidy(child.text) == "2":
            return  # a group as a member of a group
    if not roles:
        yield Membership(group_id, person_id, None, None, None, None, None, None)
    for role in roles:
        values: dict[str, str | None] = {}
        frame: dict[str, str | None] = {}
        extra: dict[str, str | None] = {}
        for name, child in children(role):
            if name == "timeframe":
                frame = texts(child)
            elif name == "extension":
                extra = texts(child)
            elif values.get(name) is None:
                values[name] = tidy(child.text)
        kind = attribute(role, "roletype")
        yield Membership(
            group_id=group_id,
            person_id=person_id,
            role=kind.zfill(2) if kind and kind.isdecimal() else kind,
            subrole=values.get("subrole"),
            active=_YES_NO.get(values.get("status") or ""),
            main=_YES_NO.get(extra.get("pifu_primaryrelation") or ""),
            begin_date=day(frame.get("begin")),
            end_date=day(frame.get("end")),
        )


_WEEKDAYS = ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag")
_NYNORSK = {"måndag": 1, "tysdag": 2, "laurdag": 6, "sundag": 7}
_TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)(?:[:.][0-5]\d)?")
_COLUMNS = ("group", "weekday", "start", "end", "room")


def timetable(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read a timetable. Columns may stand in any order and others beside them; blank lines are passed over."""
    start = stream.read(4096)
    refuse_other_formats(start, "a timetable in CSV")
    if b"\0" in start:
        raise Unreadable("The timetable is not in UTF-8.")
    lines = io.TextIOWrapper(io.BufferedReader(_Resumed(start, stream)), encoding="utf-8-sig", newline="")
    rows = _csv_rows(lines)
    _, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise Unreadable(f"The timetable lacks the column {missing[0]}; its first line names {', '.join(_COLUMNS)}.")
    places = [names.index(column) for column in _COLUMNS]
    for line, row in rows:
        cells = [tidy(row[place]) if place < len(row) else None for place in places]
        group_id, weekday, begins, ends, room = cells
        if group_id is None:
            if any(cells):
                raise Unreadable(f"The lesson in line {line} of the timetable has no group.")
            continue
        yield Timetable(group_id, _weekday(weekday), _clock(begins), _clock(ends), room)


FORMATS: dict[str, Reader] = {"pifu": pifu, "timetable": timetable}


class _Resumed(io.RawIOBase):
    """A stream again from its beginning, of which ``start`` has been read."""

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


def _csv_rows(lines: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells; the separator is the one the first line uses."""
    try:
        first = lines.readline(_LONGEST_LINE)
        separator = ";" if first.count(";") > first.count(",") else ","
        reader = csv.reader(_bounded(first, lines), delimiter=separator)
        for row in reader:
            yield reader.line_num, row
        return
    except UnicodeDecodeError:
        sentence = "The timetable is not in UTF-8."
    except csv.Error:
        sentence = "The timetable is not CSV: a cell is too long or a quotation mark is not closed."
    raise Unreadable(sentence)


_LONGEST_LINE = 64 * 1024


def _bounded(first: str, lines: io.TextIOWrapper) -> Iterator[str]:
    line = first
    while line:
        if len(line) >= _LONGEST_LINE:
            raise csv.Error
        yield line.replace("\0", "")
        line = lines.readline(_LONGEST_LINE)


def _weekday(value: str | None) -> int | None:
    word = (value or "").lower()
    if word in set("1234567"):
        return int(word)
    return _WEEKDAYS.index(word) + 1 if word in _WEEKDAYS else _NYNORSK.get(word)


def _clock(value: str | None) -> str | None:
    """Return a time of day as ``HH:MM``; other text as it stands."""
    found = _TIME.fullmatch(value or "")
    return f"{int(found[1]):02}:{found[2]}" if found else value
