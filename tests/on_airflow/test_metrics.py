"""What the engineers' dashboards get: a run's counts and the hour's ages, by StatsD and OpenTelemetry."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from dataflyt.config.kommune import Kommune, Schedule
from dataflyt.config.loading import load
from dataflyt.on_airflow import operators, telling
from dataflyt.operations import metrics
from dataflyt.operations.overview import Line, LineRun
from dataflyt.run import report
from dataflyt.run.steps import TITLES
from dataflyt.why.correcting import CORRECTORS
from tests.installation.fixtures import TO_PLAN, Installation, approve_and_release
from tests.on_airflow.test_operators import Instance, context
from tests.warehouse.test_rules import _leave, _person, _plain_pupils

KOMMUNER = Path(__file__).parents[2] / "include/kommuner"
NOW = datetime(2026, 11, 30, 7, tzinfo=UTC)
AGE = re.compile(r"_(age|late),")
Lines = dict[str, str]
"""What came over the wire: each metric with its tags, and its last value with StatsD's type."""


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Lines]]:
    """Turn StatsD on as docker-compose.yaml does; give what has come to the receiver since the last time."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    receiver.bind(("127.0.0.1", 0))
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(receiver.getsockname()[1]))
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)

    def received() -> Lines:
        found: Lines = {}
        receiver.settimeout(0.2)
        try:
            while True:
                name, _, value = receiver.recv(4096).decode().rpartition(":")
                found[name] = value
        except TimeoutError:
            return found

    yield received
    receiver.close()
    stats.initialize(factory=lambda: stats_utils.NoStatsLogger(), export_legacy_names=False)


@pytest.fixture
def here(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose run the operators take part in."""
    url = make_url(installation.warehouse_url).set(username="dataflyt_web").render_as_string(hide_password=False)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_WEB", json.dumps({"conn_type": "generic", "host": url}))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(KOMMUNER))
    return installation


def closed(here: Installation, monkeypatch: pytest.MonkeyPatch, *steps: str, release: bool = True) -> None:
    """Do a run, ``steps`` and close_run as tasks."""
    job = here.open()
    monkeypatch.setattr(operators, "job_of", lambda kommune, context: job)
    for step in TO_PLAN:
        if step in steps:
            operators.Step(task_id=step, kommune=here.kommune).execute(context(Instance(task_id=step)))
        else:
            here.steps(job, step)
    if release:
        approve_and_release(job)
        here.steps(job, "publish")
    close_run = operators.CloseRun(task_id="close_run", kommune=here.kommune)
    states = {} if release else {"check": "failed"}
    try:
        close_run.execute(context(Instance(states, task_id="close_run")))
    except operators.AirflowFailException:
        assert not release


def described(found: Lines) -> None:
    """Assert that every metric of ours is in the table, with its tags and its type."""
    types = {"counter": "c", "gauge": "g", "seconds": "ms"}
    ours = {line: value for line, value in found.items() if line.startswith("airflow.dataflyt.")}
    for line, value in ours.items():
        name, *tags = line.removeprefix("airflow.").split(",")
        told = metrics.METRICS[name]
        assert tuple(tag.split("=")[0] for tag in tags) == told.tags, line
        assert value.endswith(f"|{types[told.kind]}"), line


