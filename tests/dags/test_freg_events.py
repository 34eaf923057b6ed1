"""The DAG of FREG's events, read as Airflow reads it, and its task with a scripted fast lane."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from dataflyt.on_airflow import mails as sending, notices
from dataflyt.operations import fast_lane as lane
from dataflyt.errors import ConfigError, SourceUnavailable

bag = DagBag(dag_folder=sys.argv[1])
dag = bag.dags["freg_events"]
task, tell = dag.get_task("fast_lane"), dag.get_task("tell_events")
mails, kept = [], {}
sending._send = lambda mail, notice: mails.append((mail.to, notice))
context = {"ti": type("Instance", (), {
    "dag_id": "freg_events", "run_id": "run-1", "xcom_push": lambda self, key, value: kept.update({key: value}),
    "xcom_pull": lambda self, task_ids, key: kept.get(key),
})()}

def run(*trouble):
    lane.run = lambda kommuner, environment: lane.Outcome({"events": 7, "who": "01815012345"}, list(trouble))
    try:
        return task.execute(context)
    except Exception as stopped:
        return [type(stopped).__name__, str(stopped)]

beside = dag.get_task("tell_metrics")
said = {
    "beside": [beside.task_display_name, sorted(beside.upstream_task_ids), sorted(task.upstream_task_ids),
               beside.execute(context)],
    "errors": bag.import_errors,
    "schedule": DagSerialization.to_dict(dag)["dag"]["timetable"]["__var"],
    "dag": [dag.catchup, dag.max_active_runs, task.retries, task.pool, task.priority_weight > 11,
            task.execution_timeout.total_seconds() / 3600],
    "told": [*tell.upstream_task_ids, tell.is_teardown, tell.trigger_rule, [one.name for one in tell.outlets]],
    "names": [dag.dag_display_name, task.task_display_name, dag.doc_md],
    "well": run(),
    "passing": run(SourceUnavailable("haugesund: FREG svarte ikke.")),
    "both": run(SourceUnavailable("haugesund: FREG svarte ikke."), ConfigError("bergen: rett filen.")),
}
for callback in dag.on_failure_callback if isinstance(dag.on_failure_callback, list) else [dag.on_failure_callback]:
    callback(context)
said["mails"] = [[list(to), notice.subject, notice.body] for to, notice in mails]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory, read_dag: Callable[..., Any]) -> SimpleNamespace:
    connection = {
        "conn_type": "generic",
        "host": "https://freg.example.no",
        "extra": {"tell": "drift@example.no, b@example.no"},
    }
    said = read_dag(
        READ,
        "freg_events",
        AIRFLOW_CONN_FREG_EVENTS=json.dumps(connection),
        DATAFLYT_STORAGE=str(tmp_path_factory.mktemp("storage")),
    )
    return SimpleNamespace(**said)


def test_it_runs_every_hour_one_at_a_time_for_the_whole_installation(read: SimpleNamespace) -> None:
    assert read.errors == {}
    assert read.schedule["expression"].split()[1:] == ["*", "*", "*", "*"]
    assert read.dag == [False, 1, 3, "freg", True, 6]
    assert read.told == ["fast_lane", True, "all_done_setup_success", ["dataflyt/events"]]
    assert read.names[:2] == ["Hendelser fra Folkeregisteret", "Les hendelser og trekk tilbake"]
    assert "warehouse_events" in read.names[2]


def test_metrics_are_sent_beside_it_and_hold_nothing_back(read: SimpleNamespace) -> None:
    assert read.beside == ["Send måltall om kommunenes kjøringer", [], [], {"metrics": 0}]


def test_it_gives_counts_and_tries_again_only_what_passes(read: SimpleNamespace) -> None:
    assert read.well == {"events": 7}
    assert read.passing == ["TryLater", "haugesund: FREG svarte ikke."]
    assert read.both == ["AirflowFailException", "haugesund: FREG svarte ikke.\nbergen: rett filen."]


def test_the_engineer_is_told_what_each_kommune_waits_for(read: SimpleNamespace) -> None:
    ((to, subject, body),) = read.mails
    assert to == ["drift@example.no", "b@example.no"]
    assert "Folkeregisteret" in subject
    assert "haugesund: FREG svarte ikke.\nbergen: rett filen." in body
    assert "/dags/freg_events/runs/run-1" in body
