"""Kill a run at random moments, run it again, and compare with the same run undisturbed. ``make kills``.

    python benchmarks/kills.py --times 200

A kommune has a first run, and a week passes in the simulated registers. The second run is done once undisturbed. Then,
``--times`` times, warehouse and storage are set back to the first run, and the second run is begun in a process of its
own. It is killed with SIGKILL at a random one of its statements, opened files and renames, or some milliseconds later:
the run's process, the PostgreSQL server process that serves it (PostgreSQL then restarts all of itself and empties
unlogged tables), or both at once. The run is done again under the same key, as Airflow does it.

Afterwards every row of history and golden record, every veto, lift, name and approval but its clock, the pointer, and
every published byte must be those of the undisturbed run. Prints a line a kill, and how many were the same. Exits with
1 when any differs. It takes about ten seconds a kill. ``--seed`` gives the same moments again.
"""

import argparse
import hashlib
import mmap
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import great_expectations.expectations  # noqa: F401  # so that the forked runs need not import it
import httpx
import orjson
import psycopg
from measuring import KOMMUNER, Simulator, postgres, simulator
from sqlalchemy import Engine, event, make_url

from dataflyt.config.connections import Connection
from dataflyt.config.loading import find
from dataflyt.errors import DataflytError
from dataflyt.run.environment import Environment
from dataflyt.run.execute import Answer, attempt, execute
from dataflyt.run.job import Job, open_job
from dataflyt.warehouse.runs import User

OWNER, NUMBER = "haugesund", "1106"
DAYS = (datetime(2026, 11, 23, 3, tzinfo=UTC), datetime(2026, 11, 30, 3, tzinfo=UTC))
VICTIMS = ("run", "server", "both")
PATIENCE = 300.0

CLOCKS = {
    "control.approval": ("approval", "at", "answered_at"),
    "control.veto": ("learned_at", "lifted_at", "veto"),
    "control.publication": ("published_at", "withdrawn_at", "publication"),
}
"""Columns that hold a clock, or a number that a rolled back transaction has used up."""
COMPARED = ("veto", "identity_change", "account_name", "contact_value", "access_block", "override", "quarantine")


@dataclass(frozen=True)
class World:
    """A warehouse, a storage and registers."""

    folder: Path
    admin: str
    registers: Simulator
    database: str

    @property
    def storage(self) -> Path:
        """The folder of landing, exports and reports."""
        return self.folder / self.database

    def url(self, role: str) -> str:
        """Return the address of the warehouse for a role."""
        return make_url(self.admin).set(database=self.database, username=role).render_as_string(hide_password=False)

    def job(self, number: int) -> Job:
        """Open the run of this number."""
        files = self.folder / "drop" / NUMBER

        def connect(name: str) -> Connection:
            source = name.split("_")[0]
            if source == "warehouse":
                return Connection(name, self.url(f"kommune_{OWNER}"))
            if source in ("freg", "krr"):
                return Connection(name, **self.registers.connection(source))
            return Connection(name, str(files / source))

        clock = DAYS[number - 1]
        environment = Environment(connect, Path, str(self.storage), now=lambda: clock)
        return open_job(find(KOMMUNER, OWNER), f"run-{number}", clock, environment)


class Ticks:
    """How many statements, opened files, renames and connections a forked run has begun: seen by its parent."""

    WATCHED = frozenset({"open", "os.rename", "socket.connect"})

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8)

    def __int__(self) -> int:
        return int.from_bytes(self._shared[:8], "little")

    def set(self, count: int) -> None:
        """Set the count."""
        self._shared[:8] = count.to_bytes(8, "little")

    def count(self) -> None:
        """Count in this process from now on."""
        event.listen(Engine, "before_cursor_execute", lambda *_: self.set(int(self) + 1))
        sys.addaudithook(lambda name, _: self.set(int(self) + 1) if name in self.WATCHED else None)


TICKS = Ticks()


