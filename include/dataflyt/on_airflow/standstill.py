"""Find what stands still in Airflow: the common DAGs, a worker that was lost, tasks that nobody takes.

For ``dataflyt doctor``; ``dataflyt digest`` has the common DAGs that failed. Reads Airflow's database, and raises
ConfigError when it cannot be used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dataflyt.on_airflow.notices import DESCRIPTIONS
from dataflyt.on_airflow.prepare import database
from dataflyt.operations.causes import of_lines
from dataflyt.operations.digest import said

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

RECENT: Final = timedelta(days=1)
"""How long a worker that was lost is told of."""
_WAIT: Final = timedelta(minutes=10)
"""How long a task may lie in the queue: then Airflow takes it for stuck."""


def standstill(now: datetime) -> list[str]:
    """Return what stands still, a sentence each."""
    with database() as session:
        return [*_paused(session), *failed(session), *_lost(session, now), *_waiting(session, now)]


def _paused(session: Session) -> list[str]:
    """Return a sentence on the common DAGs that are paused; the page Oversikt says it of a kommune's."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    asked = select(DagModel.dag_id).where(DagModel.dag_id.in_(DESCRIPTIONS), DagModel.is_paused)
    return [
        f"DAG-en {dag} er satt på pause, og det den gjør for alle kommuner, blir ikke gjort: slå den på i Airflow."
        for dag in sorted(session.scalars(asked))
    ]


def failed(session: Session) -> list[str]:
    """Return a sentence on each common DAG whose last run failed, with what its tasks said."""
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from airflow.utils.state import DagRunState
    from sqlalchemy import select

    found = []
    for dag in DESCRIPTIONS:
        ended = select(DagRun).where(DagRun.dag_id == dag, DagRun.end_date.is_not(None))
        last = session.scalars(ended.order_by(DagRun.end_date.desc()).limit(1)).first()
        if last is None or last.state != DagRunState.FAILED:
            continue
        kept = XComModel.get_many(run_id=last.run_id, key="sentence", dag_ids=dag)
        why = "\n".join(str(XComModel.deserialize_value(row)) for row in session.scalars(kept))
        causes = " ".join(cause.in_words() for cause in of_lines(why))
        found.append(f"Siste kjøring av DAG-en {dag} feilet {said(last.end_date)}. {causes or 'Loggen sier hvorfor.'}")
    return found


def _lost(session: Session, now: datetime) -> list[str]:
    """Return a sentence on each worker that lost a task within a day, and has begun none since."""
    from airflow.models.log import Log
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.taskinstancehistory import TaskInstanceHistory
    from sqlalchemy import func, select

    lost: dict[str, datetime] = {}
    for tries in (TaskInstance, TaskInstanceHistory):
        same = (getattr(tries, one) == getattr(Log, one) for one in ("dag_id", "task_id", "run_id", "try_number"))
        asked = select(tries.hostname, func.max(Log.dttm)).where(
            *same, Log.event == "heartbeat timeout", Log.dttm > now - RECENT
        )
        for worker, when in session.execute(asked.group_by(tries.hostname)):
            if worker:
                lost[worker] = max(when, lost.get(worker, when))
    begun: dict[str, datetime] = {}
    for tries in (TaskInstance, TaskInstanceHistory):
        newest = select(tries.hostname, func.max(tries.start_date)).where(tries.hostname.in_(lost))
        for worker, when in session.execute(newest.group_by(tries.hostname)):
            begun[worker] = max(when, begun.get(worker, when))
    return [
        f"Arbeideren {worker} mistet en oppgave {said(when)}, og har ikke begynt på noen siden: se om den går, og om "
        "maskinen har minne nok. Oppgaven er prøvd igjen av de andre, og har de få plasser, venter kjøringene."
        for worker, when in sorted(lost.items())
        if worker not in begun or begun[worker] < when
    ]


def _waiting(session: Session, now: datetime) -> list[str]:
    """Return a sentence when tasks have waited in the queue for a worker."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import func, select

    asked = select(func.count(), func.min(TaskInstance.queued_dttm)).where(
        TaskInstance.state == TaskInstanceState.QUEUED, TaskInstance.queued_dttm < now - _WAIT
    )
    count, first = session.execute(asked).one()
    if not count:
        return []
    return [
        f"Oppgaver som har ventet på en arbeider i mer enn ti minutter: {count}, den første siden {said(first)}. Se om "
        "arbeiderne går, og om de er mange nok."
    ]
