"""A kommune of any size up to Oslo's, never held in memory.

Each person has a place: the number of the family, pupil or employee. Everything about the person is computed from the
place. A register computes the place from the number that it is asked about, makes only that family, answers, and
forgets it. The files are written family by family. The same code makes families, entries and files for every kommune.

Every ten pupils are one from each year level and have 17 guardians: two pupils are siblings, and one has one parent
with foreldreansvar. A school has up to 700 pupils, 12 groups at each of ten levels (the level, three classes, five
subjects for all and three to choose among), and 500 employees. Half of the employees work at the school and the rest
elsewhere in the kommune. Oslo: 70 000 pupils, 119 000 guardians, 50 000 employees, 12 000 groups, 686 000 memberships.

Among them are parents apart, mor or far alone, medmor, children and adults at protected addresses, D-numbers, former
D-numbers, the dead, a responsible person without a number, guardians entered by hand without a basis, every state of
KRR, and employees who are guardians (one in twenty). No time passes in such a kommune.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from math import gcd
from random import Random
from typing import Generic, NamedTuple, TypeVar, overload

from simulator import names
from simulator.builder import FOREVER, SUBJECTS, Builder
from simulator.files import SLOTS
from simulator.kommuner import KOMMUNER, Kommune, School
from simulator.model import Address, Employee, Group, Member, Person, Pupil, Responsibility, SasPerson, World
from simulator.numbers import Series, organisation

MOST = 100_000
LEVELS = 10
SCHOOL = 700
"""Pupils of a full school."""
LETTERS = "ABC"
COMMON, CHOICES = SUBJECTS[:5], (SUBJECTS[5], ("MUS", "Musikk", "MUS0014"), ("KHV", "Kunst og håndverk", "KHV0020"))
GROUPS = 1 + len(LETTERS) + len(COMMON) + len(CHOICES)
"""Groups of a level."""
STAFF = 500
"""Employees for each full school; half of them work at it."""
SIBLINGS = ((0, 5), (1,), (2,), (3,), (4,), (6,), (7,), (8,), (9,))
"""The families of ten pupils: each family's children by year level, counted from 0."""
_DAYS = 365
_ADULTS = 27
"""The number of years in which adults are born. The youngest are born 36 years before the school year."""

T = TypeVar("T")


