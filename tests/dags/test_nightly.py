"""The nightly DAG, read as Airflow reads it, and its task with a scripted ``nightly.run``."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.dags.test_kommune import HEAVY

READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

bag = DagBag(dag_folder=sys.argv[1])
heavy = [name for name in sys.argv[2].split(",") if name in sys.modules]

from dataflyt.on_airflow import mails as sending
from dataflyt.operations import nightly
from dataflyt.errors import ConfigError, SourceUnavailable

dag = bag.dags["nightly"]
task, tell = dag.get_task("bring_in_line"), dag.get_task("tell_published")
mails, kept = [], {}
sending._send = lambda mail, notice: mails.append((mail.to, notice))
context = {"ti": type("Instance", (), {
    "dag_id": "nightly", "run_id": "run-1", "xcom_push": lambda self, key, value: kept.update({key: value}),
    "xcom_pull": lambda self, task_ids, key: kept.get(key) if task_ids == "bring_in_line" else None,
})()}

def run(*trouble):
    nightly.run = lambda kommuner, environment: nightly.Outcome({"kommuner": 3, "who": "01815012345"}, list(trouble))
    try:
        return task.execute(context)
    except Exception as stopped:
        return [type(stopped).__name__, str(stopped)]

said = {
    "errors": bag.import_errors,
    "heavy": heavy,
    "schedule": DagSerialization.to_dict(dag)["dag"]["timetable"]["__var"],
    "dag": [dag.catchup, dag.max_active_runs, task.retries, list(dag.task_ids),
            task.execution_timeout.total_seconds() / 3600],
    "told": [*tell.upstream_task_ids, tell.is_teardown, tell.trigger_rule, [one.name for one in tell.outlets]],
    "names": [dag.dag_display_name, task.task_display_name, dag.doc_md],
    "well": run(),
    "passing": run(SourceUnavailable("haugesund: varehuset svarer ikke.")),
    "both": run(SourceUnavailable("haugesund: varehuset svarer ikke."), ConfigError("oslo: rett filen.")),
}
for callback in dag.on_failure_callback if isinstance(dag.on_failure_callback, list) else [dag.on_failure_callback]:
    callback(context)
said["mails"] = [[list(to), notice.subject, notice.body] for to, notice in mails]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory, read_dag: Callable[..., Any]) -> SimpleNamespace:
    connection = {"conn_type": "generic", "host": "https://freg.example.no", "extra": {"tell": "drift@example.no"}}
    said = read_dag(
        READ,
        "nightly",
        (*HEAVY, "dataflyt.operations.nightly", "dataflyt.run.job", "dataflyt.run.execute"),
        AIRFLOW_CONN_FREG_EVENTS=json.dumps(connection),
        DATAFLYT_STORAGE=str(tmp_path_factory.mktemp("storage")),
    )
    return SimpleNamespace(**said)


def test_it_runs_just_after_midnight_in_norway_one_at_a_time(read: SimpleNamespace) -> None:
    assert (read.errors, read.heavy) == ({}, [])
    assert (read.schedule["expression"], read.schedule["timezone"]) == ("10 0 * * *", "Europe/Oslo")
    assert read.dag == [False, 1, 6, ["bring_in_line", "tell_published", "delete_old", "mail_work_lists"], 6]
    assert read.told == ["bring_in_line", True, "all_done_setup_success", ["dataflyt/published"]]
    assert read.names[:2] == ["Dagens publisering", "Rett det som er publisert, etter dagen"]
    assert "kl. 00.10" in read.names[2]


def test_it_gives_counts_and_tries_again_only_what_passes(read: SimpleNamespace) -> None:
    assert read.well == {"kommuner": 3}
    assert read.passing == ["TryLater", "haugesund: varehuset svarer ikke."]
    assert read.both == ["AirflowFailException", "haugesund: varehuset svarer ikke.\noslo: rett filen."]


def test_the_engineer_is_told_which_kommune_does_not_follow_the_day(read: SimpleNamespace) -> None:
    ((to, subject, body),) = read.mails
    assert to == ["drift@example.no"]
    assert "Dagens publisering" in subject
    assert "haugesund: varehuset svarer ikke.\noslo: rett filen." in body
    assert "/dags/nightly/runs/run-1" in body
