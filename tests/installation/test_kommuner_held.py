"""What people hold back goes with the person into another kommune, whatever FREG says too."""

import pytest

from dataflyt.decisions import deciding
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.hold_back import HoldBack
from tests.installation.test_kommuner import ANITA, BJORN, PAIRS, Merger, merger  # noqa: F401


@pytest.mark.after_first_run
def test_a_hold_back_outlives_the_takeover_and_registers_lowering(merger: Merger) -> None:  # noqa: F811
    here = merger.here
    people = here.query(PAIRS)
    # Held back by people, and strengtFortrolig in FREG as well.
    number = people[0].child
    child = here.registers.world.persons[number]
    child.protection, child.home = "strengtFortrolig", None
    merger.run(merger.old)
    deciding.decide(merger.old, merger.environment, HoldBack(person=people[0].child_id, reason="Ikke avklart"), ANITA)
    merger.take_over()
    merger.take_over()
    held = merger.query("select level from control.veto where kind = 'protection' and cause = 'held_back'")
    assert held == [(3,)]
    assert len(merger.query("select 1 from control.veto_decision where said = 'held_back'")) == 1


@pytest.mark.after_first_run
def test_a_proposal_by_somebody_who_may_no_longer_decide_is_not_confirmed(merger: Merger) -> None:  # noqa: F811
    proposal = merger.take_over().proposal
    fewer = tuple(one for one in merger.new.people if one.id != "101")
    merger.new = merger.new.model_copy(update={"people": fewer})
    with pytest.raises(NotAllowed):
        merger.take_over(BJORN, confirm=proposal)
