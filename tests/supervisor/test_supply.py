"""What Dataflyt is made of: a known vulnerability stops, an index that is not reached is said, licences are listed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.supply import audit, licences

BUG = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("a==1.0 \\\n    --hash=sha256:00\nb==2.0 \\\n    --hash=sha256:11\n", encoding="utf-8")
    return file


def told(**vulnerabilities: list[Any] | None) -> dict[str, Any]:
    """Return an answer of pip-audit: None is a package that it could not look up."""
    return {
        "dependencies": [
            {"name": name, "version": "1.0", "vulns": bugs} if bugs is not None else {"name": name, "skip_reason": "…"}
            for name, bugs in vulnerabilities.items()
        ]
    }


def test_a_known_vulnerability_is_told_with_the_version_that_mends_it(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(lock, lambda file: told(a=[BUG], b=None)) == 1
    said = capsys.readouterr().out
    assert "a 1.0: PYSEC-2026-1, rettet i 1.1" in said
    assert "1 pakker er undersøkt, 1 sårbarheter er kjent. Ikke undersøkt: b." in said
    assert audit(lock, lambda file: told(a=[], b=[])) == 0
    assert "2 pakker er undersøkt, 0 sårbarheter er kjent." in capsys.readouterr().out


def test_an_index_that_is_not_reached_is_said_and_is_not_taken_for_no_vulnerabilities(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def mirror(file: Path) -> dict[str, Any]:
        asked.append(file.read_text("utf-8"))
        return told(a=None)

    assert audit(lock, mirror) == 0
    assert asked == ["a==1.0\n"], "one package tells that the others need not be asked about"
    assert "ingenting er undersøkt" in capsys.readouterr().out

    def away(file: Path) -> dict[str, Any]:
        raise OSError("no route")

    assert audit(lock, away) == 0
    assert "nås ikke (no route)" in capsys.readouterr().out


def test_licences_are_listed_by_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    components = [
        {"name": "b", "version": "2", "licenses": [{"license": {"name": "License :: OSI Approved :: BSD License"}}]},
        {"name": "a", "version": "1", "licenses": [{"license": {"id": "MIT"}}]},
        {"name": "c", "version": "3"},
    ]
    sbom, out = tmp_path / "sbom.json", tmp_path / "licences.csv"
    sbom.write_text(json.dumps({"components": components}), encoding="utf-8")
    assert licences(sbom, out) == 0
    assert out.read_text("utf-8").splitlines() == [
        "package;version;licence",
        "a;1;MIT",
        "b;2;BSD License",
        "c;3;ukjent",
    ]
    assert "3 pakker" in capsys.readouterr().out


@pytest.mark.long
def test_cyclonedx_lists_what_is_installed_with_licences(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    packages = next((tmp_path / "venv").glob("lib/*/site-packages"))
    about = packages / "example-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: example\nVersion: 1.0\nLicense-Expression: MIT\n")
    out = tmp_path / "sbom.json"
    words = ["--output-reproducible", "-o", out, tmp_path / "venv" / "bin" / "python"]
    subprocess.run([sys.executable, "-m", "cyclonedx_py", "environment", *words], check=True, capture_output=True)
    told = json.loads(out.read_text("utf-8"))
    assert told["bomFormat"] == "CycloneDX"
    (example,) = told["components"]
    assert (example["name"], example["version"]) == ("example", "1.0")
    assert licences(out, tmp_path / "licences.csv") == 0
    assert "example;1.0;MIT" in (tmp_path / "licences.csv").read_text("utf-8")
