"""The exports as Airflow assets: the DAG of the documentation, started by what a night tells of."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
from dataflyt.config.loading import load
from dataflyt.errors import DataflytError
from dataflyt.on_airflow import operators
from dataflyt.operations import fast_lane, nightly
from tests.on_airflow.running import running_airflow, started, until

ROOT = Path(__file__).parents[2]
KOMMUNER = ROOT / "include" / "kommuner"
Told = list[tuple[str, dict[str, Any]]]


def example() -> str:
    """Return the DAG of the documentation."""
    text = (ROOT / "docs" / "engineer" / "monitoring.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return str(code)


def test_the_dag_of_the_documentation_waits_for_a_published_export() -> None:
    made: dict[str, Any] = {}
    exec(example(), made)
    assert list(made["dag"].task_ids) == ["load"]
    (waited,) = made["dag"].timetable.asset_condition.objects
    told = operators.assets(load(KOMMUNER / "haugesund.yaml"))["feide_ldif"]
    assert (waited.name, waited.uri) == (told.name, told.uri), "to Airflow they are the same asset"


# --- what the common DAGs tell -----------------------------------------------------------------------------------


def publish(storage: Path, kommune: str, run: int, *files: str, content: bytes = b"dn: dc=haugesund\n") -> None:
    """Let a publication of these files stand, as far as its readers see."""
    folder = storage / "exports" / kommune / f"{run:06d}-0123456789ab"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(content)
    manifest = {"run": run, "publication": folder.name, "files": [{"file": file, "sha256": "ab"} for file in files]}
    (folder.parent / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """``of(operator)`` runs a task and returns the assets and extras that it gives Airflow."""
    from airflow.sdk.execution_time.context import OutletEventAccessors

    kommuner = tmp_path / "kommuner"
    kommuner.mkdir()
    for name in ("haugesund", "bergen", "orsta"):
        shutil.copy(KOMMUNER / f"{name}.yaml", kommuner)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(kommuner))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(tmp_path / "storage"))
    kept: dict[str, Any] = {}
    ti = SimpleNamespace(
        xcom_push=lambda key, value: kept.update({key: value}), xcom_pull=lambda task_ids, key: kept.get(key)
    )

    def of(operator: Any) -> Told:
        context = {"outlet_events": OutletEventAccessors(), "ti": ti}
        counts = operator.execute(context)
        (alias,) = operator.outlets
        events = context["outlet_events"][alias].asset_alias_events
        assert counts == {"assets": len(events)}
        return [(event.dest_asset_key.uri, event.extra) for event in events]

    return SimpleNamespace(of=of, storage=tmp_path / "storage", kommuner=kommuner, ti=ti)


def test_every_night_tells_of_every_export_that_stands_alike(told: SimpleNamespace) -> None:
    tell = operators.TellPublished(task_id="tell_published")
    assert told.of(tell) == []
    publish(told.storage, "haugesund", 7, "feide.ldif", "pifu.xml")
    publish(told.storage, "bergen", 3, "feide.ldif")  # the kommune file has pifu too: it waits for a run
    first = told.of(tell)
    assert sorted(uri for uri, _ in first) == [
        "dataflyt://bergen/feide_ldif",
        "dataflyt://haugesund/feide_ldif",
        "dataflyt://haugesund/pifu",
    ]
    assert dict(first)["dataflyt://haugesund/pifu"] == {"run": 7}
    # Somebody has been hidden: another publication of the same run. Nothing that is told is another.
    shutil.rmtree(told.storage / "exports" / "haugesund")
    publish(told.storage, "haugesund", 7, "feide.ldif", "pifu.xml", content=b"")
    assert told.of(tell) == first


def test_a_manifest_that_cannot_be_read_keeps_no_other_kommune_from_being_told_of(
    told: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    publish(told.storage, "haugesund", 7, "feide.ldif")
    publish(told.storage, "bergen", 3, "feide.ldif")
    (told.storage / "exports" / "bergen" / "manifest.json").write_text("Kari Nordmann", encoding="utf-8")
    assert [uri for uri, _ in told.of(operators.TellPublished(task_id="tell"))] == ["dataflyt://haugesund/feide_ldif"]
    assert "bergen: uventet feil" in caplog.text
    assert "Kari" not in caplog.text


@pytest.mark.parametrize("read", [True, False])
def test_every_hour_tells_of_every_kommune_alike_when_the_list_was_read(
    told: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, read: bool
) -> None:
    def run(kommuner: Any, environment: Any) -> nightly.Outcome:
        return nightly.Outcome({"events": 4}, [DataflytError("bergen: FREG sier nei.")], read)

    monkeypatch.setattr(fast_lane, "run", run)
    with pytest.raises(operators.AirflowFailException):
        operators.FastLane(task_id="fast_lane").execute({"ti": told.ti})
    found = told.of(operators.TellEvents(task_id="tell_events"))
    kommuner = ["bergen", "haugesund", "orsta"] if read else []
    assert sorted(found) == [(f"dataflyt://{kommune}/freg", {}) for kommune in kommuner]


@pytest.mark.long
def test_a_night_that_fails_for_a_kommune_starts_the_dag_that_waits_for_an_export(tmp_path: Path) -> None:
    kommuner, dags, storage = (tmp_path / name for name in ("kommuner", "dags", "storage"))
    kommuner.mkdir()
    shutil.copytree(ROOT / "dags", dags)
    (dags / "waits.py").write_text(example(), encoding="utf-8")
    for name, run in (("haugesund", 7), ("bergen", 3)):
        shutil.copy(KOMMUNER / f"{name}.yaml", kommuner)
        publish(storage, name, run, "feide.ldif")
    (storage / "exports" / "bergen" / "manifest.json").write_text("not a manifest", encoding="utf-8")
    environment = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), "DATAFLYT_STORAGE": str(storage)}
    with running_airflow(tmp_path, kommuner, environment) as asking:
        until(lambda: asking.get("/api/v2/dags/load_directory").is_success, 120)
        asking.patch("/api/v2/dags/load_directory", json={"is_paused": False}).raise_for_status()
        night = started(asking, "nightly", "by-hand")
        until(lambda: asking.get(night).json()["state"] in ("failed", "success"), 240)
        tasks = {one["task_id"]: one["state"] for one in asking.get(f"{night}/taskInstances").json()["task_instances"]}
        # No kommune could be brought in line here, so the run is red; what stands is told of all the same.
        assert (tasks["bring_in_line"], tasks["tell_published"]) == ("failed", "success")
        assert asking.get(night).json()["state"] == "failed"
        runs = "/api/v2/dags/load_directory/dagRuns"
        until(lambda: asking.get(runs).json()["total_entries"], 120)
        waited, *_ = asking.get(runs).json()["dag_runs"]  # one more when the night's own run came before it
        at = f"{runs}/{quote(waited['dag_run_id'], safe='')}"
        until(lambda: asking.get(at).json()["state"] in ("failed", "success"), 180)
        log = asking.get(f"{at}/taskInstances/load/logs/1", params={"full_content": True}).text
        assert asking.get(at).json()["state"] == "success", log
        assert "7 ab 17" in log
        events = asking.get("/api/v2/assets/events").json()["asset_events"]
        by_night = [(one["uri"], one["extra"]) for one in events if one["source_run_id"] == "by-hand"]
        assert by_night == [("dataflyt://haugesund/feide_ldif", {"run": 7})]
