"""The type of an export, its input and its output.

An export gets a ``Shown``: the school owner, its schools, people, groups and memberships, as they may be shown. It
writes them to one file and returns its ``Counts``. Its check reads a written file and yields ``Finding``s.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO, Literal, NamedTuple, Protocol

from dataflyt.config.exports import EXPORTS
from dataflyt.formats import feide

# --- the input of an export -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """The school owner. ``realm`` is its FEIDE realm (``haugesund.kommune.no``), ``orgnr`` nine digits."""

    realm: str
    orgnr: str
    name: str
    mail: str | None = None


@dataclass(frozen=True, slots=True)
class School:
    """A school. ``orgnr`` is nine digits, the number in Nasjonalt skoleregister."""

    orgnr: str
    name: str
    mail: str | None = None


@dataclass(frozen=True, slots=True)
class AccountHolder:
    """A pupil or an employee with a user name, and with the schools and groups that a directory stores for each person.

    ``number`` is fødselsnummer, D-number or DUF number; ``local_number`` is a number that the kommune gave.
    ``affiliations`` are Feide's (``student``, ``faculty``, …). ``schools`` are organisation numbers; ``primary_school``
    is the first of them when it is not given. ``year_levels`` are 1 to 10. ``groups`` are the person's current groups
    as Feide knows them (a class has ``type`` b), each with the person's role in it. ``former_names`` are full FEIDE
    names at a school owner that has merged into this one, or before the realm changed.
    """

    uid: str
    given_names: str
    family_name: str
    legal_name: str
    display_name: str
    number: str | None = None
    local_number: str | None = None
    employee_number: str | None = None
    birth_date: date | None = None
    affiliations: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()
    primary_school: str | None = None
    year_levels: tuple[int, ...] = ()
    groups: tuple[feide.Group, ...] = ()
    mail: str | None = None
    mobile: str | None = None
    former_names: tuple[str, ...] = ()


class Person(NamedTuple):
    """A pupil, an employee at a school or a guardian; one person can be all three.

    ``person_id`` is the warehouse's own. ``number`` is fødselsnummer or D-number; ``local_number`` is a number that the
    kommune gave. ``guardians`` are the ids of the people with access to this pupil. ``mail`` is an employee's address
    at work; ``private_mail`` and ``mobile`` are a guardian's own.
    """

    person_id: str
    given_names: str
    family_name: str
    legal_name: str
    is_pupil: bool = False
    is_employee: bool = False
    number: str | None = None
    local_number: str | None = None
    uid: str | None = None
    birth_date: date | None = None
    guardians: tuple[str, ...] = ()
    mail: str | None = None
    private_mail: str | None = None
    mobile: str | None = None


class Group(NamedTuple):
    """A group with its own dates.

    ``orgnr`` is the school's. ``kind`` is basisgruppe (a class), undervisningsgruppe, kontaktlærergruppe, trinn or
    fag.
    ``grep`` is the short code of its subject (MAT0006).
    """

    group_id: str
    orgnr: str
    kind: str
    name: str
    grep: str | None
    year_level: int | None
    from_date: date | None
    to_date: date | None


class Membership(NamedTuple):
    """One role of a person in a school (``target`` is its orgnr) or in a group (``target`` is its id).

    ``role`` is 01 pupil, 02 teacher, 06 contact teacher, 05 management, 07 administrator, 08 assistant or 04 other
    employee, as PIFU-IMS numbers them. ``main`` tells whether the school is the person's main school; it is None for
    groups. ``subrole`` is PIFU's word, where a source has one. A teacher may have another role at the school too.
    """

    of_school: bool
    target: str
    person_id: str
    role: str
    main: bool | None = None
    from_date: date | None = None
    to_date: date | None = None
    subrole: str | None = None


class Access(NamedTuple):
    """One adult's access to one pupil, and whether the adult can be reached.

    ``basis`` is foreldreansvar, consent or decision; which kind of decision is nobody else's to know. ``message`` and
    ``notice`` tell whether an ordinary message and a formal notice can be sent, as far as contact details may be shown.
    ``reason`` is why not: no_contact, not_active, reserved or expired. ``mail`` and ``mobile`` are the adult's own.
    """

    child_id: str
    child_number: str | None
    child_local_number: str | None
    guardian_id: str
    guardian_number: str
    given_names: str
    family_name: str
    basis: str
    message: bool
    notice: bool
    reason: str | None
    mail: str | None = None
    mobile: str | None = None


class ClassMember(NamedTuple):
    """A pupil in a class, at the class's school.

    ``year_level`` is the pupil's own at that school: a class can have pupils of several. It is the class's where the
    pupil has none. The dates are the class's.
    """

    orgnr: str
    school: str
    group_id: str
    group: str
    year_level: int | None
    from_date: date | None
    to_date: date | None
    person_id: str
    given_names: str
    family_name: str


class Lesson(NamedTuple):
    """A lesson of a group, every week of the group's dates.

    The dates are the group's. ``token`` is the secret part of the link to the group's calendar, 32 hexadecimal digits.
    ``weekday`` is 1 (Monday) to 7. ``starts`` and ``ends`` are HH:MM in Norway, equal where the end is not known.
    ``room`` may be empty.
    """

    orgnr: str
    school: str
    group_id: str
    group: str
    from_date: date
    to_date: date
    token: str
    weekday: int
    starts: str
    ends: str
    room: str


class Shown(Protocol):
    """What may be shown of a kommune's released golden record. Hidden people are not in it.

    Every method that yields streams its rows. The same record always gives the same order.
    """

    def as_of(self) -> datetime:
        """Return the moment that the released run describes, with its time zone."""
        ...

    def owner(self) -> Owner:
        """Return the school owner."""
        ...

    def schools(self) -> Iterable[School]:
        """Yield the schools by organisation number."""
        ...

    def extras(self, export: str) -> frozenset[str]:
        """Return what the kommune's file lets this export hold (``config.exports.EXTRAS``); by default nothing."""
        ...

    def receivers(self, export: str) -> tuple[str, ...]:
        """Return the names of those who get this export's file, from the kommune's file."""
        ...

    def account_holders(self) -> Iterable[AccountHolder]:
        """Yield the pupils and employees with a user name, ordered by user name."""
        ...

    def people(self) -> Iterable[Person]:
        """Yield the pupils, the employees at schools and the people with access to a pupil, each once."""
        ...

    def groups(self) -> Iterable[Group]:
        """Yield the groups by school and id."""
        ...

    def memberships(self) -> Iterable[Membership]:
        """Yield the memberships: of schools first, then of groups; sorted by target, and by person within a target."""
        ...

    def school_memberships(self) -> Iterable[Membership]:
        """Yield the memberships of schools alone, as the first of ``memberships``."""
        ...

    def group_memberships(self) -> Iterable[Membership]:
        """Yield the memberships of groups alone, as the last of ``memberships``."""
        ...

    def accesses(self, export: str) -> Iterable[Access]:
        """Yield who has access to whom, by child and guardian; with contact only if ``extras`` gives it to the export.

        People and access that end are not in it, and neither is why.
        """
        ...

    def class_members(self) -> Iterable[ClassMember]:
        """Yield the pupils of the classes by school, year level, class and name; in each of their classes once."""
        ...

    def lessons(self) -> Iterable[Lesson]:
        """Yield the lessons by school, group, weekday and time, of groups in which nobody is protected.

        Of all groups where the kommune's file says who has decided that (``calendars_of_all_decided``).
        """
        ...


