"""Files with people are for their owner, and the exports for one group; doctor finds open files."""

import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dataflyt.cli import outside_run
from dataflyt.config.connections import Connection, from_environment, path_of
from dataflyt.operations import nightly
from dataflyt.operations.doctor import Doctor
from dataflyt.storage import private
from tests.installation.fixtures import Installation

READERS = 4242
"""The number of a group that nobody here is in."""


def rights(path: Path) -> tuple[int, int]:
    there = path.stat()
    return stat.S_IMODE(there.st_mode), there.st_gid


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Write as our processes do."""
    before = os.umask(0o022)
    private.close()
    yield
    os.umask(before)


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A storage that everybody on the machine can reach."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        storage = Path(folder).resolve()
        storage.chmod(0o755)
        monkeypatch.setenv("DATAFLYT_STORAGE", str(storage))
        monkeypatch.setenv("DATAFLYT_LOCAL", str(storage / "none"))
        yield storage


def said(*kommuner: object) -> list[str]:
    found = Doctor(from_environment, path_of, date(2026, 11, 24), outside_run.folder()).files(kommuner)  # type: ignore[arg-type]
    assert all(finding.level == "wrong" for finding in found)
    return [finding.sentence for finding in found]


@pytest.mark.after_first_run
@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to a group that nobody is in")
def test_one_group_reads_the_exports_and_nothing_else(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (installation.storage, *installation.storage.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)  # another test may have made the first run, without our rights
    monkeypatch.setenv(private.GROUP, str(READERS))
    installation.clock = datetime(2026, 11, 30, 23, 10, tzinfo=UTC)  # another day: published anew
    assert nightly.run([installation.kommune], installation.environment).trouble == []
    exports = installation.storage / "exports"
    manifest = exports / "haugesund" / "manifest.json"
    (newest,) = [folder for folder in manifest.parent.iterdir() if folder.is_dir() and rights(folder)[1] == READERS]
    for file in (manifest, *newest.iterdir()):
        assert rights(file) == (0o640, READERS)
    for folder in (exports.parent, exports, exports / "haugesund", newest):
        assert rights(folder)[0] & 0o055 in (0o050, 0o055)
    job = installation.open()
    installation.steps(job, "extract_sas")
    landed = [path for path in (installation.storage / "landing").rglob(f"{job.run.number:06d}/**/*")]
    assert landed
    for path in landed:
        assert rights(path) == (0o700 if path.is_dir() else 0o600, os.getegid())


@pytest.mark.after_first_run
def test_a_group_that_is_not_there_holds_nothing_up(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(private.GROUP, "finnes-ikke")
    installation.clock = datetime(2026, 11, 30, 23, 10, tzinfo=UTC)
    assert nightly.run([installation.kommune], installation.environment).counts == {"kommuner": 1}
    assert "Gruppen finnes-ikke i DATAFLYT_EXPORTS_GROUP finnes ikke på denne maskinen" in caplog.text


def test_doctor_finds_what_lies_open_and_its_command_closes_it(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reachable / "landing" / "haugesund" / "000001" / "freg" / "page.json"
    page.parent.mkdir(parents=True)
    page.write_text("{}")
    assert said() == []
    for path in (page, *page.parents[:4]):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (sentence,) = said()
    assert sentence.startswith(f"Andre på maskinen kan lese 5 filer og mapper i {reachable}/landing, den første er ")
    (command,) = re.findall("«(chmod [^»]+)»", sentence)
    subprocess.run(command, shell=True, check=True)
    assert said() == []
    page.chmod(0o644)
    assert said() == [], "nobody gets at it: its folder is closed"


def test_doctor_says_it_when_the_group_cannot_read_the_exports(
    reachable: Path, monkeypatch: pytest.MonkeyPatch, haugesund: object
) -> None:
    manifest = reachable / "exports" / "haugesund" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    monkeypatch.setenv(private.GROUP, str(READERS))
    (sentence,) = said(haugesund)
    assert "får ikke lese eksportene" in sentence
    if os.geteuid() == 0:
        (command,) = re.findall("«(chgrp [^»]+)»", sentence)
        subprocess.run(command, shell=True, check=True)
        assert said(haugesund) == [], "the group may read, and that is not open"
        manifest.chmod(0o644)
        for folder in manifest.parents[:2]:
            folder.chmod(0o755)
        assert "chmod -R g-w,o=" in said(haugesund)[0]


@pytest.mark.after_first_run
def test_doctor_finds_a_folder_of_delivered_files_that_everybody_can_read(
    installation: Installation, reachable: Path
) -> None:
    files = reachable / "hr"
    files.mkdir(mode=0o755)
    files.chmod(0o755)
    connect = installation.environment.connect

    def delivered_here(name: str) -> Connection:
        return Connection(name, str(files)) if name == "hr_haugesund" else connect(name)

    def lying_open() -> list[str]:
        found = Doctor(delivered_here, path_of, date(2026, 11, 24), outside_run.folder()).examine(installation.kommune)
        return [finding.sentence for finding in found if "Alle på maskinen" in finding.sentence]

    (sentence,) = lying_open()
    (command,) = re.findall("«(chmod [^»]+)»", sentence)
    subprocess.run(command, shell=True, check=True)
    assert lying_open() == []


def test_doctor_leaves_an_object_store_to_its_own_rights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATAFLYT_LOCAL", str(tmp_path / "none"))
    monkeypatch.setenv("DATAFLYT_STORAGE", "nosuchstore://bucket/dataflyt")
    assert said() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
def test_doctor_run_by_somebody_else_says_that_it_cannot_know(reachable: Path) -> None:
    (reachable / "landing").mkdir()
    reachable.chmod(0o700)
    os.seteuid(65534)
    try:
        found = Doctor(from_environment, path_of, date(2026, 11, 24), outside_run.folder()).files([])
    finally:
        os.seteuid(0)
    assert [finding.level for finding in found] == ["unknown"]
    assert str(reachable) in found[0].sentence


def test_a_file_counts_as_open_to_everybody_only_where_everybody_gets_at_it(reachable: Path) -> None:
    file = reachable / "katalog.ldif"
    file.touch()
    assert not private.everybody_can_read(file)
    file.chmod(0o644)
    assert private.everybody_can_read(file)
    reachable.chmod(0o700)
    assert not private.everybody_can_read(file)


@pytest.fixture
def haugesund() -> object:
    from dataflyt.config.loading import find
    from tests.installation.fixtures import KOMMUNER

    return find(KOMMUNER, "haugesund")
