"""Lineage by HTTP: a real Airflow tells a real server, which answers, says no, or never does."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.on_airflow.openlineage_rules import wrong_in
from tests.on_airflow.running import running_airflow, started, until

KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"
KEY = "hemmeligNoekkel4711"

# Two of a run's steps, which do nothing. What merge tells needs no warehouse, and withdraw tells nothing.
DAGS = """
from pathlib import Path
from airflow.sdk import DAG
from dataflyt.config.loading import folder_of_kommuner, load
from dataflyt.on_airflow.operators import Step

class Alone(Step):
    def run_step(self, context):
        return {}

with DAG(dag_id="kommune_haugesund", schedule=None):
    for step in ("merge", "withdraw"):
        Alone(task_id=step, kommune=load(folder_of_kommuner() / "haugesund.yaml"))
"""


class Backend:
    """A server that takes events as Marquez does; ``status`` 0 is one that never answers."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.status = 200
        self.ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, self.headers["Authorization"]))
                if not outer.status:
                    outer.ended.wait(120)
                if outer.status == 200:
                    outer.given.append(json.loads(body))
                self.send_response(outer.status or 500)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.ended.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.long
def test_a_backend_gets_valid_events_with_the_key_and_holds_no_task_when_it_fails(
    backend: Backend, tmp_path: Path
) -> None:
    kommuner, dags = tmp_path / "kommuner", tmp_path / "dags"
    kommuner.mkdir()
    dags.mkdir()
    shutil.copy(KOMMUNER / "haugesund.yaml", kommuner)
    (dags / "kommune.py").write_text(DAGS, encoding="utf-8")
    place = {"type": "http", "url": backend.url, "auth": {"type": "api_key", "apiKey": KEY}}
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(place),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "dataflyt_test",
    }
    took = {}
    with running_airflow(tmp_path, kommuner, environment) as asking:
        for status, what in ((200, "well"), (500, "says no"), (0, "silent")):
            backend.status = status
            before = len(backend.asked)
            at = started(asking, "kommune_haugesund", what.replace(" ", "-"))
            began = time.monotonic()
            until(lambda at=at: asking.get(at).json()["state"] in ("success", "failed"), 240)
            took[what] = time.monotonic() - began
            assert asking.get(at).json()["state"] == "success", what
            assert len(backend.asked) > before, what
            if status == 200:
                until(lambda: len(backend.given) == 2, 60)
    assert {asked for asked in backend.asked} == {("/api/v1/lineage", f"Bearer {KEY}")}
    assert [one["eventType"] for one in backend.given] == ["START", "COMPLETE"]
    assert {(one["job"]["namespace"], one["job"]["name"]) for one in backend.given} == {
        ("dataflyt_test", "kommune_haugesund.merge")
    }, "nothing is sent of a step that hides people, nor of a whole run"
    for one in backend.given:
        assert wrong_in(one) == []
    outputs = {one["name"]: one for one in backend.given[1]["outputs"]}
    assert outputs["golden.guardian_access"]["facets"]["columnLineage"]["fields"]["child_id"]
    # The page says at most ten seconds at a task's start and ten at its end.
    assert max(took["silent"], took["says no"]) < took["well"] + 30
    written = "".join(path.read_text("utf-8") for path in (tmp_path / "home" / "logs").rglob("*.log"))
    assert "kommune_haugesund" in written
    assert KEY not in written
    assert KEY not in "".join(path.read_text("utf-8") for path in (tmp_path / "logs").glob("*.log"))
