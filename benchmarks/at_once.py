"""Many kommuner at once, each with two runs at once and people who block adults meanwhile.

    python benchmarks/at_once.py --kommuner 20

Every kommune has the same people and the same key, so all must end with the same open rows of history and golden
record. Each has a first run; a week passes; then everything begins at once: for each kommune two runs, each with an
approver who says yes, and a person who sets three blocks. At the end it is verified for each kommune:

- no run is left open, the newest is released, and each released run has an answer for exactly its plan;
- every block that was set is there, and no blocked adult has access;
- its open rows are those of every other kommune, but for access, which holds the blocks;
- a calm run afterwards takes up what is left (a block set between plan and release stops a run), and one more run
  finds nothing to change.

Exits with 1 when anything is otherwise.
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import great_expectations.expectations  # noqa: F401  # so that the forked runs need not import it
import httpx
import orjson
import psycopg
from kills import delivered
from measuring import KOMMUNER, Simulator, postgres, simulator
from same_exports import SAME_KEYS, libpq
from sqlalchemy import make_url

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import CaseWorker, Kommune
from dataflyt.config.loading import find
from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block
from dataflyt.errors import NotApproved
from dataflyt.run.environment import Environment
from dataflyt.run.execute import Answer, execute
from dataflyt.run.job import open_job
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.runs import User

NUMBER = "1106"
FIRST = datetime(2026, 11, 23, 3, tzinfo=UTC)
BLOCKS = 3
DECIDED = ("guardian_access", "work_item")
"""The tables of the golden record that hold blocks, which differ from one kommune to another."""
ANITA = Visitor("101", "Anita", "saksbehandling", "at_once")


class Everybody:
    """Kommuner in one warehouse."""

    def __init__(self, folder: Path, urls: dict[str, str], registers: Simulator) -> None:
        self.folder, self.urls, self.registers = folder, urls, registers

    def kommune(self, owner: str) -> Kommune:
        """Return the kommune file of an owner: Haugesund's, with another id."""
        people = (CaseWorker(id=ANITA.id, name=ANITA.name, may=("persons", "graded", "decide")),)
        return find(KOMMUNER, "haugesund").model_copy(update={"id": owner, "people": people})

    def environment(self, owner: str, now: datetime) -> Environment:
        """Return where an owner's registers and warehouse are."""

        def connect(name: str) -> Connection:
            source = name.split("_")[0]
            if source == "warehouse":
                return Connection(name, self.urls[f"kommune_{owner}"])
            if source in ("freg", "krr"):
                return Connection(name, **self.registers.connection(source))
            return Connection(name, str(self.folder / "drop" / NUMBER / source))

        return Environment(connect, Path, str(self.folder / "storage"), now=lambda: now)

    def run(self, owner: str, key: str, as_of: datetime) -> None:
        """Do a run with an approver who says yes. A run that a newer one has replaced is no fault."""
        job = open_job(self.kommune(owner), key, as_of, self.environment(owner, as_of))
        approver = job.kommune.approvers[0]
        said = Answer("approved", User(approver.id, approver.name), "command_line")
        ended = execute(job, lambda _: said)
        if ended.error and not isinstance(ended.error, NotApproved):
            raise ended.error

    def block(self, owner: str, as_of: datetime) -> None:
        """Block adults, with pauses."""
        rng, kommune, environment = Random(owner), self.kommune(owner), self.environment(owner, as_of)
        for _ in range(BLOCKS):
            time.sleep(rng.uniform(0, 15))
            child, adult = rng.choice(self.access(owner, as_of))
            block = Block(child=child, adult=adult, basis="court_judgment", case_number="2026/1")
            deciding.decide(kommune, environment, block, ANITA)

    def access(self, owner: str, as_of: datetime) -> list[Any]:
        """Return the pairs of people with access now, in a fixed order."""
        with deciding.moment(self.kommune(owner), self.environment(owner, as_of), lock=False) as at:
            return list(
                at.connection.exec_driver_sql(
                    "select child_id, adult::uuid from now_guardian_access "
                    "where state = 'active' and adult_kind = 'person' order by 1, 2"
                )
            )


