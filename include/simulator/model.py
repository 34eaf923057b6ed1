"""The parts of the simulated world. Field names of the registers keep the registers' spelling."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from simulator.kommuner import Kommune, School


@dataclass
class Canary:
    """Makes words that are found nowhere else: one for each field that identifies or locates a person.

    ``tokens`` is field → word, where a field is named by its source (``freg.navn.fornavn``, ``sas.username``). A word
    counts as found in any letter case; digits (mobile numbers, dwelling ids) only unchanged.
    """

    serial: int
    tokens: dict[str, str] = field(default_factory=dict)

    def word(self, where: str, stem: str) -> str:
        """Make a new word for the field ``where``."""
        return self.tokens.setdefault(where, f"Kanari{stem}{self.serial:03d}")

    def digits(self, where: str, prefix: str) -> str:
        """Make a new row of digits for the field ``where``; no other number has this ``prefix``."""
        return self.tokens.setdefault(where, f"{prefix}{self.serial:04d}")


@dataclass
class Address:
    """A dwelling. Two people live together if they have the same object. ``kind`` is FREG's name of its form."""

    kommunenummer: str
    adressenavn: str
    husnummer: str
    bruksenhetsnummer: str
    postnummer: str
    poststedsnavn: str
    matrikkel_id: str
    since: date
    husbokstav: str | None = None
    kind: str = "vegadresse"
    tokens: dict[str, str] = field(default_factory=dict)


@dataclass
class Responsibility:
    """One ``foreldreansvar`` record. All responsible fields may be empty."""

    ansvar: str
    ansvarlig: str | None = None
    organisasjon: str | None = None
    uten_identifikator: tuple[str, str, date] | None = None
    """Given name, family name, birth date of a responsible person without a number."""
    current: bool = True


@dataclass
class Contact:
    """A person's entry in KRR. A date is None if its value was never set."""

    status: str = "AKTIV"
    reserved: date | None = None
    epost: str | None = None
    epost_oppdatert: date | None = None
    epost_verifisert: date | None = None
    mobil: str | None = None
    mobil_oppdatert: date | None = None
    mobil_verifisert: date | None = None
    epost_duplisert: bool = False
    can_be_notified: bool = False
    spraak: str = "nb"


