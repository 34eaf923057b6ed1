"""``make demo`` as a newcomer runs it, then ``make up`` in the same folder. Every trace is searched for people."""

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import psutil
import pytest

from dataflyt.exports import feide_ldif_check
from dataflyt.run import report
from dataflyt.warehouse.tables import GOLDEN
from simulator.manifest import people
from simulator.world import build
from supervisor.airflow_api import AirflowApi, http
from supervisor.home import free_port
from supervisor.processes import MARK
from tests.traces import search, texts_below

pytestmark = pytest.mark.long

LINEAGE = "lineage.jsonl"
"""The file in ``.local`` to which the demo's Airflow sends its lineage; ``make up`` sends none."""


def listens(process: psutil.Process) -> list[Any]:
    """Return the addresses on which a process listens."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [one for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    return []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demo in a folder of its own; return the folder and the output."""
    local = tmp_path_factory.mktemp("demo") / "local"
    run = subprocess.run(
        [sys.executable, "-m", "supervisor", "--kommune", "haugesund", "demo"],
        env={
            **os.environ,
            "DATAFLYT_LOCAL": str(local),
            "COLUMNS": "160",
            "OPENLINEAGE_TRANSPORT": orjson.dumps(
                {"type": "file", "log_file_path": str(local / LINEAGE), "append": True}
            ).decode(),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return local, run.stdout


def test_the_demo_ends_with_a_directory_and_a_summary(demo: tuple[Path, str]) -> None:
    local, printed = demo
    for word in ("Mottatt", "karantene", "Flettet", "Endret", "Publisert", "Filene ligger i"):
        assert word in printed
    assert "Anita Ingebretsen (anita), svarer ja" in printed
    assert re.search(r"sas_timetable +606 +2 ", printed)
    exports = local / "storage" / "exports" / "haugesund"
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    published = exports / manifest["publication"] / "feide.ldif"
    assert [finding for finding in feide_ldif_check.check(published) if finding.blocks] == []
    assert not (local / "postgres" / "postmaster.pid").exists()


def test_the_demo_leaves_no_trace_of_those_who_must_not_be_found(demo: tuple[Path, str]) -> None:
    local, printed = demo
    texts = texts_below(local)
    assert any(path.name == "airflow.db" for path in texts)
    assert any("task_id=merge" in str(path) for path in texts)
    assert any(path.suffix == ".xml" for path in texts)
    texts[Path("printed")] = printed.lower()
    started = orjson.loads((local / "secrets.json").read_bytes())["date"]
    assert search(texts, people(build("1106", 1, date.fromisoformat(started)))) > 50


def test_the_demo_sends_the_lineage_of_the_golden_tables_and_of_the_files(demo: tuple[Path, str]) -> None:
    local, _ = demo
    events = [orjson.loads(line) for line in (local / LINEAGE).read_bytes().splitlines()]
    told = {(event["job"]["name"], event["eventType"]) for event in events}
    steps = ("check", "merge", "publish")
    assert told == {(f"kommune_haugesund.{step}", kind) for step in steps for kind in ("START", "COMPLETE")}
    for event in events:
        assert set(event["run"]["facets"]) <= {"nominalTime", "parent", "processing_engine"}
        assert set(event["job"]["facets"]) <= {"jobType", "ownership", "tags"}
        assert {one["namespace"] for one in event["inputs"] + event["outputs"]} <= {"dataflyt://haugesund"}
    check, merge, publish = (
        next(event for event in events if event["job"]["name"].endswith(step) and event["eventType"] == "COMPLETE")
        for step in steps
    )
    (members,) = (one for one in check["inputs"] if one["name"] == "sas_membership")
    assertions = members["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {one["name"] for one in assertions} > {"sas_membership.no_role", "sas_membership.empty"}
    assert all(one["success"] is (one.get("actual", "0") == "0") for one in assertions if "actual" in one)
    made = {one["name"]: one["facets"] for one in merge["outputs"]}
    assert made.keys() == {f"golden.{name}" for name in GOLDEN}
    mail = made["golden.contact"]["columnLineage"]["fields"]["email_hash"]["inputFields"]
    assert [(one["name"], one["field"]) for one in mail] == [("krr_contact", "epostadresse")]
    exports = local / "storage" / "exports" / "haugesund"
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    sums = {file["file"]: file["sha256"] for file in manifest["files"]}
    files = {one["name"]: one["facets"]["version"]["datasetVersion"] for one in publish["outputs"]}
    assert files["feide_ldif"] == sums["feide.ldif"]
    assert {one["name"] for one in publish["inputs"]} == made.keys()


def forged(admin: AirflowApi, dag: str) -> dict[str, str | None]:
    """Make a first run look approved by everything an administrator may write in Airflow; return the outcome."""
    run = None
    while run is None:  # SQLite refuses concurrent writes
        with contextlib.suppress(httpx.HTTPStatusError):
            run = next(iter(admin.active_runs(dag)), None) or admin.trigger(dag, "forged")
    path = f"/dags/{dag}/dagRuns/{quote(run, safe='')}"

    def until(done: Callable[[dict[str, str | None]], bool]) -> dict[str, str | None]:
        for _ in range(360):
            states = {task["task_id"]: task["state"] for task in admin.tasks(dag, run)}
            if done(states):
                return states
            time.sleep(0.5)
        raise AssertionError(f"the run has not come that far: {states}")

    def ended() -> None:
        # The scheduler closes a run a moment after its last task. What is cleared in that moment is never run again.
        for _ in range(360):
            if admin.call("GET", path)["state"] in ("failed", "success"):
                return
            time.sleep(0.5)
        raise AssertionError("the run has not ended")

    until(lambda states: states["approve"] == "awaiting_input")
    digest = "0123456789abcdef"
    for task in ("approve", "merge"):
        for key, value in {"return_value": {"digest": digest, "asks": 0}, "answer": "approved"}.items():
            entries = f"{path}/taskInstances/{task}/xcomEntries"
            with contextlib.suppress(httpx.HTTPStatusError):
                admin.call("POST", entries, json={"key": key, "value": value})
            with contextlib.suppress(httpx.HTTPStatusError):
                admin.call("PATCH", f"{entries}/{key}", json={"value": value})
    admin.call("PATCH", path, json={"note": "godkjent av Oddny"})
    admin.call("PATCH", f"{path}/taskInstances/approve", json={"new_state": "success", "note": "godkjent"})
    until(lambda states: states["close_run"] in ("failed", "success"))
    ended()
    # Once more, with the task that stopped it marked as a success too.
    admin.call("PATCH", f"{path}/taskInstances/release", json={"new_state": "success"})
    again = {"dry_run": False, "dag_run_id": run, "task_ids": ["publish"], "only_failed": False}
    admin.call("POST", f"/dags/{dag}/clearTaskInstances", json=again)
    until(lambda states: states["publish"] in ("failed", "success", "upstream_failed"))
    ended()
    clear = {"dry_run": False, "dag_run_id": run, "task_ids": ["release", "publish", "close_run"], "only_failed": False}
    admin.call("POST", f"/dags/{dag}/clearTaskInstances", json=clear)
    ended = until(lambda states: states["close_run"] in ("failed", "success") and states["release"] is not None)
    return {task: ended[task] for task in ("release", "publish", "close_run")}


def token(url: str, user: str, password: str) -> str:
    """Log in to Airflow and return the token."""
    asked = {"username": user, "password": password}
    given: str = http(url, timeout=60).post("/auth/token", json=asked).json()["access_token"]
    return given


def test_airflow_stays_up_with_every_kommune_until_ctrl_c_and_leaves_nothing(demo: tuple[Path, str]) -> None:
    local, _ = demo
    sent = (local / LINEAGE).read_bytes()
    up = subprocess.Popen(
        [sys.executable, "-m", "supervisor", "up", "--port", str(free_port())],
        env={**os.environ, "DATAFLYT_LOCAL": str(local), "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    said = ""
    for line in up.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    try:
        passwords = dict(re.findall(r"^(\w+) +(\S{20,}) ", said, re.MULTILINE))
        assert set(passwords) == {"admin", "ingenior", "operator", "anita", "birgitte", "oddny"}
        url = re.findall(r"http://127\.0\.0\.1:[0-9]+", said)[0]
        admin, anita = (AirflowApi(url, user, passwords[user]) for user in ("admin", "anita"))
        dags = {dag["dag_id"]: dag["is_paused"] for dag in admin.call("GET", "/dags")["dags"]}
        kommuner = ["kommune_bergen", "kommune_haugesund", "kommune_orsta"]
        seen_by = {
            # The first page loads what pages need, while Airflow starts its runs.
            user: http(url, timeout=60)
            .get("/dataflyt/", headers={"cookie": f"_token={token(url, user, passwords[user])}"})
            .text
            for user in ("anita", "operator", "ingenior")
        }
        assert {
            user: [name for name in ("Bergen", "Haugesund", "Ørsta") if name in page] for user, page in seen_by.items()
        } == {
            "anita": ["Haugesund"],
            "operator": ["Bergen", "Haugesund", "Ørsta"],
            "ingenior": ["Bergen", "Haugesund", "Ørsta"],
        }
        assert "Frigitt" in seen_by["anita"]
        followed = ["freg_events", "nightly", "morning", "reference_data", *kommuner]
        assert {dag: dags.get(dag) for dag in followed} == dict.fromkeys(followed, False)
        assert [dag["dag_id"] for dag in anita.call("GET", "/dags")["dags"]] == ["kommune_haugesund"]
        seen = anita.call("GET", "/dags/kommune_haugesund/dagRuns")["dag_runs"]
        of_the_demo = [run for run in seen if run["run_type"] == "manual"]
        assert [run["note"] for run in of_the_demo] == ["Kjøringen er frigitt.\n\nStartet av make demo"]
        hour = admin.trigger("freg_events", "not waiting for the hour")
        for _ in range(600):
            if admin.run_state("freg_events", hour) in ("success", "failed"):
                break
            time.sleep(0.5)
        events = admin.call("GET", "/assets/events?limit=100")["asset_events"]
        read = {event["uri"] for event in events if event["source_task_id"] == "tell_events"}
        assert read == {f"dataflyt://{kommune.removeprefix('kommune_')}/freg" for kommune in kommuner}
        published = {
            event["uri"]: event["extra"] for event in events if event["source_task_id"] in ("publish", "release")
        }
        assert "dataflyt://haugesund/feide_ldif" in published
        assert all(event["extra"].keys() <= {"run"} for event in events if event["source_task_id"] != "publish")
        assert published.pop("dataflyt://haugesund/warehouse")["run"] >= 1
        for other in [uri for uri in published if uri.endswith("/warehouse")]:
            del published[other]
        for uri, extra in published.items():
            root = local / "storage" / "exports" / uri.split("/")[2]
            if (root / extra["path"]).exists():  # a run that was due since may have published another
                assert hashlib.sha256((root / extra["path"]).read_bytes()).hexdigest() == extra["sha256"]
        for refused in (
            lambda: anita.call("GET", "/assets"),
            lambda: anita.call("GET", "/assets/events"),
            lambda: anita.pause("kommune_haugesund", True),
            lambda: anita.trigger("kommune_haugesund", "not an approver's"),
            lambda: anita.pause("freg_events", True),
        ):
            with pytest.raises(httpx.HTTPStatusError, match="403"):
                refused()
        family = psutil.Process(up.pid).children(recursive=True)
        listening = [one.laddr for process in family for one in listens(process)]
        assert len(listening) >= 2  # Airflow's API, the simulated registers
        assert {address.ip for address in listening} == {"127.0.0.1"}
        assert forged(admin, "kommune_orsta") == {
            "release": "failed",
            "publish": "upstream_failed",
            "close_run": "failed",
        }
        run = {"state": "running"}
        for _ in range(60):  # the scheduler closes a run a moment after its last task
            if run["state"] == "running":
                time.sleep(0.5)
                (run,) = admin.call("GET", "/dags/kommune_orsta/dagRuns")["dag_runs"]
        assert run["state"] == "failed"
        assert run["note"].splitlines() == [report.OUTCOMES["failed"], "", "godkjent av Oddny"]
        log = f"/dags/kommune_orsta/dagRuns/{quote(run['dag_run_id'], safe='')}/taskInstances/release/logs/1"
        lines = admin.call("GET", log, params={"full_content": True}, headers={"Accept": "application/json"})["content"]
        said_last = [line["event"] for line in lines if not line["event"].startswith("::")]
        assert said_last[-1].startswith("Kjøringen er ikke godkjent, og blir ikke frigitt."), said_last[-3:]
        assert not (local / "storage" / "exports" / "orsta").exists()
        reported = max((local / "storage" / "reports" / "orsta").glob("*.json"))
        assert orjson.loads(reported.read_bytes())["outcome"] == "failed"
    finally:
        up.send_signal(signal.SIGINT)
        said += up.stdout.read()
    assert up.wait(60) == 128 + signal.SIGINT
    assert (local / LINEAGE).read_bytes() == sent
    assert not psutil.wait_procs(family, timeout=5)[1]
    assert not (local / "postgres" / "postmaster.pid").exists()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            assert process.environ().get(MARK) != str(local)
