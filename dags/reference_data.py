"""The DAG that reads the national registers of schools and codes for all kommuner, every week: wiring only.

The work is in ``dataflyt.reference.refresh``. NSR, Grep and Klass 131 have a task each: a register that does not answer
is tried again alone. reference_data.md is the page.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, ExceptionRetryPolicy, Param, RetryAction, RetryRule

from dataflyt.on_airflow import notices
from dataflyt.on_airflow.operators import RUN_TYPES, Reference, access_control
from dataflyt.on_airflow.safely import TryLater, say_why

PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=30))

with DAG(
    dag_id="reference_data",
    dag_display_name=notices.REFERENCE,
    description=notices.DESCRIPTIONS["reference_data"],
    doc_md=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
    tags=["dataflyt"],
    # Runs at once where nothing has been read: a new installation does not wait for Friday.
    schedule=CronTriggerTimetable("40 20 * * 5", timezone="Europe/Oslo", run_immediately=True),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=RUN_TYPES,
    access_control=access_control(),
    params={
        "accept_smaller": Param(
            False, type="boolean", title="Godta et mindre svar", description=notices.ACCEPT_SMALLER
        ),
    },
    default_args={
        "on_failure_callback": say_why,
        "on_retry_callback": say_why,
        "owner": notices.OWNER,
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
        "execution_timeout": timedelta(hours=1),
    },
):
    for register, title in notices.REFERENCE_STEPS.items():
        Reference(task_id=register, task_display_name=title)
