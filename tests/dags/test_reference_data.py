"""The DAG that reads schools and codes, as Airflow reads it: in a process of its own, as Airflow is slow to import."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dataflyt.errors import SourceUnavailable
from dataflyt.on_airflow import notices
from dataflyt.reference import refresh
from tests.dags.test_kommune import HEAVY, READ, REPOSITORY


def test_the_dag_has_a_task_for_each_register_and_costs_nothing_to_read(tmp_path: Path) -> None:
    heavy = ",".join((*HEAVY, "dataflyt.reference.refresh", "dataflyt.registers.http"))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(REPOSITORY / "dags" / "reference_data.py"), heavy],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout.splitlines()[-1])
    assert (read["errors"], read["heavy"]) == ({}, [])
    (dag,) = read["dags"].values()
    assert list(read["dags"]) == ["reference_data"]
    assert (dag["name"], dag["catchup"], dag["runs"]) == (notices.REFERENCE, False, 1)
    assert dag["schedule"]["expression"] == "40 20 * * 5"
    assert dag["params"]["accept_smaller"]["value"] is False
    assert dag["params"]["accept_smaller"]["schema"]["title"] in dag["doc"]
    assert set(dag["tasks"]) == set(refresh.SOURCES)
    for name, task in dag["tasks"].items():
        assert (task["name"], task["after"], task["retries"]) == (notices.REFERENCE_STEPS[name], [], 3)
        assert task["hours"] == 1
    for source in refresh.SOURCES.values():
        assert source.address in dag["doc"]


@pytest.fixture
def on_airflow(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    os.environ.setdefault("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
    from dataflyt.on_airflow import operators, safely

    return SimpleNamespace(Reference=operators.Reference, TryLater=safely.TryLater)


def test_a_task_gives_counts_and_is_tried_again_when_the_register_does_not_answer(
    on_airflow: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def asking(name: str, connect: object, at: object, *, accept_smaller: bool) -> dict[str, object]:
        asked.append((name, accept_smaller))
        if not accept_smaller:
            raise SourceUnavailable("Grep svarte ikke.")
        return {"rows": 3, "first": "MAT0015"}

    monkeypatch.setattr(refresh, "refresh", asking)
    task = on_airflow.Reference(task_id="grep")
    assert task.execute({"params": {"accept_smaller": True}}) == {"rows": 3}
    with pytest.raises(on_airflow.TryLater, match=r"Grep svarte ikke\."):
        task.execute({"params": {}})
    assert asked == [("grep", True), ("grep", False)]
