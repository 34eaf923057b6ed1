"""What the simulated world is made of. Field names of the registers keep the registers' spelling."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from simulator.kommuner import Kommune, School


@dataclass
class Canary:
    """Makes words that stand nowhere else: one for each field that tells who or where somebody is.

    ``tokens`` is field → word, where a field is named by its source (``freg.navn.fornavn``, ``sas.username``). A word
    is found in a text with any letter case; digits (mobile numbers, dwelling ids) as they are.
    """

    serial: int
    tokens: dict[str, str] = field(default_factory=dict)

    def word(self, where: str, stem: str) -> str:
        """Make a new word for the field ``where``."""
        return self.tokens.setdefault(where, f"Kanari{stem}{self.serial:03d}")

    def digits(self, where: str, prefix: str) -> str:
        """Make a new row of digits for the field ``where``; ``prefix`` is of no one else."""
        return self.tokens.setdefault(where, f"{prefix}{self.serial:04d}")


@dataclass
class Address:
    """A dwelling. Two people live together when theirs is the same object. ``kind`` as FREG names the three forms."""

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
    """A person's entry in KRR. Dates None: that one was never set."""

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
    """Somebody FREG knows (or, with ``in_freg`` False, should have known)."""

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
    """Whether ``ansvarssubjekt`` stands in this child's own document (it may be left out)."""
    parents: list[tuple[str, str]] = field(default_factory=list)
    """(role, number): mor, far or medmor."""
    unnumbered_parents: list[tuple[str, str, str, date]] = field(default_factory=list)
    children: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(child's number, my role or "", ``ansvar`` or None): what stands in the adult's own document."""
    contact: Contact | None = None
    canary: Canary | None = None
    cases: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)


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
    guardians: list[str] = field(default_factory=list)
    """SAS ids of contact persons of type guardian."""


@dataclass
class Pupil:
    """A pupil: FREG's person (None when the SAS has no number) and the SAS's, and where they go."""

    person: Person | None
    sas: SasPerson
    school: School
    level: int
    letter: str | None
    second_school: School | None = None
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


@dataclass
class Member:
    """A membership. ``role``: 01 elev, 02 lærer, 05 skoleledelse, 06 kontaktlærer, 08 assistent."""

    person_id: str
    role: str
    main: bool | None = None
    subrole: str | None = None


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
    dated: bool = True
    members: list[Member] = field(default_factory=list)
    lessons: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass
class World:
    """One kommune in one school year. Everything is in the order it was made in."""

    kommune: Kommune
    seed: int
    year: int
    """The school year's first calendar year."""
    persons: dict[str, Person] = field(default_factory=dict)
    pupils: list[Pupil] = field(default_factory=list)
    employees: list[Employee] = field(default_factory=list)
    sas_guardians: dict[str, SasPerson] = field(default_factory=dict)
    sas_ids: dict[str, str] = field(default_factory=dict)
    """A guardian's number → SAS id."""
    groups: list[Group] = field(default_factory=list)
    by_any_number: dict[str, Person] = field(default_factory=dict)

    def find(self, number: str) -> Person | None:
        """Return the person FREG knows by this number, in use or not."""
        return self.by_any_number.get(number)

    def sas_persons(self) -> Iterator[SasPerson]:
        """Everybody in the SAS's file."""
        yield from (pupil.sas for pupil in self.pupils)
        yield from (employee.sas for employee in self.employees if employee.sas)
        yield from self.sas_guardians.values()
