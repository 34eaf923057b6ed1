"""The tables of the school administration system, the same for all formats of its files."""

from typing import NamedTuple

from dataflyt.sources import Table


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

    ``number`` is fødselsnummer or D-number; without one, ``number_kind`` tells what the file has instead
    (``identity.numbers.told``). ``local_number`` is a locally issued number (personLIN); ``sex`` is kvinne, mann or
    None. ``recstatus`` is PIFU's 1 or 2, or ``disabled`` if OneRoster says that the user is disabled.
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
    number_kind: str | None = None


class Membership(NamedTuple):
    """A person's part in a group or school (``group_id`` may be a school's id).

    ``role`` is PIFU's two digits (01 elev, 02 lærer, 06 kontaktlærer, …); ``subrole`` is PIFU's word, or ``privatist``
    for an elev who only sits for exams; ``active`` is false for a part that is not in force; ``main`` is
    pifu_primaryRelation.
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
    """A contact person that was entered by hand: ``contact_type`` is guardian or nextOfKin."""

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
