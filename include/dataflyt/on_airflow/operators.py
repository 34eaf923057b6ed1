"""Airflow's side of Dataflyt: the only module that imports Airflow, but for those about rights and pools.

In comes a task's context; out goes one step of ``dataflyt.run.flow`` on a Job, and nothing into XCom but counts and the
sentence with which a step stopped. Whatever goes wrong leaves here as one clean sentence: a task's log, like an XCom,
is read by people who may not see persons, and an exception from a library (a database's DETAIL, a parser's excerpt)
can hold whole rows.

- ``Step``: runs the step of ``flow`` that has the task's name.
- ``GuardApproval``: asks a person when the guard has tripped, otherwise passes at once.
- ``Settle``: closes the run whatever became of it, and makes the DAG run red when a task failed.
- ``Refuse``: the one task of a kommune whose file is broken.
- ``FastLane``: the one task of the DAG that reads FREG's events.
- ``Nightly``: the one task of the DAG that brings what is published in line with the day.
- ``Reference``: a task of the DAG that reads what schools and codes there are.
- ``RUN_TYPES``, ``access_control``: what every DAG says of who may start it, and how.
- ``tell_ended``, ``tell_events_failed``, ``tell_nightly_failed``, ``tell_if_late``, ``tell``: who is told by mail. One
  that cannot be sent is a line in the log, and changes nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (  # type: ignore[attr-defined]  # its stub lacks the deadlines
    AsyncCallback,
    BaseHook,
    BaseOperator,
    DeadlineAlert,
    DeadlineReference,
    get_parsing_context,
)
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskAwaitingInput,
)

from dataflyt.config.connections import Connection, NotDefined, from_environment
from dataflyt.config.loading import folder_of_kommuner, load, load_all
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, may_pass
from dataflyt.on_airflow import notices, prepare, rights
from dataflyt.storage import private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

    from dataflyt.config.kommune import Kommune, Mail
    from dataflyt.on_airflow.notices import Notice
    from dataflyt.operations.nightly import Outcome
    from dataflyt.run.flow import Environment, Job, Question

T = TypeVar("T")
log = logging.getLogger(__name__)

RUN_TYPES = ("scheduled", "manual")
"""How a DAG of ours may be started. A backfill would be today's data, as of a day that is past."""

MAILED = "mailed"
"""Under what name Airflow's task state keeps the digest of the plan that a mail was sent about."""


class TryLater(AirflowException):  # type: ignore[misc]
    """Something outside did not answer, and may do so on the next try."""