@dataclass
class Person:
    """A person that FREG knows (or, with ``in_freg`` False, should have known)."""

    number: str
    given: str
    middle: str | None
    family: str
    born: date
    sex: str
    home: Address | None
    id_type: str = "foedselsnummer"
    status: str = "bosatt"
    in_freg: bool = True
    old_number: str | None = None
    """A D-number from before the world began."""
    former_numbers: list[tuple[str, str, date]] = field(default_factory=list)
    """Numbers that have ended since, the newest last: number, identifikatortype, the day it ended."""
    former_name: tuple[str, str] | None = None
    former_home: Address | None = None
    protection: str | None = None
    """The person's own ``graderingsnivaa``."""
    home_grading: str = "ugradert"
    stay: Address | None = None
    stay_grading: str = "ugradert"
    second_home: Address | None = None
    postbox: str | None = None
    born_in: str = "NOR"
    died: date | None = None
    married_to: str | None = None
    responsibility: list[Responsibility] = field(default_factory=list)
    names_itself: bool = True
    """Whether this child's own document has ``ansvarssubjekt`` (it may be left out)."""
    parents: list[tuple[str, str]] = field(default_factory=list)
    """(role, number): mor, far or medmor."""
    unnumbered_parents: list[tuple[str, str, str, date]] = field(default_factory=list)
    children: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(child's number, my role or "", ``ansvar`` or None): the records of the adult's own document."""
    contact: Contact | None = None
    canary: Canary | None = None
    cases: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    since: dict[str, date] = field(default_factory=dict)
    """The day of the last change of each of FREG's elements, if it has changed since the world was made."""
    happened: list[tuple[date, str]] = field(default_factory=list)
    """The person's events since the world was made: day and kind, the newest last."""


@dataclass
class SasPerson:
    """A person as the SAS has them."""

    person_id: str
    number: str | None
    given: str
    family: str
    sex: str
    born: date | None
    local_number: str | None = None
    username: str | None = None
    workforce_id: str | None = None
    email: str | None = None
    mobile: str | None = None
    street: str | None = None
    postcode: str | None = None
    place: str | None = None
    pupil: bool = False
    pupil_status: str = "heltid"
    """PIFU's ``pupilStatus`` of a pupil: heltid, deltid or privatist."""
    guardians: list[str] = field(default_factory=list)
    """SAS ids of contact persons of type guardian."""


@dataclass
class Pupil:
    """A pupil: FREG's person (None if the SAS has no number), the SAS's person, and the pupil's school and class."""

    person: Person | None
    sas: SasPerson
    school: School
    level: int
    letter: str | None
    second_school: School | None = None
    since: date | None = None
    """The day that the pupil came, if it was within the school year."""
    second_since: date | None = None
    cases: list[str] = field(default_factory=list)


@dataclass
class Position:
    """A position of an employee. ``unit`` is the HR organisation unit."""

    name: str
    code: str
    unit: str
    percentage: float
    main: bool
    date_from: date
    date_to: date
    kind: str = "A"
    """A fast, T timelønnet."""


@dataclass
class Employee:
    """An employee as the HR system has them."""

    employee_id: str
    person: Person
    email: str | None
    mobile: str | None
    username: str
    positions: list[Position]
    sas: SasPerson | None = None
    cases: list[str] = field(default_factory=list)
    seed: bool = False
    """Whether the seed names the employee, who then stays."""


@dataclass
class Member:
    """A membership. ``role``: 01 elev, 02 lærer, 05 skoleledelse, 06 kontaktlærer, 08 assistent."""

    person_id: str
    role: str
    main: bool | None = None
    subrole: str | None = None
    since: date | None = None
    """The day that it began, if it was within the school year."""


@dataclass
class Group:
    """A group in the SAS. ``kind`` is PIFU-IMS's (level, word), ``lessons`` (weekday 1-5, slot 0-5, room)."""

    group_id: str
    school: School
    kind: tuple[str, str]
    short: str
    long: str
    grep_short: str | None = None
    grep_uri: str | None = None
    level: int | None = None
    klass: str | None = None
    """The class whose pupils are in it."""
    dated: bool = True
    members: list[Member] = field(default_factory=list)
    lessons: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass
class World:
    """One kommune in one school year, on one day. Everything is in the order of its making."""

    kommune: Kommune
    seed: int
    year: int
    """The school year's first calendar year."""
    day: date
    persons: dict[str, Person] = field(default_factory=dict)
    """The people who live here, go to school here or work here, and their families."""
    pupils: list[Pupil] = field(default_factory=list)
    employees: list[Employee] = field(default_factory=list)
    sas_guardians: dict[str, SasPerson] = field(default_factory=dict)
    sas_ids: dict[str, str] = field(default_factory=dict)
    """A guardian's number → SAS id."""
    groups: list[Group] = field(default_factory=list)
    by_any_number: dict[str, Person] = field(default_factory=dict)
    """FREG's people who live here or have lived here, by their numbers in use and ended."""
    behind: list[Person] = field(default_factory=list)
    """People who have changed in FREG and not in the SAS yet."""
    still: bool = False
    """Whether the passing of time changes nothing here."""
    suspended: dict[tuple[str, str], str] = field(default_factory=dict)
    """(child, adult) → the reason that this kommune's protection has suspended the adult's access. It stays until
    people decide, even if the protection has been lowered. The adult is a number, ``org:`` and a number, or ``uten:``
    and a name."""
    weeks: int = 0
    """Mondays that have passed since the world was made."""
    maker: object = field(default=None, init=False, repr=False, compare=False)
    """The ``Builder`` that made the world: ``weeks`` makes more people with it. None in a ``large.Large``."""
    country: "Country | None" = field(default=None, repr=False, compare=False)

    def find(self, number: str) -> Person | None:
        """Return the person that FREG knows by this number, in use or not."""
        return self.by_any_number.get(number)

    def person(self, number: str | None) -> Person | None:
        """Return the person, anywhere in the country, with this number in use; None if there is none."""
        if number is None:
            return None
        found = self.persons.get(number) or self.by_any_number.get(number)
        return found or (self.country.find(number) if self.country else None)

    def sas_persons(self) -> Iterator[SasPerson]:
        """Everybody in the SAS's file."""
        yield from (pupil.sas for pupil in self.pupils)
        yield from (employee.sas for employee in self.employees if employee.sas)
        yield from self.sas_guardians.values()

    def memberships(self) -> Iterator[tuple[str, list[Member]]]:
        """Yield each group's or school's id with its members. A group or school without members is left out."""
        pupils: dict[str, list[Member]] = {school.key: [] for school in self.kommune.schools}
        for pupil in self.pupils:
            pupils[pupil.school.key].append(Member(pupil.sas.person_id, "01", main=True, since=pupil.since))
        for pupil in self.pupils:
            if pupil.second_school:
                second = Member(pupil.sas.person_id, "01", main=False, since=pupil.second_since)
                pupils[pupil.second_school.key].append(second)
        for school in self.kommune.schools:
            members = pupils[school.key]
            members += [member for employee in self.employees for member in _staff(employee, school.unit)]
            if members:
                yield school.school_id, members
        for group in self.groups:
            if group.members:
                yield group.group_id, group.members


def _staff(employee: Employee, unit: str) -> Iterator[Member]:
    roles = {"Rektor": ("05", "rektor"), "Assistent": ("08", None), "Renholder": ("04", "renholdsarbeider")}
    for index, position in enumerate(employee.positions):
        if employee.sas and (position.unit == unit or (unit == "011110" and position.unit == "011111")):
            role, subrole = roles.get(position.name, ("02", None))
            yield Member(employee.sas.person_id, role, main=index == 0, subrole=subrole)


@dataclass
class Country:
    """Kommuner on one day, and their people in one FREG: every client finds the people of every kommune."""

    worlds: dict[str, World]
    """By kommunenummer, in the order of the numbers."""
    day: date
    events: list[tuple[date, str, str]] = field(default_factory=list)
    """FREG's event list: day, the number it concerns (as it was then), hendelsetype."""

    @classmethod
    def of(cls, *worlds: World) -> "Country":
        """Put worlds of the same day together."""
        country = cls({world.kommune.number: world for world in sorted(worlds, key=_number)}, worlds[0].day)
        for world in worlds:
            world.country = country
        return country

    def find(self, number: str) -> Person | None:
        """Return the person that FREG knows by this number, in use or not."""
        return next((person for world in self.worlds.values() if (person := world.find(number))), None)


def _number(world: World) -> str:
    return world.kommune.number
