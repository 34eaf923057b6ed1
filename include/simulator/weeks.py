"""The passing of time: events of the people, the schools and their staff from one day to a later day.

Something happens every Monday, and on 1 August the school year begins. The events depend on the seed, on the day the
world was made and on the days that have passed. They do not depend on the number of calls: eight weeks at once give the
same as eight times one, in another process too. Events touch only people without a case of their own, except the
father of the family in ``cases``: in the first week another man takes his place.

The registers know of an event at once. The SAS follows a week later: names, numbers, addresses, deaths.
``manifest.remember`` keeps each access that protection has suspended, since the suspension lasts longer than the
protection.

Assumed: when a person gets a new number, the family's documents in FREG name the new number.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from simulator import manifest, names
from simulator.builder import Builder, school_year
from simulator.kommuner import School
from simulator.model import (
    Address,
    Country,
    Employee,
    Group,
    Member,
    Person,
    Position,
    Pupil,
    Responsibility,
    World,
)

ELSEWHERE = "1149"
"""The place that people go to when they leave the simulated kommuner."""
_PEACE = timedelta(weeks=5)
"""The time in which nothing more happens to a family, so that a kommune with monthly runs sees everything."""


class TimeGoesForward(ValueError):
    """A client asked for a day that has passed."""


def advance(country: Country, until: date) -> dict[str, dict[str, int]]:
    """Let time pass in every kommune until the day; return the number of events by kommune and kind.

    Raises TimeGoesForward if the day is before today.
    """
    if until < country.day:
        raise TimeGoesForward(f"It is {country.day} already, and time goes forward only: say {country.day} or later.")
    counts: dict[str, Counter[str]] = {number: Counter() for number in country.worlds}
    living = {number: world for number, world in country.worlds.items() if not world.still}
    for day in _days(country.day, until):
        for number, world in living.items():
            week = Week(country, world, day, counts)
            world.day = day
            if school_year(day) > world.year:
                week.new_school_year()
            if day.weekday() == 0:
                world.weeks += 1
                week.pass_by()
            week.tidy()
            counts[number].update(week.happened)
        for world in living.values():
            manifest.remember(world)
    country.day = until
    for world in country.worlds.values():
        world.day = until
    return {number: dict(sorted(found.items())) for number, found in counts.items()}


def _days(after: date, until: date) -> Iterator[date]:
    """Mondays and the first days of August."""
    for number in range(1, (until - after).days + 1):
        day = after + timedelta(days=number)
        if day.weekday() == 0 or (day.month, day.day) == (8, 1):
            yield day


class Event(NamedTuple):
    """An event that comes at an interval in weeks (twice as long in a small kommune), beginning with week ``first``.

    ``happen`` is called once per thousand pupils times ``per_thousand``, at least once, and tells whether it was
    possible.
    """

    kind: str
    every: int
    first: int
    per_thousand: float
    happen: "Callable[[Week, Random], bool]"


class Family(NamedTuple):
    """Pupils with the same parents and one home, the parents, and the parents who live there."""

    pupils: list[Pupil]
    children: list[Person]
    parents: list[Person]
    home: Address


def maker_of(world: World) -> Builder:
    """Return the builder of more people for a world. Raises TypeError for a ``large.Large``, which has no time."""
    if not isinstance(world.maker, Builder):
        raise TypeError("No Builder made this world: no time passes in it.")
    return world.maker


class Week:
    """One kommune on one day with events."""

    def __init__(self, country: Country, world: World, day: date, counts: dict[str, Counter[str]]) -> None:
        self.country, self.world, self.day, self.counts = country, world, day, counts
        self.maker = maker_of(world)
        self.happened: Counter[str] = Counter()

    def random(self, *what: object) -> Random:
        """Return a generator that depends on the world's key, the day and ``what``."""
        return Random("/".join(map(str, (self.world.seed, self.world.kommune.number, self.day, *what))))

    def pass_by(self) -> None:
        """Let a week pass."""
        self.sas_follows()
        size = len(self.world.pupils)
        if self.world.kommune.rich and self.world.weeks == 1 and _father_replaced(self):
            self.happened["father_replaced"] += 1
        for event in EVENTS:
            every = event.every * (2 if size < 300 and event.every > 1 else 1)
            if (self.world.weeks - event.first) % every or self.world.weeks < event.first:
                continue
            rng = self.random(event.kind)
            for _ in range(max(1, round(event.per_thousand * size / 1000))):
                self.happened[event.kind] += event.happen(self, rng)
        self.happened["newborn_named"] += _newborns_named(self, self.random("newborn_named"))
        self.happened["contact_confirmed"] += _contacts_age(self, self.random("contacts"))
        self.happened = Counter({kind: count for kind, count in self.happened.items() if count})

    # -- choosing --------------------------------------------------------------------------------------------------

    def note(self, kind: str, *persons: Person) -> None:
        """Keep on people the events that happened to them."""
        for person in persons:
            person.happened.append((self.day, kind))
            if kind in IN_FREG and person.in_freg:
                event = "personErDoed" if person.died else IN_FREG[kind]
                self.country.events.append((self.day, person.number, event))

    def at_peace(self, person: Person) -> bool:
        """Tell whether this person has had no event lately."""
        return not person.happened or person.happened[-1][0] + _PEACE <= self.day

    def ordinary(self, person: Person, *roles: str) -> bool:
        """Tell whether this person is ordinary: no test's case, no protection, alive, no recent event."""
        return (
            person.in_freg
            and person.died is None
            and person.canary is None
            and person.protection is None
            and person.home_grading == "ugradert"
            and person.home is not None
            and person.home.kind == "vegadresse"
            and all(case == "parents_apart" or case.startswith("krr_") for case in person.cases)
            and set(person.roles) <= set(roles)
            and self.at_peace(person)
        )

    def families(self, rng: Random, fits: Callable[[Pupil], bool]) -> Iterator[tuple[Pupil, Family]]:
        """Yield, in any order, pupils who ``fit``, with their families: the ordinary ones."""
        enrolled = {pupil.person.number: pupil for pupil in self.world.pupils if pupil.person}
        for pupil in rng.sample(self.world.pupils, len(self.world.pupils)):
            if fits(pupil) and (family := self.family(pupil, enrolled)):
                yield pupil, family

    def family(self, pupil: Pupil, enrolled: dict[str, Pupil]) -> Family | None:
        """Return the pupil's family if all of it is ordinary, has a home in this kommune and is not protected."""
        child = pupil.person
        if child is None or not child.home or child.home.kommunenummer != self.world.kommune.number:
            return None
        parents = [parent for _, number in child.parents if (parent := self.world.person(number))]
        if len(parents) != 2 or not all(self.ordinary(parent, "guardian", "parent") for parent in parents):
            return None
        numbers = dict.fromkeys(number for parent in parents for number, role, _ in parent.children if role)
        pupils = [enrolled[number] for number in numbers if number in enrolled]
        children = [one.person for one in pupils if one.person]
        if (
            any(one.cases for one in pupils)
            or not all(self.ordinary(one, "pupil", "child") for number in numbers if (one := self.world.person(number)))
            or any(one.parents != child.parents or one.home is not child.home for one in children)
            or any(manifest.effective(self.world, one)[0] for one in children)
        ):
            return None
        return Family(pupils, children, parents, child.home)

    def pick_family(self, rng: Random, fits: Callable[[Family], bool] = lambda family: True) -> Family | None:
        """Choose an ordinary family that ``fits``."""
        found = (family for _, family in self.families(rng, lambda pupil: True) if fits(family))
        return next(found, None)

    def pick_pupil(self, rng: Random, fits: Callable[[Pupil], bool]) -> tuple[Pupil, Person] | None:
        """Choose a pupil of an ordinary family who ``fits``."""
        found = ((pupil, pupil.person) for pupil, _ in self.families(rng, fits) if pupil.person)
        return next(found, None)

    # -- schools ---------------------------------------------------------------------------------------------------

    def place(self, pupil: Pupil) -> None:
        """Make a pupil a member of the groups of the pupil's level and class, from this day."""
        label = f"{pupil.level}{pupil.letter}"
        for group in self.world.groups:
            if group.school == pupil.school and (
                group.klass == label or (group.level == pupil.level and group.kind[1] == "trinn")
            ):
                group.members.append(Member(pupil.sas.person_id, "01", since=self.day))

    def take_out(self, sas_id: str, school: School | None = None) -> None:
        """End a person's memberships of groups, at one school or all."""
        for group in self.world.groups:
            if school in (None, group.school) and any(member.person_id == sas_id for member in group.members):
                group.members[:] = [member for member in group.members if member.person_id != sas_id]

    def smallest_class(self, school: School, level: int) -> str:
        """Return the letter of the class with the fewest pupils."""
        size = Counter(pupil.letter for pupil in self.world.pupils if (pupil.school, pupil.level) == (school, level))
        return min((letter for at, letter in school.classes if at == level), key=lambda letter: (size[letter], letter))

    def schools(self, level: int) -> list[School]:
        """List the schools that have this year level."""
        return [school for school in self.world.kommune.schools if any(at == level for at, _ in school.classes)]

    def enrol(self, rng: Random, person: Person, school: School, level: int) -> Pupil:
        """Put a person into the SAS as a pupil, and into a class."""
        pupil = self.maker.enrol(rng, person, school, level, self.smallest_class(school, level))
        pupil.since = self.day
        self.place(pupil)
        for record in person.responsibility:
            adult = self.world.person(record.ansvarlig)
            if adult and record.current and rng.random() < 0.9:
                self.maker.sas_guardian(pupil, adult)
        return pupil

    def leave_school(self, pupil: Pupil) -> None:
        """Take a pupil out of the SAS."""
        self.take_out(pupil.sas.person_id)
        self.world.pupils[:] = [other for other in self.world.pupils if other is not pupil]
        if pupil.person:
            pupil.person.roles[:] = [role for role in pupil.person.roles if role != "pupil"] or ["child"]

    def sas_follows(self) -> None:
        """Bring the SAS in line with FREG's facts of a week ago."""
        pupils = {id(pupil.person): pupil for pupil in self.world.pupils}
        for person in self.world.behind:
            pupil = pupils.get(id(person))
            guardian = self.world.sas_guardians.get(self.world.sas_ids.get(person.number, ""))
            for sas in (pupil.sas if pupil else None, guardian):
                if sas:
                    sas.given = f"{person.given} {person.middle}" if person.middle else person.given
                    sas.family, sas.sex = person.family, person.sex
                    sas.number = sas.number and person.number
                    if person.protection is None:
                        self.maker.sas_address(sas, person)
            if pupil and person.died:
                self.leave_school(pupil)
        self.world.behind.clear()

    def behind(self, *persons: Person) -> None:
        """Note the people whose entries in the SAS are behind FREG: here and in every other kommune that knows them."""
        for world in self.country.worlds.values():
            world.behind.extend(person for person in persons if person.number in world.persons)

    def tidy(self) -> None:
        """Take guardians without a pupil out of the SAS."""
        used = {sas_id for pupil in self.world.pupils for sas_id in pupil.sas.guardians}
        for number, sas_id in list(self.world.sas_ids.items()):
            if sas_id not in used:
                del self.world.sas_ids[number], self.world.sas_guardians[sas_id]

    # -- people ----------------------------------------------------------------------------------------------------

    def recently(self, rng: Random) -> date:
        """Return a day of the past week."""
        return self.day - timedelta(days=rng.randint(1, 6))

    def responsible(self, child: Person, records: Iterable[tuple[Person, str]], since: date) -> None:
        """Let FREG name these adults as having foreldreansvar for the child, and nobody else."""
        now = {adult.number: ansvar for adult, ansvar in records}
        known = {number for _, number in child.parents} | {r.ansvarlig for r in child.responsibility if r.ansvarlig}
        for number in [*now, *sorted(known - set(now))]:
            adult = self.world.person(number)
            if adult is None:
                continue
            role = next((role for role, parent in child.parents if parent == number), "")
            adult.children[:] = [entry for entry in adult.children if entry[0] != child.number]
            if role or number in now:
                adult.children.append((child.number, role, now.get(number)))
            adult.since["foreldreansvar"] = since
            adult.roles[:] = ["guardian" if any(ansvar for *_, ansvar in adult.children) else "parent"]
        child.responsibility[:] = [Responsibility(ansvar, number) for number, ansvar in now.items()]
        child.since["foreldreansvar"] = since

    def renumber(self, person: Person, number: str, kind: str, day: date) -> None:
        """Give a person a new number; the old number is opphoert, and FREG answers to both."""
        old = person.number
        person.former_numbers.append((old, person.id_type, day))
        person.number, person.id_type = number, kind
        for one in (old, number):  # assumed: the list has the event under both
            self.country.events.append((self.day, one, "endringIIdentifikasjonsnummer"))
        for world in self.country.worlds.values():
            if world.persons.get(old) is person:
                world.persons = {number if key == old else key: one for key, one in world.persons.items()}
            if world.by_any_number.get(old) is person:
                world.by_any_number[number] = person
            if old in world.sas_ids:
                world.sas_ids = {number if key == old else key: one for key, one in world.sas_ids.items()}
            world.suspended = {
                (number if child == old else child, number if adult == old else adult): why
                for (child, adult), why in world.suspended.items()
            }
        for child in [self.world.person(entry[0]) for entry in person.children]:
            if child:
                child.parents[:] = [(role, number if parent == old else parent) for role, parent in child.parents]
                for record in child.responsibility:
                    record.ansvarlig = number if record.ansvarlig == old else record.ansvarlig
        adults = [parent for _, parent in person.parents] + [r.ansvarlig for r in person.responsibility if r.ansvarlig]
        for adult in [self.world.person(number) for number in dict.fromkeys(adults)]:
            if adult:
                adult.children[:] = [(number if child == old else child, *rest) for child, *rest in adult.children]  # type: ignore[misc]
        partner = self.world.person(person.married_to)
        if partner:
            partner.married_to = number

    def move(self, home: Address, to: Address, destination: World | None) -> list[Person]:
        """Move everybody at a dwelling to another; into another world's people, or (None) out of all worlds."""
        movers = [person for person in self.world.persons.values() if person.home is home]
        for person in movers:
            person.former_home, person.home = home, to
        if destination is not self.world:
            for person in movers:
                self.world.persons.pop(person.number)
                for one in [person, *self._relatives(person)] if destination else []:
                    destination.persons.setdefault(one.number, one)  # type: ignore[union-attr]
                if destination:
                    for number in [person.number, *(number for number, *_ in person.former_numbers)]:
                        destination.by_any_number[number] = person
        return movers

    def _relatives(self, person: Person) -> list[Person]:
        numbers = [parent for _, parent in person.parents]
        numbers += [record.ansvarlig for record in person.responsibility if record.ansvarlig]
        numbers += [child for child, *_ in person.children]
        return [relative for number in numbers if (relative := self.world.person(number))]

    # -- the new school year ---------------------------------------------------------------------------------------

    def new_school_year(self) -> None:
        """Move everybody a level up: the tenth leave, the first begin, staff comes and goes, groups are made anew."""
        world, rng = self.world, self.random("school year")
        world.year = self.maker.year = self.day.year
        self.maker.start = self.day
        leavers = [pupil for pupil in world.pupils if pupil.level == 10]
        world.groups.clear()
        for pupil in leavers:
            self.leave_school(pupil)
        self.happened["pupil_finishes"] += len(leavers)
        for pupil in world.pupils:
            pupil.level += 1
            pupil.since = pupil.second_since = None
        for pupil in world.pupils:
            if (pupil.level, pupil.letter) not in pupil.school.classes:
                here = [school for school in self.schools(pupil.level) if school == pupil.school]
                pupil.letter = None
                pupil.school = (here or [min(self.schools(pupil.level), key=lambda s: self._crowded(s, pupil.level))])[
                    0
                ]
                pupil.letter = self.smallest_class(pupil.school, pupil.level)
            if pupil.second_school == pupil.school or pupil.second_school not in self.schools(pupil.level):
                pupil.second_school = None
        for _ in leavers:
            self._first_grader(rng)
        self.happened["pupil_begins"] += len(leavers)
        for school in world.kommune.schools:
            self.happened["teacher_replaced"] += _teacher_replaced(self, self.random("staff", school.key), school)
        self.maker.make_groups()
        self.happened["school_year"] += 1

    def _crowded(self, school: School, level: int) -> tuple[float, str]:
        classes = sum(at == level for at, _ in school.classes)
        return sum((p.school, p.level) == (school, level) for p in self.world.pupils) / classes, school.key

    def _first_grader(self, rng: Random) -> None:
        """Let a child begin: the younger sibling of a pupil, or the child of a new family."""
        school = min(self.schools(1), key=lambda school: self._crowded(school, 1))
        seat = (school, 1, self.smallest_class(school, 1))
        older = (
            self.pick_family(rng, lambda family: all(pupil.level > 2 for pupil in family.pupils))
            if rng.random() < 0.4
            else None
        )
        if older is None:
            kind = rng.choice(("felles", "felles", "felles", "felles", "apart", "mor"))
            self.maker.family(self.maker.next_family(), kind, [seat])
            return
        sibling = older.children[0]
        pupil = self.maker.child(rng, seat, home=older.home, family=sibling.family)
        child = pupil.person
        assert child is not None  # noqa: S101
        child.cases.extend(sibling.cases)
        for adult in older.parents:
            role = next(role for role, number in sibling.parents if number == adult.number)
            ansvar = next((r.ansvar for r in sibling.responsibility if r.ansvarlig == adult.number), None)
            self.maker.relate(child, adult, role, ansvar)
            if ansvar:
                self.maker.sas_guardian(pupil, adult)
        self.note("sibling_begins", child)


