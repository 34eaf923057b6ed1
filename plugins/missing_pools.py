"""An Airflow plugin: a run of ours whose pool nobody has made goes on without it, and its note says so.

Airflow would let its tasks wait for ever, and say nothing. What protects cannot wait, so these tasks get a place in
Airflow's default pool. It is called in the scheduler, where a run begins.
"""

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

SENTENCE = "Det er ingen pool {} i Airflow, så oppgavene her kjøres uten dens grense: kjør «dataflyt airflow prepare»."


class MissingPools:
    """What Airflow calls when a DAG run begins."""

    @hookimpl
    def on_dag_run_running(self, dag_run: "DagRun") -> None:
        """Move the run's tasks out of pools that do not exist, and note that."""
        from airflow.models.pool import Pool
        from airflow.models.taskinstance import TaskInstance
        from sqlalchemy import select, update
        from sqlalchemy.orm import object_session

        from dataflyt.on_airflow.rights import COMMON, dag_of  # here, since every task's process loads the plugins

        if dag_run.dag_id not in COMMON and not dag_run.dag_id.startswith(dag_of("")):
            return
        session = object_session(dag_run)
        of_the_run = (TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id)
        missing = TaskInstance.pool.not_in(select(Pool.pool))
        names = sorted(session.scalars(select(TaskInstance.pool).distinct().where(*of_the_run, missing)))
        if not names:
            return
        session.execute(update(TaskInstance).where(*of_the_run, missing).values(pool=Pool.DEFAULT_POOL_NAME))
        said = SENTENCE.format(" eller ".join(names))
        if said not in (dag_run.note or ""):
            dag_run.note = f"{said}\n\n{dag_run.note or ''}".strip()


class MissingPoolsPlugin(AirflowPlugin):  # type: ignore[misc]
    """The plugin, as Airflow finds it."""

    name = "missing_pools"
    listeners = [MissingPools()]  # noqa: RUF012 - Airflow reads a list
