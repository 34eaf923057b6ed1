"""The tasks of the DAGs: each calls one function of ``run``, ``operations`` or ``reference``.

In: a task's context. Out, into XCom: counts, and the sentence with which a step stopped (``safely``).

- ``Step``: runs the step that has the task's name.
- ``GuardApproval``: asks a person when the guard has tripped, otherwise passes at once.
- ``Release``: releases, and tells Airflow of the warehouse as an asset.
- ``Publish``: publishes, and tells Airflow of the exports as assets (``assets``).
- ``CloseRun``: closes the run, released or not, and makes the DAG run red when a task failed.
- ``Refuse``: the one task of a kommune whose file is broken.
- ``FastLane``: the task that reads FREG's events.
- ``TellEvents``: the task of the same DAG that tells Airflow, every hour, that every kommune's events were read.
- ``TellMetrics``: the task of the same DAG that sends, every hour, the metrics that no run sends.
- ``Nightly``: the task of the DAG that brings publications in line with the day.
- ``TellPublished``: the task of the same DAG that tells Airflow, every night, of every export that stands published.
- ``Retention``: the task of the same DAG that deletes what has had its time.
- ``WorkListMails``: the task of the same DAG that mails what there is to correct.
- ``Reference``: a task of the DAG that reads the registers of schools and codes.
- ``RUN_TYPES``, ``access_control``: how every DAG may be started, and by whom.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Asset, AssetAlias, BaseOperator, get_parsing_context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput

from dataflyt.config.loading import folder_of_kommuner, load_all
from dataflyt.errors import DataflytError, SourceUnavailable
from dataflyt.formats.dates import OSLO
from dataflyt.on_airflow import lineage, notices, rights, telling
from dataflyt.on_airflow.environment import connection, failed_steps, job_of, our_pages, page_of, run_environment
from dataflyt.on_airflow.mails import tell, tell_morning, tell_work_lists
from dataflyt.on_airflow.safely import counted, safely, safely_said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from dataflyt.config.kommune import Kommune
    from dataflyt.operations.nightly import Outcome
    from dataflyt.run.approve import Question


RUN_TYPES = ("scheduled", "manual")
"""The ways to start a DAG of ours. A backfill is not one: it would read today's data as of a past day."""

MAILED = "mailed"
"""The name under which Airflow's task state keeps the digest of the plan that a mail was sent about."""


class Step(BaseOperator):  # type: ignore[misc]
    """One step of a run: the task's name is the step's name in ``dataflyt.run.steps``."""

    def __init__(self, *, kommune: Kommune, **kwargs: Any) -> None:
        super().__init__(**touched(kommune, kwargs["task_id"]), **kwargs)
        self.kommune = kommune
        self.lineage: Any = None

    def execute(self, context: Context) -> dict[str, int]:
        """Run the step and return its counts."""
        done = False
        try:
            with telling.timed(self.kommune.id, self.task_id):
                counts = safely_said(context, lambda: counted(self.run_step(context)))
            done = True
        finally:
            self.lineage = lineage.of_step(self.task_id, self.kommune, lambda: job_of(self.kommune, context), done=done)
        self.log.info("%s: %s", self.task_id, counts)
        return counts

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the step's lineage, for Airflow's OpenLineage provider; also when the step has stopped."""
        return self.lineage

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call the function of the step that has this task's name."""
        from dataflyt.run.execute import do

        return do(self.task_id, job_of(self.kommune, context))


class Publish(Step):
    """Publish a released run, and tell Airflow that its exports are there: each is an asset, which may start a DAG.

    Between runs a publication is written anew when somebody must be hidden, and an event then would tell everybody who
    sees Airflow that somebody was. ``TellPublished`` tells every night instead, whether it was or not.
    """

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Publish, and give each asset's event the run, and the place and sha256 of the file."""
        from dataflyt.exports.publishing import published_files

        counts = super().run_step(context)
        with job_of(self.kommune, context).transaction(lock=False) as connection:
            files = published_files(connection, self.kommune)
        told = assets(self.kommune)
        for export, file in files.items():
            context["outlet_events"][told[export]].extra = file
        return counts


class Release(Step):
    """Release a run, and tell Airflow that the warehouse has another: it is an asset, which may start a DAG."""

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Release, and give the asset's event the run."""
        counts = super().run_step(context)
        context["outlet_events"][asset(self.kommune, WAREHOUSE)].extra = {"run": counts["run"]}
        return counts


WAREHOUSE = "warehouse"
"""The name of the asset that a kommune's golden record is."""


OF_PUBLISHED, OF_EVENTS = AssetAlias("dataflyt/published"), AssetAlias("dataflyt/events")
"""Under these names the common DAGs tell of kommuner's assets: a DAG file of theirs reads no kommune's file."""

READ = "read"
"""The name under which the task of the events keeps whether it could read the list."""


def asset(kommune: Kommune, name: str) -> Asset:
    """Return an asset of a kommune: a source, the warehouse or an export.

    Its name is its URI: to Airflow, ``Asset("dataflyt://…")`` in somebody else's DAG is otherwise another asset.
    """
    return Asset(f"dataflyt://{kommune.id}/{name}", group="dataflyt")