# -- what happens ------------------------------------------------------------------------------------------------------


def _father_replaced(week: Week) -> bool:
    """Bård Øyvind Leite loses the foreldreansvar for Konkurransedyktig Baug, and a new man gains it."""
    rng = week.random("father_replaced")
    child = next(one.person for one in week.world.pupils if "seed_baug" in one.cases)
    father = next(one for one in week.world.persons.values() if "seed_father" in one.cases)
    if child is None or all(record.ansvarlig != father.number for record in child.responsibility):
        return False
    mother = next(one for one in week.world.persons.values() if "seed_mother" in one.cases)
    home = week.maker.dwelling(rng)
    newcomer = week.maker.adult(
        rng, "guardian", child.born, sex="mann", given="Ny", family="Mann", home=home, contact="fresh"
    )
    week.responsible(child, [(mother, "felles"), (newcomer, "felles")], week.recently(rng))
    week.note("father_replaced", child, mother, father, newcomer)
    return True


def _birth(week: Week, rng: Random) -> bool:
    """Siblings are born: in FREG with a temporary name, at no school."""

    def young(family: Family) -> bool:
        return all(parent.home is family.home and parent.born.year >= week.day.year - 45 for parent in family.parents)

    family = week.pick_family(rng, young)
    if family is None:
        return False
    sibling, mother, sex = family.children[0], family.parents[0], rng.choice(("kvinne", "mann"))
    child = week.maker.person(
        rng,
        "child",
        born=week.recently(rng),
        sex=sex,
        given=f"{mother.given}*{'PIKE' if sex == 'kvinne' else 'GUTT'}",
        family=mother.family,
        home=family.home,
    )
    for role, number in sibling.parents:
        adult = next(parent for parent in family.parents if parent.number == number)
        ansvar = next((r.ansvar for r in sibling.responsibility if r.ansvarlig == number), None)
        week.maker.relate(child, adult, role, ansvar)
    week.note("birth", child, *family.parents)
    return True


