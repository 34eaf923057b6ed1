"""Two things at once in one kommune: they are done one after the other, nothing is lost, nothing unapproved released.

Twenty kommuner at once, each with two runs and decisions, are ``python benchmarks/at_once.py``. The fast lane beside a
waiting run is in test_events.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest

from dataflyt.decisions import deciding
from dataflyt.errors import NotApproved
from dataflyt.run.execute import Ended, execute
from dataflyt.run.job import open_job
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from dataflyt.warehouse import merge as merging
from dataflyt.warehouse.golden import Computed
from tests.decisions.test_block import ANITA, PEOPLE, _pair
from tests.installation.fixtures import Installation, _answer_of, respond
from tests.installation.test_killed import BEFORE_MERGE

pytestmark = pytest.mark.after_first_run


def access_of(installation: Installation) -> set[tuple[UUID, str]]:
    """Return (child, adult) of the access that holds now, by released record, vetoes and blocks."""
    with deciding.moment(installation.kommune, installation.environment, lock=False) as at:
        found = at.connection.exec_driver_sql("select child_id, adult from now_guardian_access where state = 'active'")
        return {(child, adult) for child, adult in found}


@pytest.mark.long
def test_a_block_set_in_the_middle_of_a_merge_waits_for_it_and_holds_before_the_release(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    block = _pair(installation)
    before = access_of(installation)
    job = installation.open()
    installation.steps(job, *BEFORE_MERGE)
    decided: list[Future[deciding.Decided]] = []
    real = merging.merge_golden

    with ThreadPoolExecutor(1) as pool:

        def with_a_decision(computed: Computed) -> dict[str, tuple[int, int]]:
            decided.append(pool.submit(deciding.decide, job.kommune, job.environment, block, ANITA))
            time.sleep(0.5)
            assert not decided[0].done(), "it waits for the merge"
            return real(computed)

        with monkeypatch.context() as patched:
            patched.setattr(merging, "merge_golden", with_a_decision)
            merge(job)
        assert decided[0].result().effect.losing == 1
    assert before - access_of(installation) == {(block.child, str(block.adult))}

    respond(job)
    with pytest.raises(NotApproved, match="sperring"):
        release(job)
    assert installation.query("select run from control.run where state = 'released'") == [(1,)]
    merge(job)
    respond(job)
    release(job)
    publish(job)
    assert (block.child, str(block.adult)) not in access_of(installation)


def test_of_two_runs_at_once_the_newest_is_released_and_holds_everything(installation: Installation) -> None:
    pupils = [pupil.person for pupil in installation.registers.world.pupils if pupil.person and not pupil.person.cases]
    pupils[0].family = "Nyttnavn"
    approver = _answer_of
    as_of = datetime(2026, 11, 24, 3, tzinfo=UTC)

    def whole(key: str) -> Ended:
        job = open_job(installation.kommune, key, as_of, installation.environment)
        return execute(job, lambda _: approver(job, "approved"))

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(whole, key) for key in ("one", "other")]
    errors = [error for one in both if (error := one.exception() or one.result().error)]
    assert len(errors) == 1
    assert isinstance(errors[0], NotApproved), "the older run gives way to the newer"

    states = dict(installation.query("select run, state from control.run"))
    assert states == {1: "released", 2: "superseded", 3: "released"}
    answered = "select answer from control.approval where run = 3 order by approval desc limit 1"
    assert installation.query(answered) in ([("approved",)], [("not_needed",)])
    for table in ("history.freg_navn", "golden.person"):
        assert installation.query(f"select count(*) from {table} where from_run = 2 or to_run = 2") == [(0,)]
    assert "Nyttnavn" in installation.ldif()
    installation.runs = 3
    assert installation.run()["changed"] == {}, "the next run finds nothing that they lost"
