"""A pooler that gives each transaction another session stands before the warehouse: pgbouncer in transaction mode."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from dataflyt.config.connections import Connection
from dataflyt.errors import SourceUnavailable
from dataflyt.operations import fast_lane, nightly
from dataflyt.operations.doctor import Doctor
from dataflyt.storage.database import EVENTS, REFERENCE, engine, reading_events, transaction
from dataflyt.warehouse.events import let_wait
from dataflyt.warehouse.schema import migrate
from supervisor.home import free_port
from tests.installation.fixtures import Installation

COMMAND = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
pytestmark = [
    pytest.mark.skipif(not COMMAND, reason="needs pgbouncer, a package of Debian's"),
    pytest.mark.new_connections,
]

ROLES = ("kommune_haugesund", "kommune_bergen", "dataflyt", EVENTS, REFERENCE)
Pooler = Callable[[str], str]


@pytest.fixture
def pooled(installation: Installation) -> Iterator[Callable[..., Pooler]]:
    """Start pgbouncer with one session a role; ``url(role)`` is the warehouse behind it."""
    with contextlib.ExitStack() as started:

        def start(mode: str, *settings: str) -> Pooler:
            address = make_url(installation.admin_url)
            folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="dataflyt-pgbouncer-")))
            port = free_port()
            (folder / "users.txt").write_text("".join(f'"{role}" ""\n' for role in ROLES))
            (folder / "pgbouncer.ini").write_text(
                f"[databases]\n* = host={address.query['host']}\n[pgbouncer]\n"
                f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
                f"auth_file = {folder}/users.txt\npool_mode = {mode}\ndefault_pool_size = 1\nquery_wait_timeout = 20\n"
                + "\n".join(settings)
            )
            as_user = None
            if os.geteuid() == 0:  # pgbouncer does not run as root
                as_user = (Path(str(address.query["host"])) / ".s.PGSQL.5432").owner()
                for path in (folder, *folder.iterdir()):
                    shutil.chown(path, as_user)
            process = subprocess.Popen(
                [COMMAND, "-q", str(folder / "pgbouncer.ini")], stderr=subprocess.DEVNULL, user=as_user
            )
            started.callback(process.wait)
            started.callback(process.kill)
            through = make_url(installation.warehouse_url).set(host="127.0.0.1", port=port, query={})
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            return lambda role: through.set(username=role).render_as_string(hide_password=False)

        yield start


def _behind(installation: Installation, url: Pooler) -> Installation:
    def connect(name: str) -> Connection:
        if name == fast_lane.WAREHOUSE:
            return Connection(name, url(EVENTS))
        if name.startswith("warehouse"):
            return Connection(name, url("kommune_haugesund"))
        return installation.environment.connect(name)

    return replace(
        installation,
        warehouse_url=url("kommune_haugesund"),
        environment=replace(installation.environment, connect=connect),
    )


@pytest.mark.after_first_run
def test_a_whole_run_goes_through_a_pooler_in_transaction_mode(
    installation: Installation, pooled: Callable[..., Pooler]
) -> None:
    url = pooled("transaction")
    behind = _behind(installation, url)
    assert migrate(url("dataflyt"), ["haugesund", "bergen"]) == []
    child = next(p.person for p in behind.registers.world.pupils if p.person and not p.person.cases)
    child.family = "Poolersen"
    assert behind.run()["outcome"] == "released"
    assert "Poolersen" in behind.ldif()
    assert nightly.bring_in_line([behind.kommune], behind.environment) == []
    events = engine(url(EVENTS))
    for _ in range(10):  # more often than psycopg waits before it prepares a statement
        with reading_events(events) as connection:
            let_wait(connection, [])
    left = "select count(*) from pg_class where relnamespace = pg_my_temp_schema()"
    assert behind.query(left) == [(0,)], "what one transaction leaves, the next one would read"


def test_the_doctor_says_what_a_pooler_hides_and_which_one_cannot_serve(
    installation: Installation, pooled: Callable[..., Pooler]
) -> None:
    def examine(url: Pooler) -> list[tuple[str, str]]:
        behind = _behind(installation, url)
        found = Doctor(behind.environment.connect, Path, date(2026, 11, 24), Path("none"))._warehouse(behind.kommune)
        return [(finding.level, finding.sentence) for finding in found]

    [(level, said)] = examine(pooled("transaction"))
    assert level == "unknown", said
    assert "query_timeout" in said
    [(level, said)] = examine(pooled("statement"))
    assert level == "wrong"
    assert "pool_mode" in said


def test_what_a_pooler_breaks_off_is_tried_again(installation: Installation, pooled: Callable[..., Pooler]) -> None:
    url = pooled("transaction", "query_timeout = 1", "idle_transaction_timeout = 1")
    through = engine(url("kommune_haugesund"))

    def work(statement: str, pause: float) -> None:
        with transaction(through, "haugesund") as connection:
            connection.execute(text(statement))
            time.sleep(pause)
            connection.execute(text("select 1"))

    for statement, pause in (("select pg_sleep(10)", 0.0), ("select 1", 3.0)):
        with pytest.raises(SourceUnavailable, match="query_timeout, idle_transaction_timeout") as broken:
            work(statement, pause)
        assert broken.value.facts["sqlstate"] == "08P01"
