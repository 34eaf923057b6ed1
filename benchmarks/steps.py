"""Time and memory of every step of a run, for kommuner of any size.

    python benchmarks/steps.py --pupils 400 4000 40000 --runs 2

The simulator makes the kommune, writes the files of HR and SAS, and answers for FREG and KRR over HTTP. Then the steps
of a run are done, each in a process of its own as under Airflow, against a PostgreSQL with default settings in a
temporary folder.

Per step: seconds, seconds of CPU of the step and of PostgreSQL, and in MiB the peak of memory, the memory after
importing Airflow (and, for ``check``, Great Expectations), and the difference. The difference is the step itself, which
must not grow with the kommune. ``database`` is the peak of the steps' server processes, shared buffers included. The
slowest statements follow after each run. Exits with 1 when a step takes more than ``--limit`` MiB, imports included.

``--faulty``: the last run's answers are landed beforehand, as after a retry. Every relation in FREG's answers then has
a fault, and so has every membership in the SAS file.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import KOMMUNER, Figure, Simulator, peak, peak_of, postgres, server_cpu, simulator

HERE = Path(__file__).resolve()
STEPS = (
    *("extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge", "question"),
    *("release", "publish", "deliver", "close_run"),
)
FIRST = datetime(2026, 11, 22, 3, tzinfo=UTC)
OWNER = "haugesund"
NUMBER = "1106"

if TYPE_CHECKING:
    from dataflyt.run.job import Job


# --- In a step's own process ------------------------------------------------------------------------------------------


def one_step(name: str, folder: Path, pupils: int, run: int) -> dict[str, Any]:
    """Do a step and return its cost and its result."""
    from airflow.sdk import ObjectStoragePath  # noqa: F401

    import dataflyt.on_airflow.operators  # noqa: F401

    if name == "check":
        import great_expectations
        import great_expectations.expectations  # noqa: F401

    imported = peak()
    began, cpu = time.monotonic(), time.process_time()
    gave = _take(name, _job(folder, pupils, run))
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "peak": peak(),
        "imported": imported,
        "gave": gave,
    }


def _job(folder: Path, pupils: int, run: int) -> "Job":
    from airflow.sdk import ObjectStoragePath

    from dataflyt.config.connections import Connection
    from dataflyt.config.loading import find
    from dataflyt.run.environment import Environment
    from dataflyt.run.job import open_job
    from simulator.large import kommune_of

    said = json.loads((folder / "connections.json").read_text())

    def connect(name: str) -> Connection:
        return Connection(name, **said[name.split("_")[0]])

    kommune = find(KOMMUNER, OWNER)
    units = {school.unit: school.orgnr for school in kommune_of(NUMBER, pupils).schools}
    sources = kommune.sources.model_copy(update={"hr": kommune.sources.hr.model_copy(update={"units": units})})
    kommune = kommune.model_copy(update={"sources": sources})
    as_of = FIRST + timedelta(days=run - 1)
    environment = Environment(connect, ObjectStoragePath, f"file://{folder}/storage", now=lambda: as_of)
    return open_job(kommune, f"run-{run}", as_of, environment)


def _take(name: str, job: "Job") -> dict[str, Any]:
    from dataflyt.run.approve import answer, question
    from dataflyt.run.close_run import close_run
    from dataflyt.run.execute import FUNCTIONS
    from dataflyt.warehouse.runs import User

    if name == "question":
        if asked := question(job):
            approver = job.kommune.approvers[0]
            answer(job, asked.digest, "approved", User(approver.id, approver.name), "command_line")
        return {"asked": int(asked is not None)}
    if name == "close_run":
        return close_run(job, [])
    return dict(FUNCTIONS[name](job))


# --- Around the steps -------------------------------------------------------------------------------------------------


class Backends(threading.Thread):
    """Watch the most memory that a server process of the kommune's role has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Look ten times a second (Linux only)."""
        while not self._over.wait(0.1):
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    title = (status.parent / "cmdline").read_bytes()
                    if not title.startswith(b"postgres:") or f"kommune_{OWNER}".encode() not in title:
                        continue
                    self.most = max(self.most, peak_of(status))
                except OSError:
                    continue

    def stop(self) -> float:
        """Stop watching and return the peak in MiB."""
        self._over.set()
        self.join()
        return self.most