def do_run(world: World, number: int, said: Path | None = None) -> None:
    """Do a whole run with an approver who says yes; write the name of each step to ``said`` as it begins."""
    job = world.job(number)
    approver = job.kommune.approvers[0]

    def tell(name: str, work: Any) -> DataflytError | None:
        if said:
            said.write_text(name)
        return attempt(name, work)

    ended = execute(job, lambda _: Answer("approved", User(approver.id, approver.name), "command_line"), attempt=tell)
    if ended.error:
        raise ended.error


def forked(world: World, number: int, said: Path) -> int:
    """Do a run in a process of its own, with the end of its log in ``said``.log; return the process's number."""
    sys.stdout.flush()
    TICKS.set(0)
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        TICKS.count()
        with said.with_suffix(".log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            do_run(world, number, said)
            code = 0
    except BaseException:
        with said.with_suffix(".log").open("a") as log:
            traceback.print_exc(file=log)
    finally:
        os._exit(code)


def copied(world: World, name: str) -> World:
    """Copy a warehouse and its storage under another name."""
    other = World(world.folder, world.admin, world.registers, name)
    with connected(world) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template {world.database} owner dataflyt strategy file_copy")
    shutil.rmtree(other.storage, ignore_errors=True)
    shutil.copytree(world.storage, other.storage)
    return other


def connected(world: World) -> psycopg.Connection[Any]:
    """Connect to the server as its superuser; wait while it restarts."""
    address = make_url(world.admin).set(database="postgres", drivername="postgresql")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def kill(world: World, victim: str, child: int) -> str:
    """Kill the run's process, its server process, or both; return what was killed."""
    servers: list[int] = []
    if victim != "run":
        deadline = time.monotonic() + 2
        with connected(world) as connection:
            while not servers and time.monotonic() < deadline:
                found = connection.execute(
                    "select pid from pg_stat_activity where datname = %s and usename = %s",
                    (world.database, f"kommune_{OWNER}"),
                )
                servers = [pid for (pid,) in found]
    # A run that still has no server process asks a register, or has ended: then it is the run that is killed.
    if victim == "run" or not servers:
        os.kill(child, signal.SIGKILL)
        return "run"
    for pid in servers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if victim == "both":
        os.kill(child, signal.SIGKILL)
    return victim


def rows(world: World) -> dict[str, list[tuple[str, ...]]]:
    """Return every row of a warehouse that a run decides, sorted, without clocks."""
    address = make_url(world.url("dataflyt")).set(username=make_url(world.admin).username, drivername="postgresql")
    found: dict[str, list[tuple[str, ...]]] = {}
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        tables = connection.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname in ('history', 'golden') "
            "or (schemaname = 'control' and tablename = any(%s)) order by 1",
            (list(COMPARED),),
        ).fetchall()
        for (table,) in tables:
            cursor = connection.execute(f"select * from {table}")
            kept = [
                at for at, column in enumerate(cursor.description or ()) if column.name not in CLOCKS.get(table, ())
            ]
            found[table] = sorted(tuple(str(row[at]) for at in kept) for row in cursor)
        for name, query in {
            "runs": "select run, key, as_of, state, plan_digest, asks from control.run",
            "answers": "select distinct on (run) run, answer, digest from control.approval order by run, approval desc",
            "published": "select run, state from control.publication where withdrawn_at is null",
            "rows staged": "select run, cast(report as jsonb) -> 'rows' from control.run",
        }.items():
            found[name] = sorted(tuple(map(str, row)) for row in connection.execute(query))
    return found