def assets(kommune: Kommune) -> dict[str, Asset]:
    """Return the asset of each of a kommune's exports, by the export's name: ``dataflyt://haugesund/feide_ldif``."""
    return {export: asset(kommune, export) for export in kommune.exports}


def touched(kommune: Kommune, step: str) -> dict[str, list[Asset]]:
    """Return the assets that a step reads and makes: a source, the warehouse, the exports."""
    if step.startswith("extract_"):
        return {"inlets": [asset(kommune, step.removeprefix("extract_"))]}
    if step == "release":
        return {"outlets": [asset(kommune, WAREHOUSE)]}
    if step == "publish":
        return {"inlets": [asset(kommune, WAREHOUSE)], "outlets": list(assets(kommune).values())}
    return {}


class CloseRun(Step):
    """Close the run in the warehouse and write its report; fail when any task before it failed.

    Airflow by itself shows a run green when its last task went well. A run that was rejected or never answered ends red
    too, with a sentence that says that nothing in it has taken effect. A run that is only a plan ends green.
    """

    def run_step(self, context: Context) -> Mapping[str, object]:
        """Call ``close_run`` with the tasks that failed; the warehouse has the answer."""
        from dataflyt.operations import metrics, work_list
        from dataflyt.run import report
        from dataflyt.run.close_run import close_run

        ti = context["ti"]
        failed = failed_steps(context)
        job = job_of(self.kommune, context)
        why = {step: ti.xcom_pull(task_ids=step, key="sentence") for step in failed}
        counts = close_run(job, why)
        ti.xcom_push(key="outcome", value=counts["outcome"])
        telling.send(lambda: metrics.of_run(counts["report"]))
        if counts["outcome"] in ("released", "not_published"):
            telling.send(
                lambda: metrics.of_work_list(self.kommune, work_list.counts_by_owner(self.kommune, job.environment))
            )
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
    """Ask the kommune's approvers when the run has a question (``run.approve``); pass at once when it has none.

    The question holds counts only, since it is stored in Airflow's database. The answer is written to the warehouse,
    which alone decides whether the run may be released: everybody who may edit the DAG can change this task's state and
    return value. A run that is only a plan ends here: this task is skipped, and the release with it.
    """

    template_fields = ()  # the question is made when the task runs

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
        with suppress(Exception):  # the question is over: the next one gets a new mail
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
        """Write down the answer, as given by the user that Airflow names."""
        from dataflyt.run.approve import answer as keep
        from dataflyt.warehouse.runs import User

        user = User(str(by["id"]), str(by["name"])) if by else None
        keep(job_of(self.kommune, context), digest, answer, user, "airflow")

    def question(self, context: Context) -> tuple[bool, Question | None]:
        """Return whether the run is only a plan, and the question to ask about it."""
        from dataflyt.run.approve import question

        job = job_of(self.kommune, context)
        return job.plan_only, question(job, our_pages())

    def tell_once(self, context: Context, question: Question) -> None:
        """Send the mail about a question before it is asked, unless an earlier try of this task has sent it.

        The mail comes first: a mail server can keep a process waiting, and Airflow 3.3 runs the task anew when an
        answer comes while its process still lives. The task's state remembers the earlier try: XComs are deleted when a
        new try begins.
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
    """Read FREG's event list and act on it at once, for all kommuner.

    Fails, after everything else is done, when a person must look at something.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Run the fast lane and return its counts."""
        return safely_said(context, lambda: counted(self.run_lane(context)))

    def run_lane(self, context: Context) -> Mapping[str, object]:
        """Call ``fast_lane.run``. Raises SourceUnavailable when another try may succeed with everything that failed."""
        from dataflyt.operations import fast_lane

        outcome = fast_lane.run(load_all(folder_of_kommuner())[0], run_environment())
        self.log.info("%s: %s", self.task_id, outcome.counts)
        context["ti"].xcom_push(key=READ, value=outcome.read)
        return without_trouble(outcome)


class TellEvents(BaseOperator):  # type: ignore[misc]
    """Tell Airflow that the events of every kommune were read, as assets; of none when the list could not be read.

    Every kommune is told of alike, whatever its events were, and nothing is told of them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(outlets=[OF_EVENTS], **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Tell of ``dataflyt://<id>/freg`` of every kommune, and return how many there were."""
        read = context["ti"].xcom_pull(task_ids="fast_lane", key=READ)
        kommuner = safely(lambda: load_all(folder_of_kommuner())[0]) if read else []
        for kommune in kommuner:
            context["outlet_events"][OF_EVENTS].add(asset(kommune, "freg"))
        return {"assets": len(kommuner)}


class TellMetrics(BaseOperator):  # type: ignore[misc]
    """Send the metrics of all kommuner's runs that no event sends: ages, and what waits.

    Ends well although nothing could be sent, with a line in its log: the DAG's failure is that of the events. Whoever
    watches sees that the metrics are missing.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Send them, and return how many there were."""
        from dataflyt.operations import metrics

        return {"metrics": telling.send(lambda: metrics.of_installation(run_environment()))}


class Nightly(BaseOperator):  # type: ignore[misc]
    """Bring every kommune's publication in line with the day.

    Fails, after everything else is done, when a person must look at something.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Bring the publications in line and return counts."""
        return safely_said(context, lambda: counted(self.bring_in_line()))

    def bring_in_line(self) -> Mapping[str, object]:
        """Call ``nightly.run``. Raises SourceUnavailable when another try may succeed with everything that failed."""
        from dataflyt.operations import nightly

        outcome = nightly.run(load_all(folder_of_kommuner())[0], run_environment())
        self.log.info("%s: %s", self.task_id, outcome.counts)
        return without_trouble(outcome)


class TellPublished(BaseOperator):  # type: ignore[misc]
    """Tell Airflow of every export that stands published, as assets, with its run.

    Every night alike, also for a kommune whose publication could not be brought in line: an event says neither that a
    file is another than last night's nor that it is not. The manifest does.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(outlets=[OF_PUBLISHED], **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Tell of them, and return how many there were."""
        from dataflyt.operations import nightly

        standing = safely(lambda: nightly.standing(load_all(folder_of_kommuner())[0], run_environment()))
        for one in standing:
            context["outlet_events"][OF_PUBLISHED].add(asset(one.kommune, one.export), extra={"run": one.run})
        return {"assets": len(standing)}


class Retention(BaseOperator):  # type: ignore[misc]
    """Delete in every kommune what has had its time. Fails, after everything else is done, when somebody must look."""

    def execute(self, context: Context) -> dict[str, int]:
        """Delete, and return counts."""
        return safely_said(context, lambda: counted(self.delete_old()))

    def delete_old(self) -> Mapping[str, object]:
        """Call ``retention.run``. Raises SourceUnavailable when another try may succeed with everything that failed."""
        from dataflyt.operations import retention

        outcome = retention.run(load_all(folder_of_kommuner())[0], run_environment())
        self.log.info("%s: %s", self.task_id, outcome.counts)
        return without_trouble(outcome)


class WorkListMails(BaseOperator):  # type: ignore[misc]
    """Mail the work lists of the kommuner whose weekday it is. A run that somebody starts by hand mails nobody."""

    def execute(self, context: Context) -> dict[str, int]:
        """Mail them, and return how many mails were sent."""
        if context["dag_run"].run_type != "scheduled":
            return {"mails": 0}
        return safely_said(context, lambda: counted(self.mail()))

    def mail(self) -> Mapping[str, object]:
        """Call ``tell_work_lists`` for today in Norway."""
        today = datetime.now(OSLO).date()
        outcome = tell_work_lists(load_all(folder_of_kommuner())[0], run_environment(), today)
        self.log.info("%s: %s", self.task_id, outcome.counts)
        return without_trouble(outcome)


class Morning(BaseOperator):  # type: ignore[misc]
    """Mail the engineers which kommuner must be looked at."""

    def execute(self, context: Context) -> dict[str, int]:
        """Mail the digest, and return how many kommuner must be looked at and how many mails were sent."""
        return safely_said(context, lambda: counted(self.tell()))

    def tell(self) -> Mapping[str, object]:
        """Call ``digest.of_installation``."""
        from dataflyt.operations import digest

        found = digest.of_installation(run_environment())
        return {"kommuner": found.kommuner, "to_look_at": found.to_look_at, "mails": int(tell_morning(found))}


class Reference(BaseOperator):  # type: ignore[misc]
    """Read a register of schools or codes: the task's name is the register's in ``dataflyt.reference.refresh``."""

    def execute(self, context: Context) -> dict[str, int]:
        """Read it as of now and return counts. A much smaller answer is accepted only with the DAG's parameter."""
        return safely(lambda: counted(self.refresh(bool(context["params"].get("accept_smaller")))))

    def refresh(self, accept_smaller: bool) -> Mapping[str, object]:
        """Call ``reference.refresh``."""
        from dataflyt.reference import refresh

        return refresh.refresh(self.task_id, connection, datetime.now(UTC), accept_smaller=accept_smaller)


def access_control(kommune: str | None = None) -> dict[str, dict[str, set[str]]] | None:
    """Return each role's rights to the DAG of the kommune with this id, or to a DAG that is common to all.

    None under FAB's own auth manager, where all DAGs of a file vanish from Airflow when one role is missing. None in a
    worker too, which needs no rights to run a task: Airflow would write a warning into the task's log.
    """
    plain_fab = "FabAuthManager" in str(conf.get("core", "auth_manager", fallback=""))
    return None if plain_fab or get_parsing_context().dag_id else rights.access_control(kommune)


def without_trouble(outcome: Outcome) -> Mapping[str, object]:
    """Return the counts of what went well.

    Raises one error with a line for each trouble: SourceUnavailable when all of them may pass by themselves.
    """
    if not outcome.trouble:
        return outcome.counts
    passing = all(isinstance(trouble, SourceUnavailable) for trouble in outcome.trouble)
    kind = SourceUnavailable if passing else DataflytError
    raise kind("\n".join(trouble.sentence for trouble in outcome.trouble))
