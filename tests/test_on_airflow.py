"""Airflow's side: what leaves a step is counts or one sentence, and nobody is asked without a question."""

import os
import sys
import tempfile
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

import dataflyt
from dataflyt.errors import CheckFailed, SourceUnavailable

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # not in somebody's home folder
from airflow.sdk.exceptions import AirflowException, AirflowFailException, DownstreamTasksSkipped, TaskAwaitingInput

from dataflyt import on_airflow

SECRET = "Kari Nordmann 01815012345"
DIGEST = "0123456789abcdef"


class Instance:
    """As much of a task instance as the adapter uses."""

    dag_id, run_id, task_id, map_index, id = "kommune_x", "run-1", "approve", -1, "ti-1"

    def __init__(self, states=None, **xcoms):
        self.states, self.xcoms = states or {}, xcoms

    def xcom_pull(self, task_ids, key="return_value"):
        return self.xcoms.get(f"{task_ids}_{key}")

    def xcom_push(self, key, value):
        self.xcoms[f"{self.task_id}_{key}"] = value

    def get_task_states(self, dag_id, run_ids):
        return {run_ids[0]: self.states}


@pytest.fixture
def kommune():
    return SimpleNamespace(id="x", approvers=(SimpleNamespace(id="anita", name="Anita Ingebretsen"),))


@pytest.fixture
def flow(monkeypatch, tmp_path):
    """A flow that does what a test says."""
    fake = SimpleNamespace(
        Environment=SimpleNamespace, open_job=lambda kommune, **opened: SimpleNamespace(kommune=kommune, **opened)
    )
    monkeypatch.setitem(sys.modules, "dataflyt.flow", fake)
    monkeypatch.setattr(dataflyt, "flow", fake, raising=False)
    monkeypatch.setenv("DATAFLYT_STORAGE", str(tmp_path))
    return fake


def context(instance):
    run = SimpleNamespace(run_id="run-1", run_after=datetime(2026, 11, 1, tzinfo=UTC), start_date=None)
    return {"ti": instance, "task_instance": instance, "dag_run": run, "task": None}


def test_a_step_is_given_the_runs_key_and_due_time_and_gives_back_counts_only(flow, kommune):
    seen = []
    flow.check = lambda job: seen.append(job) or {"persons": 3, "note": SECRET, "digest": SECRET}
    counts = on_airflow.Step(task_id="check", kommune=kommune).execute(context(Instance()))
    assert counts == {"persons": 3}
    assert (seen[0].key, seen[0].as_of) == ("run-1", datetime(2026, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (CheckFailed("Tabellen er tom."), AirflowFailException, "Tabellen er tom."),
        (SourceUnavailable("KRR svarer ikke."), on_airflow.TryLater, "KRR svarer ikke."),
        (KeyError(SECRET), AirflowFailException, "KeyError"),
        (ConnectionResetError(SECRET), on_airflow.TryLater, "ConnectionResetError"),
    ],
)
def test_an_error_leaves_as_one_sentence_without_values(flow, kommune, caplog, raised, kind, said):
    def check(job):
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise raised  # noqa: B904

    flow.check = check
    with pytest.raises(AirflowException) as caught:
        on_airflow.Step(task_id="check", kommune=kommune).execute(context(Instance()))
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert SECRET not in str(caught.value) + caplog.text


def test_a_database_error_keeps_its_row_to_itself(flow, kommune, caplog):
    import psycopg

    def merge(job):
        raise psycopg.errors.UniqueViolation(f"DETAIL: Key (number)=({SECRET}) already exists.")

    flow.merge = merge
    with pytest.raises(AirflowFailException, match="UniqueViolation") as caught:
        on_airflow.Step(task_id="merge", kommune=kommune).execute(context(Instance()))
    assert SECRET not in str(caught.value) + caplog.text


def test_a_lost_database_is_worth_another_try(flow, kommune):
    import psycopg

    def merge(job):
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    flow.merge = merge
    with pytest.raises(on_airflow.TryLater):
        on_airflow.Step(task_id="merge", kommune=kommune).execute(context(Instance()))


