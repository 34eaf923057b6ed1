"""dbt's snapshot, timed, in the environment that ``make bench-peers`` makes for it.

    python benchmarks/peers/dbt_snapshot.py ADDRESS dbt FOLDER PERSONS ROUNDS POSTMASTER

Loads persons once, and then ROUNDS times with one in a hundred changed: a COPY into a plain table, since dbt loads
nothing, and ``dbt snapshot`` with the strategy ``check`` of all columns, in this process. Prints JSON as dlt_scd2.py
does.
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

os.environ |= {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_LOG_LEVEL": "error", "DBT_LOG_LEVEL_FILE": "none"}

import psycopg
from dbt.cli.main import dbtRunner
from psycopg.conninfo import conninfo_to_dict

sys.path.insert(0, str(Path(__file__).parent))
from persons import COLUMNS, Meter, persons

PROJECT = "{name: peers, version: '1.0', profile: peers, flags: {send_anonymous_usage_stats: false}}"
SNAPSHOT = """
version: 2
sources: [{name: raw, schema: dbt_raw, tables: [{name: person}]}]
snapshots:
  - name: person
    relation: source('raw', 'person')
    config: {schema: kept, unique_key: foedselsellerdnummer, strategy: check, check_cols: all, hard_deletes: invalidate}
"""
BOOLEANS = ("doed", "falskIdentitet")


def main(address: str, kind: str, folder: str, count: str, rounds: str, postmaster: str) -> None:
    """Load and snapshot; print what it took."""
    project = Path(folder)
    (project / "models").mkdir(parents=True)
    at = conninfo_to_dict(address)
    output = {
        "type": "postgres",
        "host": at["host"],
        "user": at["user"],
        "password": "none",
        "port": int(at.get("port", 5432)),
        "dbname": at["dbname"],
        "schema": "dbt",
        "threads": 1,
    }
    profile = {"peers": {"target": "peers", "outputs": {"peers": output}}}
    (project / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (project / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    (project / "models" / "person.yml").write_text(SNAPSHOT, encoding="utf-8")
    columns = ", ".join(f"{name} {'boolean' if name in BOOLEANS else 'text'}" for name in COLUMNS)
    command = ["snapshot", "--project-dir", folder, "--profiles-dir", folder, "--quiet"]
    took = []
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("create schema dbt_raw")
        connection.execute(f"create table dbt_raw.person ({columns})")
        for run in range(1, int(rounds) + 2):
            rows = list(persons(int(count), run))
            meter = Meter(int(postmaster))
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("truncate dbt_raw.person")
                with cursor.copy("copy dbt_raw.person from stdin") as copy:
                    for row in rows:
                        copy.write_row(row)
            done = dbtRunner().invoke(command)
            if not done.success:
                raise SystemExit(f"dbt: {done.exception or [one.message for one in done.result]}")
            took.append(meter.read())
        kept = connection.execute("select count(*) from dbt_kept.person").fetchone()
    versions = {name: importlib.metadata.version(name) for name in ("dbt-core", "dbt-postgres")}
    print(json.dumps({"first": took[0], "rounds": took[1:], "kept": kept[0] if kept else 0, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
