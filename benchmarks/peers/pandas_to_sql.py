"""pandas' ``to_sql`` through SQLAlchemy, timed, in the environment that ``make bench-peers`` makes for it.

    python benchmarks/peers/pandas_to_sql.py ADDRESS to_sql FOLDER PERSONS ROUNDS POSTMASTER

Replaces a table by the persons, once and then ROUNDS times with one in a hundred changed, with ``method="multi"`` and
a thousand rows a statement. It keeps no history: there is nothing to merge. Prints JSON as dlt_scd2.py does.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine, make_url, text

sys.path.insert(0, str(Path(__file__).parent))
from persons import COLUMNS, Meter, persons


def main(address: str, kind: str, folder: str, count: str, rounds: str, postmaster: str) -> None:
    """Load; print what it took."""
    engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"))
    took = []
    with engine.begin() as connection:
        connection.execute(text("create schema pandas"))
    for run in range(1, int(rounds) + 2):
        frame = pd.DataFrame(list(persons(int(count), run)), columns=COLUMNS)
        meter = Meter(int(postmaster))
        frame.to_sql(
            "person", engine, schema="pandas", if_exists="replace", index=False, method="multi", chunksize=1000
        )
        took.append(meter.read())
    with engine.begin() as connection:
        kept = connection.scalar(text("select count(*) from pandas.person"))
    versions = {name: importlib.metadata.version(name) for name in ("pandas", "sqlalchemy", "psycopg")}
    print(json.dumps({"first": took[0], "rounds": took[1:], "kept": kept, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