class Step(BaseOperator):  # type: ignore[misc]
    """One step of the flow: the task's name is the function's name in ``dataflyt.run.flow``."""

    def __init__(self, *, kommune: Kommune, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kommune = kommune

    def execute(self, context: Context) -> dict[str, int]:
        """Run the step and return its counts; the sentence of one that stops is kept for the mail about it."""
        counts = safely_said(context, lambda: counted(self.run_step(context)))
        self.log.info("%s: %s", self.task_id, counts)
        return counts

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call the function of ``flow`` that has this task's name."""
        from dataflyt.run import flow

        result: Mapping[str, object] = getattr(flow, self.task_id)(open_job(self.kommune, context))
        return result


class Settle(Step):
    """Close the run in the warehouse and write its report; fail when any task before it failed.

    Airflow alone would show a run green whose last task went well. A run that was rejected or never answered ends red
    too, with a sentence that says so: nothing of it has become true. One that was only to be planned ends green.
    """

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call ``flow.settle`` with the tasks that failed; the warehouse knows what was answered."""
        from dataflyt.run import flow, report

        ti = context["ti"]
        failed = failed_steps(context)
        counts: Mapping[str, object] = flow.settle(open_job(self.kommune, context), failed)
        ti.xcom_push(key="outcome", value=counts["outcome"])
        if failed:
            raise DataflytError(f"Kjøringen stoppet i {', '.join(failed)}. Loggen til den oppgaven sier hvorfor.")
        if counts["outcome"] in ("rejected", "unanswered"):
            raise DataflytError(report.OUTCOMES[str(counts["outcome"])])
        held = counts.get("held_pupils")
        if held and self.kommune.mail is not None:
            link = page_of(ti.dag_id, ti.run_id)
            tell(self.kommune.mail, lambda: notices.held(self.kommune, int(str(held)), link))
        return counts


class GuardApproval(ApprovalOperator):  # type: ignore[misc]
    """Ask the kommune's approvers when ``flow.question`` has a question; pass at once when it has none.

    The question holds counts only, since it lies in Airflow's database. The answer is written to the warehouse, which
    alone says whether the run may be released: what this task returns, and its state, anybody who may edit the DAG can
    write. A run that is only to be planned ends here: this task is skipped, and with it the release.
    """

    template_fields = ()  # the question is written by the flow, when the task runs

    def __init__(self, *, kommune: Kommune, **kwargs: Any) -> None:
        super().__init__(
            subject="Godkjenn kjøringen",
            defaults=self.REJECT,
            assigned_users=[{"id": approver.id, "name": approver.name} for approver in kommune.approvers],
            response_timeout=timedelta(days=kommune.guard.answer_days),
            **kwargs,
        )
        self.kommune = kommune

    def execute(self, context: Context) -> None:
        """Ask, or pass without asking."""
        plan_only, question = safely(lambda: self.question(context))
        if plan_only:
            raise AirflowSkipException("Bare plan: det blir ikke spurt om noe, og ingenting frigis.")
        if question is None:
            self.log.info("The guard lets the run pass, or it has been approved: nobody is asked.")
            return
        self.subject, self.body = question.subject, question.body
        self.tell_once(context, question)
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            waiting.kwargs = {"digest": question.digest}
            raise
        raise AirflowFailException("Airflow did not wait for the answer: this needs Airflow 3.3 or later.")

    def execute_complete(self, context: Context, event: dict[str, Any], digest: str = "") -> None:
        """Write the answer to the warehouse; a rejection or a time-out skips the release."""
        approved = event.get("chosen_options") == [self.APPROVE] and not event.get("timedout")
        answer: Literal["approved", "rejected", "unanswered"] = (
            "approved" if approved else "unanswered" if event.get("timedout") else "rejected"
        )
        by = event.get("responded_by_user")
        with suppress(Exception):  # the question is over: asked again, it is a new one
            context["task_state_store"].delete(MAILED)
        safely(lambda: self.answer(context, digest, answer, by))
        super().execute_complete(context, event)  # a rejection leaves by an exception

    def answer(
        self,
        context: Context,
        digest: str,
        answer: Literal["approved", "rejected", "unanswered"],
        by: Mapping[str, str] | None,
    ) -> None:
        """Call ``flow.answer`` with who answered, as Airflow knows them."""
        from dataflyt.run import flow
        from dataflyt.warehouse.runs import User

        user = User(str(by["id"]), str(by["name"])) if by else None
        flow.answer(open_job(self.kommune, context), digest, answer, user, "airflow")

    def question(self, context: Context) -> tuple[bool, Question | None]:
        """Ask the flow whether the run is only to be planned, and what has to be asked about it."""
        from dataflyt.run import flow

        job = open_job(self.kommune, context)
        return job.plan_only, flow.question(job)

    def tell_once(self, context: Context, question: Question) -> None:
        """Send the mail about a question before it is asked, unless an earlier try of this task has sent it.

        Before: Airflow 3.3 runs the task anew when the answer comes while its process still lives, and a mail server
        can keep a process waiting for long. For the same reason the earlier try is remembered, where tries are not
        forgotten (XComs are, when a new one begins).
        """
        if self.kommune.mail is None:
            return
        with suppress(Exception):
            if context["task_state_store"].get(MAILED) == question.digest:
                return
        ti = context["ti"]
        link = page_of(ti.dag_id, ti.run_id, self.task_id)
        if tell(self.kommune.mail, lambda: notices.asked(self.kommune, question.subject, question.body, link)):
            with suppress(Exception):
                context["task_state_store"].set(MAILED, question.digest)


class Refuse(BaseOperator):  # type: ignore[misc]
    """Fail with the sentence that says what is wrong in a kommune file."""

    def __init__(self, *, sentence: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sentence = sentence

    def execute(self, context: Context) -> None:
        """Fail, always."""
        raise AirflowFailException(self.sentence)


class FastLane(BaseOperator):  # type: ignore[misc]
    """Read FREG's event list and take away at once what it tells of, for all kommuner.

    Fails when there is anything that somebody must look at, after everything else is done.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Do it, and return counts; the sentences of what went wrong are kept for the mail about it."""
        return safely_said(context, lambda: counted(self.run_lane()))

    def run_lane(self) -> Mapping[str, object]:
        """Run the fast lane; raises SourceUnavailable when another try may put right all that went wrong."""
        from dataflyt.operations import fast_lane

        outcome = fast_lane.run(load_all(folder_of_kommuner())[0], environment())
        self.log.info("%s: %s", self.task_id, outcome.counts)
        return without_trouble(outcome)


class Nightly(BaseOperator):  # type: ignore[misc]
    """Bring what is published in line with the day, for all kommuner.

    Fails when there is anything that somebody must look at, after everything else is done.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Do it, and return counts; the sentences of what went wrong are kept for the mail about it."""
        return safely_said(context, lambda: counted(self.bring_in_line()))

    def bring_in_line(self) -> Mapping[str, object]:
        """Call ``nightly.run``; raises SourceUnavailable when another try may put right all that went wrong."""
        from dataflyt.operations import nightly

        outcome = nightly.run(load_all(folder_of_kommuner())[0], environment())
        self.log.info("%s: %s", self.task_id, outcome.counts)
        return without_trouble(outcome)


class Reference(BaseOperator):  # type: ignore[misc]
    """Read one of the registers of schools and codes: the task's name is its name in ``dataflyt.reference.refresh``."""

    def execute(self, context: Context) -> dict[str, int]:
        """Read it, as of now, and return counts; with the DAG's parameter also when it has become much smaller."""
        return safely(lambda: counted(self.refresh(bool(context["params"].get("accept_smaller")))))

    def refresh(self, accept_smaller: bool) -> Mapping[str, object]:
        """Call ``reference.refresh``."""
        from dataflyt.reference import refresh

        return refresh.refresh(self.task_id, connection, datetime.now(UTC), accept_smaller=accept_smaller)


def access_control(kommune: str | None = None) -> dict[str, dict[str, set[str]]] | None:
    """Say which roles may do what with the DAG of the kommune with this id, or with one that is common to all.

    None under FAB's own auth manager, where Airflow lets all DAGs of a file vanish when one role is missing; and in a
    worker, which needs no rights to run a task, and would write a warning of Airflow's into the task's log.
    """
    plain_fab = "FabAuthManager" in str(conf.get("core", "auth_manager", fallback=""))
    return None if plain_fab or get_parsing_context().dag_id else rights.access_control(kommune)


def without_trouble(outcome: Outcome) -> Mapping[str, object]:
    """Return the counts of what went well.

    Raises what did not, a line for each, as SourceUnavailable when all of it may pass.
    """
    if not outcome.trouble:
        return outcome.counts
    passing = all(isinstance(trouble, SourceUnavailable) for trouble in outcome.trouble)
    kind = SourceUnavailable if passing else DataflytError
    raise kind("\n".join(trouble.sentence for trouble in outcome.trouble))


def environment() -> Environment:
    """Give the flow's environment in Airflow, and close what the task writes to others.

    Raises ConfigError when DATAFLYT_STORAGE is not set.
    """
    from dataflyt.run import flow

    storage = os.environ.get("DATAFLYT_STORAGE")
    if not storage:
        raise ConfigError("DATAFLYT_STORAGE is not set: write the folder or URL for landing/, exports/ and reports/.")
    private.close()
    return flow.Environment(connect=connection, path=storage_path, storage=storage)


def open_job(kommune: Kommune, context: Context) -> Job:
    """Open the flow's Job of this DAG run: the run's id is its key, the time it was due its ``as_of``.

    Raises ConfigError when DATAFLYT_STORAGE is not set.
    """
    from dataflyt.run import flow

    run = context["dag_run"]
    as_of: datetime = run.run_after or run.start_date
    params = context["params"]
    return flow.open_job(
        kommune,
        key=run.run_id,
        as_of=as_of,
        environment=environment(),
        plan_only=bool(params.get("plan_only")),
        full_reload=bool(params.get("full_reload")),
    )


def failed_steps(context: Context) -> list[str]:
    """Name the tasks of this DAG run that have failed; not ``settle``, which fails because of them."""
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return sorted(task for task, state in states.items() if state == "failed" and task != "settle")


def connection(name: str) -> Connection:
    """Look up an Airflow connection (environment, secrets backend or database); raises ConfigError, or NotDefined."""
    found = None
    with suppress(AirflowNotFoundException):
        found = BaseHook.get_connection(name)
    if found is None:
        raise NotDefined(f"Tilkoblingen {name} finnes ikke i Airflow: lag den, med hele adressen i «host».")
    if not found.host:
        raise ConfigError(f"Tilkoblingen {name} mangler «host»: skriv hele adressen der.")
    return Connection(name, found.host, found.login, found.password, dict(found.extra_dejson))


def connection_of_installation(name: str) -> Connection:
    """Look up a connection for a command, as ``connection`` does for a task.

    Raises ConfigError also when its variable cannot be read, and when Airflow's database does not answer: Airflow
    passes over both.
    """
    try:
        return connection(name)
    except NotDefined:
        if f"AIRFLOW_CONN_{name.upper()}" in os.environ:
            return from_environment(name)
        with prepare.database() as session:
            session.connection().exec_driver_sql("select 1 from connection where 1 = 0")
        raise


def storage_path(address: str) -> Any:
    """Give Airflow's path for a scheme that one of its installed providers knows, else fsspec's own.

    So ``s3://bucket/folder`` needs s3fs and keys in the environment, ``s3://connection@bucket/folder`` Airflow's Amazon
    provider.
    """
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import has_fs
    from upath import UPath

    scheme, has_scheme, _ = address.partition("://")
    return ObjectStoragePath(address) if not has_scheme or has_fs(scheme) else UPath(address)


def counted(result: Mapping[str, object]) -> dict[str, int]:
    """Keep what may be in an XCom: numbers.

    >>> counted({"persons": 3, "note": "Kari"})
    {'persons': 3}
    """
    return {key: value for key, value in result.items() if isinstance(value, int)}


def safely(work: Callable[[], T]) -> T:
    """Do ``work``; whatever it raises comes out as one sentence without values, cause or context.

    Raises TryLater where another try may help, AirflowFailException (never retried) otherwise.
    """
    for chatty in ("httpx", "httpcore"):  # they log every URL, and a register's URL can hold a person's number
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return work()
    except AirflowTaskTimeout:  # no Exception of Python's
        clean = TryLater(
            "Oppgaven brukte lengre tid enn den får, og ble stanset: Dataflyt prøver igjen. Skjer det igjen, må den "
            "som drifter maskinen, finne ut hva den venter på."
        )
    except Exception as error:
        clean = translated(error)
    raise clean  # outside the except block, so that the first error is not dragged along


def safely_said(context: Context, work: Callable[[], T]) -> T:
    """Do ``work`` safely; the sentence of one that stops is kept, as the XCom ``sentence``."""
    try:
        return safely(work)
    except AirflowException as stopped:
        with suppress(Exception):
            context["ti"].xcom_push(key="sentence", value=str(stopped))
        raise


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
    if may_pass(error):
        return TryLater(f"{name} in {where}")
    if isinstance(error, ImportError):  # tells about the installation, never about data
        return AirflowFailException(f"{name} in {where}: {error}")
    return AirflowFailException(f"Unexpected {name} in {where}. Its text is withheld: it may hold personal data.")


def place(error: BaseException) -> list[str]:
    """Where ``error`` was raised, innermost first: the frame itself and the two nearest of ours."""
    frames = list(reversed(traceback.extract_tb(error.__traceback__)))
    home = str(Path(__file__).parents[1])
    ours = [frame for frame in frames if frame.filename.startswith(home) and frame.name not in {"safely", "<lambda>"}]
    chosen = frames[:1] + [frame for frame in ours[:2] if frame is not frames[0]]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in chosen]


