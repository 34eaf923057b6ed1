"""The surroundings of a task: Airflow's connections, the storage that DATAFLYT_STORAGE names, and its run."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from dataflyt.config.connections import Connection, NotDefined, from_environment, of_fields, path_of
from dataflyt.errors import ConfigError
from dataflyt.on_airflow import prepare
from dataflyt.storage import private

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from dataflyt.config.kommune import Kommune
    from dataflyt.run.environment import Environment
    from dataflyt.run.job import Job


def run_environment() -> Environment:
    """Return a run's environment in Airflow, and let no other user read the files that this process writes.

    Raises ConfigError when DATAFLYT_STORAGE is not set.
    """
    from dataflyt.run.environment import Environment

    storage = os.environ.get("DATAFLYT_STORAGE")
    if not storage:
        raise ConfigError("DATAFLYT_STORAGE is not set: write the folder or URL for landing/, exports/ and reports/.")
    private.close()
    return Environment(connect=connection, path=storage_path, storage=storage)


def job_of(kommune: Kommune, context: Context) -> Job:
    """Open the kommune's run of this DAG run: its key is the DAG run's id, its ``as_of`` the time the DAG run was due.

    Raises ConfigError when DATAFLYT_STORAGE is not set.
    """
    from dataflyt.run.job import open_job

    run = context["dag_run"]
    as_of: datetime = run.run_after or run.start_date
    params = context["params"]
    return open_job(
        kommune,
        key=run.run_id,
        as_of=as_of,
        environment=run_environment(),
        plan_only=bool(params.get("plan_only")),
        full_reload=bool(params.get("full_reload")),
    )


def failed_steps(context: Context) -> list[str]:
    """Return the tasks of this DAG run that have failed, without ``close_run``, which fails because of them."""
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return sorted(task for task, state in states.items() if state == "failed" and task != "close_run")


def connection(name: str) -> Connection:
    """Look up an Airflow connection (environment, secrets backend or database); raises ConfigError, or NotDefined."""
    found = None
    with suppress(AirflowNotFoundException):
        found = BaseHook.get_connection(name)
    if found is None:
        raise NotDefined(f"Tilkoblingen {name} finnes ikke i Airflow: lag den, med hele adressen i «host».")
    if not found.host:
        raise ConfigError(f"Tilkoblingen {name} mangler «host»: skriv hele adressen der.")
    return of_airflow(name, found)


def of_airflow(name: str, found: Any) -> Connection:
    """Return Dataflyt's connection of one of Airflow's, which has a host."""
    names = ("host", "port", "schema", "login", "password")
    fields = {field: getattr(found, field) for field in names} | {"extra": found.extra_dejson}
    return of_fields(name, found.conn_type, fields)


def connection_of_installation(name: str) -> Connection:
    """Look up a connection for a command, as ``connection`` does for a task.

    Airflow is silent when the connection's variable cannot be read and when its database does not answer. Both raise
    ConfigError here.
    """
    try:
        return connection(name)
    except NotDefined:
        if f"AIRFLOW_CONN_{name.upper()}" in os.environ:
            return from_environment(name)
        with prepare.database() as session:
            session.connection().exec_driver_sql("select 1 from connection where 1 = 0")
        raise


def storage_path(address: str) -> Any:
    """Return Airflow's path for a disk and for an address that names an Airflow connection, else fsspec's own.

    ``s3://bucket/folder`` therefore needs s3fs and keys in the environment; ``s3://connection@bucket/folder`` needs
    Airflow's Amazon provider. Without a connection Airflow's path has two file systems in it, one to open files with
    and one for everything else, and neither sees what the other has written.
    """
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import has_fs

    scheme, has_scheme, rest = address.partition("://")
    names_connection = "@" in rest.partition("/")[0] and has_fs(scheme)
    return ObjectStoragePath(address) if not has_scheme or scheme == "file" or names_connection else path_of(address)


def page_of(dag: str, run: str, task: str | None = None) -> str:
    """Return the address of a run's page in Airflow, or of the page where a task's question is answered."""
    question = f"/tasks/{task}/required_actions" if task else ""
    return f"{page_of_dag(dag)}/runs/{quote(run, safe='')}{question}"


def page_of_dag(dag: str) -> str:
    """Return the address of a DAG's page in Airflow."""
    base = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    return f"{base}/dags/{quote(dag, safe='')}"


def our_pages() -> str:
    """Return the address of Dataflyt's own pages."""
    return str(conf.get("api", "base_url", fallback="")).rstrip("/") + "/dataflyt"
