"""``make cluster``: start the processes of docker-compose.yaml by hand, with two workers that share only the network.

Runs a kommune's DAG over both workers. A week later it runs the DAG again, and kills the working worker twice, with
SIGKILL in mid-task. It compares the result with the same week, undisturbed, in a copy of the warehouse. Exit code 0
only when both have the same history, the same golden record and the same published files.

Needs Debian's redis-server. Takes some minutes. Every process it starts is stopped; its files are in .local/cluster.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import warnings
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml
from rich.console import Console
from sqlalchemy import make_url
from upath import UPath

from dataflyt.config.connections import Connection
from dataflyt.config.loading import find, folder_of_kommuner
from dataflyt.errors import DataflytError
from dataflyt.run.environment import Environment
from dataflyt.run.execute import Answer, execute
from dataflyt.run.job import open_job
from dataflyt.storage.landing import Landing
from dataflyt.warehouse.runs import User
from supervisor import logins, remote
from supervisor.__main__ import SIGNALS, address, healthy, interrupted
from supervisor.airflow_api import AirflowApi, http
from supervisor.demo import THINKING
from supervisor.home import ADMIN, REPOSITORY, Home, free_port, local
from supervisor.processes import Processes, SupervisorError, reap
from tests.cluster.machines import Worker
from tests.cluster.servers import ObjectStore, Redis, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataflyt.config.kommune import Kommune

PATIENCE = {
    "WORKERS__MIN_HEARTBEAT_INTERVAL": 2,
    "WORKERS__EXECUTION_API_TIMEOUT": 60,
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 30,
}
"""Seconds: short enough to notice a dead worker sooner than by default (300), long enough for a busy machine."""

WRITING = """
select 1 from pg_stat_activity
where usename = %s and backend_xid is not null and query ~ '(insert|update).*history'
"""
"""Finds a kommune's open transaction that has written something and is in the middle of the history."""

CENTRAL_ONLY = ("DATABASE__SQL_ALCHEMY_CONN", "CORE__FERNET_KEY", "API_AUTH__JWT_SECRET")
"""Settings that no worker gets."""

ENDED = {"success", "failed", "upstream_failed", "skipped", "removed"}
REFERENCE = "undisturbed"


@dataclass
class Kill:
    """A worker's end in the middle of a task, and the times until the task was taken up and done, in seconds."""

    task: str
    when: str
    worker: str = ""
    at: float = 0.0
    into: float = 0.0
    noticed: float | None = None
    again: float | None = None
    other: str = ""
    done: float | None = None