def say_why(context: Context) -> None:
    """Let the sentence with which a task stopped be the last line of its log, below what Airflow says of it.

    A callback of a task that fails, or is to be tried again. Airflow calls it within a group of lines that its page
    folds away: the group ends first.
    """
    log.info("::endgroup::")
    log.error("%s", context.get("exception"))


# --- mails -------------------------------------------------------------------------------------------------------


def deadlines(kommune: Kommune) -> list[DeadlineAlert]:
    """Give the deadline of a kommune's runs: ``schedule.done_by``, counted from when a run was due.

    From when it was due (the logical date), not from when Airflow put it in its queue: a run that begins late, because
    the one before it waited for an answer or nothing ran, is late at the same hour. A run that is started through
    the API without a logical date was due at no time, and has no deadline.
    """
    allowed = kommune.schedule.time_allowed
    if allowed is None:
        return []
    callback = AsyncCallback(tell_if_late, kwargs={"kommune": kommune.id})
    reference = DeadlineReference.DAGRUN_LOGICAL_DATE
    return [DeadlineAlert(reference=reference, interval=allowed, callback=callback, name="done_by")]


async def tell_if_late(kommune: str, context: dict[str, Any]) -> None:
    """Tell that a run has not ended at its deadline. Called by the triggerer, with the run as it was then.

    The kommune's file is read anew: it says who is to be told now.
    """
    await asyncio.to_thread(_tell_if_late, kommune, context["dag_run"], context["deadline"]["deadline_time"])