def _newborns_named(week: Week, rng: Random) -> int:
    """Children get their names two weeks after they were born."""
    named = 0
    for person in week.world.persons.values():
        if "*" in person.given and person.born + timedelta(days=14) <= week.day:
            person.former_name = (person.given, person.family)
            person.given, person.since["navn"] = rng.choice(names.ADJECTIVES), week.recently(rng)
            named += 1
    return named


def _moves_out(week: Week, rng: Random) -> bool:
    """Families move to another kommune: out of this SAS and into that one's, with the same numbers."""
    others = [world for world in week.country.worlds.values() if world is not week.world]
    destination = rng.choices([*others, None], [*(world.kommune.pupils for world in others), 100])[0]

    def fits(family: Family) -> bool:
        there = Week(week.country, destination, week.day, {}) if destination else None
        return len(family.pupils) <= 2 and (there is None or all(there.schools(one.level) for one in family.pupils))

    family = week.pick_family(rng, fits)
    if family is None:
        return False
    home = maker_of(destination).dwelling(rng) if destination else week.maker.dwelling(rng, kommunenummer=ELSEWHERE)
    home.since = week.recently(rng)
    for pupil in family.pupils:
        week.leave_school(pupil)
    movers = week.move(family.home, home, destination)
    week.note("moves_out", *movers, *(parent for parent in family.parents if parent not in movers))
    week.behind(*family.parents)
    if destination:
        there = Week(week.country, destination, week.day, {})
        for pupil, child in zip(family.pupils, family.children, strict=True):
            school = rng.choice(there.schools(pupil.level))
            there.enrol(rng, child, school, pupil.level)
            child.roles[:] = ["pupil"]
        week.counts[destination.kommune.number]["moves_in"] += 1
    return True


