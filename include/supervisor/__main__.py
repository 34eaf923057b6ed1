"""``python -m supervisor demo`` runs a kommune through everything; ``run -- CMD`` runs a command beside the services.

Both start the embedded PostgreSQL and the simulated registers, ``demo`` Airflow too, and stop all of it, whatever
happens. Exit code: the command's, 1 when a run or a component failed, 128 + n when stopped by signal n.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from dataflyt.errors import DataflytError
from supervisor.airflow_api import AirflowApi
from supervisor.demo import Demo, newest_report, now, reports, summarise
from supervisor.home import ADMIN, CLIENT_ID, REPOSITORY, Home, free_port
from supervisor.postgres import Postgres
from supervisor.processes import Processes, SupervisorError, bury

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Everything that is started, and its end."""

    def __init__(self, kommune: str, console: Console) -> None:
        from dataflyt.kommune import find

        self.console = console
        self.kommuner = Path(os.environ.get("DATAFLYT_KOMMUNER") or REPOSITORY / "include" / "kommuner").resolve()
        self.kommune: Any = find(self.kommuner, kommune)
        self.home = Home()
        self.processes = Processes(self.home.folder)
        self.postgres = Postgres(self.home.postgres)
        self.environment = self.home.base_environment(self.kommuner)

    def start_services(self) -> None:
        """Start the simulator and PostgreSQL, bring the warehouse up to date, and set the connections."""
        python = sys.executable
        self.home.ready.unlink(missing_ok=True)
        self.processes.start(
            "simulator",
            [
                *(python, "-m", "simulator", "serve", "--kommune", self.kommune.kommunenummer[0], "--seed", "1"),
                *("--date", self.home.secrets["date"], "--port", "0", "--drop", str(self.home.drop)),
                *("--key", str(self.home.public_key), "--ready", str(self.home.ready), "--client-id", CLIENT_ID),
            ],
            self.environment,
        )
        self.postgres.start()
        owner = json.dumps({"conn_type": "generic", "host": self.postgres.url("dataflyt")})
        self.processes.start(
            "warehouse-migrate",
            [str(Path(python).with_name("dataflyt")), "warehouse", "migrate"],
            self.environment | {"AIRFLOW_CONN_WAREHOUSE": owner},
            errand=True,
        )
        self.processes.wait_for("Registersimulatoren", self.home.ready.exists)
        simulator = address(self.home.ready)
        self.environment |= self.home.connections(self.kommune, self.postgres, simulator)
        self.processes.finish("warehouse-migrate")

    def demo(self) -> int:
        """Run the kommune's DAG in a real Airflow; 0 when the run succeeded."""
        began = time.monotonic()
        approver = self.kommune.approvers[0]
        port = free_port()
        users = {ADMIN: "admin", approver.id: "user"}
        self.console.print(
            f"[bold]Dataflyt, demo for {self.kommune.display_name}[/]  (alt ligger i {self.home.folder})"
        )
        airflow = self.environment | self.home.airflow_environment(users, port)
        migrated = self.home.airflow / f"migrated-{airflow_version()}"
        if not migrated.exists():
            self.processes.start(
                "airflow-migrate", [sys.executable, "-m", "airflow", "db", "migrate"], airflow, errand=True
            )
        self.console.print("Starter PostgreSQL, registersimulatoren og Airflow …")
        self.start_services()
        if not migrated.exists():
            self.processes.finish("airflow-migrate")
            migrated.touch()
        airflow |= self.environment
        since = now()
        for name in ("api-server", "scheduler", "dag-processor"):
            self.processes.start(name, [sys.executable, "-m", "airflow", name], airflow)
        url = f"http://127.0.0.1:{port}"
        self.processes.wait_for("Airflow", lambda: healthy(url))
        demo = Demo(
            airflow=AirflowApi(url, ADMIN, self.home.password(ADMIN)),
            approver=lambda: AirflowApi(url, approver.id, self.home.password(approver.id)),
            approver_name=f"{approver.name} ({approver.id})",
            dag=f"kommune_{self.kommune.id}",
            console=self.console,
            processes=self.processes,
        )
        name = demo.wait_until_read(since)
        self.console.print(f"Airflow er oppe på {url} etter {time.monotonic() - began:.0f} s. Kjører {name}:")
        folder = self.home.storage / "reports" / self.kommune.id
        known = reports(folder)
        state = demo.run()
        self.console.print()
        if state != "success" and reports(folder) == known:
            raise SupervisorError(f"Kjøringen feilet og skrev ingen rapport; loggene ligger i {self.processes.logs}.")
        summarise(newest_report(folder, known), self.home.storage / "exports" / self.kommune.id, self.console)
        spent = time.monotonic() - began
        if state == "success":
            self.console.print(f"\n[bold green]Ferdig[/] på {spent:.0f} s.")
            return 0
        self.console.print(
            f"\n[bold red]Kjøringen feilet[/] etter {spent:.0f} s; loggene ligger i {self.processes.logs}."
        )
        return 1

    def run(self, command: list[str]) -> int:
        """Run a command beside the services, with its terminal; give its exit code."""
        self.start_services()
        with subprocess.Popen(command, env=self.environment) as process:  # noqa: S603
            try:
                return process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()

    def stop(self) -> None:
        """Stop everything; Ctrl-C does not interrupt that."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            self.processes.stop()
        finally:
            self.postgres.stop()
            bury()


def address(ready: Path) -> str:
    """Read the simulator's URL from the file it writes when it listens."""
    url: str = json.loads(ready.read_text(encoding="utf-8"))["url"]
    return url.rstrip("/")