def files(world: World) -> dict[str, str]:
    """Return the hash of each file that a reader of the manifest finds, and of what the manifest says of it."""
    exports = world.storage / "exports" / OWNER
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (exports / manifest["publication"]).iterdir()
    }
    manifest.pop("publication")
    return found | {"manifest": hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the names of what differs."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def wait(child: int, seconds: float, until: int | None = None) -> int | None:
    """Wait until a process has ended, at most so many seconds, and at most ``until`` that many ticks.

    Return its status, None if it has not ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        if until is not None and int(TICKS) >= until:
            return None
        time.sleep(0.001)
    return None


def measure(times: int, seed: int, folder: Path) -> int:
    """Kill so many times; return how many ended as the undisturbed run."""
    with (
        postgres(folder, [OWNER]) as urls,
        simulator(folder, "--kommune", NUMBER, "--date", f"{DAYS[0]:%Y-%m-%d}") as registers,
    ):
        admin = make_url(urls["dataflyt"])
        superuser = admin.set(username=_superuser(admin)).render_as_string(hide_password=False)
        first = World(folder, superuser, registers, "warehouse")
        with connected(first) as connection:
            # What the kernel has is not lost when a process dies, and the disk is not what is tried here.
            for setting in ("fsync = off", "synchronous_commit = off", "log_min_error_statement = panic"):
                connection.execute(f"alter system set {setting}")
            connection.execute("select pg_reload_conf()")
        said = folder / "step"
        delivered(folder / "drop")
        calm(forked(first, 1, said), said)
        httpx.post(
            f"{registers.url}/simulator/date", json={"date": f"{DAYS[1]:%Y-%m-%d}"}, timeout=300, trust_env=False
        ).raise_for_status()
        delivered(folder / "drop")
        undisturbed = copied(first, "undisturbed")
        calm(forked(undisturbed, 2, said), said)
        ticks = int(TICKS)
        wanted = rows(undisturbed), files(undisturbed)
        count = sum(map(len, wanted[0].values()))
        print(f"Undisturbed: {ticks} moments, {count} rows, {len(wanted[1])} files", flush=True)
        return sum(one_kill(first, wanted, Random(f"{seed}-{number}"), ticks, number) for number in range(1, times + 1))


def one_kill(first: World, wanted: tuple[Any, Any], rng: Random, ticks: int, number: int) -> bool:
    """Kill a run once and do it again; tell whether it ended as the undisturbed one."""
    world, said = copied(first, "killed"), first.folder / "step"
    said.write_text("open_job")
    moment, later, victim = rng.randrange(ticks), rng.uniform(0, 0.02), rng.choice(VICTIMS)
    child = forked(world, 2, said)
    killed, step = "nothing", ""
    status = wait(child, PATIENCE, until=moment)
    if status is None:
        time.sleep(later)
        step = said.read_text()
        killed = kill(world, victim, child)
        if wait(child, PATIENCE) is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            killed += ", and the run waited for ever"
    connected(world).close()
    again = forked(world, 2, said)
    status = wait(again, 2 * PATIENCE)
    different = differences(rows(world), wanted[0]) + differences(files(world), wanted[1])
    same = status == 0 and not different
    TALLY[(killed, step)] += 1
    verdict = "same" if same else f"DIFFERENT: {different} {status}"
    print(f"{number:4}  {moment:5} {killed:8} in {step:14} {verdict}", flush=True)
    if not same:
        print((said.with_suffix(".log")).read_text()[-3000:], flush=True)
    return same


TALLY: Counter[tuple[str, str]] = Counter()


def calm(child: int, said: Path) -> None:
    """Wait for a run that nothing disturbs."""
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"The undisturbed run failed:\n{said.with_suffix('.log').read_text()}")


def delivered(drop: Path) -> None:
    """Let each file be as old as the date in its name says: a new file would be watched for growth."""
    for path in drop.glob("*/*/*"):
        if found := re.search(r"_(\d{8})", path.name):
            day = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)
            os.utime(path, (min(day.timestamp(), time.time() - 3600),) * 2)


def _superuser(address: Any) -> str:
    return "postgres" if address.username else ""


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="SIGKILL at random moments of a run.")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dataflyt-kills-"))
    try:
        same = measure(options.times, options.seed, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for (killed, step), count in sorted(TALLY.items()):
        print(f"  {killed:8} in {step:14} {count}")
    print(f"{same} of {options.times} ended as the undisturbed run.")
    return int(same != options.times)


if __name__ == "__main__":
    sys.exit(main())