def _moves_here(week: Week, rng: Random) -> bool:
    """Move new families here."""
    level = rng.randint(1, 10)
    schools = week.schools(level)
    if not schools:
        return False
    school = rng.choice(schools)
    kind = rng.choice(("felles", "felles", "felles", "apart", "two_records", "mor", "medmor"))
    seat = (school, level, week.smallest_class(school, level))
    for pupil in week.maker.family(week.maker.next_family(), kind, [seat]):
        child = pupil.person
        assert child is not None  # noqa: S101
        if child.home:
            child.home.since = week.recently(rng)
        pupil.since = week.day
        week.place(pupil)
        week.note("moves_here", child, *(one for _, number in child.parents if (one := week.world.person(number))))
    return True


def _moves_home(week: Week, rng: Random) -> bool:
    """Families move within the kommune, and keep their school."""
    family = week.pick_family(rng)
    if family is None:
        return False
    home = week.maker.dwelling(rng)
    home.since = week.recently(rng)
    movers = week.move(family.home, home, week.world)
    week.note("moves_home", *movers)
    week.behind(*movers)
    return True


def _from_abroad(week: Week, rng: Random) -> bool:
    """Mother and child come from abroad, with D-numbers."""
    level = rng.randint(1, 10)
    schools = week.schools(level)
    if not schools:
        return False
    stay = week.maker.dwelling(rng)
    stay.since = week.recently(rng)
    child = week.maker.person(
        rng, "pupil", born=week.maker.birthday(rng, level), dnummer=True, born_in="UKR", stay=stay
    )
    mother = week.maker.adult(rng, "guardian", child.born, sex="kvinne", dnummer=True, family=child.family, stay=stay)
    week.maker.relate(child, mother, "mor", "mor")
    week.enrol(rng, child, rng.choice(schools), level)
    week.note("from_abroad", child, mother)
    return True