@dataclass
class Followed:
    """A run to its end: the worker of each task, and the killed workers."""

    state: str
    seconds: float
    ran: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Task: (worker, state) of each try."""


class Cluster:
    """All the machines. ``folder`` is deleted and made anew."""

    def __init__(
        self, folder: Path, console: Console, kommuner: Sequence[Kommune], files: Path, *, days: int = 7
    ) -> None:
        self.console = console
        self.folder = folder
        self.kommuner = kommuner
        self.kommune = kommuner[0]
        self.dag = f"kommune_{self.kommune.id}"
        self.processes = Processes(folder)
        for entry in folder.iterdir():
            if entry.is_dir() and entry.name != "logs":
                shutil.rmtree(entry)
            elif entry.is_file() and entry.name != "lock":
                entry.unlink()
        self.redis = Redis(folder / "redis")
        self.store = ObjectStore()
        settings = compose_settings()
        self.metadata = Server(folder / "metadata", settings["metadata"])
        self.warehouse = Server(folder / "warehouse", settings["warehouse"])
        # The registers begin so many days ago: the days can then pass without theirs being ahead of Airflow's.
        self.home = Home(folder / "home", date.today() - timedelta(days=days))
        self.base = {**self.home.base_environment(files), **self.store.environment}
        self.base["DATAFLYT_STORAGE"] = self.store.storage
        os.environ.update(self.store.environment)
        self.workers: list[Worker] = []
        self.simulator = ""
        self.dags = REPOSITORY / "dags"

    def start(self) -> None:
        """Start the services of docker-compose.yaml, in its order."""
        self.redis.start(self.processes, self.base)
        self.store.start(self.processes, self.base)
        self.metadata.start()
        self.warehouse.start()
        metadata, owner = self.metadata.make_metadata(), self.warehouse.make_warehouse()
        self.processes.start("simulator", remote.registers(self.home, self.simulated()), self.base)
        port = free_port()
        approver = logins.approvers([self.kommune])[0]
        users = [*logins.approvers(self.kommuner), logins.administrator()]
        passwords = {login.user: self.home.password(login.user) for login in users}
        everybody = {
            **self.home.airflow_environment(port),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url(0),
            "AIRFLOW__CELERY__RESULT_BACKEND": self.redis.url(1),
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            **{f"AIRFLOW__{name}": str(seconds) for name, seconds in PATIENCE.items()},
        }
        central = {
            **self.base,
            **everybody,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": metadata,
        }
        self.errand("airflow-migrate", [sys.executable, "-m", "airflow", "db", "migrate"], central)
        made = logins.command(self.home.passwords, [kommune.id for kommune in self.kommuner], users)
        self.errand("airflow-logins", made, central)
        migrate = [str(Path(sys.executable).with_name("dataflyt")), "warehouse", "migrate"]
        warehouse = json.dumps({"conn_type": "generic", "host": owner})
        self.errand("warehouse-migrate", migrate, self.base | {"AIRFLOW_CONN_WAREHOUSE": warehouse})
        self.processes.wait_for("Registersimulatoren", self.home.ready.exists)
        self.simulator = address(self.home.ready)
        self.deliver()
        self.connections = remote.connections(self.home, self.kommuner, owner, self.store.storage, self.simulator)
        remote.bring_into_airflow(self.connections, central)
        for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
            self.processes.start(name, [sys.executable, "-m", "airflow", name], central)
        for kept in CENTRAL_ONLY:
            del everybody[f"AIRFLOW__{kept}"]
        for name in ("worker-1", "worker-2"):
            self.workers.append(Worker(name, self.folder / name, {**self.base, **everybody}))
            self.workers[-1].start(self.processes)
        self.url = url = f"http://127.0.0.1:{port}"
        with http(url, timeout=5) as asking:
            self.processes.wait_for("Airflow", lambda: healthy(asking), timeout=300)
        self.airflow = AirflowApi(url, ADMIN, passwords[ADMIN])
        self.approver = AirflowApi(url, approver.user, passwords[approver.user])
        for api in (self.airflow, self.approver):
            api.http.timeout = 180  # ten processes on a small machine
        dags = [f"kommune_{kommune.id}" for kommune in self.kommuner]
        known = lambda: all(self.airflow.dag(dag) is not None for dag in dags)  # noqa: E731
        self.processes.wait_for("Airflows DAG-leser", known, timeout=300)
        self.processes.wait_for("Arbeiderne", self.ready, timeout=300)
        for dag in dags:
            self.airflow.pause(dag, False)
        self.central = central

    def simulated(self) -> Sequence[Kommune]:
        """Return the kommuner whose people the simulator has."""
        return self.kommuner

    def deliver(self) -> None:
        """Put today's files of the HR system and the school system into the object store."""
        remote.upload(self.home, self.kommuner, self.store.storage)

    def errand(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        """Run a command to its end."""
        self.processes.start(name, command, environment, errand=True)
        self.processes.finish(name, timeout=300)

    def ready(self) -> bool:
        """Whether the log of every running worker says that it is ready."""
        started = [worker.name for worker in self.workers if worker.name in self.processes.running]
        return all(
            "ready." in (self.processes.logs / f"{name}.log").read_text("utf-8", errors="replace") for name in started
        )

    def run(self, note: str, kills: list[Kill]) -> Followed:
        """Trigger the kommune's DAG, answer its question, do the ``kills``, and follow it to the end."""
        began = time.monotonic()
        run = self.airflow.trigger(self.dag, note)
        self.key = run
        told: dict[tuple[str, int], str] = {}
        asked = looked = 0.0
        while True:
            self.processes.must_run()
            state = self.airflow.run_state(self.dag, run)
            tasks = self.airflow.tasks(self.dag, run)
            now = time.monotonic()
            for task in tasks:
                key = (task["task_id"], task["try_number"])
                if task["state"] not in (None, "scheduled", "queued") and told.get(key) != task["state"]:
                    told[key] = task["state"]
                    where = f" på {task['hostname']}" if task["hostname"] else ""
                    self.console.print(f"  {now - began:6.1f} s  {key[0]}, forsøk {key[1]}: {task['state']}{where}")
            if now - looked > 2:
                looked = now
                for worker in self.workers:
                    worker.look()
            for kill in kills:
                self.carry_out(kill, {task["task_id"]: task for task in tasks}, began)
            if any(task["state"] == "awaiting_input" for task in tasks):
                asked = asked or now
                if now - asked > THINKING:
                    self.approver.answer(self.dag, run, "approve", "Approve")
                    self.console.print(f"  {now - began:6.1f} s  godkjenneren svarer ja over REST")
                    asked = now + 1e9
            if state in ("success", "failed"):
                return Followed(state, now - began, self.tries(run))
            time.sleep(0.2)

    def tries(self, run: str) -> dict[str, list[tuple[str, str]]]:
        """Return the worker of each try of each task."""
        found = {}
        for task in self.airflow.tasks(self.dag, run):
            name = task["task_id"]
            path = f"/dags/{self.dag}/dagRuns/{httpx.URL(run)}/taskInstances/{name}/tries"
            tries = self.airflow.call("GET", path)["task_instances"]
            found[name] = [(one["hostname"] or "", one["state"] or "") for one in tries]
        return found

    def carry_out(self, kill: Kill, tasks: dict[str, dict[str, Any]], began: float) -> None:
        """Kill the worker at its moment; then note when the kill is noticed, and when the task is taken up and done."""
        now = time.monotonic() - began
        task = tasks[kill.task]
        if not kill.worker:
            if task["state"] == "running" and self.in_the_middle(kill.task):
                now = time.monotonic() - began
                worker = next(worker for worker in self.workers if worker.name == task["hostname"])
                count = worker.kill(self.processes)
                kill.worker, kill.at = worker.name, now
                self.console.print(
                    f"  {now:6.1f} s  [bold red]{worker.name} drept[/] (SIGKILL, {count} prosesser) midt i "
                    f"{kill.task}: {kill.when}; oppgaven begynte {task['start_date'][11:19]} UTC"
                )
            return
        if kill.noticed is None and (task["state"] != "running" or task["try_number"] > 1):
            kill.noticed = now - kill.at
            self.console.print(f"  {now:6.1f} s  Airflow har merket det, {kill.noticed:.1f} s etter")
        if kill.again is None and task["try_number"] > 1 and task["state"] in ("running", "success"):
            kill.again, kill.other = now - kill.at, task["hostname"]
            self.console.print(f"  {now:6.1f} s  {kill.other} tar den opp, {kill.again:.1f} s etter")
        if kill.done is None and kill.again is not None and task["state"] in ENDED:
            kill.done = now - kill.at
            next(worker for worker in self.workers if worker.name == kill.worker).start(self.processes)
            self.console.print(f"  {now:6.1f} s  {kill.worker} starter på nytt, som etter en strømstans")

    def in_the_middle(self, task: str) -> bool:
        """Wait until a task is half done: an extract has landed a page, or a merge writes. False: too late."""
        deadline = time.monotonic() + 120
        landing = UPath(self.store.storage) / "landing" / self.kommune.id / f"{self.newest()[0]:06d}" / "freg"
        with self.warehouse.admin("warehouse") as connection:
            while time.monotonic() < deadline:
                if task == "extract_freg":
                    landing.fs.invalidate_cache()
                    found = bool(Landing(landing).names())
                else:
                    found = bool(connection.execute(WRITING, [f"kommune_{self.kommune.id}"]).fetchone())
                if found:
                    return True
                time.sleep(0.01)
        return False

    def newest(self) -> tuple[int, Any]:
        """Return the number and ``as_of`` of the kommune's newest run."""
        with self.warehouse.admin("warehouse") as connection:
            row = connection.execute("select run, as_of from control.run order by run desc limit 1").fetchone()
        return row  # type: ignore[return-value]

    def pass_until(self, today: date) -> None:
        """Let time pass in the registers until ``today``, and deliver its files."""
        self.home.calendar.write_text(today.isoformat(), encoding="utf-8")
        answer = httpx.post(
            f"{self.simulator}/simulator/date", json={"date": today.isoformat()}, trust_env=False, timeout=120
        )
        answer.raise_for_status()
        self.deliver()

    def copy_warehouse(self) -> None:
        """Copy the warehouse as it is now, for the undisturbed run."""
        with self.warehouse.admin() as connection:
            connection.execute(f"create database {REFERENCE} template warehouse owner dataflyt")

    def undisturbed(self) -> None:
        """Do the same run in the copy, in this process, into a folder of its own in the object store."""
        _, as_of = self.newest()

        def connect(name: str) -> Connection:
            one = self.connections[name]
            host = one["host"]
            if name == self.kommune.warehouse:
                host = make_url(host).set(database=REFERENCE).render_as_string(hide_password=False)
            return Connection(name, host, one.get("login"), one.get("password"), one.get("extra", {}))

        environment = Environment(connect, UPath, f"{self.store.storage}/{REFERENCE}")
        job = open_job(self.kommune, self.key, as_of, environment)
        one = self.kommune.approvers[0]
        ended = execute(job, lambda _: Answer("approved", User(one.id, one.name), "command_line"))
        if ended.error:
            raise ended.error

    def dump(self, name: str) -> dict[str, list[tuple[str, ...]]]:
        """Return every row of the history, the golden record, the accounts and the contacts, sorted."""
        with self.warehouse.admin(name) as connection:
            tables = connection.execute(
                "select schemaname || '.' || tablename from pg_tables where schemaname in ('history', 'golden') "
                "or tablename in ('account_name', 'contact_value', 'quarantine') order by 1"
            ).fetchall()
            return {
                str(table): sorted(tuple(map(str, row)) for row in connection.execute(f"select * from {table}"))
                for (table,) in tables
            }

    def published(self, storage: str) -> dict[str, str]:
        """Return the sha256 of each published file, computed from the file, by publication and name."""
        exports = UPath(storage) / "exports" / self.kommune.id
        manifest = json.loads((exports / "manifest.json").read_bytes())
        found = {}
        for file in manifest["files"]:
            content = (exports / manifest["publication"] / file["file"]).read_bytes()
            found[f"{manifest['publication']}/{file['file']}"] = hashlib.sha256(content).hexdigest()
            if hashlib.sha256(content).hexdigest() != file["sha256"]:
                raise SupervisorError(f"{file['file']} er ikke det manifestet sier.")
        return found

    def stop(self) -> None:
        """Stop everything; Ctrl-C does not interrupt that."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            self.processes.stop()
        finally:
            for server in (self.metadata, self.warehouse):
                server.stop()
            reap()


def compose_settings() -> dict[str, dict[str, str]]:
    """Return the settings with which docker-compose.yaml starts its two PostgreSQL servers."""
    services = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]
    return {
        name: dict(word.split("=", 1) for word in services[name]["command"] if "=" in word)
        for name in ("metadata", "warehouse")
    }


def experiment(cluster: Cluster) -> bool:
    """Do the whole experiment; return whether the end states are the same."""
    say = cluster.console.print
    began = time.monotonic()
    cluster.start()
    say(
        f"Alt er oppe etter {time.monotonic() - began:.0f} s: Redis, to PostgreSQL, objektlager, simulator, "
        "api-server, scheduler, dag-processor, triggerer, worker-1 og worker-2."
    )
    say("\n[bold]Første kjøring, uforstyrret:[/]")
    first = cluster.run("make cluster: first run", [])
    shared = tell(cluster, first)
    cluster.copy_warehouse()
    cluster.pass_until(cluster.home.start + timedelta(days=7))
    say(f"\n[bold]En uke senere ({cluster.home.today}), og to strømstanser:[/]")
    kills = [Kill("extract_freg", "noe er landet"), Kill("merge", "med en åpen skrivetransaksjon")]
    second = cluster.run("make cluster: second run, with two kills", kills)
    tell(cluster, second)
    for kill in kills:
        if kill.done is None or kill.again is None:
            raise SupervisorError(f"Ingen ble drept midt i {kill.task}, eller ingen tok den opp: kjør en gang til.")
    say("\n[bold]Samme uke i en kopi av varehuset, uforstyrret, i én prosess:[/]")
    began = time.monotonic()
    before = cluster.dump(REFERENCE)
    cluster.undisturbed()
    after = cluster.dump(REFERENCE)
    changed = sum(before[table] != after[table] for table in after)
    say(f"  ferdig på {time.monotonic() - began:.0f} s; uken endret {changed} tabeller")
    return compare(cluster) and changed > 0 and first.state == second.state == "success" and shared


def tell(cluster: Cluster, run: Followed) -> bool:
    """Print each worker's part; return whether both took part and touched only their own files."""
    say = cluster.console.print
    by: dict[str, list[str]] = {}
    for task, tries in run.ran.items():
        for number, (worker, _) in enumerate(tries, 1):
            by.setdefault(worker, []).append(task if len(tries) == 1 else f"{task} (forsøk {number})")
    say(f"  {run.state} på {run.seconds:.0f} s")
    for worker in cluster.workers:
        say(f"  {worker.name}: {', '.join(by.get(worker.name, [])) or 'ingenting'}")
        for path in worker.elsewhere():
            say(f"  [red]{worker.name} hadte åpen en fil som ikke er dens egen:[/] {path}")
    return all(worker.name in by and not worker.elsewhere() for worker in cluster.workers)


def compare(cluster: Cluster) -> bool:
    """Compare the killed run's end state with the undisturbed run's; print the comparisons."""
    say = cluster.console.print
    killed, straight = cluster.dump("warehouse"), cluster.dump(REFERENCE)
    rows = sum(map(len, killed.values()))
    different = sorted(table for table in killed.keys() | straight.keys() if killed.get(table) != straight.get(table))
    files = cluster.published(cluster.store.storage)
    others = cluster.published(f"{cluster.store.storage}/{REFERENCE}")
    say(f"\n[bold]Sammenlignet:[/] {len(killed)} tabeller med {rows} rader; {len(files)} publiserte filer")
    for table in different:
        say(f"  [red]{table} er ulik[/]: {len(killed.get(table, []))} rader mot {len(straight.get(table, []))}")
    for name, sha256 in files.items():
        same = others.get(name) == sha256
        say(f"  {name}: sha256 {sha256[:16]}… {'lik' if same else '[red]ulik[/]'}")
    return bool(rows and files) and not different and files == others


def main(arguments: list[str]) -> int:
    """Do the experiment, and leave nothing running."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--kommune", default="haugesund", help="id or number (default %(default)s)")
    chosen = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    for number in SIGNALS:
        signal.signal(number, interrupted)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    cluster = None
    try:
        cluster = Cluster(
            local() / "cluster", console, [find(folder_of_kommuner(), chosen.kommune)], folder_of_kommuner()
        )
        same = experiment(cluster)
    except (SupervisorError, DataflytError) as trouble:
        console.print(str(trouble), style="red", markup=False, soft_wrap=True)
        return 1
    finally:
        if cluster is not None:
            cluster.stop()
    console.print("[bold green]Samme sluttilstand.[/]" if same else "[bold red]Ikke samme sluttilstand.[/]")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
