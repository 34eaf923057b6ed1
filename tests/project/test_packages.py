"""The wheel installs dataflyt alone at top level, with every file that it reads."""

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
    pinned = {line.split("==")[0].strip() for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()}
    assert names <= {name.split("[")[0] for name in pinned}
    assert "apache-airflow>=3.3.2,<3.4" in wanted