def _d_number_replaced(week: Week, rng: Random) -> bool:
    """People who came from abroad three weeks ago get fødselsnummer and a home; the SAS follows a week later."""
    done = False
    for person in list(week.world.persons.values()):
        came = next((day for day, kind in person.happened if kind == "from_abroad"), None)
        if person.id_type == "dNummer" and came and came + timedelta(weeks=3) <= week.day and not person.died:
            since = week.recently(rng)
            number = week.maker.spare_number(person.born, person.sex, rng.randrange(10**6))
            week.renumber(person, number, "foedselsnummer", since)
            person.status, person.home, person.stay = "bosatt", person.stay, None
            person.since |= {"status": since, "identitetsgrunnlag": since}
            week.note("d_number_replaced", person)
            week.behind(person)
            done = True
    return done


def _parent_loses(week: Week, rng: Random) -> bool:
    """One of two parents at two addresses loses the foreldreansvar for all their children."""
    family = week.pick_family(
        rng,
        lambda family: (
            family.parents[1].home is not family.home
            and all([record.ansvar for record in child.responsibility] == ["felles"] * 2 for child in family.children)
        ),
    )
    if family is None:
        return False
    since = week.recently(rng)
    for child in family.children:
        week.responsible(child, [(family.parents[0], "mor")], since)
    week.note("parent_loses", *family.children, *family.parents)
    return True


def _parent_gains(week: Week, rng: Random) -> bool:
    """Give an adult without a part in the foreldreansvar one."""
    family = week.pick_family(
        rng, lambda family: all([r.ansvar for r in child.responsibility] == ["mor"] for child in family.children)
    )
    if family is None:
        return False
    since = week.recently(rng)
    for child in family.children:
        week.responsible(child, [(parent, "felles") for parent in family.parents], since)
    week.note("parent_gains", *family.children, *family.parents)
    return True


def _name_changed(week: Week, rng: Random) -> bool:
    """Pupils and guardians take other names."""
    family = week.pick_family(rng)
    if family is None:
        return False
    person = rng.choice([*family.children, *family.parents])
    person.former_name = (person.given, person.family)
    if person in family.children:
        person.given = rng.choice([name for name in names.ADJECTIVES if name != person.given])
    else:
        person.family = rng.choice([name for name in names.NOUNS if name != person.family])
    person.since["navn"] = week.recently(rng)
    week.note("name_changed", person)
    week.behind(person)
    return True