@pytest.mark.after_first_run
def test_a_run_tells_its_outcome_rows_changes_work_list_and_how_long_its_steps_took(
    here: Installation, statsd: Callable[[], Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave(here, _plain_pupils(here)[0])
    here.registers.write()
    closed(here, monkeypatch, "extract_sas", "withdraw", "merge")
    found = statsd()
    described(found)
    written = json.loads((here.storage / "reports/haugesund/run-000002.json").read_bytes())
    assert found["airflow.dataflyt.runs,kommune=haugesund,outcome=released"] == "1|c"
    sources = report.figures(written, {})["sources"]
    assert sources["freg"]["received"] > 100
    for source, rows in sources.items():
        for fate in ("received", "quarantined", "held_over"):
            line = f"airflow.dataflyt.rows,kommune=haugesund,source={source},fate={fate}"
            assert found[line] == f"{rows[fate]}|c"
    changed = {
        line.rpartition("=")[2]: int(value.removesuffix("|c"))
        for line, value in found.items()
        if line.startswith("airflow.dataflyt.changes,kommune=haugesund,kind=")
    }
    assert changed == written["changed"]
    assert changed["pupil_leaves"] == 1
    assert {line.rpartition("=")[2] for line in found if "dataflyt.step" in line} == {"extract_sas", "merge"}, (
        "withdraw and close_run take longer when they hide somebody"
    )
    for step in ("extract_sas", "merge"):
        took = found[f"airflow.dataflyt.step,kommune=haugesund,step={step}"]
        assert 0 < float(took.removesuffix("|ms")) < 60_000
    listed = {line.rpartition("=")[2]: value for line, value in found.items() if "work_items" in line}
    assert listed.keys() == CORRECTORS.keys()
    assert any(value != "0|g" for value in listed.values())


@pytest.mark.after_first_run
def test_a_run_that_stopped_tells_that_and_none_of_its_changes(
    here: Installation, statsd: Callable[[], Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    _leave(here, _plain_pupils(here)[0])
    here.registers.write()
    closed(here, monkeypatch, release=False)
    found = statsd()
    assert found["airflow.dataflyt.runs,kommune=haugesund,outcome=failed"] == "1|c"
    assert not [line for line in found if "changes" in line or "work_items" in line]


@pytest.mark.after_first_run
def test_a_run_that_hides_somebody_sends_what_one_that_hides_nobody_sends(
    here: Installation, statsd: Callable[[], Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    for hides in (False, True):
        if hides:
            child = _person(_plain_pupils(here)[0])
            child.protection, child.home = "strengtFortrolig", None
        closed(here, monkeypatch)
        found = statsd()
        described(found)
        told.append({line: value for line, value in found.items() if not value.endswith("|ms")})
        operators.TellMetrics(task_id="tell_metrics").execute(context(Instance()))
        told[-1] |= {line: value for line, value in statsd().items() if not AGE.search(line)}
    before, after = told
    # The child and its guardians leave the work list as people do who leave the school: all else is the same.
    assert {line for line in after if after[line] != before.get(line)} <= {
        line for line in before if "work_items" in line
    }
    assert before.keys() == after.keys()
    assert not [line for line in after if "rotect" in line or "veto" in line or "adresse" in line]


@pytest.mark.after_first_run
def test_every_hour_tells_ages_and_what_waits_and_begins_every_series(
    here: Installation, statsd: Callable[[], Lines]
) -> None:
    tell = operators.TellMetrics(task_id="tell_metrics")
    sent = tell.execute(context(Instance()))["metrics"]
    found = statsd()
    described(found)
    assert sent == len(found)
    assert found["airflow.dataflyt.waiting,kommune=haugesund"] == "0.0|g"
    assert float(found["airflow.dataflyt.publication_age,kommune=haugesund"].removesuffix("|g")) > 3600
    assert {line.rpartition("=")[2] for line in found if "file_age" in line} == {"hr", "sas"}
    assert found["airflow.dataflyt.runs,kommune=bergen,outcome=failed"] == "0|c", "before its first run"
    concerns = {line.rpartition("=")[2] for line in found if "concerns" in line}
    assert concerns == {"file", "overdue", "stopped", "unfinished", "refused", "waiting", "old_file"}


def test_nothing_is_counted_or_sent_where_metrics_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> list[metrics.Metric]:
        raise AssertionError("a warehouse was asked for nothing")

    for switch in telling.SWITCHES:
        monkeypatch.setenv(f"AIRFLOW__METRICS__{switch.upper()}", "False")
    assert telling.send(never) == 0


def test_a_warehouse_or_receiver_that_is_gone_stops_no_task(
    statsd: Callable[[], Lines], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATAFLYT_STORAGE", str(tmp_path))
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(KOMMUNER))
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE_WEB", raising=False)
    assert operators.TellMetrics(task_id="tell_metrics").execute(context(Instance())) == {"metrics": 0}
    assert "warehouse_web" in caplog.text
    assert statsd() == {}

    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", "9")  # nobody listens
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
    with telling.timed("haugesund", "check"):
        pass
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "no-such-host.invalid")
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
    with telling.timed("haugesund", "check"):
        pass


def test_a_step_that_stops_is_timed_too(statsd: Callable[[], Lines]) -> None:
    def stop() -> None:
        with telling.timed("haugesund", "check"):
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        stop()
    assert list(statsd()) == ["airflow.dataflyt.step,kommune=haugesund,step=check"]


class _Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP, as an OpenTelemetry collector does."""

    taken: Counter[str]

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        told = ExportMetricsServiceRequest.FromString(body)
        for resource in told.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    for point in points:
                        tags = ",".join(f"{tag.key}={tag.value.string_value}" for tag in point.attributes)
                        self.taken[f"{metric.name},{tags}"] += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent."""


SEND = """
import sys
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from dataflyt.on_airflow import telling
from dataflyt.operations.metrics import Metric

stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
with telling.timed("haugesund", "check"):
    pass
tags = {"kommune": "haugesund"}
telling.send(lambda: [Metric("dataflyt.waiting", 4.0, tags), Metric("dataflyt.runs", 1, {**tags, "outcome": "failed"})])
"""


@pytest.mark.long
def test_the_same_metrics_go_by_opentelemetry_before_the_process_ends(tmp_path: Path) -> None:
    taken: Counter[str] = Counter()
    server = HTTPServer(("127.0.0.1", 0), type("Collector", (_Collector,), {"taken": taken}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    try:
        subprocess.run([sys.executable, "-c", SEND], env=os.environ | environment, check=True, timeout=60)
    finally:
        server.shutdown()
    assert {name for name in taken if name.startswith("airflow.dataflyt.")} == {
        "airflow.dataflyt.step,kommune=haugesund,step=check",
        "airflow.dataflyt.waiting,kommune=haugesund",
        "airflow.dataflyt.runs,kommune=haugesund,outcome=failed",
    }


# --- ages ---


def line(outcome: str = "released", at: datetime = NOW, released: datetime | None = None, **figures: Any) -> Any:
    last = LineRun(4, "run-4", at, outcome, figures)
    before = LineRun(3, "run-3", released, "released", {}) if released else last if outcome == "released" else None
    return {"haugesund": Line((last,), before)}


def gauges(kommune: Kommune, lines: Any, now: datetime = NOW) -> dict[str, float]:
    told = metrics.of_lines([kommune], [], lines, now)
    return {f"{name}{'/' + tags['source'] if 'source' in tags else ''}": value for name, value, tags in told}


@pytest.fixture
def kommune() -> Kommune:
    """Return Haugesund, which runs every Sunday at 3."""
    every = Schedule(every="week", day="sunday", at="03:00", done_by="06:00")
    return load(KOMMUNER / "haugesund.yaml").model_copy(update={"schedule": every, "trial": False})


def test_a_publication_is_late_from_the_first_run_that_was_due_and_is_not_published(kommune: Kommune) -> None:
    sunday = datetime(2026, 11, 29, 2, tzinfo=UTC)
    told = gauges(kommune, line(at=sunday), sunday + timedelta(days=6))
    assert told["dataflyt.publication_late"] == 0
    assert told["dataflyt.publication_age"] == timedelta(days=6).total_seconds()
    weeks = gauges(kommune, line("rejected", sunday, sunday - timedelta(weeks=3)), sunday + timedelta(days=1))
    assert weeks["dataflyt.publication_late"] == timedelta(weeks=2, days=1).total_seconds()
    kept = gauges(kommune, line("not_published", sunday, None), sunday + timedelta(days=1))
    assert kept["dataflyt.publication_late"] == 0, "a first run, and no run has been due since"
    never = {"haugesund": Line((LineRun(1, "a", sunday, "not_published", {}),) * 2, line()["haugesund"].last)}
    assert gauges(kommune, never, sunday)["dataflyt.publication_late"] == 0
    trial = kommune.model_copy(update={"trial": True})
    assert "dataflyt.publication_late" not in gauges(trial, line("planned", sunday))


def test_a_run_begun_by_a_clock_a_little_slow_is_not_late(kommune: Kommune) -> None:
    sunday = datetime(2026, 11, 29, 2, tzinfo=UTC)
    begun = sunday - timedelta(seconds=20)
    assert gauges(kommune, line(at=begun), sunday + timedelta(hours=9))["dataflyt.publication_late"] == 0


def test_a_waiting_run_tells_how_long_and_an_old_file_how_old(kommune: Kommune) -> None:
    at = NOW - timedelta(days=2)
    files = {"sas": "2026-11-08T21:00:00+01:00"}
    told = gauges(kommune, line("waiting", at, delivered=files))
    assert told["dataflyt.waiting"] == timedelta(days=2).total_seconds()
    assert told["dataflyt.file_age/sas"] == (NOW - datetime(2026, 11, 8, 20, tzinfo=UTC)).total_seconds()
    assert "dataflyt.file_age/hr" not in told
    assert gauges(kommune, line("released", at))["dataflyt.waiting"] == 0


def test_what_may_be_told_is_all_that_is_told() -> None:
    built = {
        "owner": "haugesund",
        "outcome": "released",
        "tables": [],
        "totals": {},
        "files": [],
        "published": [],
        "failed": [],
        "envelopes": {},
        "changed": {"pupil_starts": 2, "protection_raised": 1, "identity_protection": 1, "unknown": 3},
    }
    told = [tags["kind"] for name, _, tags in metrics.of_run(built) if name == "dataflyt.changes"]
    assert told == ["pupil_starts"]
    assert not [name for name in metrics.METRICS if "veto" in name or "protect" in name]
    assert {"step"} == {tag for tag in metrics.METRICS["dataflyt.step"].tags if tag != "kommune"}
    assert "close_run" in TITLES
