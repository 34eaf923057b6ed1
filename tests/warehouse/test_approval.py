"""A run is released only by an answer in the warehouse: to its plan, and by an approver in the kommune's file."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from dataflyt.errors import CheckFailed, NotApproved, WarehouseError
from dataflyt.run.approve import answer, question
from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from dataflyt.run.merge import merge
from dataflyt.run.release import release
from dataflyt.warehouse.runs import User
from simulator.model import Responsibility
from tests.installation.fixtures import TO_PLAN, Installation, respond
from tests.installation.test_run import _newcomer
from tests.warehouse.test_rules import _block, _grant, _link, _plain_pupils, _write
from tests.warehouse.test_state import _override

EVERY = list(TO_PLAN)
ANITA = User("101", "Anita Ingebretsen")


def _answers(here: Installation) -> list[tuple[object, ...]]:
    found = here.query("select run, answer, user_id, user_name, channel, approvers from control.approval order by 1")
    return [tuple(row) for row in found]


def test_a_first_run_is_released_by_an_answer_in_the_warehouse_and_by_nothing_else(installation: Installation) -> None:
    job = installation.open()
    installation.steps(job, *EVERY)
    asked = question(job)
    assert asked
    for user in (None, User("1", "Anita Ingebretsen"), User("birgitte", "Birgitte Regnkappe")):
        with pytest.raises(NotApproved, match="ikke godkjenner for Haugesund"):
            answer(job, asked.digest, "approved", user, "airflow")
    with pytest.raises(NotApproved, match="ikke lenger den det ble spurt om"):
        answer(job, "0" * 64, "approved", ANITA, "airflow")
    assert [row[1] for row in _answers(installation)] == ["asked"]
    with pytest.raises(NotApproved, match="ikke godkjent"):
        release(job)

    answer(job, asked.digest, "rejected", User("hvemsomhelst", "Noen"), "airflow")
    with pytest.raises(NotApproved, match="ikke godkjent"):
        release(job)
    assert question(job), "a no is no reason not to ask again"

    answer(job, asked.digest, "approved", ANITA, "airflow")
    assert question(job) is None, "who has answered is not asked once more"
    release(job)
    release(job)
    assert close_run(job, [])["outcome"] == "released"
    assert _answers(installation) == [
        (1, "asked", None, None, "guard", []),
        (1, "rejected", "hvemsomhelst", "Noen", "airflow", ["101"]),
        (1, "approved", *ANITA, "airflow", ["101"]),
    ]


@pytest.mark.after_first_run
def test_an_answer_is_of_the_plan_as_it_was(installation: Installation) -> None:
    one, other = (pupil.person for pupil in _plain_pupils(installation)[:2])
    assert one
    assert other
    one.responsibility[:] = [Responsibility("felles", _newcomer(installation, one.number))]
    job = installation.open()
    installation.steps(job, *EVERY)
    assert respond(job) == "approved"
    _override(installation, other.number)
    installation.steps(job, "merge")
    with pytest.raises(NotApproved, match="ikke godkjent"):
        release(job)


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_answer_is_to_one_merge_and_not_to_a_later_one(installation: Installation) -> None:
    here = installation
    one = _plain_pupils(here)[0].person
    assert one
    one.protection, one.home = "strengtFortrolig", None
    here.run()
    one.protection = one.home_grading = "fortrolig"
    job = here.open("the-run")
    here.steps(job, *EVERY)
    assert respond(job) == "approved"
    close_run(job, ["release"])
    # The same run is taken up again long after, and FREG's answers have changed.
    one.protection, one.home_grading = None, "ugradert"
    here.steps(job, *EVERY)
    assert question(job), "the rows are the same, and not what stands behind them"
    with pytest.raises(NotApproved, match="ikke godkjent"):
        release(job)


@pytest.mark.after_first_run
def test_a_block_that_comes_after_the_merge_has_the_run_judged_again(installation: Installation) -> None:
    here = installation
    one = _plain_pupils(here)[0].person
    assert one
    one.responsibility.append(Responsibility("felles", _newcomer(here, one.number)))
    job = here.open()
    here.steps(job, *EVERY)
    assert question(job) is None
    _block(here, one.number, _plain_pupils(here)[1].person.number)  # type: ignore[union-attr]
    with pytest.raises(NotApproved, match="sperring"):
        release(job)
    here.steps(job, "merge")
    assert question(job), "a new adult where somebody is blocked"


@pytest.mark.after_first_run
def test_a_run_that_needs_no_answer_says_so_in_the_warehouse(installation: Installation) -> None:
    job = installation.open()
    installation.steps(job, *EVERY)
    assert question(job) is None
    assert _answers(installation)[-1] == (2, "not_needed", None, None, "guard", [])
    # The same plan must now be asked about, since it is a full reload.
    again = open_job(installation.kommune, "run-2", job.run.as_of, installation.environment, full_reload=True)
    assert again.run.number == 2
    merge(again)
    with pytest.raises(NotApproved, match="ikke godkjent"):
        release(again)
    merge(job)
    release(job)


FORGED = [
    "insert into control.approval (owner, run, digest, answer, user_id, channel, approvers) "
    "values ('haugesund', 2, 'x', 'approved', 'mallory', 'airflow', '{anita}')",
    "insert into control.approval (owner, run, digest, answer, channel, approvers) "
    "values ('haugesund', 2, 'x', 'approved', 'airflow', '{anita}')",
    "insert into control.approval (owner, run, digest, answer, channel, approvers) "
    "values ('haugesund', 2, 'x', 'not_needed', 'airflow', '{}')",
    "insert into control.approval (owner, run, digest, answer, user_id, channel, approvers) "
    "values ('bergen', 2, 'x', 'approved', 'anita', 'airflow', '{anita}')",
    "update control.approval set answer = 'approved'",
    "delete from control.approval",
    # Decisions have known fields, take two people, and are never changed afterwards.
    "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
    "from_run) values ('haugesund', gen_random_uuid(), 'navn', 'x', 'x', '1', 'a', 'b', 1)",
    "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
    "from_run) values ('haugesund', gen_random_uuid(), 'adressebeskyttelse', 'ugradert', 'x', '1', 'a', 'b', 1)",
    "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, from_run) "
    "values ('haugesund', gen_random_uuid(), 'fornavn', 'Ola', 'x', '1', 'a', 1)",
    "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
    "from_run) values ('haugesund', gen_random_uuid(), 'adressebeskyttelse', 'fortrolig', 'x', '1', 'a', 'a', 1)",
    "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
    "decided_by, from_run) "
    "values ('haugesund', gen_random_uuid(), 'x', 'person', 'consent', 'x', '1', 'a', 'a', 1)",
    "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
    "decided_by, approved_by, from_run) "
    "values ('haugesund', gen_random_uuid(), 'x', 'person', 'consent', 'x', '1', 'a', 'a', 'a', 1)",
    "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
    "decided_by, approved_by, from_run) "
    "values ('haugesund', gen_random_uuid(), 'x', 'person', 'consent', 'x', '', 'a', 'a', 'b', 1)",
    "update control.override set value = 'fortrolig'",
    "update control.override set ended_at = now(), ended_by = 'a', ended_by_second = 'a'",
    "update control.override set ended_at = now(), ended_by = 'a'",
    "delete from control.override",
    "update control.access_grant set adult = 'x'",
    "update control.access_block set lifted_at = now(), lifted_by = 'a'",
    "update control.access_block set lifted_at = now(), lifted_by = 'a', lifted_by_second = 'a'",
    "update control.veto set lifted_at = now(), lifted_by = 'a' where kind = 'protection'",
    "update control.veto set lifted_at = now(), lifted_by_second = 'a'",
    "delete from control.veto",
]


@pytest.mark.after_first_run
def test_the_tables_refuse_an_answer_or_a_decision_by_one_alone(installation: Installation) -> None:
    here = installation
    one, other = (pupil.person.number for pupil in _plain_pupils(here)[:2] if pupil.person)
    _override(here, one)
    _grant(here, one, other)
    _write(
        here,
        "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
        "values ('haugesund', :child, 'x', 'x', '1', 'anita', now())",
        child=_link(here, one),
    )
    before = _answers(here)
    job = here.open("x")
    for forged in FORGED:
        with pytest.raises(WarehouseError), job.transaction() as connection:
            connection.execute(text(forged))
    assert _answers(here) == before


@pytest.mark.after_first_run
@pytest.mark.parametrize("skipped", ["withdraw", "check"])
def test_a_step_that_may_stop_a_run_cannot_be_passed_by(installation: Installation, skipped: str) -> None:
    """Airflow lets a DAG's editors mark a task as a success. The warehouse knows that the step was not done."""
    job = installation.open()
    installation.steps(job, *(name for name in EVERY if name not in ("merge", skipped)))
    with pytest.raises(CheckFailed, match="ikke kjørt ferdig"):
        merge(job)
    # The note is about the latest extract only.
    installation.steps(job, skipped, "merge")
    installation.steps(job, "extract_sas")
    with pytest.raises(CheckFailed, match="ikke kjørt ferdig"):
        merge(job)


@pytest.mark.after_first_run
def test_time_is_never_turned_back_nor_forward(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    here = installation
    monkeypatch.setattr("dataflyt.run.job.CLOCKS_DIFFER", timedelta(minutes=10))
    (released,) = here.query("select as_of from control.run where state = 'released'")[0]
    before = here.dump()
    for wrong in (released - timedelta(seconds=1), released - timedelta(days=21), here.clock + timedelta(hours=1)):
        with pytest.raises(NotApproved, match="kl\\. "):
            open_job(here.kommune, f"backfill__{wrong}", wrong, here.environment)
    assert here.query("select max(run) from control.run") == [(1,)]
    assert here.dump() == before
    # The same key gives the same run, even with another time.
    assert open_job(here.kommune, "run-1", datetime(2020, 1, 1, tzinfo=UTC), here.environment).run.as_of == released
    assert open_job(here.kommune, "now", here.clock, here.environment).run.number == 2
