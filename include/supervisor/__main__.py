"""The program behind ``make``: a demo, weeks of it, Airflow for trial, a command with the services, backup and restore.

``demo`` runs a kommune's DAG, ``demo --weeks 4`` three kommuner through weeks of a simulated calendar, ``up`` keeps
Airflow running, ``run -- CMD`` runs a command, ``backup`` and ``restore`` keep the warehouse. Each starts the embedded
PostgreSQL, the simulated registers and Airflow, as far as it needs them, and always stops them. Exit code: the
command's, 1 when a run or a component failed, 128 + n when stopped by signal n.
"""

from __future__ import annotations

import signal

if __name__ == "__main__":  # the imports below take a second, in which Ctrl-C would print a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from dataflyt.cli import outside_run, terminal
from dataflyt.errors import DataflytError, why_refused
from dataflyt.storage import private
from supervisor import airflow_parts, logins
from supervisor.airflow_api import AirflowApi, http
from supervisor.demo import Demo, newest_report, now, reports, summarise
from supervisor.home import ADMIN, CLIENT_ID, REPOSITORY, Home, empty, free_port, local, parallelism, port_is_free
from supervisor.postgres import Postgres
from supervisor.processes import PATIENCE, Processes, SupervisorError, reap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType
    from typing import TextIO

    from supervisor.logins import Login

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USUAL_PORT = 8080
ROOM = 64
"""Megabytes of free disk that PostgreSQL needs to start."""


