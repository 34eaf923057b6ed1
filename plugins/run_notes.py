"""An Airflow plugin: the note of a kommune's DAG run says what came of it, in Norwegian.

Airflow calls it where a run ends: in the scheduler, or in the API server when a person marks a run. The note tells;
it is no evidence: whether a run is released stands in the warehouse alone.
"""

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

LONGEST = 1000
"""How many characters Airflow's API takes for a note."""


def tell(dag_run: "DagRun") -> None:
    """Write the run's outcome above whatever people have noted, in place of what was written here before."""
    from sqlalchemy.orm import object_session

    from dataflyt.on_airflow.rights import dag_of
    from dataflyt.run.report import NOT_CLOSED, OUTCOMES  # here, since every task's process loads the plugins

    if not dag_run.dag_id.startswith(dag_of("")):
        return
    # The DAG of a broken kommune file has one task, which says itself what is wrong: nothing was begun or undone.
    if dag_run.get_task_instance("close_run", session=object_session(dag_run)) is None:
        return
    kept = dag_run.note or ""
    for sentence in (NOT_CLOSED, *OUTCOMES.values()):
        kept = kept.removeprefix(sentence)
    dag_run.note = f"{OUTCOMES.get(outcome(dag_run), NOT_CLOSED)}\n\n{kept.strip()}".strip()[:LONGEST]


def outcome(dag_run: "DagRun") -> str:
    """Give what the task ``close_run`` has said of the run; empty when nothing has closed it."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    said = select(XComModel.value).where(
        XComModel.dag_id == dag_run.dag_id,
        XComModel.run_id == dag_run.run_id,
        XComModel.task_id == "close_run",
        XComModel.key == "outcome",
    )
    return str(object_session(dag_run).scalar(said) or "")


class Notes:
    """What Airflow calls when a DAG run has ended, well or not."""

    @hookimpl
    def on_dag_run_success(self, dag_run: "DagRun") -> None:
        """Note what came of a run that went as it should."""
        tell(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: "DagRun") -> None:
        """Note what came of a run that is red."""
        tell(dag_run)


class RunNotes(AirflowPlugin):  # type: ignore[misc]
    """The plugin, as Airflow finds it."""

    name = "run_notes"
    listeners = [Notes()]  # noqa: RUF012 - Airflow reads a list
