"""Airflow's parts live and end together. Processes of a few lines stand in for Airflow's."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PARTS = """
import json, os, sys, time
from pathlib import Path
from supervisor import airflow_parts

def become(name, log):
    log.write_text(f"{name} began with {os.environ['GIVEN_LATER']}\\n")
    if name == "scheduler":
        log.write_text("one\\nno database\\n")
        raise SystemExit(3)
    time.sleep(300)

airflow_parts.import_airflow = lambda: None
airflow_parts.prepare = lambda wanted, passwords: sys.exit(wanted.get("broken", 0))
airflow_parts.become = become
sys.exit(airflow_parts.main(*sys.argv[1:]))
"""


def started(folder: Path, parts: str, **more: int) -> "subprocess.Popen[str]":
    """Start the parent of these parts."""
    (folder / "passwords").write_text("{}")
    given = f'{{"parts": {parts}, "logs": "{folder}", "broken": {more.get("broken", 0)}}}'
    return subprocess.Popen(
        [sys.executable, "-c", PARTS, str(folder / "passwords"), given],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(autouse=True)
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIVEN_LATER", raising=False)


def test_a_part_that_ends_ends_the_others_and_its_last_words_are_shown(tmp_path: Path) -> None:
    parent = started(tmp_path, '["api-server", "scheduler"]')
    out, _ = parent.communicate('{"GIVEN_LATER": "a connection"}\n', timeout=60)
    assert parent.returncode == 1
    assert out.splitlines()[-3:] == ["scheduler:", "one", "no database"]


def test_sigterm_ends_every_part(tmp_path: Path) -> None:
    parent = started(tmp_path, '["api-server", "dag-processor"]')
    assert parent.stdin is not None
    parent.stdin.write('{"GIVEN_LATER": "a connection"}\n')
    parent.stdin.flush()
    until = time.monotonic() + 60
    logs = [tmp_path / "api-server.log", tmp_path / "dag-processor.log"]
    while not all(log.exists() and log.read_text().endswith("\n") for log in logs):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert [log.read_text().split(" began with ")[1] for log in logs] == ["a connection\n"] * 2
    parts = psutil.Process(parent.pid).children()
    assert len(parts) == 2
    parent.send_signal(signal.SIGTERM)
    parent.communicate(timeout=60)
    assert parent.returncode == 0
    assert not psutil.wait_procs(parts, timeout=5)[1]


def test_nothing_starts_when_the_database_cannot_be_prepared_or_the_supervisor_is_gone(tmp_path: Path) -> None:
    for said, broken in (('{"GIVEN_LATER": "x"}\n', 1), ("", 0)):
        parent = started(tmp_path, '["api-server"]', broken=broken)
        parent.communicate(said, timeout=60)
        assert parent.returncode == 1
        assert not (tmp_path / "api-server.log").exists()
