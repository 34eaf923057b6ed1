"""The dashboard and the alert rules fit what is sent, and Prometheus takes them."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
import airflow

from dataflyt.operations.metrics import METRICS

ROOT = Path(__file__).parents[2]
OBSERVE = ROOT / "deploy" / "observe"
DASHBOARD = json.loads((OBSERVE / "grafana" / "dataflyt.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((OBSERVE / "alerts.yaml").read_text(encoding="utf-8"))
STATSD = yaml.safe_load((OBSERVE / "statsd.yaml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]
SUFFIXES = {"counter": ("",), "gauge": ("",), "seconds": ("_bucket", "_sum", "_count")}
OF_AIRFLOW = {
    "airflow_scheduler_heartbeat": (),
    "airflow_ti_failures": ("dag_id", "task_id"),
    "airflow_executor_queued_tasks": (),
    "airflow_executor_running_tasks": (),
    "airflow_task_instances_without_heartbeats_killed": ("dag_id", "task_id"),
    "airflow_dagrun_duration_success_count": ("dag_id", "run_type"),
}
"""Airflow's own that are looked at, with their tags."""

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None, reason="Prometheus is not installed"
)


def expressions() -> dict[str, str]:
    """Return each query of the dashboard by its panel, and each alert's by its name."""
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    return found | {rule["alert"]: rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}


def series() -> dict[str, tuple[str, ...]]:
    """Return every series that Prometheus gets, with its labels."""
    ours = {
        f"airflow_{name.replace('.', '_')}{suffix}": told.tags
        for name, told in METRICS.items()
        for suffix in SUFFIXES[told.kind]
    }
    return ours | OF_AIRFLOW


def test_the_dashboard_and_the_rules_ask_for_what_is_sent_and_show_all_of_it() -> None:
    asked = {name: set(re.findall(r"\bairflow_\w+", expression)) for name, expression in expressions().items()}
    assert all(asked.values())
    named = set().union(*asked.values())
    assert named <= series().keys()
    shown = {name for name in METRICS if any(one.startswith(f"airflow_{name.replace('.', '_')}") for one in named)}
    assert shown == METRICS.keys()
    for name, expression in expressions().items():
        for metric, matchers in re.findall(r"\b(airflow_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)=", matchers))
            assert labels <= {*series()[metric]}, name


def test_airflow_sends_what_is_expected_of_it() -> None:
    template = Path(airflow.__file__).parent / "_shared/observability/metrics/metrics_template.yaml"
    known = {one["name"].replace(".", "_") for one in yaml.safe_load(template.read_text(encoding="utf-8"))["metrics"]}
    for name in OF_AIRFLOW:
        assert name.removeprefix("airflow_").removesuffix("_count") in known, name


def test_series_that_are_sent_every_hour_are_forgotten_when_they_are_not() -> None:
    (hourly,) = STATSD["mappings"]
    told = {name: re.match(hourly["match"], f"airflow.{name}") for name in METRICS}
    gauges = {name for name, known in METRICS.items() if known.kind == "gauge"}
    # The work list's are sent at a release, which may be a month away.
    assert {name for name, found in told.items() if found} == gauges - {"dataflyt.work_items"}
    for name, found in told.items():
        if found:
            assert hourly["name"].replace("${1}", found[1]) == f"airflow_{name.replace('.', '_')}"


def test_the_files_fit_each_other_and_the_compose_file() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 15
    (source,) = yaml.safe_load((OBSERVE / "grafana/datasource.yaml").read_text(encoding="utf-8"))["datasources"]
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["description"], panel["title"]
        assert {one["datasource"]["uid"] for one in (panel, *panel["targets"])} == {source["uid"]}
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken)), "panels lie over each other"
    assert source["url"] == "http://prometheus:9090"
    prometheus = yaml.safe_load((OBSERVE / "prometheus.yaml").read_text(encoding="utf-8"))
    assert prometheus["scrape_configs"][0]["static_configs"] == [{"targets": ["statsd:9102"]}]
    (provider,) = yaml.safe_load((OBSERVE / "grafana/dashboards.yaml").read_text(encoding="utf-8"))["providers"]
    mounts = " ".join(str(volume) for volume in COMPOSE["grafana"]["volumes"])
    assert f"{provider['options']['path']}/dataflyt.json" in mounts
    for service in ("airflow-scheduler", "airflow-apiserver", "worker-1", "airflow-triggerer"):
        environment = COMPOSE[service]["environment"]
        assert environment["AIRFLOW__METRICS__STATSD_HOST"] == "${STATSD_HOST:-statsd}"
        assert environment["AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED"] == "true", "tags would be lost"
    assert {name for name, one in COMPOSE.items() if one.get("profiles") == ["observe"]} == {
        "statsd",
        "prometheus",
        "grafana",
    }


@needs_prometheus
def test_prometheus_takes_the_rules_and_each_rule_tells_of_its_fault() -> None:
    for words in (
        ("check", "config", OBSERVE / "prometheus.yaml"),
        ("test", "rules", ROOT / "tests" / "project" / "alerts.test.yaml"),
    ):
        done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    tried = (ROOT / "tests" / "project" / "alerts.test.yaml").read_text(encoding="utf-8")
    assert not {rule["alert"] for group in ALERTS["groups"] for rule in group["rules"] if rule["alert"] not in tried}


VALUES = {
    "source": ("freg", "sas"),
    "step": ("extract_freg", "extract_sas", "check", "merge"),
    "dag_id": ("freg_events", "kommune_haugesund"),
    "kind": ("stopped", "waiting"),
    "fate": ("received", "quarantined", "held_over"),
    "le": ("1", "+Inf"),
}


class _Series(BaseHTTPRequestHandler):
    """Gives every series in Prometheus' text form. Each time a counter has grown by a minute's worth."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        lines = []
        for name, tags in series().items():
            labels: list[dict[str, str]] = [{}]
            for tag in tags:
                labels = [{**one, tag: value} for one in labels for value in VALUES.get(tag, ("haugesund",))]
            value = 200_000 if name.endswith(("waiting", "late", "age")) else 60 * self.asked
            for one in labels:
                told = ",".join(f'{label}="{text}"' for label, text in one.items())
                lines.append(f"{name}{{{told}}} {value}")
        body = "\n".join(lines).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Be silent."""


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """A real Prometheus that has read every series a few times; its address."""
    served = HTTPServer(("127.0.0.1", 0), _Series)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    config = yaml.safe_load((OBSERVE / "prometheus.yaml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(OBSERVE / "alerts.yaml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{served.server_address[1]}"]}]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = ["--config.file", tmp_path / "prometheus.yaml", "--storage.tsdb.path", tmp_path / "data"]
    with subprocess.Popen(
        ["prometheus", *words, f"--web.listen-address={address}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        deadline = time.monotonic() + 60
        while _Series.asked < 6 and time.monotonic() < deadline:
            time.sleep(0.2)
        yield f"http://{address}"
        running.terminate()
    served.shutdown()


@pytest.mark.long
@needs_prometheus
def test_every_panel_shows_something_when_everything_is_sent(prometheus: str) -> None:
    empty = {}
    with httpx.Client(base_url=prometheus, trust_env=False) as client:
        for panel in DASHBOARD["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$kommune", ".*")
                found = client.get("/api/v1/query", params={"query": query}).json()
                assert found["status"] == "success", (panel["title"], found)
                if not found["data"]["result"]:
                    empty[panel["title"]] = query
        rules = client.get("/api/v1/rules").json()["data"]["groups"]
    assert not empty
    assert [rule["health"] for group in rules for rule in group["rules"]].count("ok") == 10
