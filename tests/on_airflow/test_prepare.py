"""``airflow prepare`` makes pools and roles, ``doctor`` names missing ones, and no run waits for a missing pool."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dataflyt.run.report import NOT_CLOSED

REPOSITORY = Path(__file__).parents[2]

WORLD = """
import json, os, sys
from datetime import timedelta
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.connection import Connection
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils import timezone
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
from typer.testing import CliRunner
from dataflyt.cli.main import app

said = {}

def command(name, *words):
    done = CliRunner().invoke(app, list(words))
    said[name] = [done.exit_code, done.output]

DagBundlesManager().sync_bundles_to_db()
for file in ("freg_events.py", "kommune.py"):
    sync_bag_to_db(DagBag(os.path.join(DAGS, file), bundle_name="dags-folder"), "dags-folder", None)

def begun(run_id):
    # What the scheduler does when runs begin: the pools of their tasks, and what the runs' notes say.
    with create_session() as session:
        for dag_id in ("freg_events", "kommune_haugesund"):
            dag = SerializedDagModel.get_dag(dag_id, session=session)
            dag.create_dagrun(
                run_id=run_id, logical_date=None, run_after=timezone.utcnow() - timedelta(minutes=1),
                run_type=DagRunType.MANUAL, triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.QUEUED, session=session,
            )
    with create_session() as session:
        runner = SchedulerJobRunner(Job())
        runner._start_queued_dagruns(session)
    with create_session() as session:
        runs = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).all()
        return {
            run.dag_id: [
                str(run.state), run.note, {one.task_id: one.pool for one in run.get_task_instances(session=session)}
            ]
            for run in runs
        }

said["before"] = begun("before")

def noted(*without):
    # What the plugin notes where a run ends, of a run that has not these tasks.
    with create_session() as session:
        run = session.scalars(select(DagRun).filter_by(run_id="before", dag_id="kommune_haugesund")).one()
        for task in without:
            session.delete(run.get_task_instance(task, session=session))
        session.flush()
        run.note = None
        dag_runs.note_outcome(run)
        note = run.note
        session.rollback()
        return note

