"""Load and merge of 100 000 persons × 11 columns, 1 % changed, beside other tools. ``make bench-peers``.

Every tool loads the same rows (``persons``) into the same PostgreSQL with its default settings: fsync and
synchronous_commit are on for all. Each has its first load beforehand, and then ``--rounds`` rounds; the best of each is
compared, since other work on the machine only ever makes a round slower. The clock begins with the rows in memory and
ends after the commit. A bare COPY is psycopg's ``write_row`` into a new plain table without key or index, in a
transaction of its own; it stands before and after each of our rounds.

- Dataflyt: ``staging.load``, ``merge.clean_rows`` and ``merge.merge_history``, as in a run, under row-level security.
- dlt with Arrow: ``pipeline.run`` with ``add_row_hash_to_table``; parquet by ADBC, and CSV: the faster one counts.
- dlt with Python objects: the same with a list of dictionaries.
- dbt: a COPY into a plain table, and ``dbt snapshot`` with the strategy ``check`` of all columns.
- pandas: ``to_sql`` through SQLAlchemy into a table that it replaces.

dlt hashes whole rows; Dataflyt and dbt compare columns by key. dlt keeps no key. None of them has row-level security,
holds a row back because another of its subject is in quarantine, tells an answer from a silence (a person who was not
asked about stays), or undoes a run. dbt's history is by time, not by run. pandas keeps no history at all.
Exits with 1 when a ratio is not what ``docs`` promise.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import kept
import psycopg
from measuring import Figure, postgres
from sqlalchemy import make_url, text

from dataflyt.sources.freg.rows import Person
from dataflyt.warehouse import staging
from dataflyt.warehouse.tables import source_tables
from peers.persons import Cost, Meter, persons
from warehouse import a_week_passes, bare_copy, close, job, load_and_merge

HERE = Path(__file__).parent
OWNER = "persons"
OTHERS = {
    **{f"dlt {kind}": ("dlt_scd2.py", kind) for kind in ("arrow", "arrow-csv", "objects")},
    "dbt snapshot": ("dbt_snapshot.py", "dbt"),
    "pandas to_sql": ("pandas_to_sql.py", "to_sql"),
}
"""Each other tool's program, and its own name for what it does."""


def ours(urls: dict[str, str], folder: Path, count: int, rounds: int, postmaster: int) -> tuple[list[Cost], list[Cost]]:
    """Load and merge; return the cost of each round, and of each bare COPY."""
    job_of = partial(job, OWNER, urls[f"kommune_{OWNER}"], folder)
    columns = {"freg_person": {"page": "text", **source_tables()["freg_person"].columns}}
    first = job_of(1)
    with first.transaction() as connection:
        for source in ("krr", "hr", "sas"):
            staging.prepare(connection, OWNER, source)
    load_and_merge(first, [Person(*row[1:]) for row in persons(count, 1)])
    a_week_passes(urls["dataflyt"])
    took, bare = [], []
    for run in range(2, rounds + 2):
        rows = list(persons(count, run))
        people = [Person(*row[1:]) for row in rows]
        with first.transaction() as connection:
            connection.execute(text("update control.run set state = 'released' where owner = :owner"), {"owner": OWNER})
        next_ = job_of(run)
        for _ in range(2):
            close(next_)
            meter = Meter(postmaster)
            bare_copy(next_, columns, {"freg_person": rows})
            bare.append(meter.read())
        close(next_)
        meter = Meter(postmaster)
        load_and_merge(next_, people)
        took.append(meter.read())
    return took, bare


