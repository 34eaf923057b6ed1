"""The DAG that brings publications in line with the day, tells of them, deletes the old, and mails: wiring only.

The work is in ``dataflyt.operations`` (``nightly``, ``retention``, ``work_list``). Access can end because a day has
passed, and a kommune's own run may be a month away. nightly.md is the page.
"""

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule

from dataflyt.on_airflow import notices
from dataflyt.on_airflow.mails import tell_nightly_failed
from dataflyt.on_airflow.operators import RUN_TYPES, Nightly, Retention, TellPublished, WorkListMails, access_control
from dataflyt.on_airflow.safely import TryLater, say_why

PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=10))

with DAG(
    dag_id="nightly",
    dag_display_name=notices.NIGHTLY,
    description=notices.DESCRIPTIONS["nightly"],
    doc_md=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
    tags=["dataflyt"],
    # Runs at once in a new installation, and when nothing ran at midnight.
    schedule=CronTriggerTimetable("10 0 * * *", timezone="Europe/Oslo", run_immediately=True),
    catchup=False,
    max_active_runs=1,
    allowed_run_types=RUN_TYPES,
    access_control=access_control(),
    on_failure_callback=tell_nightly_failed,
    default_args={
        "on_failure_callback": say_why,
        "on_retry_callback": say_why,
        "owner": notices.OWNER,
        "retries": 6,
        "retry_delay": timedelta(seconds=5),
        "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
        "execution_timeout": timedelta(hours=6),
    },
):
    # None waits for another: trouble with one kommune's publication must not keep what is to be deleted.
    bring_in_line = Nightly(task_id="bring_in_line", task_display_name=notices.BRING_IN_LINE)
    # A teardown: it tells whatever became of that, and the run is red all the same when that failed.
    tell = TellPublished(task_id="tell_published", task_display_name=notices.TELL_PUBLISHED)
    bring_in_line >> tell.as_teardown()
    Retention(task_id="delete_old", task_display_name=notices.DELETE_OLD)
    WorkListMails(task_id="mail_work_lists", task_display_name=notices.MAIL_WORK_LISTS)