def _tell_if_late(kommune_id: str, run: Mapping[str, Any], due: datetime | str) -> None:
    if run["state"] in ("success", "failed"):  # it has ended, and how is told already
        return
    try:
        kommune = load(folder_of_kommuner() / f"{kommune_id}.yaml")
    except ConfigError as error:
        log.warning("A run is late, and nobody is told: %s", error.sentence)
        return
    if kommune.mail is None:
        return
    states: dict[str, str | None] = {}
    with suppress(Exception):  # then the mail says less
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        found = RuntimeTaskInstance.get_task_states(dag_id=run["dag_id"], run_ids=[run["dag_run_id"]])
        states = found.get(run["dag_run_id"], {})
    waits = next((task for task, state in states.items() if state == "awaiting_input"), None)
    link = page_of(run["dag_id"], run["dag_run_id"], waits)
    when = due if isinstance(due, datetime) else datetime.fromisoformat(due)
    tell(kommune.mail, lambda: notices.late(kommune, when, states, link))


def tell_ended(context: Context) -> None:
    """Tell that a run has stopped, was rejected or was never answered; nothing of one that went as it should.

    A callback of a DAG run that fails, in the DAG processor: whatever killed the tasks.
    """
    kommune: Kommune = context["dag"].get_task("settle").kommune
    if kommune.mail is not None:
        tell(kommune.mail, lambda: how_it_ended(kommune, context))