def other(
    python: Path, program: str, url: str, kind: str, folder: Path, count: int, rounds: int, postmaster: int
) -> dict[str, Any]:
    """Load and merge with another tool's program in its own environment; return what it printed."""
    words = [str(python), str(HERE / program), url, kind, str(folder / f"peer-{kind}"), str(count), str(rounds)]
    words.append(str(postmaster))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{program} ({kind}) failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(python: Path, count: int, rounds: int) -> list[Figure]:
    """Measure all of them, in one run."""
    with tempfile.TemporaryDirectory(prefix="dataflyt-peers-") as made, postgres(Path(made), [OWNER]) as urls:
        folder = Path(made)
        address = make_url(urls["dataflyt"]).set(drivername="postgresql")
        superuser = address.set(username="postgres").render_as_string(hide_password=False)
        with psycopg.connect(superuser, autocommit=True) as connection:
            shown = [connection.execute(f"show {name}").fetchone() for name in ("fsync", "synchronous_commit")]
            version = connection.info.server_version // 10_000
            connection.execute("grant create on database warehouse to dataflyt")
        postmaster = int((folder / "pgdata" / "postmaster.pid").read_text().split()[0])
        mine, bare = ours(urls, folder, count, rounds, postmaster)
        # dlt demands a host and a password; libpq takes the socket's folder from the query.
        url = address.set(host="localhost", password="none").render_as_string(hide_password=False)
        found = {
            name: other(python, program, url, kind, folder, count, rounds, postmaster)
            for name, (program, kind) in OTHERS.items()
        }
    packages = {name: number for one in found.values() for name, number in one["versions"].items()}
    versions = ", ".join(f"{name} {number}" for name, number in packages.items())
    print(f"PostgreSQL {version}; fsync, synchronous_commit: {shown}; {versions}; psycopg {psycopg.__version__}")
    print(f"{count} persons × 11 columns, 1 % changed; each round's seconds (and seconds of CPU, server included):")
    costs = {"bare COPY": bare, "Dataflyt": mine}
    costs |= {name: [Cost(*cost) for cost in one["rounds"]] for name, one in found.items()}
    for name, rounds_of in costs.items():
        kept_rows = f"  keeps {found[name]['kept']} rows" if name in found else ""
        print(f"  {name:14}", "  ".join(f"{cost.clock:.2f} ({cost.cpu:.2f})" for cost in rounds_of) + kept_rows)
    best = {name: Cost(*map(min, zip(*each, strict=True))) for name, each in costs.items()}
    return _figures(best)


def _figures(best: dict[str, Cost]) -> list[Figure]:
    mine, bare, objects = best["Dataflyt"], best["bare COPY"], best["dlt objects"]
    arrow = Cost(*map(min, zip(best["dlt arrow"], best["dlt arrow-csv"], strict=True)))
    found = [Figure("Dataflyt, load and merge", f"{mine.clock:.2f} s")]
    for what, by_clock, by_cpu, aim, within in (
        (
            "a bare COPY: Dataflyt takes",
            mine.clock / bare.clock,
            mine.cpu / bare.cpu,
            "at most 2.5",
            lambda r: r <= 2.5,
        ),
        ("dlt scd2 with Arrow takes", arrow.clock / mine.clock, arrow.cpu / mine.cpu, "at least 8", lambda r: r >= 8),
        (
            "dlt with objects takes",
            objects.clock / mine.clock,
            objects.cpu / mine.cpu,
            "at least 30",
            lambda r: r >= 30,
        ),
    ):
        found.append(Figure(f"  {what}", f"{by_clock:.1f} times", f"aim: {aim}", within(by_clock)))
        found.append(Figure("    by CPU, which other work on the machine changes little", f"{by_cpu:.1f} times"))
    for name in ("dbt snapshot", "pandas to_sql"):
        one = best[name]
        times = f"{one.clock / mine.clock:.1f} times, by CPU {one.cpu / mine.cpu:.1f}"
        found.append(Figure(f"  {name} takes", times))
    return found


def main() -> int:
    """Read the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Load and merge beside other tools.")
    parser.add_argument("--python", type=Path, required=True, help="the Python of the environment with the others")
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures = measure(options.python, options.persons, options.rounds)
    run = kept.run_now(figures)
    print(*kept.compared(run, kept.before("peers", run)), sep="\n")
    kept.keep("peers", run)
    return int(any(figure.within is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
