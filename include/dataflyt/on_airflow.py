"""Airflow's side of Dataflyt: the only module that imports Airflow.

In comes a task's context; out goes one step of ``dataflyt.flow`` on a Job, and nothing but counts into XCom.
Whatever goes wrong leaves here as one clean sentence: a task's log, like an XCom, is read by people who may not see
persons, and an exception from a library (a database's DETAIL, a parser's excerpt) can hold whole rows.

- ``Step``: runs the step of ``flow`` that has the task's name.
- ``GuardApproval``: asks a person when the guard has tripped, otherwise passes at once.
- ``Settle``: closes the run whatever became of it, and makes the DAG run red when a task failed.
- ``Refuse``: the one task of a kommune whose file is broken.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException, TaskAwaitingInput

from dataflyt.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from airflow.sdk import Context

    from dataflyt.flow import Job
    from dataflyt.kommune import Kommune

T = TypeVar("T")
log = logging.getLogger(__name__)

RETRIED = {"OperationalError", "InterfaceError"}
"""Errors of a lost or busy database (psycopg, SQLAlchemy), by name: neither is imported to parse a DAG."""

DIGEST = re.compile(r"[0-9a-f]{8,128}")


class TryLater(AirflowException):  # type: ignore[misc]
    """Something outside did not answer, and may do so on the next try."""


class Step(BaseOperator):  # type: ignore[misc]
    """One step of the flow: the task's name is the function's name in ``dataflyt.flow``."""

    def __init__(self, *, kommune: Kommune, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kommune = kommune

    def execute(self, context: Context) -> dict[str, int | str]:
        """Run the step and return its counts."""
        counts = safely(lambda: counted(self.run_step(context)))
        self.log.info("%s: %s", self.task_id, counts)
        return counts

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call the function of ``flow`` that has this task's name."""
        from dataflyt import flow

        result: Mapping[str, object] = getattr(flow, self.task_id)(open_job(self.kommune, context))
        return result


class Release(Step):
    """Release the run, with the digest of the plan that was approved (or that the guard let pass)."""

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call ``flow.release`` with the digest that ``approve`` returned."""
        from dataflyt import flow

        approved = context["ti"].xcom_pull(task_ids="approve") or {}
        released: Mapping[str, object] = flow.release(open_job(self.kommune, context), str(approved.get("digest", "")))
        return released


class Settle(Step):
    """Close the run in the warehouse and write its report; fail when any task before it failed.

    Airflow alone would show a run green whose last task went well. A rejected or unanswered run ends green: a person
    has decided, nothing is broken, and the report says so.
    """

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call ``flow.settle`` with the tasks that failed and the answer that was given."""
        from dataflyt import flow

        ti = context["ti"]
        states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
        failed = sorted(task for task, state in states.items() if state == "failed" and task != self.task_id)
        answer = ti.xcom_pull(task_ids="approve", key="answer")
        counts: Mapping[str, object] = flow.settle(open_job(self.kommune, context), failed, answer)
        if failed:
            raise DataflytError(f"Kjøringen stoppet i {', '.join(failed)}. Loggen til den oppgaven sier hvorfor.")
        return counts


class GuardApproval(ApprovalOperator):  # type: ignore[misc]
    """Ask the kommune's approvers when ``flow.question`` has a question; pass at once when it has none.

    The question holds counts only, since it lies in Airflow's database. Returns the digest of the plan that may be
    released; pushes ``answer`` (approved, rejected or unanswered) when somebody was asked.
    """

    template_fields = ()  # the question is written by the flow, when the task runs

    def __init__(self, *, kommune: Kommune, **kwargs: Any) -> None:
        approvers = [{"id": approver.id, "name": approver.name} for approver in kommune.approvers]
        super().__init__(subject="Godkjenn kjøringen", defaults=self.REJECT, assigned_users=approvers or None, **kwargs)
        self.kommune = kommune

    def execute(self, context: Context) -> dict[str, str]:
        """Ask, or return the merged plan's digest without asking."""
        question = safely(lambda: self.question(context))
        if question is None:
            merged = context["ti"].xcom_pull(task_ids="merge") or {}
            self.log.info("The guard lets the run pass: nobody is asked.")
            return {"digest": str(merged.get("digest", ""))}
        self.subject, self.body = question.subject, question.body
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            waiting.kwargs = {"digest": question.digest}
            raise
        raise AirflowFailException("Airflow did not wait for the answer: this needs Airflow 3.3 or later.")

    def execute_complete(self, context: Context, event: dict[str, Any], digest: str = "") -> dict[str, str]:
        """Pass on the answer; a rejection or a time-out skips the release."""
        approved = event.get("chosen_options") == [self.APPROVE]
        answer = "unanswered" if event.get("timedout") else "approved" if approved else "rejected"
        context["ti"].xcom_push(key="answer", value=answer)  # first: a rejection leaves the next line by an exception
        super().execute_complete(context, event)
        return {"digest": digest}

    def question(self, context: Context) -> Any:
        """Ask the flow whether this run has to be asked about."""
        from dataflyt import flow

        return flow.question(open_job(self.kommune, context))