def healthy(url: str) -> bool:
    """Whether Airflow's API answers and its scheduler and DAG processor are alive."""
    try:
        parts = httpx.get(f"{url}/api/v2/monitor/health", timeout=5, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(parts[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))


def airflow_version() -> str:
    """Give the version of the installed Airflow, without importing it."""
    from importlib.metadata import version

    return version("apache-airflow")


def interrupted(number: int, frame: FrameType | None) -> None:
    """Turn a signal into an exit that runs every ``finally``; further signals, make's for one, do not disturb it."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    """Read the command line, and leave nothing running."""
    parser = argparse.ArgumentParser(prog="python -m supervisor", description=__doc__)
    parser.add_argument("--kommune", default="haugesund", help="id or number (default: haugesund)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="run the kommune's DAG in a real Airflow and show what became of it")
    beside = commands.add_parser("run", help="run a command with the database, the registers and the connections")
    beside.add_argument("line", nargs=argparse.REMAINDER, metavar="-- CMD …")
    chosen = parser.parse_args(arguments)
    line = chosen.line[1:] if chosen.command == "run" and chosen.line[:1] == ["--"] else getattr(chosen, "line", None)
    if chosen.command == "run" and not line:
        parser.error("run: which command? Write: python -m supervisor run -- dataflyt plan haugesund")

    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    for number in SIGNALS:
        signal.signal(number, interrupted)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    supervisor = None
    try:
        supervisor = Supervisor(chosen.kommune, console)
        code = supervisor.demo() if chosen.command == "demo" else supervisor.run(line or [])
    except (SupervisorError, DataflytError) as trouble:
        said = str(trouble)
    except httpx.HTTPError as trouble:
        said = f"Airflow svarte ikke som ventet ({type(trouble).__name__}): se loggene i mappen .local/logs."
    except OSError as trouble:
        what = f"{trouble.filename} kan ikke brukes" if trouble.filename else "Maskinen sa nei"
        said = f"{what} ({trouble.strerror}): se etter plass på disken og lov til å skrive."
    else:
        return code
    finally:
        if supervisor is not None:
            supervisor.stop()
    console.print(said, style="red", markup=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
