"""What the warehouse should hold, told a second time: from the simulator's people and from what people decided.

It reads no table and none of Dataflyt's rules. A person is known by the first number that the person had, a pupil
without one by the school system's id (``sas:…``), a registration by hand by its family name (``hand:…``).

    the registers' facts at a run -> learned at once: what takes away -> released: what gives

``Naive`` keeps what holds now; ``read`` takes the facts from the simulator.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from simulator import manifest
from simulator.model import Address, Person, Responsibility, World

LEVELS = {None: 0, "ugradert": 0, "klientadresse": 1, "fortrolig": 2, "strengtFortrolig": 3}
Pair = tuple[str, str]
Names = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Facts:
    """The registers on the day of a run."""

    names: dict[str, Names]
    born: dict[str, date]
    dead: frozenset[str]
    pupils: frozenset[str]
    """Everybody whom the school system has as a pupil."""
    unasked: frozenset[str]
    """Pupils without a number."""
    unanswered: frozenset[str]
    """People with a number that FREG has never answered for."""
    levels: dict[str, int]
    """The protection of each person by the registers alone."""
    responsible: dict[str, frozenset[str]]
    """The adults that FREG names for each child: a person, ``org:…`` or ``uten:…``."""
    homes: dict[str, int]
    """Where each is registered: the same number is the same dwelling."""
    dwellings: dict[str, frozenset[int]]
    """Homes and second homes that are told; nobody's when the address is withheld."""


def who(person: Person) -> str:
    """Return the name that a person has here: the first number."""
    return person.former_numbers[0][0] if person.former_numbers else person.number


def read(world: World) -> Facts:
    """Return the facts of a world on its day."""
    # An adult with a grant keeps it after moving to another kommune, and FREG still answers.
    everybody = {id(one): one for one in (*world.persons.values(), *world.by_any_number.values())}.values()
    known = [one for one in everybody if one.in_freg]
    answered = {who(one) for one in known}
    pupils = {who(one.person) if one.person else f"sas:{one.sas.person_id}" for one in world.pupils}
    return Facts(
        names={who(one): (one.given, one.middle, one.family) for one in everybody},
        born={who(one): one.born for one in everybody},
        dead=frozenset(who(one) for one in known if one.died),
        pupils=frozenset(pupils),
        unasked=frozenset(one for one in pupils if one.startswith("sas:")),
        unanswered=frozenset(who(one) for one in everybody if who(one) not in answered),
        levels={who(one): LEVELS[manifest.effective(world, one)[0]] for one in known},
        responsible={
            who(one): frozenset(
                adult for record in one.responsibility if record.current and (adult := _adult(world, record))
            )
            for one in known
        },
        homes={who(one): id(one.home) for one in known if one.home and one.protection != "strengtFortrolig"},
        dwellings={who(one): frozenset(map(id, _told(one))) for one in known},
    )


def _adult(world: World, record: Responsibility) -> str | None:
    if record.ansvarlig:
        found = world.person(record.ansvarlig)
        return who(found) if found else record.ansvarlig
    if record.organisasjon:
        return f"org:{record.organisasjon}"
    return f"uten:{' '.join(record.uten_identifikator[:2])}" if record.uten_identifikator else None


def _told(person: Person) -> Iterable[Address]:
    if person.protection != "strengtFortrolig":
        for home in (person.home, person.second_home):
            if home and home.kind != "ukjentBosted":
                yield home


@dataclass
class Decided:
    """A decision: the first run that it holds in, and the first in which it no longer does."""

    number: int
    from_run: int = 0
    to_run: int | None = None

    def in_run(self, run: int) -> bool:
        """Tell whether it holds in a run."""
        return self.from_run <= run and (self.to_run is None or run < self.to_run)


@dataclass
class Suspension(Decided):
    """A suspension of access."""

    by_holding_back: bool = False


@dataclass
class Grant(Decided):
    """A grant; ``givers`` are those whose consents it rests on, None for another basis."""

    child: str = ""
    adult: str = ""
    givers: frozenset[str] | None = None
    until: date = date.max
    ended: bool = False
    taken_back: bool = False
    fallen: bool = False


