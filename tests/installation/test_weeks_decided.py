"""Weeks with decisions in them, against a second, naive implementation, row by row.

    DATAFLYT_WEEKS=52 DATAFLYT_SEED=2 python -m pytest -n 1 tests/installation/test_weeks_decided.py

Every week time passes in the registers, people decide at random (before the run, in the middle of it, and after it),
and the run is approved, rejected or not answered. ``naive`` knows nothing of the warehouse: it has the simulator's
people, and what was decided. Each pupil's access with its basis and state, everybody's protection and name, who is held
back, and who is in the files must be the same in both. No older file that is kept may give an access that has ended.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.consent import Given, WithdrawConsent
from dataflyt.decisions.decision import Decision, NotAllowed
from dataflyt.decisions.grant import EndGrant
from dataflyt.decisions.grant import Grant as GrantDecision
from dataflyt.decisions.hold_back import EndHoldBack, HoldBack
from dataflyt.decisions.manual_person import EndManualPerson, ManualPeople, Registered
from dataflyt.decisions.override import EndOverride, RaiseProtection
from dataflyt.decisions.override import Override as OverrideDecision
from dataflyt.decisions.publishable import EndPublishable, Publishable
from dataflyt.decisions.suspension import KeepSuspension, LiftSuspension
from dataflyt.errors import NotApproved
from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from tests.decisions.test_access import ANITA, BJORN, DINA, PEOPLE
from tests.installation.fixtures import SEED, TO_PLAN, TODAY, Installation, respond
from tests.installation.naive import ByHand, Decided, Grant, Naive, Override, Pair, Raised, read, who
from tests.installation.test_kept_publications import no_ended_access_is_readable

WEEKS = int(os.environ.get("DATAFLYT_WEEKS", "2"))
SCHOOL = "311060015"
AT_MOST = 4
"""The most decisions of each kind in force: the kommune stays mostly ordinary."""


class People:
    """People who decide, and the naive model that is told of it."""

    def __init__(self, installation: Installation, model: Naive, rng: Random) -> None:
        self.here, self.model, self.rng = installation, model, rng
        self.made: Counter[str] = Counter()
        self.older = 0
        """How many older files of guardians have been read, and held no access that has ended."""
        self.seen = model.facts
        """The facts of the run that waits, or else of the released one."""

    def decide(self) -> None:
        """Let people decide something that can be decided now, of any kind."""
        kinds: list[Callable[[], bool]] = [
            *(self._block, self._lift_block, self._grant, self._consent, self._end_grant, self._withdraw_consent),
            *(self._hold_back, self._end_hold_back, self._raise, self._end_raise, self._override, self._end_override),
            *(self._by_hand, self._end_by_hand, self._publishable, self._end_publishable, self._suspension),
        ]
        self.rng.shuffle(kinds)
        kind = next(kind for kind in kinds if kind())
        self.made[kind.__name__] += 1

    # --- one kind each: tell whether there was anything to decide ----------------------------------------------------

    def _block(self) -> bool:
        pair = self._pair()
        if pair is None or pair in self.model.blocks or len(self.model.blocks) >= AT_MOST:
            return False
        block = Block(child=self._id(pair[0]), adult=str(self._id(pair[1])), basis="other", case_number="2026/1")
        self._make(block, dry_run=True)
        self.model.blocks[pair] = Decided(self._make(block))
        with pytest.raises(NotAllowed):
            self._make(block)
        return True

    def _lift_block(self) -> bool:
        standing = sorted(pair for pair, one in self.model.blocks.items() if one.to_run is None)
        if not standing:
            return False
        pair = self.rng.choice(standing)
        one = self.model.blocks[pair]
        self._both(LiftBlock(block=one.number))
        one.to_run = self._next()
        return True

    def _grant(self) -> bool:
        return self._give(consent=False)

    def _consent(self) -> bool:
        return self._give(consent=True)

    def _give(self, *, consent: bool) -> bool:
        model, rng = self.model, self.rng
        if sum(not one.ended for one in model.grants) >= 2 * AT_MOST:
            return False
        children = sorted(
            child
            for child, _ in model.active()
            if model.level(child) < 2 and child not in model.dead and ":" not in child and model.is_plain(child)
        )
        adults = sorted({adult for _, adult in model.active() if ":" not in adult and model.level(adult) < 2})
        child, adult = rng.choice(children), rng.choice(adults)
        givers = model.facts.responsible[child] - model.dead
        near = model.facts.responsible[child] | {child}
        before = {(one.child, one.adult) for one in model.grants}
        if adult in near or (child, adult) in before | model.blocks.keys():
            return False
        if consent and (any(":" in one for one in givers) or not givers or not 3 < model.age(child) < 18):
            return False
        if consent and model.age(child) >= 15:
            givers |= {child}
        until = model.day + timedelta(days=rng.randint(10, 200)) if rng.random() < 0.5 else None
        at = datetime.combine(TODAY - timedelta(days=1), time(12), UTC)
        decision = GrantDecision(
            child=self._id(child),
            adult=str(self._id(adult)),
            basis="consent" if consent else "court_judgment",
            scope="alt",
            case_number="2026/2",
            seen_by="Anita",
            until=until,
            consents=[Given(by=str(self._id(one)), how="skjema", at=at) for one in sorted(givers)] if consent else (),
        )
        model.grants.append(
            Grant(
                self._both(decision), self._next(), None, child, adult, frozenset(givers) if consent else None,
                until or date.max,
            )
        )  # fmt: skip
        return True

    def _end_grant(self) -> bool:
        standing = [one for one in self.model.grants if not one.ended]
        if len(standing) < AT_MOST:
            return False
        one = self.rng.choice(standing)
        self._make(EndGrant(grant=one.number))
        one.ended = True
        return True

    def _withdraw_consent(self) -> bool:
        standing = [one for one in self.model.grants if one.givers and not (one.ended or one.taken_back)]
        if not standing:
            return False
        one = self.rng.choice(standing)
        giver = self.rng.choice(sorted(one.givers or ()))
        self._make(WithdrawConsent(grant=one.number, by=str(self._id(giver))))
        one.taken_back = one.fallen = True
        return True

    def _hold_back(self) -> bool:
        person = self._person()
        if person is None or person in self.model.held or len(self.model.held) >= AT_MOST:
            return False
        suspended = {pair for pair in self.model.active() if pair[0] == person}
        number = self._make(HoldBack(person=self._id(person), reason="Saken er ikke avklart"))
        self.model.held[person] = Decided(number)
        self.model.suspend(suspended, by_holding_back=True)
        return True

    def _end_hold_back(self) -> bool:
        standing = sorted(one for one, decided in self.model.held.items() if decided.to_run is None)
        if not standing:
            return False
        person = self.rng.choice(standing)
        self._both(EndHoldBack(person=self._id(person), reason="Avklart", case_number="2026/3"))
        self.model.end_hold_back(person, self._next())
        return True

    def _raise(self) -> bool:
        person = self._person()
        if person is None or sum(not one.ended for one in self.model.raised) >= AT_MOST:
            return False
        level = self.rng.choice((2, 3))
        number = self._make(
            RaiseProtection(
                person=self._id(person),
                value="fortrolig" if level == 2 else "strengtFortrolig",
                reason="Trussel",
                case_number="2026/4",
                review_on=date(2028, 1, 1),
            )
        )
        self.model.raised.append(Raised(number, person, level))
        self.model.learn(self.seen, answered=False)
        return True

    def _end_raise(self) -> bool:
        standing = [one for one in self.model.raised if not one.ended]
        if len(standing) < 2:
            return False
        one = self.rng.choice(standing)
        self._both(EndOverride(override=one.number))
        one.ended = True
        return True

    def _override(self) -> bool:
        person = self._person(pupil=True)
        what = self.rng.choice(("fornavn", "etternavn"))
        standing = [one for one in self.model.overrides if not one.ended]
        taken = {(one.who, one.field) for one in standing}
        if person is None or len(standing) >= AT_MOST or (person, what) in taken:
            return False
        value = f"Valgt{self.model.newest}"
        decision = OverrideDecision(
            person=self._id(person), field=what, value=value, reason="Kaller seg dette", case_number="2026/5"
        )
        number = self._both(decision)
        self.model.overrides.append(Override(number, self._next(), None, person, what, value))
        return True

    def _end_override(self) -> bool:
        standing = [one for one in self.model.overrides if not one.ended]
        if not standing:
            return False
        one = self.rng.choice(standing)
        self._both(EndOverride(override=one.number))
        one.ended = True
        return True

    def _by_hand(self) -> bool:
        name = f"Vikar{len(self.model.by_hand)}"
        if sum(not one.ended and one.until >= self.model.day for one in self.model.by_hand.values()) >= AT_MOST:
            return False
        until = self.model.day + timedelta(days=self.rng.randint(1, 60))
        substitute = Registered(fornavn="Hanna", etternavn=name, role="employee", unit_id=SCHOOL)
        decision = ManualPeople(
            kind_of_person="substitute", people=(substitute,), sponsor="Rektor", reason="Vikar", until=until
        )
        self.model.by_hand[f"hand:{name}"] = ByHand(self._both(decision), self._next(), None, until)
        return True

    def _end_by_hand(self) -> bool:
        standing = sorted(one for one, by_hand in self.model.by_hand.items() if not by_hand.ended)
        if len(standing) < 2:
            return False
        one = self.model.by_hand[self.rng.choice(standing)]
        self._make(EndManualPerson(manual_person=one.number))
        one.ended = True
        return True

    def _publishable(self) -> bool:
        model = self.model
        found = sorted(model.facts.unasked - model.publishable.keys() - model.held.keys())
        found = [one for one in found if model.level(one) < 2]
        if not found:
            return False
        pupil = self.rng.choice(found)
        decision = Publishable(people=(self._id(pupil),), decision="2026/6", reason="Venter på nummer")
        model.publishable[pupil] = Decided(self._both(decision), self._next())
        return True

    def _end_publishable(self) -> bool:
        standing = sorted(self.model.publishable)
        if not standing or self.rng.random() < 0.5:
            return False
        pupil = self.rng.choice(standing)
        self._make(EndPublishable(person=self._id(pupil)))
        del self.model.publishable[pupil]
        return True

    def _suspension(self) -> bool:
        model = self.model
        standing = sorted(
            pair
            for pair, (_, state) in model.rows().items()
            if state == "suspended" and ":" not in pair[1] and model.suspended[pair].to_run is None
            and pair not in model.blocks
        )  # fmt: skip
        if not standing:
            return False
        pair = self.rng.choice(standing)
        named = {"child": self._id(pair[0]), "adult": str(self._id(pair[1])), "reason": "Vurdert"}
        self._make(KeepSuspension(**named))
        if self.rng.random() < 0.6:
            self._both(LiftSuspension(case_number="2026/7", **named))
            model.suspended[pair].to_run = self._next()
            model.freed.add(pair)
        return True

    # --- deciding ----------------------------------------------------------------------------------------------------

    def _make(self, decision: Decision, *, dry_run: bool = False) -> int:
        made = deciding.decide(self.here.kommune, self.here.environment, decision, ANITA, dry_run=dry_run)
        return made.number or 0

    def _both(self, decision: Decision) -> int:
        """Let one propose; see that neither the same person nor one without the right can confirm; let another."""
        kommune, environment = self.here.kommune, self.here.environment
        proposal = deciding.decide(kommune, environment, decision, ANITA).proposal
        assert proposal
        for refused in (ANITA, BJORN) if decision.graded else (ANITA,):
            with pytest.raises(NotAllowed):
                deciding.answer(kommune, environment, proposal, "confirmed", refused)
        return deciding.answer(kommune, environment, proposal, "confirmed", DINA).number or 0

    def _next(self) -> int:
        return self.model.newest + 1

    def _pair(self) -> Pair | None:
        found = sorted(pair for pair in self.model.active() if ":" not in pair[1])
        return self.rng.choice(found) if found else None

    def _person(self, *, pupil: bool = False) -> str | None:
        found = sorted(
            one for one in self.model.shown()
            if ":" not in one and self.model.is_plain(one) and (not pupil or one in self.model.facts.pupils)
        )  # fmt: skip
        return self.rng.choice(found) if found else None

    def _id(self, one: str) -> UUID:
        scheme, _, value = one.rpartition(":")
        value = value if scheme else self.here.registers.number(one)
        ((found,),) = self.here.query(
            "select distinct person_id from golden.person_link where scheme = :scheme and value = :value "
            "and from_run <= :run and coalesce(to_run, :run + 1) > :run",
            scheme=scheme or "number",
            value=value,
            run=self.model.released,
        )
        return UUID(str(found))

    # --- comparing ---------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Compare the warehouse and what it has published with the model, row by row."""
        model = self.model
        with deciding.moment(self.here.kommune, self.here.environment, lock=False) as at:
            ask: Callable[[str], list[Any]] = lambda sql: at.connection.exec_driver_sql(sql).all()  # noqa: E731
            named = self._named(ask)
            rows = ask(
                "select child_id, adult, basis, state from now_guardian_access "
                "where child_id in (select person_id from now_enrolment)"
            )
            access = Counter((named[str(child)], named.get(adult, adult), *rest) for child, adult, *rest in rows)
            wanted = Counter((*pair, *rest) for pair, rest in model.rows().items())
            _same(f"access in run {model.released} of {model.newest}", _unnamed(wanted), _unnamed(access))

            pupils = {named[str(one)] for (one,) in ask("select person_id from now_enrolment where manual is null")}
            _same("pupils", model.facts.pupils, pupils)
            adults = {adult for _, adult in model.rows() if ":" not in adult}
            protection = ask("select person_id, level, held_back from now_protection")
            levels = {named[str(one)]: level for one, level, _ in protection if str(one) in named}
            people = [one for one in {*pupils, *adults} if one in levels and one not in model.facts.unanswered]
            _same("protection", {one: model.level(one) for one in people}, {one: levels[one] for one in people})
            held = {named[str(one)] for one, _, is_held in protection if is_held and str(one) in named}
            _same("held back", model.held_back(), held & pupils)

            rows = ask("select person_id, fornavn, mellomnavn, etternavn from now_person where source = 'freg'")
            names = {named[str(one)]: tuple(rest) for one, *rest in rows}
            _same("names", {one: model.names(one) for one in names}, names)
            rows = ask("select person_id, field, value, registered from now_overridden")
            beside = {(named[str(one)], field): (value, registered) for one, field, value, registered in rows}
            place = {"fornavn": 0, "etternavn": 2}
            _same(
                "overrides",
                {
                    key: (value, model.facts.names[key[0]][place[key[1]]])
                    for key, value in model.named.items()
                    if key[0] in names  # who has left has no row
                },
                beside,
            )

            shown = model.shown()
            # The model knows no positions: of employees it knows who is hidden, and who is a guardian or pupil besides.
            employees = {
                named.get(str(one)) for (one,) in ask("select person_id from now_employment where manual is null")
            }
            files: dict[str, set[str]] = {"pifu": set(), "feide_ldif": set()}
            for file, one in ask("select file, person_id from control.disclosure where to_at is null"):
                files[file].add(named[str(one)])
            _same("shown", shown - employees, files["pifu"] - employees)
            assert shown & employees <= files["pifu"]
            assert all(model.level(one) < 3 and one not in model.dead for one in files["pifu"] | files["feide_ldif"])
            accounts = {one for one in shown if one in model.facts.pupils or one.startswith("hand:")}
            _same("accounts", accounts - employees, files["feide_ldif"] - employees)
        self.older += no_ended_access_is_readable(self.here)

    def _named(self, ask: Callable[[str], list[Any]]) -> dict[str, str]:
        """Return the model's name of each person of the warehouse."""
        number = self.here.registers.world.country
        assert number is not None
        found = {}
        order = "case scheme when 'number' then 2 when 'sas' then 1 else 0 end"
        for person, scheme, value in ask(f"select person_id, scheme, value from now_person_link order by {order}"):
            if scheme == "number":
                known = number.find(value)
                found[str(person)] = who(known) if known else value
            elif scheme in ("sas", "hr"):
                found[str(person)] = f"{scheme}:{value}"
        for person, family in ask("select person_id, etternavn from now_person where source = 'manual'"):
            found[str(person)] = f"hand:{family}"
        return found