def at_once(*works: Callable[[], None]) -> int:
    """Do everything at once, each in a process of its own; return how many failed."""
    children = []
    sys.stdout.flush()
    for work in works:
        child = os.fork()
        if not child:
            code = 1
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def faults(everybody: Everybody, owners: list[str], as_of: datetime, superuser: str) -> list[str]:
    """Return a sentence for everything that is not as it must be."""
    found = []
    rows: dict[str, set[Any]] = {}
    with psycopg.connect(superuser) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('history', 'golden')"
        ).fetchall()
        compared = {
            f"{schema}.{table}": [
                name
                for (name,) in connection.execute(
                    "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
                    "and column_name not in ('owner', 'from_run', 'to_run') order by 1",
                    (schema, table),
                )
            ]
            for schema, table in tables
            if table not in DECIDED
        }
        for owner in owners:
            states = [
                s
                for (s,) in connection.execute("select state from control.run where owner = %s order by run", (owner,))
            ]
            if states[-1] != "released" or {"open", "merged"} & set(states):
                found.append(f"{owner}: runs are {states}")
            unapproved = connection.execute(
                "select run from control.run r where owner = %s and state = 'released' and not exists ("
                "select from control.approval a where a.owner = r.owner and a.run = r.run "
                "and a.digest = r.plan_digest and a.answer in ('approved', 'not_needed'))",
                (owner,),
            ).fetchall()
            if unapproved:
                found.append(f"{owner}: released without an answer: {unapproved}")
            blocked = connection.execute(
                "select child_id, adult::uuid from control.access_block where owner = %s", (owner,)
            ).fetchall()
            if len(blocked) != BLOCKS:
                found.append(f"{owner}: {len(blocked)} blocks")
            if {tuple(pair) for pair in everybody.access(owner, as_of)} & set(blocked):
                found.append(f"{owner}: a blocked adult has access")
            for table, columns in compared.items():
                shown = ", ".join(f'"{name}"' for name in columns)
                query = f"select {shown} from {table} where owner = %s and to_run is null"
                held = {tuple(map(str, row)) for row in connection.execute(query, (owner,))}
                if rows.setdefault(table, held) != held:
                    found.append(f"{owner}: {table} differs from that of {owners[0]}")
            report = max((everybody.folder / "storage" / "reports" / owner).glob("run-*.json"))
            if changed := orjson.loads(report.read_bytes())["changed"]:
                found.append(f"{owner}: one more run found {changed}")
    print(f"{len(rows)} tables, {sum(map(len, rows.values()))} open rows a kommune", flush=True)
    return found


def main() -> int:
    """Do it; return the exit code."""
    parser = argparse.ArgumentParser(description="Many kommuner at once.")
    parser.add_argument("--kommuner", type=int, default=20)
    owners = [f"k{number:02d}" for number in range(1, parser.parse_args().kommuner + 1)]
    with (
        tempfile.TemporaryDirectory(prefix="dataflyt-at-once-") as made,
        postgres(Path(made), owners) as urls,
        simulator(Path(made), "--kommune", NUMBER, "--date", f"{FIRST:%Y-%m-%d}") as registers,
    ):
        folder = Path(made)
        superuser = libpq(make_url(urls["dataflyt"]).set(username="postgres").render_as_string(hide_password=False))
        with psycopg.connect(libpq(urls["dataflyt"])) as connection:
            connection.execute(SAME_KEYS.replace("'same exports:' || new.owner", "'one for all'"))
        everybody = Everybody(folder, urls, registers)
        began = time.monotonic()
        delivered(folder / "drop")
        failed = at_once(*(lambda o=owner: everybody.run(o, "first", FIRST) for owner in owners))
        print(f"{len(owners)} first runs at once: {failed} failed, {time.monotonic() - began:.0f} s", flush=True)
        later = FIRST + timedelta(days=7)
        httpx.post(
            f"{registers.url}/simulator/date", json={"date": f"{later:%Y-%m-%d}"}, timeout=300, trust_env=False
        ).raise_for_status()
        delivered(folder / "drop")
        works: list[Callable[[], None]] = []
        for owner in owners:
            works += [lambda o=owner, k=key: everybody.run(o, k, later) for key in ("one", "other")]
            works.append(lambda o=owner: everybody.block(o, later))
        began = time.monotonic()
        failed += at_once(*works)
        print(f"Two runs and {BLOCKS} blocks each: {failed} failed, {time.monotonic() - began:.0f} s", flush=True)
        for key in ("calm", "calmer"):
            failed += at_once(*(lambda o=owner, k=key: everybody.run(o, k, later) for owner in owners))
        found = faults(everybody, owners, later, superuser)
    print(*found or ["Nothing is lost, and nothing unapproved is released."], sep="\n")
    return int(bool(found or failed))


if __name__ == "__main__":
    sys.exit(main())
