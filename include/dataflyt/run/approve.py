"""The step ``approve``: the question to an approver about a merged run, and the answer that is kept."""

from dataclasses import dataclass
from typing import Literal

from dataflyt.errors import NotApproved
from dataflyt.run import report
from dataflyt.run.job import Job
from dataflyt.warehouse import runs
from dataflyt.warehouse.runs import Channel, User


@dataclass(frozen=True)
class Question:
    """A question to an approver: Markdown with counts only, and the digest of the plan it is about."""

    subject: str
    body: str
    digest: str


def question(job: Job, pages: str = "") -> Question | None:
    """Return the question that an approver must answer before the run is released.

    ``pages`` is the address of Dataflyt's pages, where there are any: the question links to the plan.

    Return None when the guard lets the run pass, when it has been approved, and when it is only a plan.
    """
    with job.transaction(lock=False) as connection:
        run = runs.get(connection, job.owner, job.run.number)
        noted = report.notes(connection, run)
        answered = runs.may_be_released(connection, run)
    if job.plan_only or answered or not run.digest or run.state == "released":
        return None
    changed, limits = noted.get("changed", {}), noted.get("limits", {})
    changes = report.changes(changed, noted.get("inferred_losses", 0))
    lines = [
        f"- {what}: {report.limited(count, limits[kind]) if kind in limits else count}"
        for kind, (what, count) in zip(changed, changes, strict=True)
    ]
    why = [report.reason(word) for word in (run.asks or "").split()]
    see = f"`dataflyt plan {job.owner} --run {run.number}`"
    if pages:
        see = f"[planen for kjøring {run.number}]({pages}/kommune/{job.owner}/plan/{run.number})"
    body = "\n".join(
        [
            f"Kjøring {run.number} for {job.kommune.display_name} venter på svar.",
            "",
            "**Hvorfor du blir spurt:** " + " ".join(why),
            "",
            "**Dette vil endres:**",
            "",
            *(lines or ["- ingen endringer"]),
            "",
            f"Se hva som ligger bak tallene: {see}.",
            "«Approve» godkjenner. «Reject» avviser; da endres ingenting, heller ikke om ingen svarer innen fristen.",
            "",
            f"Plan: `{run.digest[:16]}`",
        ]
    )
    return Question(f"Godkjenne kjøring {run.number} for {job.kommune.display_name}?", body, run.digest)


def answer(
    job: Job, digest: str, said: Literal["approved", "rejected", "unanswered"], user: User | None, channel: Channel
) -> None:
    """Keep an answer to the question that ``digest`` names in the warehouse, where ``release`` looks for it.

    ``user`` is the person who answered, None when nobody did. Raises NotApproved when the plan has changed since the
    question, and when a person approves who is not an approver in the kommune's file.
    """
    approvers = [approver.id for approver in job.kommune.approvers]
    if said == "approved" and (user is None or user.id not in approvers):
        raise NotApproved(
            f"Svaret gjelder ikke, for den som svarte, er ikke godkjenner for {job.kommune.display_name} i "
            "kommunefilen. Kjøringen er ikke godkjent."
        )
    with job.transaction() as connection:
        run = runs.get(connection, job.owner, job.run.number)
        if run.state != "merged" or run.digest != digest:
            if said != "approved":  # the plan is gone and nobody approved it: nothing would be released anyway
                return
            raise NotApproved("Planen er ikke lenger den det ble spurt om. Kjør på nytt, og svar på den nye planen.")
        runs.keep_answer(connection, run, said, channel, user=user, approvers=approvers)
