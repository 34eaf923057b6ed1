"""Rows copied into staging arrive as they were read, whatever their text holds."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflyt.warehouse.staging import _lines

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6) | st.text(
    "\\\t\n\rNtf.", max_size=4
)
ROWS = st.lists(
    st.tuples(
        TEXT, TEXT | st.none(), st.none() | st.booleans(), st.none() | st.integers(-9, 9), st.none() | st.floats()
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def table(pg_url: str) -> psycopg.Connection:
    connection = psycopg.connect(pg_url.replace("+psycopg", ""), autocommit=True)
    connection.execute(
        "create temporary table copied (n int generated always as identity, a text, b text, c boolean, d integer, "
        "e double precision)"
    )
    yield connection
    connection.close()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=ROWS)
def test_every_value_arrives_as_it_was_read(table: psycopg.Connection, rows: list[tuple[object, ...]]) -> None:
    table.execute("truncate copied")
    with table.cursor().copy("copy copied (a, b, c, d, e) from stdin") as copy:
        copy.write(_lines(rows))
    found = table.execute("select a, b, c, d, e from copied order by n").fetchall()
    assert [tuple(map(repr, row)) for row in found] == [tuple(map(repr, row)) for row in rows]
