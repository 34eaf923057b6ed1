"""A kommune's login gets a password that nobody else learns."""

import json

import psycopg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.errors import ConfigError
from dataflyt.warehouse.logins import new_password
from tests.installation.fixtures import _libpq


@pytest.fixture
def owner(pg_url: str, template: str) -> str:
    """The warehouse as its owner reaches it."""
    return make_url(pg_url).set(database=template, username="dataflyt").render_as_string(hide_password=False)


def _kept(pg_url: str, role: str) -> str:
    with psycopg.connect(_libpq(make_url(pg_url))) as connection:
        row = connection.execute("select rolpassword from pg_authid where rolname = %s", [role]).fetchone()
    return str(row and row[0])


def test_the_server_keeps_a_verifier_of_each_new_password_and_no_password(pg_url: str, owner: str) -> None:
    first = make_url(new_password(owner, "kommune_bergen"))
    kept = _kept(pg_url, "kommune_bergen")
    second = make_url(new_password(owner, "kommune_bergen"))
    assert first.username == second.username == "kommune_bergen"
    assert first.database == make_url(owner).database
    assert len(str(first.password)) >= 32
    assert first.password != second.password
    assert kept.startswith("SCRAM-SHA-256$")
    assert kept != _kept(pg_url, "kommune_bergen")


def test_the_owner_gives_no_password_to_a_role_that_it_has_not_made(pg_url: str, owner: str) -> None:
    for role in ("kommune_finnesikke", "postgres"):
        before = _kept(pg_url, role)
        with pytest.raises(ConfigError, match="warehouse migrate"):
            new_password(owner, role)
        assert _kept(pg_url, role) == before


def test_the_command_prints_the_connection_as_airflow_takes_it(owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "generic", "host": owner}))
    done = CliRunner().invoke(app, ["warehouse", "login", "1106"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.output)
    assert printed["conn_type"] == "dataflyt_warehouse"
    assert make_url(printed["host"]).username == "kommune_haugesund"
    with psycopg.connect(_libpq(make_url(printed["host"]))) as connection:
        assert connection.execute("select current_user").fetchone() == ("kommune_haugesund",)