class Refuse(BaseOperator):  # type: ignore[misc]
    """Fail with the sentence that says what is wrong in a kommune file."""

    def __init__(self, *, sentence: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sentence = sentence

    def execute(self, context: Context) -> None:
        """Fail, always."""
        raise AirflowFailException(self.sentence)


def open_job(kommune: Kommune, context: Context) -> Job:
    """Open the flow's Job of this DAG run: the run's id is its key, the time it was due its ``as_of``.

    Raises ConfigError when DATAFLYT_STORAGE is not set.
    """
    from airflow.sdk import ObjectStoragePath

    from dataflyt import flow

    storage = os.environ.get("DATAFLYT_STORAGE")
    if not storage:
        raise ConfigError("DATAFLYT_STORAGE is not set: write the folder or URL for landing/, exports/ and reports/.")
    run = context["dag_run"]
    as_of: datetime = run.run_after or run.start_date
    environment = flow.Environment(connect=connection, path=ObjectStoragePath, storage=storage)
    return flow.open_job(kommune, key=run.run_id, as_of=as_of, environment=environment)


def connection(name: str) -> Connection:
    """Look up an Airflow connection (environment, secrets backend or database); raises ConfigError."""
    found = None
    with suppress(AirflowNotFoundException):
        found = BaseHook.get_connection(name)
    if found is None or not found.host:
        raise ConfigError(f"The Airflow connection {name} is not defined, or has no host: the host is the whole URL.")
    return Connection(name, found.host, found.login, found.password, dict(found.extra_dejson))


def counted(result: Mapping[str, object]) -> dict[str, int | str]:
    """Keep what may be in an XCom: numbers, and the digest of a plan.

    >>> counted({"persons": 3, "note": "Kari", "digest": "0123abcd"})
    {'persons': 3, 'digest': '0123abcd'}
    """
    return {
        key: value
        for key, value in result.items()
        if isinstance(value, int)
        or (key == "digest" and isinstance(value, str) and DIGEST.fullmatch(value) is not None)
    }


def safely(work: Callable[[], T]) -> T:
    """Do ``work``; whatever it raises comes out as one sentence without values, cause or context.

    Raises TryLater where another try may help, AirflowFailException (never retried) otherwise.
    """
    for chatty in ("httpx", "httpcore"):  # they log every URL, and a register's URL can hold a person's number
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return work()
    except Exception as error:
        clean = translated(error)
    raise clean  # outside the except block, so that the first error is not dragged along


def translated(error: Exception) -> AirflowException:
    """Give the Airflow exception that stands for ``error``; its facts and place are logged, its values are not."""
    if isinstance(error, AirflowException):
        return error
    if isinstance(error, DataflytError):
        if error.facts:
            log.error("%s: %s", type(error).__name__, error.facts)
        kind = TryLater if isinstance(error, SourceUnavailable) else AirflowFailException
        return kind(error.sentence)
    name = type(error).__name__
    where = " < ".join(place(error))
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & RETRIED or isinstance(error, (ConnectionError, TimeoutError)):
        return TryLater(f"{name} in {where}")
    if isinstance(error, ImportError):  # tells about the installation, never about data
        return AirflowFailException(f"{name} in {where}: {error}")
    return AirflowFailException(f"Unexpected {name} in {where}. Its text is withheld: it may hold personal data.")


def place(error: BaseException) -> list[str]:
    """Where ``error`` was raised, innermost first: the frame itself and the two nearest of ours."""
    frames = list(reversed(traceback.extract_tb(error.__traceback__)))
    home = str(Path(__file__).parent)
    ours = [frame for frame in frames if frame.filename.startswith(home) and frame.name not in {"safely", "<lambda>"}]
    chosen = frames[:1] + [frame for frame in ours[:2] if frame is not frames[0]]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in chosen]
