"""The plan names every change of a run and nothing else, and the guard asks when it has to."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from dataflyt.config.kommune import Limit
from dataflyt.errors import NotApproved
from dataflyt.run.approve import question
from dataflyt.run.close_run import close_run
from dataflyt.run.execute import FUNCTIONS
from dataflyt.run.job import Job, open_job
from dataflyt.run.open_plan import open_plan
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from simulator import registers
from simulator.model import Contact, Employee, Member, Person, Pupil, Responsibility
from simulator.numbers import with_control
from tests.installation.fixtures import LOOKING, Installation, approve_and_release, respond
from tests.warehouse.plan_oracle import plan as plan_oracle

TO_MERGE = ("extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")


@pytest.mark.long
def test_the_plan_is_what_a_naive_comparison_finds(installation: Installation) -> None:
    seen: Counter[str] = Counter()
    rng = Random(4)
    away: tuple[Pupil, Employee] | None = None
    for week in range(4):
        if week:
            away = _a_busy_week(installation, rng, week, away)
        job = installation.open()
        installation.steps(job, *TO_MERGE)
        found = _plan(installation)
        released = installation.query("select coalesce(max(run), 0) from control.run where state = 'released'")[0][0]
        assert set(found) == plan_oracle(installation, job.run.number, released), f"week {week}"
        assert len(set(found)) == len(found)
        if week:
            seen.update(row[0] for row in found)
        _answer(job, "rejected" if week == 2 else "approved")
    assert {
        *("guardian_gains_access", "guardian_loses_access", "protection_raised", "pupil_starts", "pupil_leaves"),
        *("pupil_changes_school", "employee_starts", "employee_leaves", "name_changes", "number_changes"),
        *("contact_changes", "membership_changes", "group_vanishes", "account_created", "account_disabled"),
        "sas_guardian_without_basis",
    } <= seen.keys()


@pytest.mark.after_first_run
def test_a_loss_that_freg_answered_is_told_apart_from_one_inferred_from_absence(installation: Installation) -> None:
    answered, absent = _plain(installation)[:2]
    _person(answered).responsibility.pop(0)
    _leave(installation, absent)
    installation.registers.write()
    job = installation.open()
    installation.steps(job, *TO_MERGE)
    losses = [row for row in _plan(installation) if row[0] == "guardian_loses_access"]
    ids = {number: str(person) for person, number in installation.query("select person_id, number from golden.person")}
    assert [row[4] for row in losses if row[1] == ids[_person(answered).number]] == [False]
    assert [row[4] for row in losses if row[1] == ids[_person(absent).number]] == [True, True]


def _gain(installation: Installation, pupil: Pupil) -> Person:
    """Give foreldreansvar for a pupil to a person who did not have it."""
    newcomer = next(
        person
        for person in installation.registers.world.persons.values()
        if person.roles == ["guardian"]
        and not person.cases
        and not person.protection
        and not any(child == _person(pupil).number for child, *_ in person.children)
    )
    _person(pupil).responsibility.append(Responsibility("felles", newcomer.number))
    return newcomer


def _asked(installation: Installation, job: Job | None = None) -> str | None:
    job = job or installation.open()
    installation.steps(job, *TO_MERGE)
    asked = question(job)
    return asked.body if asked else None


ALWAYS = "Planen har endringer som alltid skal ses på av et menneske."


@pytest.mark.after_first_run
def test_a_new_guardian_alone_is_not_asked_about(installation: Installation) -> None:
    _gain(installation, _plain(installation)[0])
    assert _asked(installation) is None


@pytest.mark.after_first_run
def test_a_new_guardian_where_somebody_at_the_address_is_protected_is_asked_about(installation: Installation) -> None:
    pupil, other = _plain(installation)[:2]
    # A fortrolig guardian of another child moves in, who is neither the child's guardian nor its sibling.
    lodger = installation.registers.world.persons[_person(other).responsibility[0].ansvarlig or ""]
    lodger.protection, lodger.home, lodger.home_grading = "fortrolig", _person(pupil).home, "fortrolig"
    installation.run()
    _gain(installation, pupil)
    asked = _asked(installation)
    assert asked is not None
    assert ALWAYS in asked


@pytest.mark.after_first_run
def test_a_gain_after_a_loss_that_came_with_a_rejected_run_is_asked_about(installation: Installation) -> None:
    guard = installation.kommune.guard
    strict = guard.model_copy(update={"limits": {**guard.limits, "name_changes": Limit(count=0)}})
    installation.kommune = installation.kommune.model_copy(update={"guard": strict})
    pupil = _plain(installation)[0]
    _person(pupil).responsibility.pop(0)
    name = _person(pupil).family
    _person(pupil).family = "Nyttnavn"
    assert installation.run(answer="rejected")["outcome"] == "rejected"
    # The loss holds all the same, and is in no later plan. Now a new guardian comes.
    _person(pupil).family = name
    _gain(installation, pupil)
    asked = _asked(installation)
    assert asked is not None
    assert ALWAYS in asked
    assert "mister tilgang" not in asked


@pytest.mark.after_first_run
def test_a_limit_is_for_what_is_inferred_and_august_has_its_own(installation: Installation) -> None:
    guard = installation.kommune.guard.model_copy(
        update={
            "limits": {**installation.kommune.guard.limits, "guardian_loses_access": Limit(count=1)},
            "august": {"guardian_loses_access": Limit(count=4)},
        }
    )
    installation.kommune = installation.kommune.model_copy(update={"guard": guard})
    for pupil in _plain(installation)[:2]:
        _person(pupil).responsibility.pop(0)  # an answered loss: the veto has taken it, and there is nothing to ask
    assert _asked(installation) is None
    for pupil in _plain(installation)[2:4]:
        _leave(installation, pupil)
    installation.registers.write()
    asked = _asked(installation)
    assert asked is not None
    assert "«Foresatte som mister tilgang til et barn» er over grensen" in asked
    assert guard.limits_at(date(2027, 8, 1))["guardian_loses_access"].count == 4
    assert guard.limits_at(date(2027, 7, 31))["guardian_loses_access"].count == 1


@pytest.mark.after_first_run
@pytest.mark.parametrize("who", ["pupil", "guardian"])
def test_a_false_identity_is_asked_about(installation: Installation, monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    pupil = _person(_plain(installation)[0])
    number = pupil.number if who == "pupil" else pupil.responsibility[0].ansvarlig
    false = {"erGjeldende": True, "erFalsk": True}
    monkeypatch.setitem(
        registers._ELEMENTS, "falskIdentitet", lambda person: [false] if person.number == number else []
    )
    asked = _asked(installation)
    assert asked is not None
    assert ALWAYS in asked


@pytest.mark.after_first_run
def test_a_plan_only_run_shows_what_it_would_change_and_changes_nothing(installation: Installation) -> None:
    before, published = installation.dump(), installation.ldif()
    _person(_plain(installation)[0]).family = "Nyttnavn"
    installation.clock = datetime(2026, 11, 27, tzinfo=UTC)
    job = open_job(
        installation.kommune, "planned", datetime(2026, 11, 25, tzinfo=UTC), installation.environment, plan_only=True
    )
    _steps(job)
    assert question(job) is None
    with pytest.raises(NotApproved):
        approve_and_release(job)
    assert close_run(job, [])["outcome"] == "planned"
    assert [row[0] for row in _plan(installation)] == ["name_changes"]
    assert installation.ldif() == published
    released = installation.query("select max(run) from control.run where state = 'released'")
    assert released == [(1,)]
    # The next run takes its place.
    installation.run()
    assert installation.query("select state from control.run order by run") == [
        ("released",), ("superseded",), ("released",)
    ]  # fmt: skip
    assert installation.dump() != before


def test_a_kommune_on_trial_publishes_nothing(installation: Installation) -> None:
    installation.kommune = installation.kommune.model_copy(update={"trial": True})
    for week in range(2):
        job = installation.open()
        _steps(job)
        assert question(job) is None
        closed = close_run(job, [])
        assert closed["outcome"] == "planned", week
    assert not (installation.storage / "exports").exists()
    assert installation.query("select 1 from control.run where state = 'released'") == []
    # The trial is over: the first run that may be released asks.
    installation.kommune = installation.kommune.model_copy(update={"trial": False})
    asked = _asked(installation)
    assert asked is not None
    assert "første kjøring" in asked


@pytest.mark.after_first_run
def test_a_full_reload_goes_past_the_drop_that_stops_a_run_and_always_asks(installation: Installation) -> None:
    world = installation.registers.world
    for pupil in world.pupils[len(world.pupils) // 2 :]:
        _leave(installation, pupil)
    installation.registers.write()
    assert installation.run()["failed"] == ["check"]
    installation.clock = datetime(2026, 11, 27, tzinfo=UTC)
    job = open_job(
        installation.kommune, "reload", datetime(2026, 11, 26, tzinfo=UTC), installation.environment, full_reload=True
    )
    asked = _asked(installation, job)
    assert asked is not None
    assert "full innlasting" in asked


@pytest.mark.after_first_run
def test_when_nobody_is_protected_any_more_a_full_reload_goes_on_and_asks(installation: Installation) -> None:
    lowered = [
        person
        for person in installation.registers.world.persons.values()
        if person.protection or person.home_grading != "ugradert" or person.stay_grading != "ugradert"
    ]
    assert len(lowered) > 3
    for person in lowered:
        person.protection, person.home_grading, person.stay_grading = None, "ugradert", "ugradert"
    assert installation.run()["failed"] == ["withdraw"]
    installation.clock = datetime(2026, 11, 27, tzinfo=UTC)
    job = open_job(
        installation.kommune, "reload", datetime(2026, 11, 26, tzinfo=UTC), installation.environment, full_reload=True
    )
    asked = _asked(installation, job)
    assert asked is not None
    assert ALWAYS in asked
    assert "protection_lowered" in {row[0] for row in _plan(installation)}


# --- a school's weeks -------------------------------------------------------------------------------------------------


def _a_busy_week(
    installation: Installation, rng: Random, week: int, back: tuple[Pupil, Employee] | None
) -> tuple[Pupil, Employee]:
    """Change a little of everything at once; ``back`` are the pupil and the employee who left last time."""
    world = installation.registers.world
    plain = _plain(installation)
    rng.shuffle(plain)
    take = iter(plain)
    ended, renamed, moved, left, guest, renumbered, hidden, shown, alone = (next(take) for _ in range(9))
    _person(ended).responsibility.pop(rng.randrange(2))
    if week % 2:
        _gain(installation, ended)
    _gain(installation, alone)
    _person(renamed).family = f"Nyttnavn{week}"
    _leave(installation, left)
    for pupil in (moved, guest):
        other = next(school for school in world.kommune.schools if school != pupil.school)
        if pupil is moved:
            pupil.school = other
            for group in world.groups:
                group.members[:] = [m for m in group.members if m.person_id != pupil.sas.person_id]
        else:
            pupil.second_school = other
    child = _person(renumbered)
    child.old_number, child.number = child.number, _another_number(child)
    world.persons[child.number] = world.by_any_number[child.number] = child
    renumbered.sas.number = child.number
    _person(hidden).protection, _person(hidden).home = "strengtFortrolig", None
    _person(shown).protection = _person(shown).home_grading = "fortrolig"
    for guardian in rng.sample([p for p in world.persons.values() if p.contact and p.contact.epost], 5):
        assert isinstance(guardian.contact, Contact)
        guardian.contact.epost = f"ny{week}.{guardian.number[:4]}@example.com"
    by_hand = world.sas_guardians[rng.choice(sorted(world.sas_guardians))]
    alone.sas.guardians.append(by_hand.person_id)
    gone = rng.choice([e for e in world.employees if e.sas and not e.cases and e.positions[0].name == "Lærer"])
    world.employees.remove(gone)
    assert gone.sas
    for group in world.groups:
        group.members[:] = [m for m in group.members if m.person_id != gone.sas.person_id]
    newest = rng.choice([e for e in world.employees if e.sas and not e.cases])
    group = rng.choice([g for g in world.groups if g.members and newest.sas])
    assert newest.sas
    group.members.append(Member(newest.sas.person_id, "02"))
    council = next((g for g in world.groups if g.kind[1] == "elevråd"), None)
    if council:
        world.groups.remove(council)
    if back:
        world.pupils.append(back[0])
        world.employees.append(back[1])
    installation.registers.write()
    return left, gone


def _another_number(person: Person) -> str:
    """Return a number that this person has not had, with the same birth date."""
    numbers = (with_control(f"{person.number[:6]}{individual}") for individual in range(900, 1000))
    return next(number for number in numbers if number and number != person.number)


def _leave(installation: Installation, pupil: Pupil) -> None:
    world = installation.registers.world
    world.pupils.remove(pupil)
    for group in world.groups:
        group.members[:] = [member for member in group.members if member.person_id != pupil.sas.person_id]


def _plain(installation: Installation) -> list[Pupil]:
    """Return ordinary pupils with two guardians of their own."""
    return [
        pupil
        for pupil in installation.registers.world.pupils
        if pupil.person
        and not pupil.person.cases
        and not pupil.cases
        and not pupil.person.protection
        and not pupil.person.old_number
        and not pupil.second_school
        and len(pupil.person.responsibility) == 2
        and all(record.ansvarlig for record in pupil.person.responsibility)
    ]


def _person(pupil: Pupil) -> Person:
    assert pupil.person is not None
    return pupil.person


def _steps(job: Job) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for name in TO_MERGE:
        counts = FUNCTIONS[name](job)
    return counts


def _answer(job: Job, answer: str) -> None:
    if respond(job, answer) in (None, "approved"):
        release(job)
        publish(job)
    close_run(job, [])


def _plan(installation: Installation) -> list[tuple[str, str, str, str | None, bool]]:
    from dataflyt.warehouse import plan

    with open_plan(installation.kommune, installation.environment, None) as opened:
        return [tuple(row) for row in plan.rows(opened.planned, graded=True)]


def test_the_calendar_of_a_kommune_says_when_a_run_is_due(installation: Installation) -> None:
    monthly = installation.kommune.schedule.model_copy(update={"every": "month", "day": 5})
    days = [date(2027, 1, 1) + timedelta(days=offset) for offset in range(62)]
    assert [day for day in days if monthly.due(day)] == [date(2027, 1, 5), date(2027, 2, 5)]
    assert all(day.weekday() == 6 for day in days if installation.kommune.schedule.due(day))


@pytest.mark.after_first_run
def test_a_run_that_was_rejected_still_says_what_it_would_have_changed(installation: Installation) -> None:
    for pupil in _plain(installation)[:21]:
        _leave(installation, pupil)
    installation.registers.write()
    installation.run(answer="rejected")
    with open_plan(installation.kommune, installation.environment, 2, LOOKING) as opened:
        said = dict(opened.changes())
        assert list(opened.rows()) == []
        assert opened.run.asks is not None
        assert "limit:pupil_leaves" in opened.run.asks
    assert said["Elever som slutter"] == "21"
    losses = said["Foresatte som mister tilgang til et barn"]
    assert losses == "42 (42 fordi barnet eller den foresatte ikke lenger er i uttrekket)"
