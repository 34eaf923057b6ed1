"""The DAG that reads FREG's events for all kommuner, every hour, tells of it, and sends metrics: wiring only.

The work is in ``dataflyt.operations`` (``fast_lane``, ``metrics``). It has a DAG of its own because, in a kommune's
DAG, a run that waits for an answer holds back the next run. freg_events.md is the page.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule

from dataflyt.on_airflow import notices
from dataflyt.on_airflow.mails import tell_events_failed
from dataflyt.on_airflow.operators import RUN_TYPES, FastLane, TellEvents, TellMetrics, access_control
from dataflyt.on_airflow.safely import TryLater, say_why

PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=5))

with DAG(
    dag_id="freg_events",
    dag_display_name=notices.EVENTS,
    description=notices.DESCRIPTIONS["freg_events"],
    doc_md=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
    tags=["dataflyt"],
    schedule=CronTriggerTimetable("12 * * * *", timezone="Europe/Oslo", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=RUN_TYPES,
    access_control=access_control(),
    on_failure_callback=tell_events_failed,
    default_args={
        "on_failure_callback": say_why,
        "on_retry_callback": say_why,
        "owner": notices.OWNER,
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
        "execution_timeout": timedelta(hours=6),
    },
):
    # Goes before every kommune's extract that waits for a slot in the pool.
    fast_lane = FastLane(task_id="fast_lane", task_display_name=notices.FAST_LANE, pool="freg", priority_weight=100)
    # A teardown: it tells whatever became of that, and the run is red all the same when that failed.
    tell = TellEvents(task_id="tell_events", task_display_name=notices.TELL_EVENTS)
    fast_lane >> tell.as_teardown()
    TellMetrics(task_id="tell_metrics", task_display_name=notices.TELL_METRICS)
