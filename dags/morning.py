"""The DAG that tells the engineers each morning which kommuner must be looked at: wiring only.

The work is in ``dataflyt.operations.digest``. morning.md is the page.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule

from dataflyt.on_airflow import notices
from dataflyt.on_airflow.operators import RUN_TYPES, Morning, access_control
from dataflyt.on_airflow.safely import TryLater, say_why

PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=10))

with DAG(
    dag_id="morning",
    dag_display_name=notices.MORNING,
    description=notices.DESCRIPTIONS["morning"],
    doc_md=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
    tags=["dataflyt"],
    schedule=CronTriggerTimetable("0 7 * * *", timezone="Europe/Oslo"),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=RUN_TYPES,
    access_control=access_control(),
    default_args={
        "on_failure_callback": say_why,
        "on_retry_callback": say_why,
        "owner": notices.OWNER,
        "retries": 6,
        "retry_delay": timedelta(seconds=5),
        "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
        "execution_timeout": timedelta(hours=1),
    },
):
    Morning(task_id="tell_engineers", task_display_name=notices.TELL_ENGINEERS)
