"""An Airflow plugin, called when a DAG run begins and when it ends. Both calls write the run's note, in Norwegian.

- A run begins (in the scheduler): a task whose pool is missing gets Airflow's default pool. Airflow would let the task
  wait for ever in silence, and a protection cannot wait.
- A kommune's run ends (in the scheduler, or in the API server when a person marks it): the note gives the outcome. The
  note proves nothing: only the warehouse says whether a run is released.
"""

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

# Other modules are imported inside the functions: every task's process loads the plugins.

LONGEST = 1000
"""How many characters Airflow's API takes for a note."""

NO_POOL = "Det er ingen pool {} i Airflow, så oppgavene her kjøres uten dens grense: kjør «dataflyt airflow prepare»."


def leave_missing_pools(dag_run: "DagRun") -> None:
    """Move the run's tasks out of pools that do not exist, and note that."""
    from airflow.models.pool import Pool
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select, update
    from sqlalchemy.orm import object_session

    from dataflyt.on_airflow.rights import COMMON, dag_of

    if dag_run.dag_id not in COMMON and not dag_run.dag_id.startswith(dag_of("")):
        return
    session = object_session(dag_run)
    of_the_run = (TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id)
    missing = TaskInstance.pool.not_in(select(Pool.pool))
    names = sorted(session.scalars(select(TaskInstance.pool).distinct().where(*of_the_run, missing)))
    if not names:
        return
    session.execute(update(TaskInstance).where(*of_the_run, missing).values(pool=Pool.DEFAULT_POOL_NAME))
    said = NO_POOL.format(" eller ".join(names))
    if said not in (dag_run.note or ""):
        dag_run.note = f"{said}\n\n{dag_run.note or ''}".strip()


def note_outcome(dag_run: "DagRun") -> None:
    """Write the outcome of a kommune's run above people's own notes, in place of an earlier outcome."""
    from sqlalchemy.orm import object_session

    from dataflyt.on_airflow.rights import dag_of
    from dataflyt.run.report import NOT_CLOSED, OUTCOMES

    if not dag_run.dag_id.startswith(dag_of("")):
        return
    # The DAG of a broken kommune file has one task, which itself says what is wrong. Nothing was begun or undone.
    if dag_run.get_task_instance("close_run", session=object_session(dag_run)) is None:
        return
    kept = dag_run.note or ""
    for sentence in (NOT_CLOSED, *OUTCOMES.values()):
        kept = kept.removeprefix(sentence)
    dag_run.note = f"{OUTCOMES.get(outcome(dag_run), NOT_CLOSED)}\n\n{kept.strip()}".strip()[:LONGEST]


def outcome(dag_run: "DagRun") -> str:
    """Return the outcome that the task ``close_run`` left in Airflow; empty when the run was not closed."""
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


class DagRuns:
    """The listener that Airflow calls."""

    @hookimpl
    def on_dag_run_running(self, dag_run: "DagRun") -> None:
        """Mend the pools of a run that begins."""
        leave_missing_pools(dag_run)

    @hookimpl
    def on_dag_run_success(self, dag_run: "DagRun") -> None:
        """Note the outcome of a run that succeeded."""
        note_outcome(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: "DagRun") -> None:
        """Note the outcome of a run that failed."""
        note_outcome(dag_run)


class DagRunsPlugin(AirflowPlugin):  # type: ignore[misc]
    """The plugin, as Airflow finds it."""

    name = "dag_runs"
    listeners = [DagRuns()]  # noqa: RUF012 - Airflow reads a list