@dataclass
class Raised:
    """Protection that people have raised; ``ended`` when two have ended it."""

    number: int
    who: str
    level: int
    ended: bool = False


@dataclass
class ByHand(Decided):
    """A registration by hand, of an employee."""

    until: date = date.max
    ended: bool = False


@dataclass
class Override(Decided):
    """An override of a name."""

    who: str = ""
    field: str = ""
    value: str = ""
    ended: bool = False


@dataclass
class Naive:
    """What holds now. ``released`` is the number of the run whose facts ``facts`` are."""

    facts: Facts
    released: int = 1
    newest: int = 1
    day: date = date.min
    levels: dict[str, int] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    ended: set[Pair] = field(default_factory=set)
    suspended: dict[Pair, Suspension] = field(default_factory=dict)
    freed: set[Pair] = field(default_factory=set)
    """Suspensions that people have lifted, until the child's protection is raised again."""
    blocks: dict[Pair, Decided] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    held: dict[str, Decided] = field(default_factory=dict)
    raised: list[Raised] = field(default_factory=list)
    publishable: dict[str, Decided] = field(default_factory=dict)
    by_hand: dict[str, ByHand] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    named: dict[tuple[str, str], str] = field(default_factory=dict)
    """Values of overrides in the released run."""
    given: list[int] = field(default_factory=list)
    """Grants in the released run."""

    # --- what a run does ---------------------------------------------------------------------------------------------

    def begin(self, day: date) -> None:
        """Open a run."""
        self.newest += 1
        self.day = max(self.day, day)

    def learn(self, facts: Facts, *, answered: bool = True) -> None:
        """Take what takes away, at once: from a run's answers, or (not ``answered``) when people have decided."""
        run = self.newest if answered else self.newest + 1
        pairs = self.active() | self._given_by(facts, run)
        new = self.computed(facts)
        for one, level in new.items():
            if level >= 2 and level > self.levels.get(one, 0):
                self.levels[one] = level
                self.freed = {pair for pair in self.freed if pair[0] != one}
        if answered:
            self.dead |= facts.dead
            for child, adult in self.rows():
                if self.state(child, adult) not in ("active", "suspended") or child not in facts.pupils:
                    continue
                if child in facts.unanswered or not self._rests_on_freg(child, adult):
                    continue
                if (child, adult) not in self._given_by(facts, run):
                    self.ended.add((child, adult))
        # A consent never holds for a protected child (DESIGN): the access is over, and there is nothing to suspend.
        over: set[Pair] = set()
        for grant in self.grants:
            if grant.givers is not None and grant.number in self.given:
                protected = self.level(grant.child) >= 2
                changed = answered and grant.child in facts.pupils and not self._agreed(grant, facts)
                grant.fallen |= protected or changed
                if protected and self.by_golden(grant.child, grant.adult)[0] == "grant:consent":
                    over.add((grant.child, grant.adult))
        self.ended |= over
        for child, adult in pairs:
            level = max(self.level(child), new.get(child, 0))
            stops = level == 3 or (level == 2 and not self._together(facts, child, adult))
            if stops and (child, adult) not in self.freed | over:
                self.suspend([(child, adult)])

    def learn_first(self, facts: Facts) -> None:
        """Take what the first run takes away, which is released."""
        self.newest -= 1
        self.levels = self.computed(facts)
        self.newest += 1
        self.dead |= facts.dead
        self.learn(facts, answered=False)

    def merged(self, facts: Facts) -> frozenset[int]:
        """Return the decisions that count in the run that is being merged: what ends later counts in the next."""
        grants = (one for one in self.grants if one.in_run(self.newest) and not one.ended and self._agreed(one, facts))
        overrides = (one for one in self.overrides if one.in_run(self.newest) and not one.ended)
        return frozenset(one.number for one in [*grants, *overrides])

    def release(self, facts: Facts, merged: frozenset[int]) -> None:
        """Let a run hold: what gives. ``merged`` are the decisions that count in it."""
        self.facts, self.released = facts, self.newest
        self.levels = self.computed(facts)
        self.named = {(one.who, one.field): one.value for one in self.overrides if one.number in merged}
        self.given = [one.number for one in self.grants if one.number in merged]
        self.ended = {pair for pair in self.ended if self.by_golden(*pair)[1] != "active"}
        self.suspended = {pair: one for pair, one in self.suspended.items() if one.in_run(self.released)}

    # --- what people decide ------------------------------------------------------------------------------------------

    def suspend(self, pairs: Iterable[Pair], *, by_holding_back: bool = False) -> None:
        """Suspend access, unless it is suspended."""
        for pair in pairs:
            held = self.suspended.get(pair)
            if held is None or held.to_run is not None:
                self.suspended[pair] = Suspension(0, by_holding_back=by_holding_back)

    def end_hold_back(self, one: str, run: int) -> None:
        """End holding a person back, and the suspensions that came with it if the person is not protected besides."""
        self.held[one].to_run = run
        if self.levels.get(one, 0) < 2:
            for pair, suspension in self.suspended.items():
                if pair[0] == one and suspension.by_holding_back and suspension.to_run is None:
                    suspension.to_run = run
                    self.freed.add(pair)

    def is_plain(self, one: str) -> bool:
        """Tell whether FREG has answered for a person, who lives, and whom no decision hides."""
        return one not in self.facts.unanswered and one not in self.dead | self.facts.dead and self.level(one) < 3

    # --- what holds --------------------------------------------------------------------------------------------------

    def computed(self, facts: Facts) -> dict[str, int]:
        """Return everybody's protection by the registers, and by what people have raised: over the household too."""
        found = dict(facts.levels)
        raised = defaultdict(int)
        for one in self.raised:
            if not one.ended:
                raised[one.who] = max(raised[one.who], one.level)
                found[one.who] = max(found.get(one.who, 0), one.level)
        children: dict[str, set[str]] = defaultdict(set)
        for child, adults in facts.responsible.items():
            for adult in adults:
                children[adult].add(child)
        for grant in self.grants:
            if not grant.ended:
                children[grant.adult].add(grant.child)
        own = {one: max(facts.levels.get(one, 0), raised[one]) for one in [*facts.levels, *raised]}
        for adult, theirs in children.items():
            for child in theirs:
                near = {adult, *theirs} - {child}
                for other in near:
                    # The registers' own household is in facts.levels; here it is about what people have decided.
                    decided = raised[other] or any(adult == g.adult for g in self.grants if not g.ended)
                    level = raised[other] if raised[other] else own.get(other, 0)
                    if decided and level >= 2 and self._house(facts, child, other):
                        found[child] = max(found.get(child, 0), level)
        return found

    def _house(self, facts: Facts, one: str, other: str) -> bool:
        mine, theirs = facts.dwellings.get(one, frozenset()), facts.dwellings.get(other, frozenset())
        return not mine or not theirs or bool(mine & theirs)

    def _together(self, facts: Facts, child: str, adult: str) -> bool:
        home = facts.homes.get(child)
        return home is not None and home == facts.homes.get(adult)

    def level(self, one: str) -> int:
        """Return a person's protection now."""
        return 3 if self.is_held(one) else self.levels.get(one, 0)

    def is_held(self, one: str) -> bool:
        """Tell whether people hold a person back now."""
        return one in self.held and self.held[one].in_run(self.released)

    def held_back(self) -> set[str]:
        """Return the pupils who are in no export because FREG has not answered for them."""
        free = {one for one, decided in self.publishable.items() if decided.in_run(self.released)}
        return {one for one in self.facts.pupils if one in self.facts.unanswered or one in self.facts.unasked - free}

    def rows(self) -> dict[Pair, tuple[str, str]]:
        """Return every pupil's adults in the released run: the basis, and the state now."""
        pairs = {(child, adult) for child in self.facts.pupils for adult in self.facts.responsible.get(child, ())}
        pairs |= {(grant.child, grant.adult) for grant in self.grants if grant.number in self.given}
        return {pair: (self.by_golden(*pair)[0], self.state(*pair)) for pair in pairs if pair[0] in self.facts.pupils}

    def active(self) -> set[Pair]:
        """Return who has access now."""
        return {pair for pair, (_, state) in self.rows().items() if state == "active"}

    def by_golden(self, child: str, adult: str) -> tuple[str, str]:
        """Return the basis and the state that the released run gave."""
        by_freg = adult in self.facts.responsible.get(child, ())
        grants = sorted(self._basis(one) for one in self._grants(child, adult) if one.number in self.given)
        dead = bool({child, adult} & self.facts.dead)
        if by_freg and adult not in self.facts.unanswered:
            return "foreldreansvar", "dead" if dead else "active"
        if grants:
            return grants[0], "dead" if dead else "active"
        return "foreldreansvar", "dead" if dead else "unanswered"

    def state(self, child: str, adult: str) -> str:
        """Return the state of an adult's access to a child now."""
        pair = (child, adult)
        blocked = pair in self.blocks and self.blocks[pair].in_run(self.released)
        basis, state = self.by_golden(child, adult)
        if state != "active":
            return "blocked" if blocked else state
        if pair in self.ended:
            return "ended"
        if {child, adult} & self.dead:
            return "dead"
        if pair in self.suspended and self.suspended[pair].in_run(self.released):
            return "suspended"
        if blocked:
            return "blocked"
        if basis == "foreldreansvar":
            return "active"
        return "active" if any(self._now(one) for one in self._grants(child, adult)) else "ended"

    def names(self, one: str) -> Names:
        """Return a person's name in the released run."""
        given, middle, family = self.facts.names[one]
        return self.named.get((one, "fornavn"), given), middle, self.named.get((one, "etternavn"), family)

    def shown(self) -> set[str]:
        """Return the pupils, guardians and those registered by hand who are in the files."""
        hidden = self.held_back() | self.dead | self.facts.dead
        pupils = {one for one in self.facts.pupils - hidden if self.level(one) < 3}
        guardians = {
            adult
            for child, adult in self.active()
            if child in pupils and ":" not in adult and adult not in hidden and self.level(adult) < 3
        }
        by_hand = {
            one
            for one, decided in self.by_hand.items()
            if decided.in_run(self.released) and not decided.ended and decided.until >= self.day
        }
        return pupils | guardians | by_hand

    # --- grants ------------------------------------------------------------------------------------------------------

    def _grants(self, child: str, adult: str) -> list[Grant]:
        return [one for one in self.grants if (one.child, one.adult) == (child, adult)]

    def _basis(self, grant: Grant) -> str:
        return "grant:court_judgment" if grant.givers is None else "grant:consent"

    def _now(self, grant: Grant) -> bool:
        """Tell whether a grant of the released run still holds today."""
        if grant.number not in self.given or grant.ended or grant.until < self.day:
            return False
        return grant.givers is None or (not grant.fallen and self.level(grant.child) < 2 and self._old_enough(grant))

    def _agreed(self, grant: Grant, facts: Facts) -> bool:
        """Tell whether a grant holds in a run of these facts."""
        if grant.child not in facts.pupils or grant.until < self.day:
            return False
        if grant.givers is None:
            return True
        living = facts.responsible.get(grant.child, frozenset()) - facts.dead
        level = max(self.computed(facts).get(grant.child, 0), self.level(grant.child))
        return (
            not grant.fallen
            and level < 2
            and bool(living)
            and living == grant.givers - {grant.child}
            and self._old_enough(grant)
        )

    def _old_enough(self, grant: Grant) -> bool:
        """Tell whether the child's own consent is there, or is not needed yet."""
        return grant.child in (grant.givers or ()) or self.age(grant.child) < 15

    def age(self, one: str) -> int:
        """Return a person's age today."""
        born = self.facts.born[one]
        return self.day.year - born.year - ((self.day.month, self.day.day) < (born.month, born.day))

    def _rests_on_freg(self, child: str, adult: str) -> bool:
        return self.by_golden(child, adult)[0] in ("foreldreansvar", "grant:consent")

    def _given_by(self, facts: Facts, run: int) -> set[Pair]:
        """Return who would have access in a run of these facts, before any veto."""
        then = replace(
            self,
            facts=facts,
            released=run,
            ended=set(),
            suspended={},
            dead=set(),
            given=[one.number for one in self.grants if one.in_run(run) and not one.ended and self._agreed(one, facts)],
        )
        return then.active()
