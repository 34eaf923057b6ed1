"""The DAG that tells the engineers each morning, as Airflow reads it."""

from collections.abc import Callable
from typing import Any

from dataflyt.on_airflow import notices
from tests.dags.test_kommune import HEAVY, READ


def test_the_dag_tells_once_every_morning_and_costs_nothing_to_read(read_dag: Callable[..., Any]) -> None:
    read = read_dag(READ, "morning", (*HEAVY, "dataflyt.operations.overview"))
    assert (read["errors"], read["heavy"]) == ({}, [])
    (dag,) = read["dags"].values()
    assert list(read["dags"]) == ["morning"]
    assert (dag["name"], dag["catchup"], dag["runs"]) == (notices.MORNING, False, 1)
    assert dag["schedule"]["expression"] == "0 7 * * *"
    (task,) = dag["tasks"].values()
    assert (task["name"], task["after"], task["retries"]) == (notices.TELL_ENGINEERS, [], 6)
    for title in ("Har ikke kjørt", "Venter på svar", "Leste en gammel fil"):
        assert title in dag["doc"]
