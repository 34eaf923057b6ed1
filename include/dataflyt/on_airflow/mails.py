"""Send notices by mail and by Apprise (Teams, Slack, a webhook): when, to whom, and how. ``notices`` has the texts.

- ``tell_ended``: a kommune's run stopped, was rejected, or was not answered.
- ``tell_events_failed``, ``tell_nightly_failed``: a DAG common to all kommuner has failed.
- ``tell_morning``: every morning, which kommuner must be looked at.
- ``tell_work_lists``: once a week, what there is to correct.
- ``deadlines``, ``tell_if_late``: a run was not done in time.
- ``tell``: sends one. One that cannot be sent is a line in the log and changes nothing else.

The engineers are told once of a cause, however often and for however many kommuner it comes (``told``). What stops a
kommune's own run they read in the morning's digest, each cause once.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import (  # type: ignore[attr-defined]  # its stub lacks the deadlines
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)

from dataflyt.config.kommune import WEEKDAYS, Mail
from dataflyt.config.loading import folder_of_kommuner, load
from dataflyt.errors import ConfigError, DataflytError
from dataflyt.on_airflow import notices, told
from dataflyt.on_airflow.environment import connection, failed_steps, our_pages, page_of, page_of_dag
from dataflyt.on_airflow.safely import place
from dataflyt.operations.causes import Cause, of_lines
from dataflyt.operations.work_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from airflow.sdk import Context

    from dataflyt.config.kommune import Kommune, WorkList
    from dataflyt.on_airflow.notices import Notice
    from dataflyt.operations.digest import Digest
    from dataflyt.operations.nightly import Outcome
    from dataflyt.run.environment import Environment

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds for all services of an Apprise connection together. Then the run goes on without them."""
UNSAID = "{}: det ble ikke sagt hvorfor; det står i loggen."
"""The cause of a DAG whose tasks left no sentence."""


def deadlines(kommune: Kommune) -> list[DeadlineAlert]:
    """Return the deadline of a kommune's runs: ``schedule.done_by``, counted from when a run was due.

    A run was due at its logical date, not when Airflow queued it. A run that begins late, because the run before it
    waited for an answer or Airflow was down, therefore has the same deadline as any other. A run that is started
    through the API without a logical date has no deadline.
    """
    allowed = kommune.schedule.time_allowed
    if allowed is None:
        return []
    callback = AsyncCallback(tell_if_late, kwargs={"kommune": kommune.id})
    reference = DeadlineReference.DAGRUN_LOGICAL_DATE
    return [DeadlineAlert(reference=reference, interval=allowed, callback=callback, name="done_by")]


async def tell_if_late(kommune: str, context: dict[str, Any]) -> None:
    """Mail that a run has not ended at its deadline. The triggerer calls this with the run as it was then.

    The kommune's file is read anew, for the addresses of today.
    """
    await asyncio.to_thread(_tell_if_late, kommune, context["dag_run"], context["deadline"]["deadline_time"])


def _tell_if_late(kommune_id: str, run: Mapping[str, Any], due: datetime | str) -> None:
    if run["state"] in ("success", "failed"):  # it has ended, and its end has been mailed
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
    """Mail that a run has stopped, was rejected or was never answered.

    Airflow calls this when a DAG run fails. It runs in the DAG processor, so it works even when the tasks were killed.
    """
    kommune: Kommune = context["dag"].get_task("close_run").kommune
    if kommune.mail is not None:
        tell(kommune.mail, lambda: how_it_ended(kommune, context))


def tell_events_failed(context: Context) -> None:
    """Mail the data engineers that FREG's events were not dealt with."""
    tell_engineers(context, ("fast_lane",), notices.events_failed)


def tell_nightly_failed(context: Context) -> None:
    """Mail the data engineers that a publication does not follow the day, or that something was not deleted."""
    tell_engineers(context, ("bring_in_line", "delete_old", "mail_work_lists"), notices.nightly_failed)


def tell_engineers(context: Context, tasks: tuple[str, ...], write: Callable[[str | None, str], Notice]) -> None:
    """Tell the engineers of the causes in the tasks' sentences that they have not been told of already.

    They are named in the connection ``freg_events`` (``tell`` and ``apprise`` in extra).
    """
    ti = context["ti"]
    mail = engineers()
    if mail is None:
        return
    said = [sentence for task in tasks if (sentence := ti.xcom_pull(task_ids=task, key="sentence"))]
    causes = of_lines("\n".join(said)) or [Cause(UNSAID.format(ti.dag_id), ())]
    known = told.going_on()
    new = told.untold(causes, known)
    lines = notices.shortened([cause.in_words() for cause in new], "loggen")
    if len(new) < len(causes):
        lines.append(f"Det som er meldt før, varer ved: {len(causes) - len(new)}.")
    taken = bool(new) and tell(mail, lambda: write("\n".join(lines) if said else None, page_of(ti.dag_id, ti.run_id)))
    if not new:
        log.info("Nobody is told: %s causes have been told of already.", len(causes))
    told.remember(causes, new if taken else (), known)