class Lazy(Sequence[T], Generic[T]):
    """A sequence whose entries are made when they are read, and not kept."""

    def __init__(self, count: int, make: Callable[[int], T]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self._make(place) for place in range(self._count)[index]]
        return self._make(range(self._count)[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._make, range(self._count))


class Family(NamedTuple):
    """Children with their parents, and the parents that the SAS has as guardians."""

    pupils: list[Pupil]
    adults: list[Person]
    sas_guardians: list[SasPerson]


class Shuffle:
    """A shuffle of the numbers below ``size``, and its inverse. Each seed has its own."""

    def __init__(self, rng: Random, size: int) -> None:
        self._size = size
        self._factor = next(n for n in iter(lambda: rng.randrange(size // 3, size), 0) if gcd(n, size) == 1)
        self._back = pow(self._factor, -1, size)
        self._first = rng.randrange(size)

    def there(self, number: int) -> int:
        """Return the place that this number is moved to."""
        return (number * self._factor + self._first) % self._size

    def back(self, place: int) -> int:
        """Return the number that is moved to this place."""
        return (place - self._first) * self._back % self._size


def kommune_of(number: str, pupils: int) -> Kommune:
    """Return the kommune with schools for this number of pupils. Raises ValueError for none or too many."""
    if not 1 <= pupils <= MOST:
        raise ValueError(f"pupils: 1 to {MOST}")
    base = KOMMUNER[number]
    top = base.schools[0].unit[:2]
    classes = tuple((level, letter) for level in range(1, LEVELS + 1) for letter in LETTERS)
    schools = (
        School(f"S{at:03d}", f"Skole {at}", _organisation(base.share, at), f"{top}{2000 + at:04d}", classes)
        for at in range(1, 1 - (-pupils // SCHOOL))
    )
    return base._replace(pupils=pupils, rich=False, schools=tuple(schools))


def _organisation(share: int, school: int) -> str:
    for last in range(10):
        try:
            return organisation(f"32{share}{school:04d}{last}")
        except ValueError:
            continue
    raise AssertionError("of any ten in a row some have a control digit")


class Large(World):
    """A kommune with this number of pupils, as ``build`` makes one, but lazily."""

    def __init__(self, number: str, seed: int, day: date, pupils: int) -> None:
        kommune = kommune_of(number, pupils)
        maker = Maker(kommune, seed, day)
        super().__init__(kommune, seed, maker.year, day)
        self.people = maker
        self.still = True
        blocks = -(-pupils // LEVELS)
        count = len(kommune.schools)
        self._blocks = [range(at * blocks // count, (at + 1) * blocks // count) for at in range(count)]
        self.pupils = Lazy(pupils, maker.pupil)  # type: ignore[assignment]
        self.employees = Lazy(maker.employees, maker.employed)  # type: ignore[assignment]
        self.groups = Lazy(count * LEVELS * GROUPS, self._group)  # type: ignore[assignment]

    def find(self, number: str) -> Person | None:
        """Return the person that FREG knows by this number, in use or ended."""
        person = self.people.person_of(number)
        return person if person and person.in_freg and number in (person.number, person.old_number) else None

    def sas_persons(self) -> Iterator[SasPerson]:
        """Everybody in the SAS's file, family by family."""
        for number in range(self.people.families):
            family = self.people.family_of(number)
            yield from (pupil.sas for pupil in family.pupils)
            yield from family.sas_guardians
        yield from (employee.sas for employee in self.employees if employee.sas)

    def memberships(self) -> Iterator[tuple[str, list[Member]]]:
        """Yield each school's or group's id with its members."""
        for at, school in enumerate(self.kommune.schools):
            members = [
                Member(_pupil_id(place), "01", main=True) for level in range(LEVELS) for place in self._at(at, level)
            ]
            for turn, employee in enumerate(self._staff(at)):
                members.append(Member(_staff_id(employee), "02" if turn else "05", main=True))
            yield school.school_id, members
        for group in self.groups:
            if group.members:
                yield group.group_id, group.members

    def _at(self, school: int, level: int) -> Iterator[int]:
        """Return a school's pupils at a level (counted from 0)."""
        return (LEVELS * block + level for block in self._blocks[school] if LEVELS * block + level < len(self.pupils))

    def _staff(self, school: int) -> Sequence[int]:
        """Return the employees at a school, the head first."""
        count = len(self.kommune.schools)
        return range(school, min(self.people.at_school * count, self.people.employees), count)

    def _group(self, number: int) -> Group:
        """Make a group: the level, a class, a subject for all of the level, or a subject that some have chosen."""
        at, rest = divmod(number, LEVELS * GROUPS)
        level, kind = divmod(rest, GROUPS)
        school, staff = self.kommune.schools[at], self._staff(at)
        roles: tuple[str, ...]
        year, subject = level + 1, kind - 1 - len(LETTERS)
        if kind == 0:
            part, roles = None, ("02",)
            uri = f"http://psi.udir.no/laereplan/aarstrinn/aarstrinn{year}"
            group = Group(f"trinn{year}", school, ("4", "trinn"), str(year), f"{year}. trinn", f"{year}. årstrinn", uri)
            group.dated = False
        elif subject < 0:
            part, roles = kind - 1, ("06", "06")
            label = f"{year}{LETTERS[part]}"
            group = Group(label, school, ("1", "basisgruppe"), label, f"Klasse {label}", klass=label)
        else:
            part, roles = (subject - len(COMMON) if subject >= len(COMMON) else None), ("02", "02", "08")
            short, long, code = (*COMMON, *CHOICES)[subject]
            name = f"{long} {year}. trinn"
            group = Group(f"{short}-{year}", school, ("2", "undervisningsgruppe"), name, name, code)
            room = f"{school.key}-{year}"
            group.lessons = [(1 + (rest + turn) % 5, (subject + turn) % len(SLOTS), room) for turn in range(3)]
        group.group_id, group.level = f"{school.key}/{group.group_id}/{self.year}", year
        pupils = [place for place in self._at(at, level) if part in (None, place // LEVELS % len(LETTERS))]
        leaders = [staff[(rest * 3 + turn) % len(staff)] for turn in range(min(len(roles), len(staff)))]
        if pupils:
            group.members = [Member(_staff_id(who), role) for who, role in zip(leaders, roles, strict=False)]
            group.members += [Member(_pupil_id(place), "01") for place in pupils]
        return group


def _pupil_id(place: int) -> str:
    return f"E{100_001 + place}"


def _staff_id(employee: int) -> str:
    return f"A{50_001 + 3 * employee}"


class Maker(Builder):
    """Makes one family or one employee at a time, and remembers none of them.

    A person's birth date and number come from their place, mixed by the seed: women and men born on a day are numbered
    from 0. Mothers come first, then second mothers (medmor) or fathers, then employees.
    """

    def __init__(self, kommune: Kommune, seed: int, day: date) -> None:
        super().__init__(kommune._replace(pupils=0), seed, day)  # no seats: a pupil's place is its seat
        self.count = kommune.pupils
        self.families = -(-self.count // LEVELS) * len(SIBLINGS)
        self.employees = self.count * STAFF // SCHOOL
        self.at_school = -(-self.employees // (2 * len(kommune.schools)))
        self._issuer = self._series = Series(kommune.share)  # type: ignore[assignment]
        self._place = self._family = self._odd = 0
        self._children: list[int] = []
        self._pupil_mix = Shuffle(self.random("pupils"), _DAYS * Series.RANKS)
        self._adult_mix = Shuffle(self.random("adults"), _ADULTS * _DAYS * Series.RANKS)
        self.family_of = lru_cache(32)(self._make_family)

    # -- from a number to a place ----------------------------------------------------------------------------------

    def person_of(self, number: str) -> Person | None:
        """Make the person who may have this number. The caller must check that the number is the person's."""
        found = self._series.place(number)
        if found is None:
            return None
        born, sex, rank = found
        day = (born - date(born.year, 1, 1)).days
        level = self.year - 6 - born.year
        if rank > Series.RANKS or day >= _DAYS:
            return None
        rank -= 1
        if 0 <= level < LEVELS:
            place = self._pupil_mix.back(rank * _DAYS + day) * LEVELS + level
            return self.pupil(place).person if place < self.count else None
        year = born.year - self._first_year
        if not 0 <= year < _ADULTS:
            return None
        place = self._adult_mix.back((rank * _ADULTS + year) * _DAYS + day)
        turn, at = divmod(place, self.families)
        if turn < 2 and not (turn == 1 and sex == "mann"):
            adults = [adult for adult in self.family_of(at).adults if adult.sex == sex]
            return adults[min(turn, len(adults) - 1)] if adults else None
        employee = place - self._staff_first(sex)
        return self.employed(employee).person if employee < self.employees else None

    @property
    def _first_year(self) -> int:
        return self.year - 35 - _ADULTS

    def _staff_first(self, sex: str) -> int:
        return self.families * (1 if sex == "mann" else 2)

    # -- from a place to people ------------------------------------------------------------------------------------

    def pupil(self, place: int) -> Pupil:
        """Make a pupil, with the family."""
        block, level = divmod(place, LEVELS)
        number = next(at for at, levels in enumerate(SIBLINGS) if level in levels)
        family = self.family_of(block * len(SIBLINGS) + number)
        return next(pupil for pupil in family.pupils if pupil.level == level + 1)

    def _make_family(self, number: int) -> Family:
        block, at = divmod(number, len(SIBLINGS))
        places = [place for level in SIBLINGS[at] if (place := block * LEVELS + level) < self.count]
        if not places:
            return Family([], [], [])
        self._forget()
        self._family, self._children, self._odd = number, places, 0
        self._dwellings, self._mobiles, self._guardians = 2 * number, 4 * number, 2 * number
        rng = self.random("family", number)
        alone, apart, other = (1 + (block + turn) % 8 for turn in (0, 3, 5))
        kind = {alone: ("mor", "mor", "mor", "mor", "far")[block % 5], apart: "apart"}.get(at, "felles")
        if at == other:
            kind = ("medmor", "two_records")[block % 2]
        seats = [(self._school(place), place % LEVELS + 1, LETTERS[block % len(LETTERS)]) for place in places]
        pupils = self.family(rng, kind, seats)
        mother, other_parent = (self.world.persons[found] for _, found in _known(pupils[0]).parents)
        self._cases(rng, kind, pupils, mother, other_parent)
        return Family(pupils, [mother, other_parent], list(self.world.sas_guardians.values()))

    def _school(self, place: int) -> School:
        blocks, count = -(-self.count // LEVELS), len(self.kommune.schools)
        return self.kommune.schools[((place // LEVELS + 1) * count - 1) // blocks]

    def _cases(self, rng: Random, kind: str, pupils: list[Pupil], mother: Person, other: Person) -> None:
        """Make one family in twenty special."""
        child = _known(pupils[0])
        if kind == "mor" and rng.random() < 0.1:
            self.sas_guardian(pupils[0], other)
            other.cases.append("sas_guardian_without_basis")
        if kind == "mor" and rng.random() < 0.05:
            stranger = Responsibility("andre", uten_identifikator=("Ukjent", rng.choice(names.NOUNS), date(1980, 1, 2)))
            child.responsibility.append(stranger)
            child.cases.append("responsible_without_number")
        if kind == "apart" and rng.random() < 0.3:
            child.second_home = other.home
        case = rng.choices(list(_SHARES), list(_SHARES.values()))[0]
        if case == "":
            return
        child.cases.append(case)
        if case in ("strengt_fortrolig", "fortrolig"):
            child.protection = {"strengt_fortrolig": "strengtFortrolig"}.get(case, case)
            child.home_grading = "ugradert" if case == "strengt_fortrolig" else case
            child.postbox = "Postboks 8073" if case == "strengt_fortrolig" else None
        elif case == "guardian_strengt_fortrolig":
            mother.protection = "strengtFortrolig"
        elif case == "graded_address":
            child.home_grading = "fortrolig"
        elif case == "client_address":
            child.home_grading = "klientadresse"
        elif case == "unknown_grading":
            child.protection = "skjermetEtterNyLov"
        else:
            gone = child if case == "dead_pupil" else other
            gone.died, gone.status, gone.contact = self.start - timedelta(days=40), "doed", None

    def employed(self, place: int) -> Employee:
        """Make an employee; every twentieth is the mother of a pupil."""
        self._forget()
        count = len(self.kommune.schools)
        at, school = divmod(place, count)
        rng = self.random("employee", place)
        here = at < self.at_school
        unit = self.kommune.schools[school].unit if here else f"{self.kommune.schools[0].unit[:2]}1000"
        titles = ("Lærer", "Lærer", "Adjunkt", "Lektor", "Assistent") if here else ("Pedagogisk leder", "Renholder")
        title = "Rektor" if here and at == 0 else rng.choice(titles)
        percentage, kind = rng.choice((100, 100, 80, 60)), "A"
        date_from, date_to = date(self.year - 1 - at % 9, 8, 1), FOREVER
        how = rng.random() if at else 1.0
        if how < 0.03:
            date_from, date_to = date(self.year - 6, 8, 1), date(self.year, 6, 30)
        elif how < 0.04:
            date_from = date(self.year + 1, 8, 1)
        elif how < 0.08:
            percentage, kind = 0, "T"
        positions = [self.position(title, unit, percentage, date_from=date_from, date_to=date_to, kind=kind)]
        if 0.08 <= how < 0.14:
            positions.append(self.position("Lærer", self.kommune.schools[(school + 1) % count].unit, 20, main=False))
        person = self.family_of(place // 20 * 20).adults[0] if place % 20 == 7 else None
        self._forget()
        self._place, self._employees, self._odd = place, place, 1
        self._dwellings, self._mobiles = 2 * self.families + place, 4 * self.families + 2 * place
        return self.employee(rng, positions, in_sas=here, person=person)

    def _forget(self) -> None:
        self.world.persons, self.world.sas_guardians, self.world.sas_ids = {}, {}, {}
        self.world.pupils, self.world.employees = [], []

    # -- what depends on the place, where a Builder draws or counts --------------------------------------------------

    def person(self, rng: Random, role: str, *, born: date, sex: str | None = None, **fields: object) -> Person:
        """Make a new person, with the birth date and the number of the person's place."""
        sex = sex or rng.choice(("kvinne", "mann"))
        if role == "pupil":
            place = self._children.pop(0)
            self._pupils = self._place = place
            slot, first = self._pupil_mix.there(place // LEVELS), born.year
            rank, day = divmod(slot, _DAYS)
            year = 0
        else:
            if role == "employee":
                place = self._staff_first(sex) + self._place
            else:
                second = any(sex == known.sex for known in self.world.persons.values() if "pupil" not in known.roles)
                place = self._family + self.families * second
            rest, day = divmod(self._adult_mix.there(place), _DAYS)
            rank, year = divmod(rest, _ADULTS)
            first = self._first_year
        born = date(first + year, 1, 1) + timedelta(days=day)
        chance = rng.random()
        if chance < 0.02 and role != "pupil":
            fields |= {"dnummer": True, "home": None, "stay": fields.get("home")}
        elif chance < 0.025:
            fields["old_number"] = self._series.issue(born, sex, rank + 1, dnummer=True)
        return super().person(rng, role, born=born, sex=sex, series=rank + 1, **fields)  # type: ignore[arg-type]

    def dwelling(self, rng: Random, **kind: object) -> Address:
        """Make a dwelling; no other has this house number in this street."""
        self._addresses.clear()
        address = super().dwelling(rng, **kind)  # type: ignore[arg-type]
        house, street = divmod(self._dwellings, len(names.STREETS))
        address.adressenavn, address.husnummer = names.STREETS[street], str(house + 1)
        return address

    def mobile(self) -> str:
        """Make a mobile number that nobody has."""
        self._mobiles += 1
        return f"+474{1_000_000 + 2_000_000 * self.kommune.share + self._mobiles}"

    def username(self, given: str, family: str) -> str:
        """Make a user name that nobody has: even numbers for pupils, odd numbers for employees."""
        self._usernames.clear()
        return f"{super().username(given, family)}{2 * self._place + self._odd}"


def _known(pupil: Pupil) -> Person:
    assert pupil.person is not None  # noqa: S101
    return pupil.person


_SHARES = {
    "": 0.979,
    "strengt_fortrolig": 0.004,
    "fortrolig": 0.004,
    "guardian_strengt_fortrolig": 0.003,
    "graded_address": 0.002,
    "client_address": 0.002,
    "unknown_grading": 0.0005,
    "dead_guardian": 0.005,
    "dead_pupil": 0.0005,
}
