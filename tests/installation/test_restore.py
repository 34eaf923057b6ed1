"""A backup brought back after everything was lost: the next run goes on as if nothing had happened."""

import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from psycopg import sql
from sqlalchemy import make_url

from dataflyt.config.connections import Connection
from dataflyt.operations.after_restore import reconcile_after_restore
from dataflyt.run.job import open_job
from dataflyt.run.landed import stage
from supervisor.backup import Server, contents, dump, restore
from supervisor.processes import SupervisorError
from tests.installation.fixtures import Installation

pytestmark = pytest.mark.new_connections  # a database that is used cannot be restored


@pytest.fixture
def server(installation: Installation) -> Server:
    """The test's own server and the installation's warehouse in it."""
    admin = make_url(installation.admin_url).set(drivername="postgresql")
    database = make_url(installation.warehouse_url).database
    return Server(admin.render_as_string(hide_password=False), str(database))


@pytest.fixture
def twin(installation: Installation, server: Server, tmp_path: Path) -> Any:
    """``twin()`` copies the installation as it is now, to compare with after the loss."""
    name = f"{server.database}_twin"

    def make() -> Installation:
        with server.connect() as connection:
            connection.execute(
                sql.SQL("create database {} template {} owner dataflyt").format(
                    sql.Identifier(name), sql.Identifier(server.database)
                )
            )
        url = make_url(installation.warehouse_url).set(database=name).render_as_string(hide_password=False)
        storage = tmp_path / "twin"
        shutil.copytree(installation.storage, storage)

        def connect(wanted: str) -> Connection:
            found = installation.environment.connect(wanted)
            return replace(found, url=url) if wanted.startswith("warehouse") else found

        environment = replace(installation.environment, connect=connect, storage=str(storage), now=lambda: made.clock)
        made = replace(installation, warehouse_url=url, storage=storage, environment=environment)
        return made

    yield make
    with server.connect() as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def lose_warehouse(server: Server) -> None:
    with server.connect() as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(server.database)))


def move_to_secret_address(installation: Installation) -> str:
    """Make a pupil's address strengt fortrolig in FREG; return the number, which must never be published again."""
    pupils = installation.registers.world.pupils
    child = next(pupil.person for pupil in pupils if pupil.person and pupil.person.number in installation.ldif())
    child.protection, child.home = "strengtFortrolig", None
    return child.number


@pytest.mark.long
@pytest.mark.after_first_run
def test_after_a_restore_the_next_run_goes_on_as_it_would_have(
    installation: Installation, server: Server, twin: Callable[[], Installation], tmp_path: Path
) -> None:
    number = move_to_secret_address(installation)
    installation.run()
    assert number not in installation.ldif()
    file = tmp_path / "warehouse.dump"
    dump(server, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "haugesund" in contents(file).owners
    accounts = installation.query("select uid, person_id from control.account_name order by uid")
    vetoes = installation.query("select veto, kind, person_id, level from control.veto order by veto")
    before = installation.dump()

    other = twin()
    would_be = other.run()
    would_be_rows = other.dump()

    lose_warehouse(server)
    shutil.rmtree(installation.storage / "landing")
    restore(server, file)
    reconcile_after_restore(installation.kommune, installation.environment)

    assert installation.dump() == before
    assert installation.query("select veto, kind, person_id, level from control.veto order by veto") == vetoes
    assert vetoes
    after = installation.run()
    for same in ("run", "outcome", "changed", "tables", "merged", "published"):
        assert after[same] == would_be[same], same
    assert installation.dump() == would_be_rows
    assert installation.ldif() == other.ldif()
    assert number not in installation.ldif()
    kept = installation.query("select uid, person_id from control.account_name order by uid")
    assert set(accounts) <= set(kept)


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_a_lost_run_withdrew_is_not_published_again_by_the_restored_one(
    installation: Installation, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "warehouse.dump"
    dump(server, file)
    number = move_to_secret_address(installation)
    lost = installation.open()
    installation.steps(lost, "extract_sas", "extract_hr", "extract_freg", "withdraw")
    assert number not in installation.ldif()
    published = installation.ldif()

    restore(server, file)
    known = reconcile_after_restore(installation.kommune, installation.environment)
    assert (known["newest"], known["released"], known["published_is_known"]) == (1, 1, 0)

    # The next run has the lost run's number, and stops before it reaches the protected person.
    move_to_secret_address(installation)
    installation.runs = 1
    job = installation.open()
    assert (job.run.number, job.landing("freg").names()) == (2, [])
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg")
    for name in job.landing("freg").names():
        with job.landing("freg").open(name) as page:
            answered = orjson.loads(page.read())
        if "oppslag" in answered:
            kept = [one for one in answered["oppslag"] if one["foedselsEllerDNummer"] != number]
            job.landing("freg").write(name, orjson.dumps({"oppslag": kept}))
    stage(job, "freg")
    installation.steps(job, "withdraw")
    assert installation.query("select 1 from control.veto where run = 2")
    assert installation.ldif() == published

    # A whole run learns of the protection again, and replaces the publication.
    assert installation.run()["outcome"] == "released"
    manifest = orjson.loads((installation.storage / "exports" / "haugesund" / "manifest.json").read_bytes())
    assert manifest["run"] == 3
    assert number not in installation.ldif()


def test_a_broken_or_foreign_file_is_answered_in_a_sentence_and_nothing_is_touched(
    installation: Installation, server: Server, tmp_path: Path
) -> None:
    open_job(installation.kommune, "one", datetime(2026, 11, 23, 3, tzinfo=UTC), installation.environment)
    file = tmp_path / "warehouse.dump"
    dump(server, file)
    with pytest.raises(SupervisorError, match="finnes fra før"):
        dump(server, file)
    whole = file.read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[:-1])
    (tmp_path / "text.dump").write_text("kommune;elever\n")
    dump(Server(server.conninfo, "postgres"), tmp_path / "foreign.dump")
    for name, sentence in {"cut": "ingenting er endret", "text": "ødelagt", "foreign": "ikke av Dataflyts"}.items():
        with pytest.raises(SupervisorError, match=sentence):
            restore(server, tmp_path / f"{name}.dump")
    with pytest.raises(SupervisorError, match="finnes ikke"):
        restore(server, tmp_path / "none.dump")
    assert [row.key for row in installation.query("select key from control.run")] == ["one"]
    with server.connect() as connection:
        left = connection.execute("select datname from pg_database where datname ~ %s", [f"^{server.database}_"])
        assert left.fetchall() == []