def engineers() -> Mail | None:
    """Return whom to tell, from the connection ``freg_events``; None, with a line in the log, for nobody."""
    try:
        extra = connection("freg_events").extra
        to = str(extra.get("tell") or "").replace(",", " ").split()
        by = {"connection": str(extra.get("smtp") or "smtp_default"), "apprise": extra.get("apprise") or None}
        return Mail(**by, **({"to": tuple(to)} if to else {})) if to or by["apprise"] else None
    except Exception as error:  # an invalid address, or no such connection
        log.warning("Nobody is told by mail: %s with the connection freg_events.", type(error).__name__)
        return None


def tell_morning(found: Digest) -> bool:
    """Tell the engineers the morning's digest; return whether anything was sent."""
    mail = engineers()
    going_on = [(one.cause.in_words(), one.since) for one in told.going_on().values()]
    return mail is not None and tell(mail, lambda: notices.morning(found, f"{our_pages()}/", going_on))


def tell_work_lists(kommuner: Iterable[Kommune], environment: Environment, day: date) -> Outcome:
    """Mail the counts of the work list to the correctors that a kommune's file names, in kommuner whose day it is.

    A corrector with nothing to correct gets no mail. Trouble in one kommune stops no other. None of it may be tried
    again: those who have had their mail would get it twice.
    """
    from dataflyt.operations import nightly, work_list
    from dataflyt.why.correcting import CORRECTORS  # reads a file of words

    counts, trouble = {"mails": 0}, []

    def work(kommune: Kommune, settings: WorkList) -> None:
        by_owner = work_list.counts_by_owner(kommune, environment)
        link = page_of_dag(f"kommune_{kommune.id}")
        for owner, to in settings.mail.items():
            counted = {KINDS[kind].title: both for kind, both in by_owner.get(owner, {}).items()}
            write = partial(notices.work_list, kommune, CORRECTORS[owner].title, counted, link)
            counts["mails"] += bool(counted) and tell(Mail(to=to, connection=settings.connection), write)

    for kommune in kommuner:
        settings = kommune.work_list
        if settings and day.weekday() == list(WEEKDAYS).index(settings.day):
            failed = nightly.trouble_of(partial(work, kommune, settings), kommune.id)
            trouble += [DataflytError(failed.sentence, **failed.facts)] if failed else []
    return nightly.Outcome(counts, trouble)


def how_it_ended(kommune: Kommune, context: Context) -> Notice | None:
    """Return the mail about a run that has ended, None when it went as it should."""
    from dataflyt.run import report

    ti = context["ti"]
    outcome: str | None = ti.xcom_pull(task_ids="close_run", key="outcome")
    failed = failed_steps(context)
    if outcome is None:
        failed.append("close_run")
    if not failed and outcome not in ("rejected", "unanswered"):
        return None
    merged: dict[str, Any] = ti.xcom_pull(task_ids="merge") or {}
    return notices.ended(
        kommune,
        outcome,
        report.OUTCOMES[outcome] if outcome else report.NOT_CLOSED,
        {task: report.finally_said(task, ti.xcom_pull(task_ids=task, key="sentence") or "") for task in failed},
        report.changes({kind: count for kind, count in merged.items() if kind in report.KINDS}, 0),
        page_of(ti.dag_id, ti.run_id),
    )


def tell(mail: Mail, write: Callable[[], Notice | None]) -> bool:
    """Write a notice and send it; return whether anybody got it. Never raises: no run fails because of its notice.

    The mail server is an Airflow connection of type ``smtp``; its ``from_email`` is the sender. The other way is one of
    type ``apprise``. Each is tried, whatever became of the other.
    """
    try:
        notice = write()
    except Exception as error:
        log.warning("No notice was written: %s in %s", type(error).__name__, " < ".join(place(error)))
        return False
    if notice is None:
        return False
    ways = [("mail", mail.connection, _send)] if mail.to else []
    ways += [("message", mail.apprise, _send_by_apprise)] if mail.apprise else []
    return any([_sent(what, by, partial(send, mail, notice), notice) for what, by, send in ways])


def _sent(what: str, by: str, send: Callable[[], None], notice: Notice) -> bool:
    try:
        send()
    except ConfigError as error:
        log.warning("No %s was sent: %s", what, error.sentence)
        return False
    except Exception as error:  # its text may hold addresses, or a server's answer
        log.warning("No %s was sent by %s: %s in %s", what, by, type(error).__name__, " < ".join(place(error)))
        return False
    log.info("A %s was sent: %s", what, notice.subject)
    return True


def _send_by_apprise(mail: Mail, notice: Notice) -> None:
    """Send a notice to every service of the connection. Raises ConfigError unless all of them took it in time.

    The provider's own ``notify`` tells neither whether it was taken, nor when to give up.
    """
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from apprise import Apprise, NotifyFormat

    from dataflyt.exports.place import Silent, patiently

    # They log the addresses, which are as secret as keys.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    hook, services = AppriseHook(str(mail.apprise)), Apprise()
    hook.set_config_from_conn(hook.get_connection(str(mail.apprise)), services)
    if not len(services):
        raise ConfigError(f"The Airflow connection {mail.apprise} has no address that Apprise knows.")
    try:
        taken = patiently(
            lambda _: services.notify(notice.body, notice.subject, body_format=NotifyFormat.TEXT), PATIENCE
        )
    except Silent:
        raise ConfigError(f"No answer in {PATIENCE:.0f} s by the Airflow connection {mail.apprise}.") from None
    if not taken:
        raise ConfigError(f"Not every service of the Airflow connection {mail.apprise} took it.")


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
