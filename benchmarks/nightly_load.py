"""A night with 357 kommuner on two cores, estimated from a few kommuner of 150 pupils in a real Airflow.

Each kommune has a first run, which is approved. Then all run at once with nothing changed, as on most nights. In that
round every task reports, when it ends, its seconds and its process's seconds of CPU. The seconds of CPU of everything
are measured too: scheduler, API server, DAG processor, workers, tasks, PostgreSQL, the simulated registers.

Then the scheduler, whose processes run the tasks, is started anew. It now imports the tasks' modules before it forks
(DATAFLYT_PRELOAD, include/airflow_local_settings.py), and the round is repeated.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
from measuring import Figure, kommune_files

CORES = 2
NIGHT = 357
HOURS = 8
PATIENCE = 5.0
"""Seconds before a question is answered."""
NUMBER = "1520"

# Airflow calls this in the process that it forked for the task: its CPU time began at zero.
LISTENER = """
import json, os, sys, time
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

@hookimpl
def on_task_instance_success(previous_state, task_instance):
    said = {"dag": task_instance.dag_id, "run": task_instance.run_id, "task": task_instance.task_id}
    with open(os.environ["DATAFLYT_BENCH_COSTS"], "a") as out:
        out.write(json.dumps({**said, "cpu": time.process_time()}) + "\\n")

class Costs(AirflowPlugin):
    name = "costs"
    listeners = [sys.modules[__name__]]
"""


def cpu_of(processes: list[psutil.Process]) -> float:
    """Return the seconds of CPU of processes and of their ended children."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            spent = process.cpu_times()
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


class Night:
    """A supervised Airflow with a number of kommuner of 150 pupils; ``folder`` holds everything."""

    def __init__(self, folder: Path, kommuner: int) -> None:
        from rich.console import Console

        from simulator.files import units
        from simulator.kommuner import KOMMUNER
        from supervisor import logins
        from supervisor.__main__ import Supervisor
        from supervisor.airflow_api import AirflowApi
        from supervisor.home import ADMIN, free_port

        schools = {school.unit: school.orgnr for school in KOMMUNER[NUMBER].schools}
        at_schools = {unit: schools[unit] for unit, _, _ in units(KOMMUNER[NUMBER]) if unit in schools}
        self.ids = [f"night{at}" for at in range(1, kommuner + 1)]
        numbers = [NUMBER, *(f"{5000 + at}" for at in range(1, kommuner))]
        kommune_files(folder / "kommuner", self.ids, numbers, at_schools)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "costs.py").write_text(LISTENER)
        os.environ["DATAFLYT_KOMMUNER"] = str(folder / "kommuner")
        self.costs = folder / "costs.jsonl"
        self.supervisor = Supervisor(Console(quiet=True), folder / "home")
        drop = self.supervisor.home.drop
        for number in numbers[1:]:  # all have the files of the first kommune, and so its people
            (drop / number).symlink_to(drop / NUMBER)
        self.supervisor.environment |= {
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "plugins"),
            "AIRFLOW__CORE__PARALLELISM": str(CORES),
            "DATAFLYT_BENCH_COSTS": str(self.costs),
        }
        port = free_port()
        users = [*logins.approvers(self.supervisor.kommuner), logins.administrator()]
        approver = users[0].user
        self.airflow_settings = self.supervisor.home.airflow_environment(port)
        self.supervisor.apart = ("scheduler",)  # which imports the tasks' modules only after ``preload``
        url = self.supervisor.start_airflow(users, port)
        self.airflow = AirflowApi(url, ADMIN, self.supervisor.home.password(ADMIN))
        self.approver = AirflowApi(url, approver, self.supervisor.home.password(approver))

    def processes(self) -> list[psutil.Process]:
        """Return every process: the supervisor's, and PostgreSQL's."""
        pid = int((self.supervisor.postgres.folder / "postmaster.pid").read_text().split("\n", 1)[0])
        server = psutil.Process(pid)
        return [*self.supervisor.processes.marked(), server, *server.children(recursive=True)]

    def begin(self) -> None:
        """Wait until all kommuner are known, and let their DAGs run."""
        known = lambda: all(self.airflow.dag(f"kommune_{name}") for name in self.ids)  # noqa: E731
        self.supervisor.processes.wait_for("Airflow", known, timeout=600)
        for name in self.ids:
            self.airflow.pause(f"kommune_{name}", False)
        dags = [f"kommune_{name}" for name in self.ids]
        runs = {(dag, self.airflow.trigger(dag, "first run")) for dag in dags}
        # An unpaused DAG may also start the run that was due last.
        self.finish(runs | {(dag, run) for dag in dags for run in self.airflow.active_runs(dag)}, asked=True)

    def round(self) -> dict[str, Any]:
        """Run every kommune once, all at the same time; return the cost."""
        self.costs.write_text("")
        before, began = cpu_of(self.processes()), time.monotonic()
        runs = {f"kommune_{name}": self.airflow.trigger(f"kommune_{name}", "benchmark") for name in self.ids}
        self.finish(set(runs.items()), asked=False)
        seconds, cpu = time.monotonic() - began, cpu_of(self.processes()) - before
        tasks: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"seconds": [], "cpu": []})
        for dag, run in runs.items():
            for task in self.airflow.tasks(dag, run):
                if task["duration"]:
                    tasks[task["task_id"]]["seconds"].append(task["duration"])
        for line in self.costs.read_text().splitlines():
            said = json.loads(line)
            tasks[said["task"]]["cpu"].append(said["cpu"])
        return {"seconds": seconds, "cpu": cpu, "tasks": tasks}

    def finish(self, runs: set[tuple[str, str]], *, asked: bool) -> None:
        """Follow runs (DAG and id) to their end; with ``asked``, answer yes to each."""
        since: dict[tuple[str, str], float] = {}
        while runs:
            time.sleep(1)
            self.supervisor.processes.must_run()
            for dag, run in sorted(runs):
                with suppress(httpx.TransportError):  # a busy machine may time out
                    state = self.airflow.run_state(dag, run)
                    if state == "failed":
                        raise SystemExit(f"A run of {dag} failed; see {self.supervisor.processes.logs}")
                    if state == "success":
                        runs = runs - {(dag, run)}
                    elif asked:
                        self.answer(dag, run, since)

    def answer(self, dag: str, run: str, since: dict[tuple[str, str], float]) -> None:
        """Answer yes to a run that has waited for a while: Airflow asks anew when the answer comes too early."""
        for task in self.airflow.tasks(dag, run):
            if task["state"] == "awaiting_input":
                waited = time.monotonic() - since.setdefault((dag, run), time.monotonic())
                if waited > PATIENCE:
                    self.approver.answer(dag, run, task["task_id"], "Approve")
                    del since[dag, run]

    def preload(self) -> None:
        """Start the scheduler anew, so that it imports the tasks' modules before it forks them."""
        processes = self.supervisor.processes
        scheduler = processes.running.pop("scheduler")
        scheduler.terminate()
        scheduler.wait(60)
        environment = self.airflow_settings | self.supervisor.environment | {"DATAFLYT_PRELOAD": "1"}
        since = datetime.now(UTC)
        processes.start("scheduler", [sys.executable, "-m", "airflow", "scheduler"], environment)

        def works() -> bool:
            beat = self.airflow.call("GET", "/monitor/health")["scheduler"]["latest_scheduler_heartbeat"]
            return beat is not None and datetime.fromisoformat(beat) > since

        processes.wait_for("Airflow", works, timeout=300)  # the imports at the start are not part of a kommune's cost

    def memory(self) -> float:
        """Return the memory of the scheduler and its workers, in MiB (PSS where the system tells it)."""
        found = 0.0
        family = [psutil.Process(self.supervisor.processes.running["scheduler"].pid)]
        for process in [*family, *family[0].children(recursive=True)]:
            with suppress(psutil.Error):
                full = process.memory_full_info()
                found += getattr(full, "pss", full.uss) / (1 << 20)
        return found