def test_nobody_is_asked_when_the_guard_lets_the_run_pass(flow, kommune):
    flow.question = lambda job: None
    approve = on_airflow.GuardApproval(task_id="approve", kommune=kommune)
    instance = Instance(merge_return_value={"digest": DIGEST})
    assert approve.execute(context(instance)) == {"digest": DIGEST}
    assert instance.xcom_pull("approve", "answer") is None


def test_the_approver_is_asked_with_counts_and_the_answer_names_the_plan(flow, kommune, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **detail: asked.update(detail)
    )
    flow.question = lambda job: SimpleNamespace(subject="Første kjøring", body="400 elever", digest=DIGEST)
    approve = on_airflow.GuardApproval(task_id="approve", kommune=kommune)
    instance = Instance()
    with pytest.raises(TaskAwaitingInput) as waiting:
        approve.execute(context(instance))
    assert (asked["subject"], asked["body"], asked["defaults"]) == ("Første kjøring", "400 elever", ["Reject"])
    assert asked["assigned_users"] == [{"id": "anita", "name": "Anita Ingebretsen"}]

    answer = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime(2026, 11, 2, tzinfo=UTC),
        "responded_by_user": {"id": "anita", "name": "anita"},
    }
    assert approve.execute_complete(context(instance), answer, **waiting.value.kwargs) == {"digest": DIGEST}
    assert instance.xcom_pull("approve", "answer") == "approved"


@pytest.mark.parametrize(("timed_out", "told"), [(False, "rejected"), (True, "unanswered")])
def test_a_no_and_a_silence_are_told_apart_and_skip_the_release(kommune, timed_out, told):
    from airflow.sdk import DAG

    with DAG("kommune_x", schedule=None):
        approve = on_airflow.GuardApproval(task_id="approve", kommune=kommune)
        approve >> on_airflow.Release(task_id="release", kommune=kommune)
    instance = Instance()
    no = {
        "chosen_options": ["Reject"],
        "params_input": {},
        "responded_at": datetime(2026, 11, 2, tzinfo=UTC),
        "responded_by_user": None,
        "timedout": timed_out,
    }
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        approve.execute_complete({**context(instance), "task": approve}, no, digest=DIGEST)
    assert list(skipped.value.tasks) == ["release"]
    assert instance.xcom_pull("approve", "answer") == told


def test_the_release_names_the_approved_plan(flow, kommune):
    flow.release = lambda job, digest: {"run": 7} if digest == DIGEST else {}
    instance = Instance(approve_return_value={"digest": DIGEST})
    assert on_airflow.Release(task_id="release", kommune=kommune).execute(context(instance)) == {"run": 7}


def test_a_run_with_a_failed_step_is_settled_and_ends_red(flow, kommune):
    settled = []
    flow.settle = lambda job, failed, answer: settled.append((failed, answer)) or {"outcome": "failed"}
    instance = Instance({"extract_hr": "success", "check": "failed", "merge": "upstream_failed"})
    with pytest.raises(AirflowFailException, match="check"):
        on_airflow.Settle(task_id="settle", kommune=kommune).execute(context(instance))
    assert settled == [(["check"], None)]


def test_a_rejected_run_is_settled_and_ends_green(flow, kommune):
    settled = []
    flow.settle = lambda job, failed, answer: settled.append((failed, answer)) or {"merged": 5}
    instance = Instance({"approve": "success", "release": "skipped"}, approve_answer="rejected")
    assert on_airflow.Settle(task_id="settle", kommune=kommune).execute(context(instance)) == {"merged": 5}
    assert settled == [([], "rejected")]


def test_a_missing_storage_is_said(flow, kommune, monkeypatch):
    flow.check = lambda job: {}
    monkeypatch.delenv("DATAFLYT_STORAGE")
    with pytest.raises(AirflowFailException, match="DATAFLYT_STORAGE"):
        on_airflow.Step(task_id="check", kommune=kommune).execute(context(Instance()))


def test_a_connection_is_read_as_airflow_keeps_it(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_FREG_X",
        '{"conn_type": "generic", "host": "https://api.example.no/v1", "login": "client", "password": "pem",'
        ' "extra": {"scope": "a:b"}}',
    )
    found = on_airflow.connection("freg_x")
    assert (found.url, found.login, found.password) == ("https://api.example.no/v1", "client", "pem")
    assert found.extra == {"scope": "a:b"}
