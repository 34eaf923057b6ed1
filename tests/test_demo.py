"""``make demo`` as a newcomer runs it, twice; then every trace it left is searched for people."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import orjson
import pytest

from dataflyt import feide
from simulator.manifest import people
from simulator.world import build

SOURCES = {"drop", "landing", "postgres"}
"""Where people may be: the sources' own files, their landed answers, and the warehouse."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    """Run the demo twice in a folder of its own; the folder and what was printed."""
    local = tmp_path_factory.mktemp("demo") / "local"
    printed = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-m", "supervisor", "--kommune", "haugesund", "demo"],
            env={**os.environ, "DATAFLYT_LOCAL": str(local), "COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
        printed.append(run.stdout)
    return local, printed


def test_the_demo_ends_with_a_directory_and_a_summary(demo: tuple[Path, list[str]]) -> None:
    local, (first, second) = demo
    for word in ("Mottatt", "karantene", "Flettet", "Endret", "Publisert", "Filene ligger i"):
        assert word in first
    assert "Anita Ingebretsen (anita), svarer ja" in first
    assert "Ingenting er endret" in second
    assert re.search(r"sas_timetable +606 +2 ", first)
    exports = local / "storage" / "exports" / "haugesund"
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    published = exports / manifest["publication"] / "feide.ldif"
    assert [finding for finding in feide.check(published) if finding.blocks] == []
    assert not (local / "postgres" / "postmaster.pid").exists()


def test_the_demo_leaves_no_trace_of_those_who_must_not_be_found(demo: tuple[Path, list[str]]) -> None:
    local, printed = demo
    texts = {
        path: path.read_bytes().decode(errors="replace").lower()
        for path in local.rglob("*")
        if path.is_file() and not SOURCES & set(path.relative_to(local).parts)
    }
    assert any(path.name == "airflow.db" for path in texts)
    assert any("task_id=merge" in str(path) for path in texts)
    texts[Path("printed")] = "".join(printed).lower()
    started = orjson.loads((local / "secrets.json").read_bytes())["date"]
    world = list(people(build("1106", 1, date.fromisoformat(started))))
    everybody = {person["number"] for person in world if person["number"]}
    planted = 0
    for person in world:
        level = person["protection"]["effective"]
        for where, word in person["canaries"].items():
            # fortrolig: the name and the account stay; strengtFortrolig: nothing does.
            if level == "strengtFortrolig" or (level == "fortrolig" and "navn" not in where):
                planted += 1
                leaks = [str(path) for path, text in texts.items() if word.lower() in text]
                assert leaks == [], f"{where} of somebody who is {level}"
    assert planted > 50
    strictly = {p["number"] for p in world if p["protection"]["effective"] == "strengtFortrolig"}
    in_directory = {p["number"] for p in world if "pupil" in p["roles"] or p.get("employee_id")} - strictly
    for path, text in texts.items():
        found = set(re.findall(r"(?<!\d)\d{11}(?!\d)", text)) & everybody
        # Only the directory holds numbers, of pupils and employees: no guardian, with or without right.
        assert found <= (in_directory if path.suffix == ".ldif" else set()), path
