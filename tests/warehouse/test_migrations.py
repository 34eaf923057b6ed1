"""A warehouse of an earlier version is migrated with its rows, as after a restore from a backup."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import make_url

from dataflyt.storage.database import engine
from dataflyt.warehouse import schema
from supervisor.postgres import HIDE_SIZES


@pytest.fixture
def before(pg_url: str, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a warehouse of an earlier version, as the role that made it: 0010, or the test's parameter."""
    admin = make_url(pg_url)
    name = f"before_{admin.database}"
    server = str(admin.set(drivername="postgresql").render_as_string(hide_password=False))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} owner dataflyt")
    url = admin.set(database=name, username="dataflyt")
    with psycopg.connect(server.replace(f"/{admin.database}", f"/{name}", 1), autocommit=True) as made:
        made.execute(HIDE_SIZES.read_bytes())
    db = engine(url.render_as_string(hide_password=False))
    with db.begin() as connection:
        config = schema._migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, getattr(request, "param", "0010"))
    db.dispose()
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def test_groups_keep_their_rows_and_who_may_read_them(before: str) -> None:
    as_kommune = make_url(before).set(username="kommune_haugesund").render_as_string(hide_password=False)
    row = "'haugesund', 1, 'G1', 'S1', 'basisgruppe', '7B'"
    columns = "owner, from_run, group_id, unit_id, group_type, name"
    db = engine(before)
    with db.begin() as connection:
        connection.exec_driver_sql("grant dataflyt_kommune to kommune_haugesund with inherit true, set false")
    with engine(as_kommune).begin() as connection:
        connection.exec_driver_sql(f"insert into golden.grp ({columns}) values ({row})")
        connection.exec_driver_sql(
            "insert into control.veto (owner, kind, person_id, cause, run, learned_at, beside) "
            "values ('haugesund', 'death', gen_random_uuid(), 'register', 1, now(), true)"
        )
    schema.migrate(before, ["haugesund", "bergen"])
    with db.begin() as connection:
        assert schema.is_migrated(connection)
        left = connection.exec_driver_sql(
            "select relname::text from pg_class where relname like 'grp\\_%%' union all "
            "select conname::text from pg_constraint where conname like 'grp\\_%%'"
        )
        assert left.all() == []
    for owner, rows in (("haugesund", 1), ("bergen", 0)):
        url = make_url(before).set(username=f"kommune_{owner}").render_as_string(hide_password=False)
        with engine(url).begin() as connection:
            found = connection.exec_driver_sql("select group_id, name from golden.school_group").all()
            assert found == [("G1", "7B")] * rows
            assert len(connection.exec_driver_sql("select from control.veto where outside_run").all()) == rows
        engine(url).dispose()
    engine(as_kommune).dispose()
    db.dispose()


@pytest.mark.parametrize("before", ["0024"], indirect=True)
def test_a_recipient_keeps_what_it_has_and_gets_the_files_once_more(before: str) -> None:
    as_kommune = make_url(before).set(username="kommune_haugesund").render_as_string(hide_password=False)
    db = engine(before)
    with db.begin() as connection:
        connection.exec_driver_sql("grant dataflyt_kommune to kommune_haugesund with inherit true, set false")
    row = f"'haugesund', 'pifu', 'levering', 'Oppvekst', '{'a' * 64}', '{'b' * 64}'"
    with engine(as_kommune).begin() as connection:
        columns = "owner, export, connection, recipient, place, digest"
        connection.exec_driver_sql(f"insert into control.delivery ({columns}) values ({row})")
    schema.migrate(before, ["haugesund"])
    with engine(as_kommune).begin() as connection:
        found = connection.exec_driver_sql("select recipient, contact, place, digest from control.delivery").all()
        assert found == [("Oppvekst", True, None, "b" * 64)]
    engine(as_kommune).dispose()
    db.dispose()


@pytest.mark.parametrize("before", ["0028"], indirect=True)
def test_positions_and_memberships_keep_their_rows_without_subroles(before: str) -> None:
    as_kommune = make_url(before).set(username="kommune_haugesund").render_as_string(hide_password=False)
    db = engine(before)
    with db.begin() as connection:
        connection.exec_driver_sql("grant dataflyt_kommune to kommune_haugesund with inherit true, set false")
    with engine(as_kommune).begin() as connection:
        connection.exec_driver_sql(
            "insert into golden.membership (owner, from_run, group_id, person_id, role, contact_teacher) "
            "values ('haugesund', 1, 'G1', gen_random_uuid(), 'faculty', true)"
        )
        connection.exec_driver_sql(
            "insert into golden.employment (owner, from_run, employee_id, employment_id, unit_id) "
            "values ('haugesund', 1, 'A1', '1', 'S1')"
        )
    schema.migrate(before, ["haugesund"])
    with engine(as_kommune).begin() as connection:
        found = connection.exec_driver_sql("select group_id, role, staff_role, subrole from golden.membership").all()
        assert found == [("G1", "faculty", None, None)]
        found = connection.exec_driver_sql(
            "select employee_id, staff_role, subrole, teacher_subrole from golden.employment"
        ).all()
        assert found == [("A1", None, None, None)]
    engine(as_kommune).dispose()
    db.dispose()


def test_a_kommune_s_sessions_have_memory_for_the_tables_of_a_run(before: str) -> None:
    schema.migrate(before, ["haugesund"])
    as_kommune = make_url(before).set(username="kommune_haugesund").render_as_string(hide_password=False)
    with engine(as_kommune).begin() as connection:
        assert connection.exec_driver_sql("show temp_buffers").scalar_one() == "256MB"
    schema.migrate(before, ["haugesund"])
