"""The warehouse by itself: its schema agrees with the code, and its line of runs remembers every state."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, make_url, text

from dataflyt.errors import DataflytError
from dataflyt.run import report
from dataflyt.storage import database
from dataflyt.warehouse import merge as merging
from dataflyt.warehouse.tables import GOLDEN, source_tables
from tests.installation.fixtures import Installation

TYPES = {"int": "integer", "timestamptz": "timestamp with time zone"}

units = st.dictionaries(
    st.sampled_from(["311060015", "311060023", "311060031"]),
    st.tuples(st.sampled_from(["school", "sfo", None]), st.sampled_from(["Skåredalen", "Čáhci", None])),
)
"""A state of golden.unit: unit_id -> (kind, name)."""


def test_the_schema_has_the_tables_and_columns_that_the_code_merges(installation: Installation) -> None:
    found: dict[str, dict[str, str]] = {}
    for schema, table, column, kind in installation.query(
        "select table_schema, table_name, column_name, data_type from information_schema.columns "
        "where table_schema in ('history', 'golden')"
    ):
        found.setdefault(f"{schema}.{table}", {})[column] = kind
    versioned = {"owner": "text", "from_run": "bigint", "to_run": "bigint"}
    expected = {
        f"history.{table.name.lower()}": versioned
        | {"key": "text", "subject": "text"}
        | {name.lower(): kind for name, kind in table.columns.items()}
        for table in source_tables().values()
    } | {
        f"golden.{table.name}": versioned | {name: TYPES.get(kind, kind) for name, kind in table.columns.items()}
        for table in GOLDEN.values()
    }
    assert found == expected


@pytest.mark.long
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.lists(units, min_size=1, max_size=6), again=st.booleans())
def test_any_line_of_runs_can_be_read_at_any_run_and_undone(
    installation: Installation, states: list[dict[str, tuple[str | None, str | None]]], again: bool
) -> None:
    engine = database.engine(installation.warehouse_url)
    with engine.connect() as connection:
        for run, state in enumerate(states, start=1):
            for _ in range(2 if again else 1):  # a run merged twice is merged once
                merging.undo(connection, "haugesund", run)
                _merge(connection, run, state)
        for run, state in enumerate(states, start=1):
            assert _at(connection, run) == state
        for run in range(len(states), 0, -1):
            merging.undo(connection, "haugesund", run)
            assert _at(connection, run) == (states[run - 2] if run > 1 else {})
        connection.rollback()


def test_the_worked_example_in_the_documentation_is_what_three_runs_leave(installation: Installation) -> None:
    page = (Path(__file__).parents[2] / "docs" / "engineer" / "history.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| `history\.freg_navn` .*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    told = [[[cell.strip(" *") for cell in row.split("|")[1:-1]] for row in table.splitlines()] for table in tables]

    def rows() -> list[list[str]]:
        found = connection.execute(text("select key, from_run, to_run from history.freg_navn order by from_run"))
        return [[row.key, str(row.from_run), str(row.to_run or "")] for row in found]

    def name(run: int, family: str) -> list[list[str]]:
        bound: dict[str, object] = {"owner": "haugesund", "run": run}
        incoming = f"select 0 as row_id, '{family}' as key, 'pupil' as subject"
        merging._merge(connection, bound, "history.freg_navn", ["key"], ["subject"], incoming, subject="subject")
        return rows()

    with database.engine(installation.warehouse_url).connect() as connection:
        left = [name(1, "Baug"), name(2, "Nilsen")]
        merging.undo(connection, "haugesund", 2)
        left += [rows(), name(3, "Nilsen")]
        connection.rollback()
    assert told == left


def _merge(connection: Connection, run: int, state: dict[str, tuple[str | None, str | None]]) -> None:
    connection.execute(text("drop table if exists pg_temp.incoming"))
    connection.execute(text("create temporary table incoming (unit_id text, kind text, name text)"))
    for unit_id, (kind, name) in state.items():
        connection.execute(
            text("insert into incoming values (:unit_id, :kind, :name)"),
            {"unit_id": unit_id, "kind": kind, "name": name},
        )
    bound: dict[str, object] = {"owner": "haugesund", "run": run}
    incoming = "select 0 as row_id, unit_id, kind, name from incoming"
    merging._merge(connection, bound, "golden.unit", ["unit_id"], ["kind", "name"], incoming)


def _at(connection: Connection, run: int) -> dict[str, tuple[str | None, str | None]]:
    found = connection.execute(
        text(
            "select unit_id, kind, name from golden.unit where from_run <= :run and (to_run is null or to_run > :run)"
        ),
        {"run": run},
    )
    return {row.unit_id: (row.kind, row.name) for row in found}


def test_a_warehouse_that_is_not_there_or_not_set_up_is_one_sentence_without_its_address() -> None:
    for address, sentence in {
        "postgresql+psycopg://kommune_x:hemmelig@/warehouse?host=/nowhere": "svarer ikke",
        "hemmelig": "kan ikke brukes",
        "oracle://hemmelig@x": "kan ikke brukes",
    }.items():
        with (
            pytest.raises(DataflytError, match=sentence) as raised,
            database.transaction(database.engine(address), "haugesund"),
        ):
            pass
        assert "hemmelig" not in str(raised.value)
        assert raised.value.__cause__ is None


def test_a_warehouse_of_another_version_says_what_to_run(pg_url: str, template: str) -> None:
    assert template  # its roles belong to the server; this database has nothing else
    role = make_url(pg_url).set(username="kommune_haugesund").render_as_string(hide_password=False)
    with (
        pytest.raises(DataflytError, match="dataflyt warehouse migrate"),
        database.transaction(database.engine(role), "haugesund") as connection,
    ):
        connection.execute(text("select * from control.run"))


def test_what_is_noted_about_a_run_is_the_same_text_in_whatever_order_it_came(installation: Installation) -> None:
    job = installation.open()
    said = []
    for order in (("files_hr", "files_sas", "rows"), ("rows", "files_sas", "files_hr")):
        with job.transaction() as connection:
            connection.execute(text("update control.run set report = null"))
            for key in order:
                report.note(connection, job.run, key, {"b": 1, "a": 2})
        said += installation.query("select report from control.run")
    assert said[0] == said[1]
