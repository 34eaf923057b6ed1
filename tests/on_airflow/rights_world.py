"""Make the Airflow database for test_rights: every DAG of ours with a run, a question, XComs and the rest.

    python -m tests.on_airflow.rights_world PASSWORDS LOGINS    as supervisor.logins

A process of its own, with Airflow's settings in its environment.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.backfill import Backfill
from airflow.models.dagwarning import DagWarning, DagWarningType
from airflow.models.errors import ParseImportError
from airflow.models.hitl import HITLDetail
from airflow.models.log import Log
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.xcom import XComModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from supervisor import logins
from supervisor.home import REPOSITORY

RUN = "run-of-{}"
ASKED = {"kommune_haugesund": [{"id": "101", "name": "Anita"}], "kommune_bergen": [{"id": "102", "name": "Birgitte"}]}
DAY = datetime(2026, 11, 1, tzinfo=UTC)


def populate(session, dag_id, logs):
    """Give a DAG one of everything that a person could look at or change."""
    dag = SerializedDagModel.get_dag(dag_id, session=session)
    run = dag.create_dagrun(
        run_id=RUN.format(dag_id),
        logical_date=DAY,
        data_interval=(DAY, DAY),
        run_after=DAY,
        start_date=DAY,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state=DagRunState.RUNNING,
        session=session,
    )
    tasks = sorted(run.get_task_instances(session=session), key=lambda task: task.task_id)
    asking = next((task for task in tasks if task.task_id == "approve"), tasks[0])
    for task in tasks:
        task.state = TaskInstanceState.AWAITING_INPUT if task is asking else TaskInstanceState.SUCCESS
        task.try_number, task.start_date, task.hostname = 1, DAY, "here"
    session.add(
        HITLDetail(
            ti_id=asking.id,
            options=["Approve", "Reject"],
            subject=f"Question of {dag_id}",
            defaults=["Reject"],
            assignees=ASKED.get(dag_id),
        )
    )
    where = {"dag_id": dag_id, "task_id": asking.task_id, "run_id": run.run_id, "session": session}
    XComModel.set("return_value", f"xcom of {dag_id}", **where)
    session.add(Backfill(dag_id=dag_id, from_date=DAY, to_date=DAY, max_active_runs=1, reprocess_behavior="none"))
    session.add(DagWarning(dag_id, DagWarningType.NONEXISTENT_POOL, f"warning of {dag_id}"))
    session.add(Log(event=f"event of {dag_id}", dag_id=dag_id, task_id=asking.task_id, run_id=run.run_id, owner="x"))
    log = logs / f"dag_id={dag_id}" / f"run_id={run.run_id}" / f"task_id={asking.task_id}" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({"event": f"log of {dag_id}", "level": "info", "timestamp": DAY.isoformat()}) + "\n")
    return {"run": run.run_id, "task": asking.task_id}


def main(passwords, given, logs):
    """Make the database; print its contents as JSON."""
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    logins.main(passwords, given)
    sync_bag_to_db(DagBag(REPOSITORY / "dags", bundle_name="dags-folder"), "dags-folder", None)
    with create_session() as session:
        dags = sorted(set(session.scalars(select(SerializedDagModel.dag_id))))
    made = {}
    for dag_id in dags:
        with create_session() as session:
            made[dag_id] = populate(session, dag_id, Path(logs))
    with create_session() as session:
        for dag_id, ids in made.items():
            backfill = session.query(Backfill).filter(Backfill.dag_id == dag_id).one()
            event = session.query(Log).filter(Log.event == f"event of {dag_id}").one()
            ids |= {"backfill": backfill.id, "event": event.id}
        error = ParseImportError(
            filename="kommune.py", bundle_name="dags-folder", timestamp=DAY, stacktrace="error of kommune_bergen"
        )
        session.add(error)
        session.flush()
        made["import error"] = {"id": error.id}
    sys.stdout.write("\n" + json.dumps(made) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