def _gender_changed(week: Week, rng: Random) -> bool:
    """Pupils change gender: another name and, in Norway, another number."""
    found = week.pick_pupil(rng, lambda pupil: pupil.level >= 5)
    if found is None:
        return False
    _, person = found
    since = week.recently(rng)
    person.sex = "mann" if person.sex == "kvinne" else "kvinne"
    person.former_name = (person.given, person.family)
    person.given = rng.choice([name for name in names.ADJECTIVES if name != person.given])
    number = week.maker.spare_number(person.born, person.sex, rng.randrange(10**6))
    week.renumber(person, number, "foedselsnummer", since)
    person.since |= {"navn": since, "kjoenn": since}
    week.note("gender_changed", person)
    week.behind(person)
    return True


def _protection_raised(week: Week, rng: Random) -> bool:
    """Children with the parent they live with, or that parent alone, get protection."""
    family = week.pick_family(rng, lambda family: any(parent.home is family.home for parent in family.parents))
    if family is None:
        return False
    level = rng.choice(("fortrolig", "strengtFortrolig"))
    parent = next(parent for parent in family.parents if parent.home is family.home)
    since = week.recently(rng)
    for person in [parent] if rng.random() < 0.3 else [*family.children, parent]:
        person.protection = level
        person.home_grading = "fortrolig" if level == "fortrolig" else "ugradert"
        person.since["adressebeskyttelse"] = since
    week.note("protection_raised", *family.children, *family.parents)
    return True


def _protection_lowered(week: Week, rng: Random) -> bool:
    """People who have been protected for five weeks lose the protection; suspended access stays suspended."""

    def ended(person: Person) -> bool:
        return person.protection is not None and any(
            kind == "protection_raised" and day + _PEACE <= week.day for day, kind in person.happened
        )

    graded = [person for person in week.world.persons.values() if ended(person)]
    if not graded:
        return False
    home = rng.choice(graded).home
    for person in graded:
        if person.home is home:
            person.protection, person.home_grading = None, "ugradert"
            person.since.pop("adressebeskyttelse")
            week.note("protection_lowered", person)
    return True


def _contact_changed(week: Week, rng: Random) -> bool:
    """Guardians register another e-mail, another mobile or both in KRR."""
    person = _pick_contact(week, rng, reserved=False)
    if person is None or person.contact is None:
        return False
    entry, day, what = person.contact, week.recently(rng), rng.choice(("epost", "mobil", "both"))
    if what != "mobil":
        name = f"{person.given}.{person.family}{person.number[6:9]}.{week.day:%y%m%d}"
        entry.epost = f"{week.maker.ascii(name)}@example.com"
        entry.epost_oppdatert = entry.epost_verifisert = day
    if what != "epost":
        entry.mobil = week.maker.mobile()
        entry.mobil_oppdatert = entry.mobil_verifisert = day
    entry.can_be_notified = True
    return True


def _contact_reserved(week: Week, rng: Random) -> bool:
    """Guardians reserve against electronic communication."""
    person = _pick_contact(week, rng, reserved=False)
    if person is None or person.contact is None:
        return False
    person.contact.reserved, person.contact.can_be_notified = week.recently(rng), False
    return True


def _contact_unreserved(week: Week, rng: Random) -> bool:
    """Guardians take their reservation back."""
    person = _pick_contact(week, rng, reserved=True)
    if person is None or person.contact is None:
        return False
    person.contact.reserved, person.contact.can_be_notified = None, True
    return True


def _pick_contact(week: Week, rng: Random, *, reserved: bool) -> Person | None:
    def fits(person: Person) -> bool:
        return (
            person.roles == ["guardian"]
            and person.contact is not None
            and person.contact.status == "AKTIV"
            and (person.contact.reserved is not None) is reserved
            and not (person.cases or person.canary or person.died)
        )

    people = list(week.world.persons.values())
    if reserved:  # few are
        people = list(filter(fits, people))
    return next((one for one in (rng.choice(people) for _ in range(200) if people) if fits(one)), None)


def _contacts_age(week: Week, rng: Random) -> int:
    """After a year most people confirm their entry in KRR; after 18 months the others are not notified."""
    confirmed = 0
    odd = {"krr_expired", "krr_filtered", "krr_mixed", "krr_deleted"}
    for person in week.world.persons.values():
        entry = person.contact
        if entry is None or not odd.isdisjoint(person.cases):
            continue
        dates = (entry.epost_oppdatert, entry.epost_verifisert, entry.mobil_oppdatert, entry.mobil_verifisert)
        newest = max((day for day in dates if day), default=None)
        if newest is None or newest + timedelta(days=365) > week.day:
            continue
        if rng.random() < 0.1:
            day = week.recently(rng)
            entry.epost_verifisert = day if entry.epost else None
            entry.mobil_verifisert = day if entry.mobil else None
            entry.can_be_notified = entry.reserved is None
            confirmed += 1
        elif newest + timedelta(days=548) <= week.day:
            entry.can_be_notified = False
    return confirmed


