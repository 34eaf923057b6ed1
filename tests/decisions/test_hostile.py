"""Decisions in the worst order: while a run is rejected, undone or waits, and by people who have lost the right."""

from datetime import UTC, datetime

import pytest

from dataflyt.decisions.block import Block
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.undo import Undo
from dataflyt.errors import NotApproved
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from tests.decisions.test_access import _both, _consent, _decide, _givers
from tests.decisions.test_access import here as here
from tests.decisions.test_undo import access, families, level
from tests.installation.fixtures import TO_PLAN, Installation, respond
from tests.installation.test_pifu import _published
from tests.installation.test_run import _newcomer
from tests.warehouse.test_rules import _link


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_is_raised_in_the_week_of_a_rejected_run_outlives_it_and_the_undoing_of_the_next(
    here: Installation,
) -> None:
    pupils = families(here)
    raised, consented, gains = (next(pupils) for _ in range(3))
    friend, stranger = _newcomer(here, consented.number), _newcomer(here, gains.number)
    grant = _both(here, _consent(here, consented, friend, _givers(consented)))
    here.run()
    assert friend in access(here, consented.number)

    # The week of a rejected run: two children become protected, and a grant is decided while its answer is waited for.
    raised.protection, raised.home_grading = "strengtFortrolig", "ugradert"
    consented.protection = consented.home_grading = "fortrolig"
    job = here.open()
    for step in TO_PLAN.values():
        step(job)
    assert (level(here, raised.number), level(here, consented.number)) == (3, 2)
    assert not access(here, raised.number)
    assert friend not in access(here, consented.number)
    with pytest.raises(NotAllowed, match="beskyttet"):
        _decide(here, _consent(here, consented, stranger, _givers(consented)))
    here.run(job=job, answer="rejected")
    assert (level(here, raised.number), level(here, consented.number)) == (3, 2)
    assert raised.number not in here.ldif()

    # The registers lower it again, a run that says so is approved, and undone: nothing of it stays given.
    raised.protection = consented.protection = None
    consented.home_grading = "ugradert"
    lowered = here.open()
    assert here.run(job=lowered)["outcome"] == "released"
    assert (level(here, raised.number), level(here, consented.number)) == (0, 0)
    assert friend not in access(here, consented.number), "a consent that has fallen is not restored"
    assert not access(here, raised.number), "suspended until people decide"
    _both(here, Undo(run=lowered.run.number))
    assert (level(here, raised.number), level(here, consented.number)) == (3, 2)
    assert raised.number not in here.ldif()
    here.run()
    assert friend not in access(here, consented.number)
    assert here.query("select withdrawn_at from control.access_grant where access_grant = :grant", grant=grant)


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_consent_of_one_who_lost_foreldreansvar_the_day_before_gives_nothing(here: Installation) -> None:
    pupils = families(here)
    unknown, known = next(pupils), next(pupils)
    friends = {one.number: _newcomer(here, one.number) for one in (unknown, known)}
    # FREG has ended it, and no run has asked yet: the consent is taken for good, and gives nothing when the run has.
    before = _givers(unknown)
    unknown.responsibility.pop()
    number = _both(here, _consent(here, unknown, friends[unknown.number], before))
    # The loss has come with a run that is waiting: nobody can consent by that right any more.
    both = _givers(known)
    lost = known.responsibility.pop().ansvarlig or ""
    job = here.open()
    for step in TO_PLAN.values():
        step(job)
    assert lost not in access(here, known.number)
    with pytest.raises(NotAllowed, match="foreldreansvar i dag"):
        _decide(here, _consent(here, known, friends[known.number], both))
    _both(here, _consent(here, known, friends[known.number], _givers(known)))
    respond(job)

    # A block between merge and release: the run that does not know it is not released.
    stays = _givers(known)[0]
    block = Block(child=_link(here, known.number), adult=str(_link(here, stays)), basis="other", case_number="2026/9")
    _decide(here, block)
    with pytest.raises(NotApproved, match="sperring"):
        release(job)
    merge(job)
    respond(job)
    release(job)
    publish(job)
    assert friends[unknown.number] not in access(here, unknown.number)
    assert not access(here, known.number)
    assert known.number not in _published(here).guardians or not _published(here).guardians[known.number]
    here.clock = datetime(2026, 11, 26, tzinfo=UTC)
    here.run()
    assert friends[unknown.number] not in access(here, unknown.number), "not by a later run either"
    assert friends[known.number] in access(here, known.number)
    listed = here.query("select access_grant from golden.access_by_grant where access_grant = :one", one=number)
    assert not listed
