"""Weeks with decisions in them, against a naive model, pair by pair.

    DATAFLYT_WEEKS=52 python -m pytest -n 1 tests/installation/test_weeks_decided.py

Every week time passes in the registers, people set and lift blocks at random (before the run, in the middle of it, and
between its plan and its release), and the run is approved, rejected or not answered. The model knows nothing of the
warehouse: it has the simulator's manifest, which says who has access by the registers, and a set of blocked pairs.
"""

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random

import pytest

from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.decision import NotAllowed
from dataflyt.errors import NotApproved
from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from simulator.manifest import people
from tests.decisions.test_block import ANITA, BJORN, PEOPLE
from tests.installation.fixtures import TO_PLAN, TODAY, Installation, respond
from tests.installation.test_run import LEVELS
from tests.installation.test_weeks import _pupils, _truth, _warehouse

WEEKS = int(os.environ.get("DATAFLYT_WEEKS", "2"))
Pair = tuple[str, str]


@dataclass
class Model:
    """Return the pairs with access by the registers at the newest release, and the pairs that people have blocked."""

    access: set[Pair] = field(default_factory=set)
    blocked: dict[Pair, int] = field(default_factory=dict)
    """The number of the block of each pair."""
    lifted: set[Pair] = field(default_factory=set)
    """Pairs whose block has been lifted since a run was last released: they get access back with the next at latest."""

    def now(self) -> set[Pair]:
        """Return who has access."""
        return self.access - self.blocked.keys()


class People:
    """People who set and lift blocks, and the model that is told of it."""

    def __init__(self, installation: Installation, model: Model, rng: Random) -> None:
        self.here, self.model, self.rng = installation, model, rng

    def decide(self) -> None:
        """Set a block, try one without keeping it, or lift one."""
        kommune, environment = self.here.kommune, self.here.environment
        what = self.rng.choice(("block", "block", "dry run", "propose", "lift", "nothing"))
        if what in ("block", "dry run") and (found := self._pair()):
            pair, block = found
            made = deciding.decide(kommune, environment, block, ANITA, dry_run=what == "dry run")
            if what == "block":
                assert made.number
                self.model.blocked[pair] = made.number
                with pytest.raises(NotAllowed):
                    deciding.decide(kommune, environment, block, BJORN)
        elif what in ("propose", "lift") and self.model.blocked:
            pair = self.rng.choice(sorted(self.model.blocked))
            proposed = deciding.decide(kommune, environment, LiftBlock(block=self.model.blocked[pair]), ANITA)
            assert proposed.proposal
            with pytest.raises(NotAllowed):
                deciding.answer(kommune, environment, proposed.proposal, "confirmed", ANITA)
            if what == "lift":
                deciding.answer(kommune, environment, proposed.proposal, "confirmed", BJORN)
                del self.model.blocked[pair]
                self.model.lifted.add(pair)

    def compare(self) -> None:
        """Compare warehouse and publication with the model."""
        now = _warehouse(self.here)
        number = self.here.registers.number
        wanted = {(number(child), number(adult)) for child, adult in self.model.now()}
        assert now.access - wanted == set(), "access without right"
        lifted = {(number(child), number(adult)) for child, adult in self.model.lifted}
        assert wanted - now.access - lifted == set(), "access that is missing"
        shown = {number(one) for one in re.findall(r"norEduPersonNIN: ([0-9]{11})", self.here.ldif())}
        hidden = {one for one, level in now.protection.items() if level >= LEVELS["strengtFortrolig"]}
        assert not shown & hidden

    def _pair(self) -> tuple[Pair, Block] | None:
        """Return two people with access, by their newest numbers, and a block of them."""
        with deciding.moment(self.here.kommune, self.here.environment, lock=False) as at:
            rows = at.connection.exec_driver_sql(
                "select a.child_id, p.person_id, c.number, p.number from now_guardian_access a "
                "join now_person c on c.person_id = a.child_id join now_person p on p.person_id::text = a.adult "
                "where a.state = 'active' and c.number is not null and p.number is not null order by 3, 4"
            ).all()
        if not rows:
            return None
        child, adult, child_number, adult_number = self.rng.choice(rows)
        block = Block(child=child, adult=adult, basis="court_judgment", case_number="2026/1")
        number = self.here.registers.number
        return (number(child_number), number(adult_number)), block


@pytest.mark.after_first_run
def test_access_is_what_the_registers_and_the_decisions_say_week_after_week(installation: Installation) -> None:
    rng, model = Random(14), Model()
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    decided = People(installation, model, rng)
    model.access = _truth(installation).access
    decided.compare()
    for week in range(1, WEEKS + 1):
        before = _renewed(installation, model)
        installation.registers.advance(TODAY + timedelta(weeks=week))
        before = _renewed(installation, before)
        decided.decide()
        decided.compare()
        answer = rng.choices(("approved", "rejected", "unanswered"), (6, 1, 1))[0]
        truth = _truth(installation).access
        said = _week(installation, week, answer, decided)
        renewed = _renewed(installation, before)
        pupils = _pupils(installation)
        # A run that is not released gives nothing, but what FREG has ended for those it was asked about holds.
        kept = {pair for pair in renewed.access if pair in truth or pair[0] not in pupils}
        model.access = truth if said == "approved" else kept
        if said == "approved":
            model.lifted.clear()
        decided.compare()
        decided.decide()
        decided.compare()
    known = {person["number"] for person in people(installation.registers.world)}
    assert {child for child, _ in model.access} <= known


def _renewed(installation: Installation, model: Model) -> Model:
    """Write the model by the numbers that people have now: a number may have replaced another."""
    number = installation.registers.number
    model.access = {(number(child), number(adult)) for child, adult in model.access}
    model.blocked = {(number(child), number(adult)): block for (child, adult), block in model.blocked.items()}
    return model


def _week(installation: Installation, week: int, answer: str, decided: People) -> str:
    """Do a run as the DAG does, with decisions after its checks and after its plan; return how it ended."""
    as_of = datetime.combine(TODAY + timedelta(weeks=week), time(3), UTC)
    installation.clock = max(installation.clock, as_of)
    job = open_job(installation.kommune, f"week-{week}", as_of, installation.environment)
    for step in TO_PLAN.values():
        step(job)
    blocked = dict(decided.model.blocked)
    said = respond(job, answer) or "approved"
    if decided.rng.random() < 0.5:
        decided.decide()  # not compared yet: the run's own vetoes hold already, and the model learns of them below
    if said == "approved":
        if decided.model.blocked != blocked:
            with pytest.raises(NotApproved):
                release(job)
            merge(job)
            said = respond(job, answer) or "approved"
        release(job)
        publish(job)
    close_run(job, [])
    return said
