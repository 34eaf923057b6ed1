"""A secrets backend: the tasks of a running Airflow find a kommune's connection there, and nowhere else."""

import json
import shutil
from pathlib import Path

import pytest

from tests.on_airflow.running import running_airflow, started, until

KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"
PASSWORD = "hemmeligPassord4711"
DAG = """
from airflow.sdk import DAG
from dataflyt.config.loading import folder_of_kommuner, load
from dataflyt.on_airflow.environment import connection
from dataflyt.on_airflow.operators import Step

class Looks(Step):
    def run_step(self, context):
        return {"found": int("@db.example.no:5432/dataflyt" in connection(self.kommune.warehouse).url)}

with DAG(dag_id="kommune_haugesund", schedule=None):
    Looks(task_id="merge", kommune=load(folder_of_kommuner() / "haugesund.yaml"))
"""


@pytest.mark.long
def test_a_task_finds_a_connection_that_only_the_secrets_backend_has(tmp_path: Path) -> None:
    kommuner, dags = tmp_path / "kommuner", tmp_path / "dags"
    kommuner.mkdir()
    dags.mkdir()
    shutil.copy(KOMMUNER / "haugesund.yaml", kommuner)
    (dags / "kommune.py").write_text(DAG, encoding="utf-8")
    url = f"postgresql://kommune_haugesund:{PASSWORD}@db.example.no:5432/dataflyt"
    held = tmp_path / "connections.json"
    held.write_text(json.dumps({"warehouse_haugesund": {"conn_type": "dataflyt_warehouse", "host": url}}), "utf-8")
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(held)}),
    }
    with running_airflow(tmp_path, kommuner, environment) as asking:
        at = started(asking, "kommune_haugesund", "by-hand")
        until(lambda: asking.get(at).json()["state"] in ("success", "failed"), 180)
        log = asking.get(f"{at}/taskInstances/merge/logs/1", params={"full_content": True}).text
        assert asking.get(at).json()["state"] == "success", log
        kept = asking.get(f"{at}/taskInstances/merge/xcomEntries/return_value", params={"deserialize": True}).json()
        assert kept["value"] == {"found": 1}
        assert asking.get("/api/v2/connections").json()["total_entries"] == 0
    assert PASSWORD not in log