def exec_step(name: str, folder: Path, pupils: int, run: int) -> dict[str, Any]:
    """Do a step in a new process; exit with its error output when it fails."""
    backends = Backends()
    backends.start()
    before = server_cpu(folder)
    done = subprocess.run(
        [sys.executable, str(HERE), "--step", name, str(folder), str(pupils), str(run)],
        env={**os.environ, "PGAPPNAME": name, "AIRFLOW_HOME": str(folder / "airflow"), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    most = backends.stop()
    if done.returncode:
        raise SystemExit(f"{name} failed for {pupils} pupils in run {run}:\n{done.stderr}")
    cost: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**cost, "database": most, "server": server_cpu(folder) - before}


def spoil(folder: Path, run: int) -> None:
    """Land a run's answers before it asks: those of the run before, with a fault in most rows."""
    landing = folder / "storage" / "landing" / OWNER
    for page in (landing / f"{run - 1:06d}").rglob("*.json"):
        text = page.read_text(encoding="utf-8")
        target = landing / f"{run:06d}" / page.relative_to(landing / f"{run - 1:06d}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(re.sub(r'("relatertPerson":"\d{10})\d"', r'\1"', text), encoding="utf-8")
    for file in (folder / "drop" / NUMBER / "sas").glob("pifu_*.xml"):
        with file.open(encoding="utf-8") as old, file.with_suffix(".spoilt").open("w", encoding="utf-8") as new:
            new.writelines(line.replace('roletype="01"', 'roletype="77"') for line in old)
        file.with_suffix(".spoilt").replace(file)


def slowest(log: Path, seen: int, count: int) -> list[tuple[float, str, str]]:
    """Return the slowest statements in PostgreSQL's log after byte ``seen``: milliseconds, step, beginning."""
    text = log.read_bytes()[seen:].decode(errors="replace")
    found = re.findall(r"@([^@\n]*)@LOG: +duration: ([\d.]+) ms +[^:\n]*: +((?:.|\n(?!@))*)", text)
    ranked = sorted(((float(ms), step, " ".join(sql.split())) for step, ms, sql in found), reverse=True)
    return ranked[:count]


_HEAD = (
    f"{'step':14}{'seconds':>9}{'cpu':>8}{'server':>8}{'peak':>8}{'imports':>9}{'step MiB':>10}{'database':>10}  gave"
)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measure(pupils: int, options: argparse.Namespace) -> dict[str, float]:
    """Do runs of a kommune with this many pupils, print the tables, and return each step's peak in MiB.

    ``last_cpu`` is not a step: the seconds of CPU of the last run, PostgreSQL's too, without imports.
    """
    folder = options.keep or Path(tempfile.mkdtemp(prefix="dataflyt-bench-"))
    most: dict[str, float] = {}
    try:
        began = time.monotonic()
        with (
            postgres(folder, [OWNER]) as urls,
            simulator(folder, "--kommune", NUMBER, "--pupils", str(pupils), "--date", f"{FIRST:%Y-%m-%d}") as registers,
        ):
            made = time.monotonic() - began
            _connect(folder, urls[f"kommune_{OWNER}"], registers)
            seen = 0
            for run in range(1, options.runs + 1):
                if options.faulty and run == options.runs:
                    spoil(folder, run)
                for path in (folder / "drop" / NUMBER).glob("*/*"):
                    os.utime(path, (FIRST.timestamp(), FIRST.timestamp()))  # old files are not watched for growth
                size = _size(folder / "drop") / 1e6
                print(f"\n{pupils} pupils, run {run} ({size:.0f} MB of files, made in {made:.0f} s)", flush=True)
                print(_HEAD, flush=True)
                most["last_cpu"] = 0.0
                for name in STEPS:
                    cost = exec_step(name, folder, pupils, run)
                    most["last_cpu"] += cost["cpu"] + cost["server"]
                    most[name] = max(most.get(name, 0), cost["peak"])
                    gave = {key: value for key, value in cost["gave"].items() if isinstance(value, int)}
                    print(
                        f"{name:14}{cost['seconds']:9.1f}{cost['cpu']:8.1f}{cost['server']:8.1f}{cost['peak']:8.0f}"
                        f"{cost['imported']:9.0f}"
                        f"{cost['peak'] - cost['imported']:10.0f}{cost['database']:10.0f}  {sum(gave.values())}",
                        flush=True,
                    )
                if options.slowest:
                    print("slowest statements (ms):")
                for ms, step, sql in slowest(folder / "pgdata" / "log", seen, options.slowest):
                    print(f"{ms:9.0f}  {step:13} {sql[:150]}")
                seen = (folder / "pgdata" / "log").stat().st_size
            most["simulator"] = registers.peak()
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return most


def _connect(folder: Path, warehouse: str, registers: Simulator) -> None:
    files = folder / "drop" / NUMBER
    said = {
        "warehouse": {"url": warehouse},
        "freg": registers.connection("freg"),
        "krr": registers.connection("krr"),
        "hr": {"url": (files / "hr").as_uri()},
        "sas": {"url": (files / "sas").as_uri()},
    }
    (folder / "connections.json").write_text(json.dumps(said))


def figures(most: dict[int, dict[str, float]], limit: float) -> list[Figure]:
    """Return figures: the highest peak of a task at each size, and its growth from the smallest size to the largest."""
    lines = []
    for pupils, steps in most.items():
        name = max(STEPS, key=lambda step: steps.get(step, 0))
        top = steps[name]
        lines.append(
            Figure(
                f"most memory of a task at {pupils} pupils, imports counted ({name})",
                f"{top:.0f} MiB",
                f"aim: at most {limit:.0f} MiB",
                top <= limit,
            )
        )
    small, large = most[min(most)], most[max(most)]
    name = max(STEPS, key=lambda step: large.get(step, 0) - small.get(step, 0))
    growth = large[name] - small[name]
    lines.append(
        Figure(
            f"  the task that grows most from {min(most)} to {max(most)} pupils ({name})",
            f"{growth:+.0f} MiB",
            "aim: flat, at most +64",
            growth <= 64,
        )
    )
    lines.append(
        Figure(
            f"  the simulator of {max(most)} pupils, files and registers",
            f"{large['simulator']:.0f} MiB",
            "aim: at most 150 MiB",
            large["simulator"] <= 150,
        )
    )
    return lines


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["--step"]:
        name, folder, pupils, run = sys.argv[2:]
        print(json.dumps(one_step(name, Path(folder), int(pupils), int(run))))
        return
    parser = argparse.ArgumentParser(description="Time and memory of every step of a run.")
    parser.add_argument("--pupils", type=int, nargs="+", default=[400, 4000, 40_000], help="sizes of kommuner")
    parser.add_argument("--runs", type=int, default=2, help="runs of each; the second changes nothing")
    parser.add_argument("--faulty", action="store_true", help="let most rows of the last run have a fault")
    parser.add_argument("--limit", type=float, default=512, help="MiB a step may take, its imports counted")
    parser.add_argument("--slowest", type=int, default=12, help="how many statements to show")
    parser.add_argument("--keep", type=Path, help="use this folder and leave it; for one size")
    options = parser.parse_args()
    most = {pupils: measure(pupils, options) for pupils in options.pupils}
    lines = figures(most, options.limit)
    print("", *lines, sep="\n")
    sys.exit(any(line.within is False for line in lines))


if __name__ == "__main__":
    main()
