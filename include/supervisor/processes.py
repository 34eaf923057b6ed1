"""Start processes, notice when one dies, and leave none behind.

Each gets a session of its own, so that Ctrl-C reaches the supervisor only, and the variable DATAFLYT_SUPERVISED_BY in
its environment. The variable marks its descendants, even those that have left the session or lost their parents.
``stop`` finds them by it, and so does the next start after the supervisor itself was killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MARK = "DATAFLYT_SUPERVISED_BY"
PATIENCE = 10.0
"""Seconds a process gets between SIGTERM and SIGKILL."""


class SupervisorError(Exception):
    """The supervisor cannot go on; the text is a sentence in Norwegian for the terminal."""


class Processes:
    """The processes of one ``.local`` folder. Only one supervisor at a time may own the folder.

    Raises SupervisorError when another supervisor owns it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.logs.chmod(0o700)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.errands: set[str] = set()
        self.lock: TextIO = (home / "lock").open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SupervisorError(
                f"En annen make-kommando bruker {home}: vent til den er ferdig, eller avbryt den."
            ) from None
        end(self.marked())  # processes that a killed supervisor left
        adopt_orphans()

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        errand: bool = False,
        listens: bool = False,
    ) -> None:
        """Start ``command``; its output goes to ``logs/<name>.log``.

        An ``errand`` ends by itself: call ``finish``. A process that ``listens`` waits for a line: call ``tell``.
        """
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                command,
                # setproctitle must not wipe the mark; a log is UTF-8 whatever the terminal is.
                env={**environment, MARK: str(self.home), "SPT_NOENV": "1", "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = process
        if errand:
            self.errands.add(name)

    def tell(self, name: str, line: str) -> None:
        """Write a process the line that it waits for."""
        to = self.running[name].stdin
        with suppress(BrokenPipeError):  # it has ended, which ``must_run`` tells
            if to is not None:
                with to:
                    to.write(f"{line}\n".encode())

    def finish(self, name: str, timeout: float = 120) -> None:
        """Wait for an errand; raises SupervisorError when it fails or takes too long."""
        process = self.running[name]
        deadline = time.monotonic() + timeout
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise SupervisorError(f"{name} ble ikke ferdig på {timeout:.0f} sekunder, se {self.logs / name}.log.")
            time.sleep(0.05)
        del self.running[name]
        if process.returncode:
            raise SupervisorError(f"{name} feilet, se {self.logs / name}.log:\n{self.tail(name)}")

    def must_run(self) -> None:
        """Raise SupervisorError when a process that should run has ended, or an errand has failed."""
        for name, process in self.running.items():
            if process.poll() is not None and not (name in self.errands and process.returncode == 0):
                raise SupervisorError(f"{name} stoppet uventet, se {self.logs / name}.log:\n{self.tail(name)}")

    def wait_for(self, what: str, ready: Callable[[], bool], timeout: float = 90) -> None:
        """Wait until ``ready()``; raises SupervisorError after ``timeout`` seconds, or when a process ends."""
        deadline = time.monotonic() + timeout
        while not ready():
            self.must_run()
            if time.monotonic() > deadline:
                raise SupervisorError(f"{what} svarte ikke på {timeout:.0f} sekunder, se loggene i {self.logs}.")
            time.sleep(0.2)

    def tail(self, name: str, lines: int = 5) -> str:
        """Return the last lines of a log."""
        text = (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def stop(self) -> None:
        """End all started processes and their descendants."""
        family: set[psutil.Process] = set(self.marked())
        for process in self.running.values():
            with suppress(psutil.NoSuchProcess):
                family.update(psutil.Process(process.pid).children(recursive=True))
        leaders = [process for process in self.running.values() if process.poll() is None]
        for process in leaders:
            with suppress(ProcessLookupError):
                process.terminate()  # the leader alone: it ends its own children
        deadline = time.monotonic() + PATIENCE
        while any(process.poll() is None for process in leaders) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in self.running.values():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        end([*family, *self.marked()], patience=1)
        for process in self.running.values():
            process.wait()
        self.running.clear()
        self.lock.close()

    def marked(self) -> list[psutil.Process]:
        """Find every other process that carries this folder's mark."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(MARK) == str(self.home):
                    found.append(process)
        return found


def end(processes: Sequence[psutil.Process], patience: float = PATIENCE) -> None:
    """Terminate ``processes``; kill those still alive after ``patience`` seconds."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=patience)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants (Linux), so that ``reap`` can collect them.

    Otherwise they would stay as zombies in a container without an init.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def reap(patience: float = 3) -> None:
    """Collect the exit codes of children that have ended. Call it last: nothing can wait for a child after it."""
    deadline = time.monotonic() + patience
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