sys.path.insert(0, os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"])
import dag_runs
said["notes"] = [noted(), noted("close_run")]
command("doctor before", "doctor")
command("prepare", "airflow", "prepare")
with create_session() as session:
    pool = session.scalar(select(Pool).where(Pool.pool == "freg"))
    pool.slots, pool.description = 9, "mine"
    session.add(Connection(conn_id="freg_haugesund", conn_type="generic", host="https://freg.example.no"))
command("again", "airflow", "prepare")
with create_session() as session:
    said["pools"] = {pool.pool: [pool.slots, pool.description] for pool in session.scalars(select(Pool))}
said["after"] = begun("after")
command("doctor after", "doctor")

from airflow.models.dag import DagModel
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from airflow.models.xcom import XComModel
from airflow.utils.state import TaskInstanceState

with create_session() as session:
    tasks = {
        one.task_id: one for one in session.scalars(select(TaskInstance).filter_by(run_id="after")).all()
    }
    now = timezone.utcnow()
    for task, worker in (("extract_hr", "worker-1"), ("extract_freg", "worker-2"), ("extract_krr", "worker-3")):
        lost = tasks[task]
        lost.hostname, lost.start_date, lost.try_number = worker, now - timedelta(hours=3), 1
        lost.state = TaskInstanceState.UP_FOR_RETRY
        session.add(Log("heartbeat timeout", task_instance=lost.key))
        session.flush()
        session.execute(Log.__table__.update().where(Log.task_id == task).values(dttm=now - timedelta(hours=2)))
    # The first is tried again by the worker that lost it, which has come back; the second by another.
    for task, worker in (("extract_hr", "worker-1"), ("extract_freg", "worker-1")):
        TaskInstanceHistory.record_ti(tasks[task], session=session)
        tasks[task].try_number, tasks[task].hostname, tasks[task].start_date = 2, worker, now - timedelta(hours=1)
    # The third was lost longer ago than anybody needs to know.
    session.execute(Log.__table__.update().where(Log.task_id == "extract_krr").values(dttm=now - timedelta(days=2)))
    for task, minutes in (("withdraw", 30), ("check", 5)):
        tasks[task].state, tasks[task].queued_dttm = TaskInstanceState.QUEUED, now - timedelta(minutes=minutes)
    session.execute(DagModel.__table__.update().values(is_paused=True))
    failed = session.scalars(select(DagRun).filter_by(run_id="after", dag_id="freg_events")).one()
    failed.state, failed.end_date = DagRunState.FAILED, now
    XComModel.set(
        "sentence", "FREG svarer ikke.", dag_id="freg_events", task_id="fast_lane", run_id="after", session=session
    )
with create_session() as session:
    nobody = Connection(conn_id="freg_events", conn_type="generic", host="https://freg.example.no")
    session.add(nobody)
command("doctor stands still", "doctor")
with create_session() as session:
    session.merge(nobody).set_extra(json.dumps({"tell": "drift@example.no"}))
command("doctor tells", "doctor")
command("digest", "digest")
import logging
said["chatter"] = logging.getLogger("alembic").isEnabledFor(logging.INFO)
os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = "no.such.Manager"
command("no auth manager", "airflow", "prepare")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("airflow")
    kommuner = folder / "kommuner"
    kommuner.mkdir()
    file = (REPOSITORY / "include" / "kommuner" / "haugesund.yaml").read_text(encoding="utf-8")
    (kommuner / "haugesund.yaml").write_text(file + "\nmail: {to: [drift@haugesund.kommune.no]}\n", encoding="utf-8")
    program = WORLD.replace("DAGS", repr(str(REPOSITORY / "dags")))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DATAFLYT"))},
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__AUTH_MANAGER": "dataflyt.on_airflow.auth_manager.AuthManager",
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "DATAFLYT_KOMMUNER": str(kommuner),
            "DATAFLYT_LOCAL": str(folder / "local"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return SimpleNamespace(said=json.loads(done.stdout.splitlines()[-1]))


def test_one_command_makes_pools_and_roles(world: SimpleNamespace) -> None:
    code, output = world.said["prepare"]
    assert code == 0, output
    assert "Pooler: 2, nye: freg (4 plasser), krr (4 plasser)." in output
    assert "nye: dataflyt_engineer, kommune_haugesund_approver" in output
    assert output.endswith("Airflow har det Dataflyt trenger.\n")


def test_the_note_of_a_broken_kommune_file_promises_no_undoing(world: SimpleNamespace) -> None:
    assert world.said["notes"] == [NOT_CLOSED, None]


def test_an_auth_manager_that_cannot_be_loaded_is_said(world: SimpleNamespace) -> None:
    code, output = world.said["no auth manager"]
    assert code == 2
    assert "rett AIRFLOW__CORE__AUTH_MANAGER" in output


def test_what_was_set_by_hand_stays(world: SimpleNamespace) -> None:
    code, output = world.said["again"]
    assert code == 0, output
    assert "Pooler: 2, nye: ingen." in output
    assert world.said["pools"]["freg"] == [9, "mine"]
    assert world.said["pools"]["krr"][0] == 4


def test_a_run_whose_pool_nobody_made_goes_on_and_says_so(world: SimpleNamespace) -> None:
    state, note, pools = world.said["before"]["freg_events"]
    assert (state, pools) == ("running", dict.fromkeys(("fast_lane", "tell_events", "tell_metrics"), "default_pool"))
    assert note.startswith("Det er ingen pool freg i Airflow")
    assert "dataflyt airflow prepare" in note
    state, note, pools = world.said["before"]["kommune_haugesund"]
    assert (state, set(pools.values())) == ("running", {"default_pool"})
    assert note.startswith("Det er ingen pool freg eller krr i Airflow")
    pools = {"fast_lane": "freg", "tell_events": "default_pool", "tell_metrics": "default_pool"}
    assert world.said["after"]["freg_events"][1:] == [None, pools]
    assert world.said["after"]["kommune_haugesund"][2]["extract_krr"] == "krr"


def test_doctor_names_what_airflow_lacks(world: SimpleNamespace) -> None:
    code, output = world.said["doctor before"]
    assert code == 1
    assert "FEIL Airflow: Poolene som mangler i Airflow: freg, krr. Kjør «dataflyt airflow prepare»." in output
    assert "FEIL Airflow: Rollene som mangler i Airflow: dataflyt_engineer, kommune_haugesund_approver" in output
    assert "VARSEL Airflow: Lenkene i e-postene har ingen adresse: sett AIRFLOW__API__BASE_URL" in output
    assert "FEIL Airflow: Airflow viser hemmelige felter i tilkoblingene: sett AIRFLOW__CORE__SENSITIVE_VAR" in output
    assert "mangler i Airflow" not in world.said["doctor after"][1]
    assert "kjenner ikke tilkoblingstypen" not in world.said["doctor after"][1]


def test_doctor_names_what_stands_still_and_is_not_red(world: SimpleNamespace) -> None:
    for stands_still in ("satt på pause", "feilet", "mistet en oppgave", "ventet på en arbeider"):
        assert stands_still not in world.said["doctor after"][1]
    code, output = world.said["doctor stands still"]
    assert code == 1
    assert output.count("satt på pause") == 1, "a kommune may be paused while somebody sets it up"
    assert "FEIL Airflow: DAG-en freg_events er satt på pause" in output
    assert re.search(r"De felles DAG-ene:\n  Siste kjøring av DAG-en freg_events feilet ", world.said["digest"][1])
    assert re.search(r"FEIL Airflow: Siste kjøring av DAG-en freg_events feilet .*\. FREG svarer ikke\.\n", output)
    assert output.count("mistet en oppgave") == 1
    assert "FEIL Airflow: Arbeideren worker-2 mistet en oppgave " in output
    assert "FEIL Airflow: Oppgaver som har ventet på en arbeider i mer enn ti minutter: 1, den første siden " in output


def test_doctor_says_when_nobody_is_told(world: SimpleNamespace) -> None:
    nobody = "VARSEL freg_events: Ingen får melding når hendelsene ikke leses"
    assert nobody in world.said["doctor stands still"][1]
    assert nobody not in world.said["doctor tells"][1]


def test_what_libraries_log_is_not_shown_to_operators(world: SimpleNamespace) -> None:
    assert not world.said["chatter"]


def test_a_connection_in_airflows_database_is_found_without_being_asked_for(world: SimpleNamespace) -> None:
    assert "FEIL haugesund: Tilkoblingen freg_haugesund finnes ikke i Airflow" in world.said["doctor before"][1]
    assert "FEIL haugesund: Tilkoblingen freg_haugesund mangler login" in world.said["doctor after"][1]
