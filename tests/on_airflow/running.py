"""A real Airflow for a test: API server, scheduler and DAG processor, on SQLite, as ``make up`` starts them."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from supervisor import airflow_parts, logins
from supervisor.airflow_api import http
from supervisor.home import REPOSITORY, Home, free_port


@contextmanager
def running_airflow(folder: Path, kommuner: Path, more: Mapping[str, str]) -> Iterator[httpx.Client]:
    """Start Airflow with its files in the folder; give a client of its API, as an administrator."""
    home, port = Home(folder / "home"), free_port()
    environment = home.base_environment(kommuner) | home.airflow_environment(port)
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment |= {"AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5", **more}
    logs = folder / "logs"
    logs.mkdir()
    admin = logins.administrator()
    password = home.password(admin.user)
    parts = ["api-server", "scheduler", "dag-processor"]
    command = airflow_parts.command(home.passwords, [], [admin], parts=parts, logs=logs, migrate=True)
    with (logs / "parent.log").open("w") as log:
        airflow = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True)
    try:
        assert airflow.stdin is not None
        airflow.stdin.write("{}\n")
        airflow.stdin.flush()
        with http(f"http://127.0.0.1:{port}", timeout=60) as asking:
            until(lambda: asking.get("/api/v2/version").is_success, 300)
            token = asking.post("/auth/token", json={"username": admin.user, "password": password}).json()
            asking.headers["authorization"] = f"Bearer {token['access_token']}"
            yield asking
    finally:
        airflow.terminate()
        airflow.wait(60)


def started(asking: httpx.Client, dag: str, run: str) -> str:
    """Let Airflow run this DAG, once it has read it, and start a run by hand; return the run's address."""
    until(lambda: asking.get(f"/api/v2/dags/{dag}").is_success, 120)
    asking.patch(f"/api/v2/dags/{dag}", json={"is_paused": False}).raise_for_status()
    asking.post(f"/api/v2/dags/{dag}/dagRuns", json={"dag_run_id": run, "logical_date": None}).raise_for_status()
    return f"/api/v2/dags/{dag}/dagRuns/{run}"


def until(done: Callable[[], Any], seconds: float) -> None:
    """Wait until ``done`` returns something true."""
    end = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < end
        time.sleep(0.5)
