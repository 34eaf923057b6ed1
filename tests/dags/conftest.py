"""Reads DAG files as Airflow does. One process imports Airflow, which takes seconds; each reading is a fork of it."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forking import Forking

DAGS = Path(__file__).parents[2] / "dags"
IMPORTED = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.operators.hitl",
    "airflow.sdk",
    "airflow.serialization.serialized_objects",
    "dataflyt.on_airflow.operators",
)
"""What every DAG file imports, and what the programs do. A heavy module among it would be found by every test."""


@pytest.fixture(scope="session")
def read_dag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """``read_dag(program, "kommune", heavy, NAME="value")`` returns the JSON that the program prints last.

    The program's first argument is the path of ``dags/kommune.py``, its second the names in ``heavy``, with commas.
    """
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__DAG_VERSION_INFLATION_CHECK_LEVEL": "error",
    }
    with Forking(IMPORTED, environment) as airflow:

        def read_dag(program: str, name: str, heavy: tuple[str, ...] = (), **more: str) -> Any:
            path = str(DAGS / f"{name}.py")
            done = airflow.run(program, path, ",".join(heavy), environment=environment | more)
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout.splitlines()[-1])

        yield read_dag