def tell_events_failed(context: Context) -> None:
    """Mail the data engineers that FREG's events were not dealt with."""
    tell_engineers(context, "fast_lane", notices.events_failed)


def tell_nightly_failed(context: Context) -> None:
    """Mail the data engineers that what is published was not brought in line with the day."""
    tell_engineers(context, "bring_in_line", notices.nightly_failed)


def tell_engineers(context: Context, task: str, write: Callable[[str | None, str], Notice]) -> None:
    """Mail whoever the connection ``freg_events`` names (``tell`` in its extra) what the DAG run's task has said."""
    from dataflyt.config.kommune import Mail

    ti = context["ti"]
    try:
        extra = connection("freg_events").extra
        to = str(extra.get("tell") or "").replace(",", " ").split()
        mail = Mail(to=tuple(to), connection=str(extra.get("smtp") or "smtp_default")) if to else None
    except Exception as error:  # an address that is none, or no such connection
        log.warning("Nobody is told by mail: %s with the connection freg_events.", type(error).__name__)
        return
    if mail is not None:
        said = ti.xcom_pull(task_ids=task, key="sentence")
        tell(mail, lambda: write(said, page_of(ti.dag_id, ti.run_id)))


def how_it_ended(kommune: Kommune, context: Context) -> Notice | None:
    """Write the mail about a run that has ended, None when there is nothing to tell."""
    from dataflyt.run import report

    ti = context["ti"]
    outcome: str | None = ti.xcom_pull(task_ids="settle", key="outcome")
    failed = failed_steps(context)
    if outcome is None:
        failed.append("settle")
    if not failed and outcome not in ("rejected", "unanswered"):
        return None
    merged: dict[str, Any] = ti.xcom_pull(task_ids="merge") or {}
    return notices.ended(
        kommune,
        outcome,
        report.OUTCOMES[outcome] if outcome else report.NOT_CLOSED,
        {task: ti.xcom_pull(task_ids=task, key="sentence") for task in failed},
        report.changes({kind: count for kind, count in merged.items() if kind in report.KINDS}, 0),
        page_of(ti.dag_id, ti.run_id),
    )


def page_of(dag: str, run: str, task: str | None = None) -> str:
    """Give the address of a run's page in Airflow, or of the page where a task's question is answered."""
    base = str(conf.get("api", "base_url", fallback="")).rstrip("/")
    question = f"/tasks/{task}/required_actions" if task else ""
    return f"{base}/dags/{quote(dag, safe='')}/runs/{quote(run, safe='')}{question}"


def tell(mail: Mail, write: Callable[[], Notice | None]) -> bool:
    """Write a notice and mail it; tell whether it was sent. Never raises: no run fails because of its mail.

    The server is an Airflow connection of type ``smtp``; its ``from_email`` is the sender.
    """
    try:
        notice = write()
        if notice is None:
            return False
        _send(mail, notice)
    except ConfigError as error:
        log.warning("No mail was sent: %s", error.sentence)
        return False
    except Exception as error:  # its text may hold addresses, or what a server answered
        log.warning("No mail was sent by %s: %s in %s", mail.connection, type(error).__name__, " < ".join(place(error)))
        return False
    log.info("A mail was sent: %s", notice.subject)
    return True


def _send(mail: Mail, notice: Notice) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(smtp_conn_id=mail.connection) as server:
        if not server.from_email:
            raise ConfigError(f"The Airflow connection {mail.connection} has no from_email: the sender of the mails.")
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = notice.subject, server.from_email, ", ".join(mail.to)
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = make_msgid(domain=server.from_email.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office reply
        message.set_content(notice.body, cte="quoted-printable")
        server._smtp_client.send_message(message)  # the hook's own send takes HTML only