# --- the output of an export ------------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """What was written. ``people`` are pupils and employees; a person who is both counts as one of each.

    ``groups`` counts each group once. ``left_out`` are e-mail addresses and telephone numbers that the format cannot
    hold. Publishing refuses a file with far fewer people or groups than the published one, unless somebody was asked.
    Guardians and their relations are not counted: a reader who compared their number with FREG's and KRR's counts
    would learn how many guardians are protected.
    """

    owners: int
    schools: int
    people: int
    pupils: int
    employees: int
    groups: int
    memberships: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a file. ``str(finding)`` is ``<name>: <where>: <detail>``.

    ``name`` is the receiver's own name of the error where it has one. ``where`` is an organisation by its number
    (``NO123456785``) or a line of the file, never a person: findings go to terminals and logs. ``blocks`` is False for
    a gap in a school's data, which the school corrects (no group, no Grep code, no e-mail address). ``blocks`` is True
    when the file itself is wrong: it is then not published.
    """

    name: str
    where: str
    detail: str
    line: int
    blocks: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.where}: {self.detail}"


# --- the type of an export --------------------------------------------------------------------------------------------


class Openable(Protocol):
    """The one method of a path that a check uses. The path may be on a disk or in an object store."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open the file to read bytes."""
        ...


class ReadRow(NamedTuple):
    """A row of a file that has been read back: a person, where ``group`` is empty, or a person's place in a group.

    ``person`` and ``group`` are the ids that a receiver joins them by. ``pupil``: in the group as a pupil. ``meaning``
    is what the row says of the group itself: the same for all of its members.
    """

    person: str
    group: str
    pupil: bool
    meaning: str


class Written(NamedTuple):
    """A written file of an export: where it is, and the sha256 that the manifest gives for it.

    ``as_of`` is the moment that the file describes, where that is known.
    """

    path: Openable
    sha256: str
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """A second file of an export: the changes that lead from the file published before to the one published now.

    ``write`` gets the two files, and no ``Shown``: nothing else can be in the changes. It raises Unreadable when no
    changes lead from the one to the other; the full file is then the only way. ``check`` is as an export's.
    ``named`` yields the element that each record of a written file is about, and whether the record gives it values: a
    delete gives none. Values of an element that newer changes are about may be of somebody who has been hidden since.
    """

    file: str
    write: Callable[[Written, Written, BinaryIO], None]
    check: Callable[[Openable], Iterator[Finding]]
    named: Callable[[Openable], Iterator[tuple[bytes, bool]]]


@dataclass(frozen=True, slots=True)
class Export:
    """An export. Each export's module ends with one, called ``EXPORT``.

    ``name`` is the name of the module and the key in ``config.exports``. ``file`` is the name of the file. ``write``
    writes the file; the same input gives the same bytes. It raises CheckFailed when the data cannot be written, and
    nothing is then published. ``check`` reads a written file as a receiver would, and shares no code with ``write``. It
    raises Unreadable when the file is not of the format. ``read`` yields a written file's people and their groups, for
    the rules of ``read_back``; ``names`` tells whether these are people with a user name, all who may be shown, or, in
    classes and subject groups alone, the pupils and employees, or those of them with a user name. ``changes`` is for a
    receiver that is brought up to date by changes: publishing writes them beside the file. ``of_classes`` tells that
    only the members of classes are in it: it has few people while the schools are making new classes.
    """

    name: str
    file: str
    write: Callable[[Shown, BinaryIO], Counts]
    check: Callable[[Openable], Iterator[Finding]]
    read: Callable[[Openable], Iterator[ReadRow]] | None = None
    names: Literal["accounts", "persons", "rosters", "named_rosters"] = "persons"
    changes: Changes | None = None
    of_classes: bool = False

    @property
    def title(self) -> str:
        """What people call the export."""
        return EXPORTS[self.name]
