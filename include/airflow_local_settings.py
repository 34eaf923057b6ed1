"""Airflow's local settings, which each of its processes reads at its start: import the tasks' modules early.

An executor that forks its tasks (LocalExecutor in the scheduler, Celery's worker) shares its imported modules with
them. Set ``DATAFLYT_PRELOAD=1`` in the environment of that process, and of no other: its tasks then need not import
Great Expectations and the rest, nor build the model of a kommune file to parse their DAG. That saves seconds of CPU a
run. It costs the process some 200 MiB, which its tasks share. Without the variable nothing is imported.

Where lineage is on, every event of it passes through Dataflyt, whatever the process (``on_airflow.lineage``).

Every process collects garbage less often than Python would: importing Airflow and building its API make objects that
stay, and looking through them again and again takes a sixth of the time.
"""

import gc
import os

from dataflyt.on_airflow.lineage import guard

__all__: tuple[str, ...] = ()  # Airflow takes every other name as a setting

gc.set_threshold(50_000)
guard()

if os.environ.get("DATAFLYT_PRELOAD") == "1":
    import great_expectations.expectations  # noqa: F401

    import dataflyt.exports.registry
    import dataflyt.on_airflow.operators
    import dataflyt.quality.running
    import dataflyt.run.execute
    import dataflyt.sources.freg.checks
    import dataflyt.sources.hr.checks
    import dataflyt.sources.krr.checks
    import dataflyt.sources.sas.checks  # noqa: F401
