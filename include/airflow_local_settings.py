"""Read by every process of Airflow at its start (its local settings): imports early what the tasks import.

An executor that forks its tasks (LocalExecutor in the scheduler, Celery's worker) hands them what it has imported
itself. With ``DATAFLYT_PRELOAD=1`` in the environment of that process, and of no other, a task finds Great
Expectations and the rest there and need not import them: seconds of CPU a run. It costs the process some 200 MiB,
which its tasks share. Without the variable nothing is imported.
"""

import os

__all__: tuple[str, ...] = ()  # Airflow takes every other name as a setting

if os.environ.get("DATAFLYT_PRELOAD") == "1":
    import great_expectations.expectations  # noqa: F401

    import dataflyt.exports.registry
    import dataflyt.quality.running
    import dataflyt.run.execute
    import dataflyt.sources.freg.checks
    import dataflyt.sources.hr.checks
    import dataflyt.sources.krr.checks
    import dataflyt.sources.sas.checks  # noqa: F401
