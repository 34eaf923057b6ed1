"""dlt's merge strategy scd2 into PostgreSQL, timed, in the environment that ``make bench-peers`` makes for it.

    python benchmarks/peers/dlt_scd2.py ADDRESS arrow|objects FOLDER PERSONS ROUNDS POSTMASTER

Loads persons once, and then ROUNDS times with one in a hundred changed. Prints JSON: the cost of each round (dlt's
``pipeline.run``: extract, normalize, load and merge), the rows of history, and the versions. The rows are made before
the clock is started. The settings are those that dlt's documentation gives: ``add_row_hash_to_table`` for Arrow; the
loader's file format is dlt's own choice (for Arrow: parquet by ADBC), or CSV when the name ends with ``-csv``.
"""

import importlib.metadata
import json
import os
import sys
from pathlib import Path

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
import pyarrow as pa
from dlt.sources.helpers.transform import add_row_hash_to_table

sys.path.insert(0, str(Path(__file__).parent))
from persons import COLUMNS, Meter, persons

VERSION = "row_version"


def main(address: str, kind: str, folder: str, count: str, rounds: str, postmaster: str) -> None:
    """Load and merge; print what it took."""
    form = "csv" if kind.endswith("-csv") else None
    arrow = kind.startswith("arrow")
    pipeline = dlt.pipeline(
        f"peers_{kind.replace('-', '_')}",
        pipelines_dir=folder,
        destination=dlt.destinations.postgres(address),
        dataset_name=f"dlt_{kind.replace('-', '_')}",
    )
    took = []
    for run in range(1, int(rounds) + 2):
        rows = list(persons(int(count), run))
        if arrow:
            columns = {name: list(values) for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)}
            data = pa.table(columns)
        else:
            data = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        disposition = {"disposition": "merge", "strategy": "scd2"}
        if arrow:
            disposition["row_version_column_name"] = VERSION
        resource = dlt.resource(data, name="person", write_disposition=disposition)
        if arrow:
            resource = resource.add_map(add_row_hash_to_table(VERSION))
        meter = Meter(int(postmaster))
        pipeline.run(resource, loader_file_format=form)
        took.append(meter.read())
    with pipeline.sql_client() as client:
        ((kept,),) = client.execute_sql("select count(*) from person")
    packages = ("dlt", "pyarrow", "pandas", "psycopg2-binary", "adbc-driver-postgresql")
    versions = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps({"first": took[0], "rounds": took[1:], "kept": kept, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