def table(found: dict[str, Any]) -> list[str]:
    """Return a line for each task's cost: the mean of the kommuner."""
    lines = [f"    {'task':14}{'seconds':>9}{'cpu':>8}"]
    for task, costs in found["tasks"].items():
        cpu = statistics.mean(costs["cpu"]) if costs["cpu"] else 0.0
        lines.append(f"    {task:14}{statistics.mean(costs['seconds'] or [0]):9.1f}{cpu:8.2f}")
    return lines


def measure(kommuner: int = 4) -> tuple[list[Figure], list[str]]:
    """Run the rounds; return the figures, and a line for each task of a kommune."""
    figures, lines = [], []
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as made:
        night = Night(Path(made), kommuner)
        try:
            night.begin()
            for how in ("as it is", "imported before the fork"):
                if how != "as it is":
                    night.preload()
                found = night.round()
                tasks = sum(statistics.mean(costs["cpu"]) for costs in found["tasks"].values() if costs["cpu"])
                hours = found["cpu"] / kommuner / CORES * NIGHT / 3600
                lines += ["", f"  A kommune of 150 pupils, {how}:", *table(found)]
                figures += [
                    Figure(
                        f"{NIGHT} kommuner of 150 pupils on {CORES} cores, {how}",
                        f"{hours:.1f} h",
                        f"aim: a night ({HOURS} h)",
                        hours <= HOURS,
                    ),
                    Figure("  CPU a kommune: all processes", f"{found['cpu'] / kommuner:.1f} s"),
                    Figure("  CPU a kommune: the tasks alone", f"{tasks:.1f} s"),
                    Figure(
                        f"  {kommuner} at once, by the clock; memory of scheduler and workers",
                        f"{found['seconds']:.0f} s, {night.memory():.0f} MiB",
                    ),
                ]
        finally:
            night.supervisor.stop()
    return figures, lines


if __name__ == "__main__":
    figures, lines = measure(*(int(count) for count in sys.argv[1:]))
    print(*lines, "", *figures, sep="\n")