def _teacher_replaced(week: Week, rng: Random, school: School | None = None) -> bool:
    """Teachers leave, and others take over their classes."""
    schools = [school] if school else list(week.world.kommune.schools)
    fits = [
        (school, employee)
        for school in schools
        for employee in week.maker.teachers[school.key]
        if not employee.seed and not employee.cases and employee.person.roles == ["employee"]
    ]
    if not fits:
        return False
    school, leaver = rng.choice(fits)
    position = leaver.positions[0]
    position.date_to = week.day - timedelta(days=1)
    starter = _starts(week, rng, position.name, position)
    pool = week.maker.teachers[school.key]
    pool[pool.index(leaver)] = starter
    if leaver.sas and starter.sas:
        _take_over(week.world.groups, leaver, starter, week.day)
    leaver.sas = None
    leaver.person.roles[:] = ["former_employee"]
    week.note("employee_leaves", leaver.person)
    return True


def _take_over(groups: list[Group], leaver: Employee, starter: Employee, day: date) -> None:
    assert leaver.sas is not None  # noqa: S101
    assert starter.sas is not None  # noqa: S101
    for group in groups:
        for member in group.members:
            if member.person_id == leaver.sas.person_id:
                member.person_id, member.since = starter.sas.person_id, day
                if group.kind[1] == "kontaktlærergruppe":
                    group.long = f"Kontaktlærergruppe for {starter.person.given} {starter.person.family}"


def _starts(week: Week, rng: Random, name: str, like: Position) -> Employee:
    position = week.maker.position(name, like.unit, like.percentage, date_from=week.day)
    starter = week.maker.employee(rng, [position])
    week.note("employee_starts", starter.person)
    return starter


def _assistant_starts(week: Week, rng: Random) -> bool:
    """One more assistant at a school."""
    school = rng.choice(week.world.kommune.schools)
    first = week.maker.assistants[school.key][0]
    week.maker.assistants[school.key].append(_starts(week, rng, "Assistent", first.positions[0]))
    return True


def _assistant_leaves(week: Week, rng: Random) -> bool:
    """Assistants who came some weeks ago leave."""
    fits = [
        (pool, employee)
        for pool in week.maker.assistants.values()
        for employee in pool[1:]
        if employee.positions[0].date_from + _PEACE <= week.day
    ]
    if not fits:
        return False
    pool, leaver = rng.choice(fits)
    leaver.positions[0].date_to = week.day - timedelta(days=1)
    pool.remove(leaver)
    leaver.sas = None
    leaver.person.roles[:] = ["former_employee"]
    week.note("employee_leaves", leaver.person)
    return True


def _hr_forgets(week: Week, rng: Random) -> bool:
    """HR keeps employees who have left for eight weeks."""
    kept = [
        employee
        for employee in week.world.employees
        if employee.cases or employee.positions[0].date_to + timedelta(weeks=8) > week.day
    ]
    forgotten = len(week.world.employees) > len(kept)
    week.world.employees[:] = kept
    return forgotten


def _class_changed(week: Week, rng: Random) -> bool:
    """Pupils go over to another class of the level."""

    def letters(pupil: Pupil) -> list[str]:
        return [at for level, at in pupil.school.classes if level == pupil.level and at != pupil.letter]

    found = week.pick_pupil(rng, lambda pupil: bool(pupil.letter and letters(pupil) and not pupil.second_school))
    if found is None:
        return False
    pupil, person = found
    week.take_out(pupil.sas.person_id)
    pupil.letter = rng.choice(letters(pupil))
    week.place(pupil)
    week.note("class_changed", person)
    return True


def _school_changed(week: Week, rng: Random) -> bool:
    """Pupils go over to another school of the kommune."""
    found = week.pick_pupil(rng, lambda pupil: len(week.schools(pupil.level)) > 1 and not pupil.second_school)
    if found is None:
        return False
    pupil, person = found
    week.take_out(pupil.sas.person_id)
    pupil.school = rng.choice([school for school in week.schools(pupil.level) if school != pupil.school])
    pupil.letter = week.smallest_class(pupil.school, pupil.level)
    pupil.since = week.day
    week.place(pupil)
    week.note("school_changed", person)
    return True


def _second_school_begins(week: Week, rng: Random) -> bool:
    """Pupils go to a second school as well, for mathematics."""
    found = week.pick_pupil(rng, lambda pupil: len(week.schools(pupil.level)) > 1 and not pupil.second_school)
    if found is None:
        return False
    pupil, person = found
    school = rng.choice([school for school in week.schools(pupil.level) if school != pupil.school])
    pupil.second_school, pupil.second_since = school, week.day
    for group in week.world.groups:
        if group.school == school and group.level == pupil.level:
            guest = group.klass == f"{pupil.level}A" and group.group_id.startswith(f"{school.key}/MAT-")
            if guest or group.kind[1] == "trinn":
                group.members.append(Member(pupil.sas.person_id, "01", since=week.day))
    week.note("second_school_begins", person)
    return True


def _second_school_ends(week: Week, rng: Random) -> bool:
    """Pupils who have gone to two schools for some weeks go to one again."""
    fits = [
        pupil
        for pupil in week.world.pupils
        if pupil.second_school and pupil.second_since and pupil.second_since + timedelta(weeks=4) <= week.day
    ]
    if not fits:
        return False
    pupil = rng.choice(fits)
    week.take_out(pupil.sas.person_id, pupil.second_school)
    pupil.second_school = pupil.second_since = None
    if pupil.person:
        week.note("second_school_ends", pupil.person)
    return True


