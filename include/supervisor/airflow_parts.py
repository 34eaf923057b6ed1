"""Airflow's processes, forked from one process that has imported Airflow: to import it takes four seconds of CPU.

    python -m supervisor.airflow_parts PASSWORDS GIVEN    PASSWORDS: a file, GIVEN: see ``command``

With Airflow's settings in its environment, it prepares Airflow's database: tables, pools, roles and users. Then it
waits for a line with further variables on its standard input, and becomes the parent of Airflow's parts, each with a
log and a session of its own. When a part ends, it ends the others and prints the last lines of that part's log. SIGTERM
ends all.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor import logins
from supervisor.logins import Login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

IMPORTED_BY_ALL = (
    "airflow.__main__",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.executors.local_executor",
    "airflow.jobs.dag_processor_job_runner",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.providers.fab.auth_manager.fab_auth_manager",
    "airflow.providers.fab.auth_manager.models",
    "airflow.sdk.execution_time.supervisor",
    "dataflyt.on_airflow.auth_manager",
    "dataflyt.on_airflow.operators",
)
"""The modules that at least two parts need."""

TITLES = importlib.import_module("setproctitle")
"""The package by which Airflow names its processes, as ``ps`` shows them."""

ONLY_OLDER = "_CADWYN_DELETED_ROUTE"
"""The tag of the execution API's routes that the newest version no longer has."""

QUIET = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}
"""Words on a part's command line: logs are read from their folder, no process serves them."""


def command(
    passwords: Path, kommuner: Iterable[str], users: Iterable[Login], *, parts: Iterable[str], logs: Path, migrate: bool
) -> list[str]:
    """Return the command line that prepares the database, ``migrate`` its tables too, and starts the ``parts``."""
    given = {
        "kommuner": list(kommuner),
        "logins": list(users),
        "parts": list(parts),
        "logs": str(logs),
        "migrate": migrate,
    }
    return [sys.executable, "-m", "supervisor.airflow_parts", str(passwords), json.dumps(given)]


def main(passwords: str, given: str) -> int:
    """Run the command line; return 1 when a part has ended by itself."""
    wanted = json.loads(given)
    TITLES.getproctitle()  # finds the place of the title, which it could not after a change of the environment
    import_airflow()
    preparing = fork(lambda: prepare(wanted, json.loads(Path(passwords).read_text(encoding="utf-8"))))
    if os.waitpid(preparing, 0)[1]:
        return 1
    print("Airflow's database is prepared.", flush=True)
    line = sys.stdin.readline()
    if not line:  # the supervisor is gone
        return 1
    os.environ.update(json.loads(line))
    logs = {name: Path(wanted["logs"]) / f"{name}.log" for name in wanted["parts"]}
    parts = {fork(partial(become, name, log)): name for name, log in logs.items()}
    return watch(parts, logs)


def import_airflow() -> None:
    """Import what the parts share. No connection is made and no thread started: neither would survive the forks."""
    for name in IMPORTED_BY_ALL:
        importlib.import_module(name)
    from airflow.utils.db import import_all_models
    from sqlalchemy.orm import configure_mappers

    import_all_models()
    configure_mappers()
    keep_newest_version()
    gc.collect()
    gc.freeze()  # what is frozen is not visited, and so stays shared


def keep_newest_version() -> None:
    """Serve only the newest version of the API that tasks ask: here every task is of the same Airflow.

    Airflow 3.3 builds nine versions when the first task asks, and answers nobody in the seconds that this takes.
    """
    from airflow.api_fastapi.execution_api import versions
    from airflow.api_fastapi.execution_api.routes import execution_api_router

    newest = versions.bundle.versions[0].value
    versions.bundle = versions.VersionBundle(versions.HeadVersion(), versions.Version(newest))
    routes = execution_api_router.routes
    routes[:] = [route for route in routes if ONLY_OLDER not in getattr(route, "tags", ())]


def fork(work: Callable[[], object]) -> int:
    """Return the id of a new process, which does the work and ends."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    work()
    sys.exit(0)


def prepare(wanted: dict[str, Any], passwords: dict[str, str]) -> None:
    """Prepare Airflow's database. In a process of its own: its connections must not be the parts'."""
    if wanted["migrate"]:
        from airflow.utils.db import upgradedb

        upgradedb()
    logins.make(wanted["kommuner"], [Login(*login) for login in wanted["logins"]], passwords)


def become(name: str, log: Path) -> None:
    """Be one of Airflow's processes, as ``airflow NAME`` would be."""
    os.setsid()
    with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
        for kept, replaced in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(kept.fileno(), replaced)
    if name == "scheduler":  # it forks the tasks, and imports their modules before that
        os.environ["DATAFLYT_PRELOAD"] = "1"
        importlib.reload(importlib.import_module("airflow_local_settings"))
        gc.freeze()
    TITLES.setproctitle(f"airflow {name}")
    sys.argv = ["airflow", name, *QUIET.get(name, [])]
    importlib.import_module("airflow.__main__").main()


def watch(parts: dict[int, str], logs: dict[str, Path]) -> int:
    """Wait until a part ends, or SIGTERM comes, and end the others; return 0 after SIGTERM, else 1."""
    told = False

    def terminated(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = True
        end(parts)

    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = None
    while parts:
        ended, _ = os.waitpid(-1, 0)
        name = parts.pop(ended, None)
        if name and first is None and not told:
            first = name
            end(parts)
    if first is None:
        return 0
    last = logs[first].read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-4:]
    print(f"{first}:", *last, sep="\n", flush=True)
    return 1


def end(parts: dict[int, str]) -> None:
    """Let every part end itself and its children."""
    for pid in list(parts):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