class Supervisor:
    """Start everything in a folder, and stop it. ``anew``: the folder is emptied first.

    Raises DataflytError when the kommune files cannot be read, SupervisorError when another supervisor uses the folder.
    """

    apart: tuple[str, ...] = ()
    """The parts of Airflow that are processes of their own. Such a scheduler does not import the tasks' modules."""
    announced: TextIO | None = None
    """The note by which commands in other windows find the services."""

    def __init__(self, console: Console, folder: Path, *, anew: bool = False, start: date | None = None) -> None:
        from dataflyt.config.loading import load_all

        self.console = console
        self.folder_of_kommuner = Path(
            os.environ.get("DATAFLYT_KOMMUNER") or REPOSITORY / "include" / "kommuner"
        ).resolve()
        self.kommuner, self.broken = load_all(self.folder_of_kommuner)
        self.processes = Processes(folder)
        self.postgres = Postgres(folder / "postgres")
        try:
            if anew:
                self.postgres.stop()  # a killed supervisor may have left it running
                empty(folder)
            self.home = Home(folder, start)
        except BaseException:
            self.stop()
            raise
        self.environment = self.home.base_environment(self.folder_of_kommuner)
        self.simulator = ""

    def find(self, name: str) -> Any:
        """Find a kommune by id or number; raises ConfigError."""
        from dataflyt.config.loading import find

        return find(self.folder_of_kommuner, name)

    def simulated(self) -> list[Any]:
        """Return the kommuner that the simulator has people of: those with a kommunenummer that it knows."""
        from simulator.kommuner import KOMMUNER

        return [kommune for kommune in self.kommuner if set(kommune.kommunenummer) & set(KOMMUNER)]

    def start_services(self) -> None:
        """Start the simulator and PostgreSQL, bring the warehouse up to date, and set the connections."""
        python = sys.executable
        self.home.ready.unlink(missing_ok=True)
        numbers = [number for kommune in self.simulated() for number in kommune.kommunenummer[:1]]
        if not numbers:
            raise SupervisorError("Ingen av kommunefilene er for en kommune som simulatoren har innbyggere i.")
        self.processes.start(
            "simulator",
            [
                *(python, "-m", "simulator", "serve", "--seed", "1"),
                *(word for number in numbers for word in ("--kommune", number)),
                *("--start", self.home.start.isoformat(), "--date", self.home.today.isoformat()),
                *("--port", "0", "--drop", str(self.home.drop)),
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
        self.simulator = address(self.home.ready)
        self.environment |= self.home.connections(self.kommuner, self.postgres.url, self.simulator)
        self.processes.finish("warehouse-migrate")

    def start_airflow(self, users: Sequence[Login], port: int, *, triggerer: bool = False) -> str:
        """Start the services and Airflow for ``users``; return its URL when it is up.

        The triggerer watches the deadlines. Logs are read from their folder: no process serves them.
        """
        airflow = self.environment | self.home.airflow_environment(port)
        prepared = self.home.airflow / f"prepared-{airflow_version()}-fab"
        parts = ("api-server", "scheduler", "dag-processor", *(["triggerer"] if triggerer else []))
        for login in users:
            self.home.password(login.user)
        begin = airflow_parts.command(
            self.home.passwords,
            [*(kommune.id for kommune in self.kommuner), *(broken.id for broken in self.broken)],
            users,
            parts=[name for name in parts if name not in self.apart],
            logs=self.processes.logs,
            migrate=not prepared.exists(),
        )
        self.processes.start("airflow", begin, airflow, listens=True)
        self.console.print("Starter PostgreSQL, registersimulatoren og Airflow …")
        self.start_services()
        self.announced = outside_run.announce(self.home.folder, self.environment)
        self.processes.tell("airflow", json.dumps(self.environment))  # the connections are known now
        for name in self.apart:
            self.processes.start(name, [sys.executable, "-m", "airflow", name], airflow | self.environment)
        url = f"http://127.0.0.1:{port}"
        with http(url, timeout=5) as asking:
            self.processes.wait_for("Airflow", lambda: healthy(asking))
        prepared.touch()
        return url

    def demo(self, name: str) -> int:
        """Run a kommune's DAG in a real Airflow; 0 when the run succeeded."""
        began = time.monotonic()
        kommune = self.find(name)
        approver = logins.approvers([kommune])[0]
        self.console.print(f"[bold]Dataflyt, demo for {kommune.display_name}[/]  (alt ligger i {self.home.folder})")
        since = now()
        url = self.start_airflow([approver, logins.administrator()], free_port())
        demo = Demo(
            airflow=AirflowApi(url, ADMIN, self.home.password(ADMIN)),
            approver=lambda: AirflowApi(url, approver.user, self.home.password(approver.user)),
            approver_name=f"{approver.name} ({approver.user})",
            dag=f"kommune_{kommune.id}",
            console=self.console,
            processes=self.processes,
        )
        shown = demo.wait_until_read(since)
        self.console.print(f"Airflow er oppe på {url} etter {time.monotonic() - began:.0f} s. Kjører {shown}:")
        folder = self.home.storage / "reports" / kommune.id
        known = reports(folder)
        state = demo.run()
        self.console.print()
        if state != "success" and reports(folder) == known:
            raise SupervisorError(f"Kjøringen feilet og skrev ingen rapport; loggene ligger i {self.processes.logs}.")
        summarise(newest_report(folder, known), self.home.storage / "exports" / kommune.id, self.console)
        spent = time.monotonic() - began
        if state == "success":
            self.console.print(f"\n[bold green]Ferdig[/] på {spent:.0f} s.")
            return 0
        self.console.print(
            f"\n[bold red]Kjøringen feilet[/] etter {spent:.0f} s; loggene ligger i {self.processes.logs}."
        )
        return 1

    def weeks(self, weeks: int) -> int:
        """Run all kommuner through weeks of a simulated calendar, without Airflow."""
        from supervisor.weeks import Approver, Calendar, Registers, environment

        kommuner = self.simulated()
        names = ", ".join(kommune.display_name for kommune in kommuner)
        self.console.print(f"[bold]Dataflyt, {weeks} uker for {names}[/]  (alt ligger i {self.home.folder})")
        self.console.print("Starter PostgreSQL og registersimulatoren …")
        self.start_services()
        calendar = Calendar(
            kommuner=kommuner,
            environment=environment(self.environment),
            home=self.home,
            registers=Registers(self.simulator, self.home),
            approver=Approver(),
            console=self.console,
        )
        calendar.run(self.home.start, weeks)
        return 0

    def up(self, wanted: str) -> int:
        """Keep Airflow running with all kommuner, until Ctrl-C or until something stops."""
        from supervisor.up import let_run, tell
        from supervisor.weeks import Registers

        port = choose_port(wanted)
        users = [*logins.approvers(self.kommuner), *logins.others(self.kommuner), logins.administrator()]
        self.console.print(f"[bold]Dataflyt, til utprøving[/]  (alt ligger i {self.home.folder})")
        if not wanted and port != USUAL_PORT:
            self.console.print(
                f"Port {USUAL_PORT} er opptatt; Airflow får port {port}. «make up PORT=…» velger en annen."
            )
        since = now()
        url = self.start_airflow(users, port, triggerer=True)
        airflow = AirflowApi(url, ADMIN, self.home.password(ADMIN))
        let_run(airflow, self.kommuner, self.home, self.processes, since)
        tell(self.console, url, self.kommuner, self.broken, self.home, parallelism())
        registers = Registers(self.simulator, self.home)
        while True:
            self.processes.must_run()
            registers.advance(self.home.today)  # at midnight
            time.sleep(1)

    def run(self, command: list[str]) -> int:
        """Run a command beside the services, with its terminal; return its exit code."""
        self.start_services()
        return run_beside(command, self.environment)

    def backup(self, file: str) -> int:
        """Write a backup of the warehouse."""
        from supervisor import backup

        if not (self.home.postgres / "PG_VERSION").exists():
            raise SupervisorError(f"Det er ikke noe varehus i {self.home.folder} å ta sikkerhetskopi av.")
        self.postgres.start()
        backup.keep(self.postgres, Path(file).absolute() if file else backup.new_name(self.home.folder), self.console)
        return 0

    def restore(self, file: str, *, sure: bool) -> int:
        """Put the warehouse of a backup in the place of the one that is there."""
        from supervisor import backup

        if not file:
            raise SupervisorError("Hvilken fil? Skriv: make restore FILE=.local/backups/….dump")
        backup.contents(Path(file).absolute())  # before anything is started
        self.postgres.start()
        if not backup.bring_back(self.postgres, Path(file).absolute(), self.console, sure=sure):
            return 1
        os.environ.update(self.environment | self.home.connections(self.kommuner, self.postgres.url, self.simulator))
        backup.reconcile(self.kommuner, self.console)
        return 0

    def stop(self) -> None:
        """Stop everything; Ctrl-C does not interrupt that."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            if self.announced:
                with suppress(OSError):
                    outside_run.withdraw(self.home.folder, self.announced)
            self.processes.stop()
        finally:
            self.postgres.stop()
            reap()


def address(ready: Path) -> str:
    """Read the simulator's URL from the file it writes when it listens."""
    url: str = json.loads(ready.read_text(encoding="utf-8"))["url"]
    return url.rstrip("/")


def choose_port(wanted: str) -> int:
    """Return the wanted port; without one, 8080 if it is free, else any free port. Raises SupervisorError."""
    if not wanted:
        return USUAL_PORT if port_is_free(USUAL_PORT) else free_port()
    if not wanted.isdigit() or not 1024 <= int(wanted) <= 65535:
        raise SupervisorError("PORT er ikke et portnummer: skriv et tall fra 1024 til 65535, eller ta det bort.")
    if not port_is_free(int(wanted)):
        raise SupervisorError(f"Port {wanted} er opptatt: velg en annen, eller ta bort PORT.")
    return int(wanted)


def healthy(asking: httpx.Client) -> bool:
    """Whether Airflow's API answers and its scheduler and DAG processor are alive."""
    try:
        parts = asking.get("/api/v2/monitor/health").json()
    except (httpx.HTTPError, ValueError):
        return False
    return all(parts[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))


def airflow_version() -> str:
    """Return the version of the installed Airflow, without importing it."""
    from importlib.metadata import version

    return version("apache-airflow")


def interrupted(number: int, frame: FrameType | None) -> None:
    """Turn a signal into an exit that runs every ``finally``, and ignore further signals, such as make's."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def interrupt_again(swallowed: sys.UnraisableHookArgs) -> None:
    """Send a signal anew whose exit a destructor or a library's own callback swallowed: further ones are ignored."""
    exit_ = swallowed.exc_value
    if isinstance(exit_, SystemExit) and isinstance(exit_.code, int) and exit_.code - 128 in SIGNALS:
        for other in SIGNALS:
            signal.signal(other, interrupted)
        terminal.signal_soon(exit_.code - 128)
    else:
        sys.__unraisablehook__(swallowed)


def understood(arguments: list[str]) -> argparse.Namespace:
    """Read the command line. Empty words count as not given: make passes its variables whether they are set or not."""
    parser = argparse.ArgumentParser(prog="python -m supervisor", description=__doc__)
    parser.add_argument("--kommune", default="haugesund", help="id or number (default: haugesund)")
    parser.add_argument("--under-make", action="store_true", help="end with 1 whatever the failure or signal was")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="run the kommune's DAG in a real Airflow and print the outcome")
    demo.add_argument("--weeks", default="", help="instead: all kommuner through this many weeks, without Airflow")
    demo.add_argument("--start", default="", help="the day on which the weeks begin, YYYY-MM-DD (default: today)")
    up = commands.add_parser("up", help="keep Airflow running with all kommuner until Ctrl-C")
    up.add_argument("--port", default="", help="Airflow's port (default: 8080, another one when it is taken)")
    beside = commands.add_parser("run", help="run a command with the database, the registers and the connections")
    beside.add_argument("line", nargs=argparse.REMAINDER, metavar="-- CMD …")
    backup = commands.add_parser("backup", help="write a backup of the warehouse")
    backup.add_argument("--file", default="", help="the file to write (default: a new one in .local/backups)")
    restore = commands.add_parser("restore", help="put a backup in the place of the warehouse")
    restore.add_argument("--file", default="", help="the file that backup wrote")
    restore.add_argument("--yes", default="", help="1: do not ask")
    chosen = parser.parse_args(arguments)
    if chosen.command == "run":
        chosen.line = chosen.line[1:] if chosen.line[:1] == ["--"] else chosen.line
        if not chosen.line:
            parser.error("run: which command? Write: python -m supervisor run -- dataflyt plan haugesund")
    return chosen


def task(chosen: argparse.Namespace) -> tuple[Callable[[Console], Supervisor], Callable[[Supervisor], int]]:
    """Return how to make the supervisor, and the task that was chosen. Raises SupervisorError."""
    if chosen.command == "demo" and (chosen.weeks or chosen.start):
        weeks, start = number_of_weeks(chosen.weeks), first_day(chosen.start)
        return (
            lambda console: Supervisor(console, local() / "weeks", anew=True, start=start),
            lambda supervisor: supervisor.weeks(weeks),
        )
    do: dict[str, Callable[[Supervisor], int]] = {
        "demo": lambda supervisor: supervisor.demo(chosen.kommune),
        "up": lambda supervisor: supervisor.up(chosen.port),
        "run": lambda supervisor: supervisor.run(chosen.line),
        "backup": lambda supervisor: supervisor.backup(chosen.file),
        "restore": lambda supervisor: supervisor.restore(chosen.file, sure=chosen.yes not in ("", "0")),
    }
    return lambda console: Supervisor(console, local()), do[chosen.command]


def number_of_weeks(text: str) -> int:
    """Read WEEKS; raises SupervisorError."""
    if not text.isdigit() or not 1 <= int(text) <= 520:
        raise SupervisorError("WEEKS er ikke et antall uker: skriv et tall fra 1 til 520, for eksempel WEEKS=4.")
    return int(text)


def first_day(text: str) -> date:
    """Read START, today when it is empty; raises SupervisorError."""
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError:
        raise SupervisorError("START er ikke en dato: skriv den som 2026-07-20.") from None


def run_beside(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command with this process's terminal, and return its exit code. A signal ends the command too."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603
        try:
            return process.wait()
        except SystemExit as signalled:
            if signalled.code == 128 + signal.SIGINT:  # the terminal has sent it to the command too, which cleans up
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
            raise
        finally:
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):  # its last lines come before the prompt
                    process.wait(PATIENCE)


def nearly_full(folder: Path) -> str:
    """Return a sentence when the disk below a folder is nearly full, which must be mended first; else nothing."""
    with suppress(OSError):
        free = shutil.disk_usage(folder).free // 2**20
        return f"\nDisken som {folder} ligger på, er full ({free} MB ledig): rydd plass først." if free < ROOM else ""
    return ""


def main(arguments: list[str]) -> int:
    """Run the command line, and leave nothing running."""
    chosen = understood(arguments)
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    for number in SIGNALS:
        signal.signal(number, interrupted)
    sys.unraisablehook = interrupt_again
    terminal.prepare()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    supervisor = None
    try:
        if chosen.command == "run" and (variables := outside_run.running(local())):
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
            code = run_beside(chosen.line, {**os.environ, **variables, "PATH": path})
        else:
            make, do = task(chosen)
            supervisor = make(console)
            code = do(supervisor)
    except SystemExit:  # a signal
        if not chosen.under_make:
            raise
        return 1
    except (SupervisorError, DataflytError) as trouble:
        said = str(trouble)
    except httpx.HTTPError as trouble:
        said = f"Airflow svarte ikke som ventet ({type(trouble).__name__}): se loggene i {local() / 'logs'}."
    except OSError as trouble:
        what = f"{trouble.filename} kan ikke brukes" if trouble.filename else "Maskinen sa nei"
        said = f"{what} ({why_refused(trouble)}): se etter plass på disken og lov til å skrive."
    except EOFError:  # the terminal was closed where a question was asked
        said = "Avbrutt. Ingenting er gjort."
    except Exception as trouble:
        said = terminal.sentence_of(trouble)
    else:
        return min(code, 1) if chosen.under_make and code > 0 else code
    finally:
        if supervisor is not None:
            supervisor.stop()
    said = said.rstrip().rstrip(":") + nearly_full(local())
    try:
        console.print(said, style="red", markup=False, soft_wrap=True)
    except OSError:  # the terminal's own disk is full
        terminal.forget_output()
        terminal.say(said)
    return 1


if __name__ == "__main__":
    private.close()
    sys.exit(main(sys.argv[1:]))
