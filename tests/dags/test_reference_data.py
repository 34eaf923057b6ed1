"""The DAG that reads schools and codes, as Airflow reads it."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from dataflyt.errors import SourceUnavailable
from dataflyt.on_airflow import notices
from dataflyt.reference import refresh
from tests.dags.test_kommune import HEAVY, READ


def test_the_dag_has_a_task_for_each_register_and_costs_nothing_to_read(read_dag: Callable[..., Any]) -> None:
    read = read_dag(READ, "reference_data", (*HEAVY, "dataflyt.reference.refresh", "dataflyt.registers.http"))
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