def _unnamed(rows: Counter[Any]) -> Counter[Any]:
    """Count adults without a number as such: the warehouse has a keyed hash of the name."""
    found: Counter[Any] = Counter()
    for (child, adult, *rest), count in rows.items():
        found[(child, "uten:" if adult.startswith("uten:") else adult, *rest)] += count
    return found


def _same(what: str, wanted: Any, found: Any) -> None:
    """Demand that two collections are equal; say where they differ."""
    left, right = (set(one.items() if hasattr(one, "items") else one) for one in (wanted, found))
    assert left == right, f"{what}: wanted {sorted(left - right, key=str)}, found {sorted(right - left, key=str)}"


@pytest.mark.long
@pytest.mark.after_first_run
def test_everything_that_counts_is_what_the_registers_and_the_decisions_say_week_after_week(
    installation: Installation,
) -> None:
    rng, registers = Random(13 + SEED), installation.registers
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE, "consent": True})
    facts = read(registers.world)
    model = Naive(facts, day=TODAY)
    model.learn_first(facts)
    decided = People(installation, model, rng)
    decided.compare()
    for week in range(1, WEEKS + 1):
        registers.advance(TODAY + timedelta(weeks=week))
        decided.decide()
        decided.compare()
        _week(installation, week, rng.choices(("approved", "rejected", "unanswered"), (6, 1, 1))[0], decided)
        decided.compare()
        decided.decide()
        decided.compare()
    assert sum(decided.made.values()) >= 2 * WEEKS
    assert decided.older
    if WEEKS >= 52:
        assert len(decided.made) == 17, f"kinds never decided: {decided.made}"


def _week(installation: Installation, week: int, answer: str, decided: People) -> None:
    """Do a run as the DAG does, with a decision between its plan and its release, perhaps."""
    model = decided.model
    day = TODAY + timedelta(weeks=week)
    as_of = datetime.combine(day, time(3), UTC)
    installation.clock = max(installation.clock, as_of)
    job = open_job(installation.kommune, f"week-{week}", as_of, installation.environment)
    facts = read(installation.registers.world)
    model.begin(day)
    for step in TO_PLAN.values():
        step(job)
    model.learn(facts)
    said = respond(job, answer) or "approved"
    merged = model.merged(facts)
    decided.seen = facts
    if decided.rng.random() < 0.5:
        decided.decide()
        decided.compare()
    if said == "approved":
        try:
            release(job)
        except NotApproved:
            merge(job)
            merged = model.merged(facts)
            respond(job)
            release(job)
        publish(job)
        model.release(facts, merged)
    close_run(job, [])
    decided.seen = model.facts