def _guardian_dies(week: Week, rng: Random) -> bool:
    """One of two guardians dies; FREG still names them."""
    family = week.pick_family(rng, lambda family: all(len(child.responsibility) == 2 for child in family.children))
    if family is None:
        return False
    _dies(family.parents[1], week.recently(rng))
    week.note("guardian_dies", *family.children, *family.parents)
    return True


def _pupil_dies(week: Week, rng: Random) -> bool:
    """Pupils die; the SAS knows a week later."""
    found = week.pick_pupil(rng, lambda pupil: True)
    if found is None:
        return False
    _, person = found
    _dies(person, week.recently(rng))
    week.note("pupil_dies", person)
    week.behind(person)
    return True


def _dies(person: Person, day: date) -> None:
    person.died, person.status, person.contact = day, "doed", None


def _by_hand(week: Week, rng: Random) -> bool:
    """Enter a parent without foreldreansvar as guardian, as a person at a school would."""
    family = week.pick_family(
        rng, lambda family: all([r.ansvar for r in child.responsibility] == ["mor"] for child in family.children)
    )
    if family is None:
        return False
    week.maker.sas_guardian(family.pupils[0], family.parents[1])
    week.note("by_hand", family.children[0], *family.parents)
    return True


_WRONG_IN_SAS = {"by_hand", "parent_loses", "parent_gains", "father_replaced"}


def _by_hand_corrected(week: Week, rng: Random) -> bool:
    """Schools enter the guardians of a pupil anew, by the present foreldreansvar."""
    for pupil in week.world.pupils:
        person = pupil.person
        if person is None or not person.happened:
            continue
        day, kind = person.happened[-1]
        if kind in _WRONG_IN_SAS and day + timedelta(weeks=3) <= week.day:
            pupil.sas.guardians.clear()
            for record in person.responsibility:
                if adult := week.world.person(record.ansvarlig):
                    week.maker.sas_guardian(pupil, adult)
            week.note("by_hand_corrected", person)
            return True
    return False


EVENTS = (
    Event("birth", 2, 1, 1, _birth),
    Event("moves_out", 2, 1, 1, _moves_out),
    Event("moves_here", 4, 2, 1, _moves_here),
    Event("moves_home", 2, 1, 2, _moves_home),
    Event("from_abroad", 6, 1, 0.5, _from_abroad),
    Event("d_number_replaced", 2, 4, 0.5, _d_number_replaced),
    Event("parent_loses", 3, 2, 0.5, _parent_loses),
    Event("parent_gains", 3, 3, 0.5, _parent_gains),
    Event("name_changed", 2, 2, 2, _name_changed),
    Event("gender_changed", 8, 3, 0.5, _gender_changed),
    Event("protection_raised", 4, 1, 0.5, _protection_raised),
    Event("protection_lowered", 4, 6, 0.5, _protection_lowered),
    Event("contact_changed", 1, 1, 10, _contact_changed),
    Event("contact_reserved", 4, 2, 1, _contact_reserved),
    Event("contact_unreserved", 4, 4, 1, _contact_unreserved),
    Event("teacher_replaced", 2, 1, 0.5, _teacher_replaced),
    Event("assistant_starts", 6, 2, 0.5, _assistant_starts),
    Event("assistant_leaves", 6, 7, 0.5, _assistant_leaves),
    Event("hr_forgets", 1, 1, 0, _hr_forgets),
    Event("class_changed", 2, 2, 1, _class_changed),
    Event("school_changed", 4, 3, 1, _school_changed),
    Event("second_school_begins", 4, 1, 0.5, _second_school_begins),
    Event("second_school_ends", 4, 5, 0.5, _second_school_ends),
    Event("guardian_dies", 20, 4, 0.1, _guardian_dies),
    Event("pupil_dies", 40, 9, 0.1, _pupil_dies),
    Event("by_hand", 4, 3, 0.5, _by_hand),
    Event("by_hand_corrected", 2, 4, 1, _by_hand_corrected),
)
IN_FREG = {
    "birth": "endringIFamilierelasjon",
    "moves_out": "endringIBostedsadresse",
    "moves_home": "endringIBostedsadresse",
    "moves_here": "endringIBostedsadresse",
    "from_abroad": "personErOpprettet",
    "father_replaced": "endringIForeldreansvar",
    "parent_loses": "endringIForeldreansvar",
    "parent_gains": "endringIForeldreansvar",
    "name_changed": "endringINavn",
    "gender_changed": "endringIKjoenn",
    "protection_raised": "endringIAdressebeskyttelse",
    "protection_lowered": "endringIAdressebeskyttelse",
    "guardian_dies": "endringISivilstand",
    "pupil_dies": "personErDoed",
}
"""The name in FREG's event list of each kind of event; deaths are personErDoed."""
KINDS = frozenset(event.kind for event in EVENTS) | {
    *("moves_in", "newborn_named", "contact_confirmed", "father_replaced"),
    *("school_year", "pupil_finishes", "pupil_begins"),
}
"""Every kind of event that ``advance`` counts."""
