"""A consent holds while everyone who must consent has done so, and never for a protected child."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from dataflyt.storage import database
from dataflyt.warehouse import runs, vetoed_views
from simulator.model import Person, Responsibility
from tests.installation.fixtures import Installation
from tests.installation.test_run import _access, _newcomer
from tests.warehouse.test_rules import _grant, _link, _person, _plain_pupils, _write


@pytest.mark.long
@pytest.mark.after_first_run
def test_consent_holds_while_everyone_with_foreldreansvar_has_given_it_and_falls_for_good(
    installation: Installation,
) -> None:
    here = installation
    child, half, hidden = (_young(here, turn) for turn in range(3))
    friends = {one.number: _newcomer(here, one.number) for one in (child, half, hidden)}
    for one in (child, half, hidden):
        givers = [record.ansvarlig or "" for record in one.responsibility]
        _consent(here, one, friends[one.number], givers[:1] if one is half else givers)
    here.run()
    assert friends[child.number] in _access(here, child.number)
    assert friends[half.number] not in _access(here, half.number), "one of two has not consented"

    # A new adult has foreldreansvar and has not consented; another child becomes protected.
    third = _another(here, child)
    child.responsibility.append(Responsibility("felles", third))
    hidden.protection = hidden.home_grading = "fortrolig"
    job = here.open()
    here.run(job=job, answer="rejected")
    assert friends[child.number] not in _access(here, child.number), "what falls does not wait for an answer"
    assert friends[hidden.number] not in _access(here, hidden.number)
    cause = "select cause from control.veto where kind = 'access_ended' and run = :run"
    assert ("consent",) in here.query(cause, run=job.run.number)

    # The facts are as before, but a consent that has fallen takes a new grant.
    child.responsibility.pop()
    here.run()
    assert friends[child.number] not in _access(here, child.number)


@pytest.mark.after_first_run
def test_from_15_the_pupil_consents_too_from_18_alone_and_a_birthday_takes_away_what_no_pupil_has_given(
    installation: Installation,
) -> None:
    here = installation
    parents_only, everybody, alone, turns = (_young(here, turn) for turn in range(4))
    today = here.registers.world.day
    for one, years in ((parents_only, 16), (everybody, 16), (alone, 19)):
        one.born = date(today.year - years, 1, 1)
    turns.born = date(today.year - 15, 12, 20)
    friends = {}
    for one in (parents_only, everybody, alone, turns):
        guardians = [record.ansvarlig or "" for record in one.responsibility]
        givers = {
            parents_only.number: guardians,
            everybody.number: [*guardians, one.number],
            alone.number: [one.number],
            turns.number: guardians,
        }[one.number]
        friends[one.number] = _newcomer(here, one.number)
        _consent(here, one, friends[one.number], givers)
    here.run()
    has = {
        one.number: friends[one.number] in _access(here, one.number) for one in (parents_only, everybody, alone, turns)
    }
    assert has == {parents_only.number: False, everybody.number: True, alone.number: True, turns.number: True}
    ends = here.query(
        "select ends_on from golden.access_by_grant where to_run is null and child_id = :child",
        child=_link(here, turns.number),
    )
    assert ends == [(date(today.year, 12, 20),)]

    # Any one of them can withdraw it, without waiting for a run.
    _write(
        here,
        "update control.consent set withdrawn_at = now(), withdrawn_by = 'x' where given_by = :who",
        who=str(_link(here, everybody.number)),
    )
    assert friends[everybody.number] not in _access(here, everybody.number)


@pytest.mark.after_first_run
def test_access_by_a_grant_is_told_by_the_grant_that_holds_from_the_day_it_rests_on_it(
    installation: Installation,
) -> None:
    here = installation
    turns, other = _young(here, 0), _young(here, 1)
    today = here.registers.world.day
    turns.born = date(today.year - 18, 12, 1)
    parent = turns.responsibility[0].ansvarlig or ""
    friend = _newcomer(here, other.number)
    # The pupil of 18 soon agrees to a court's decision about a parent. About the other there are two grants.
    _grant(here, turns.number, parent)
    _consent(here, other, friend, [record.ansvarlig or "" for record in other.responsibility])
    _grant(here, other.number, friend)
    _write(
        here,
        "insert into control.consent (owner, access_grant, given_by, how, given_at) select owner, access_grant, "
        "child_id::text, 'skjema', '2026-12-01 12:00+01' from control.access_grant where child_id = :child",
        child=_link(here, turns.number),
    )
    here.run()
    assert _basis(here, turns.number, parent) == ("foreldreansvar", "active")
    assert _basis(here, other.number, friend) == ("grant:consent", "active")
    here.clock = datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert _basis(here, turns.number, parent) == ("grant:court_judgment", "active")
    _write(
        here,
        "update control.consent set withdrawn_at = now(), withdrawn_by = 'x' "
        "where access_grant in (select access_grant from control.access_grant where basis = 'consent')",
    )
    assert _basis(here, other.number, friend) == ("grant:court_judgment", "active")


def _basis(here: Installation, child: str, adult: str) -> tuple[str, str]:
    """Return basis and state of an access, as the exports read it today."""
    engine = database.engine(here.environment.connect(here.kommune.warehouse).url)
    with database.transaction(engine, "haugesund") as connection:
        day = here.environment.day(here.clock)
        released = runs.released_before(connection, "haugesund")
        vetoed_views.views(connection, "haugesund", released, "now_", day=day, whole=True)
        found = text("select basis, state from now_guardian_access where child_id = :child and adult = :adult")
        bound = {"child": _link(here, child), "adult": str(_link(here, adult))}
        basis, state = connection.execute(found, bound).one()
        return basis, state


def _young(here: Installation, turn: int) -> Person:
    """Return an ordinary child below 15."""
    world = here.registers.world
    young = [_person(pupil) for pupil in _plain_pupils(here) if _person(pupil).born.year > world.day.year - 12]
    return young[turn]


def _another(here: Installation, child: Person) -> str:
    taken = {record.ansvarlig for record in child.responsibility} | {_newcomer(here, child.number)}
    return next(
        person.number
        for person in here.registers.world.persons.values()
        if person.children and person.number not in taken and not person.cases
    )


def _consent(here: Installation, child: Person, adult: str, givers: list[str]) -> None:
    _write(
        here,
        "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
        "decided_by, approved_by, from_run) "
        "values ('haugesund', :child, :adult, 'person', 'consent', 'alt', '1', 'anita', 'anita', "
        "'birgitte', 1)",
        child=_link(here, child.number),
        adult=str(_link(here, adult)),
    )
    for giver in givers:
        _write(
            here,
            "insert into control.consent (owner, access_grant, given_by, how, given_at) select owner, "
            "access_grant, :giver, 'skjema', '2026-11-20' from control.access_grant "
            "where child_id = cast(:child as uuid) and adult = :adult",
            child=_link(here, child.number),
            adult=str(_link(here, adult)),
            giver=str(_link(here, giver)),
        )
