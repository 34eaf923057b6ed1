"""The step ``merge``: clean rows into history, the golden record, the plan, and the guard's judgement of it."""

from typing import Any

from sqlalchemy import Connection

from dataflyt.accounts import day_one
from dataflyt.errors import DataInDoubt
from dataflyt.reference import not_registered
from dataflyt.run import report
from dataflyt.run.job import Job, is_released, must_have_passed
from dataflyt.run.landed import rebuild_staging
from dataflyt.run.withdraw import IN_DOUBT, RELOADED
from dataflyt.warehouse import contact, golden, guard, plan, runs, veto, vetoed_views
from dataflyt.warehouse import merge as merging


def merge(job: Job) -> dict[str, Any]:
    """Merge the clean rows into history, compute the golden record and the plan, and judge the plan.

    Returns ``asks`` (1 when an approver must answer) and rows per kind of change. Repeating it gives the same rows: it
    begins by undoing itself.
    """
    if is_released(job):
        return {"asks": 0}
    rebuild_staging(job)
    owner, number = job.owner, job.run.number
    doubts: frozenset[str] = frozenset()
    try:
        with job.transaction() as connection:
            # Now that the lock is held: the run may have been released or replaced meanwhile.
            state = runs.resume(connection, owner, number)
            if state == "released":
                return {"asks": 0}
            must_have_passed(connection, job, "withdraw", "check")
            if state == "merged":
                merging.undo(connection, owner, number)
            _merge_history(connection, job)
            _compute_golden(connection, job)
            released = runs.released_before(connection, owner, number)
            vetoed_views.views(connection, owner, released, "now_")
            # What people have decided since (an override) raises protection too; answered losses are withdraw's.
            doubts = veto.learn(connection, job.moment, job.kommune.guard, answered=None)
            doubts -= RELOADED if job.full_reload else set()
            if doubts:
                raise DataInDoubt(IN_DOUBT)
            veto.plan_lifts(connection, job.moment)
            merging.merge_golden(connection, owner, number)
            plan.build(connection, owner, number, released)
            return _judge(connection, job, released)
    except DataInDoubt:
        with job.transaction() as connection:  # what was merged is rolled back; the reason is kept
            report.note(connection, job.run, "doubts", sorted(doubts))
        raise


def _merge_history(connection: Connection, job: Job) -> None:
    owner, number = job.owner, job.run.number
    merging.clean_views(connection, owner, number)
    contact.keep(connection, job.run)
    report.note(connection, job.run, "rows", report.account(connection, owner, number))
    merged = merging.merge_history(connection, owner, number)
    report.note(connection, job.run, "merged", report.history_without_protection_counts(merged))


def _compute_golden(connection: Connection, job: Job) -> None:
    golden.views_of_history(connection, job.owner)
    golden.compute(connection, job.moment)
    missing = not_registered.notes(connection, job.kommune, job.run.as_of)
    report.note(connection, job.run, "reference", [note._asdict() for note in missing])


def _judge(connection: Connection, job: Job, released: int) -> dict[str, Any]:
    """Let the guard judge the plan, keep its judgement with the run, and note what an approver is to see."""
    owner, number = job.owner, job.run.number
    digest = plan.digest(connection, owner, number)
    limits = job.kommune.guard.limits_at(job.moment.today)
    drop = job.kommune.guard.max_drop_percent
    asks = guard.reasons(connection, job.moment, released, limits, max_drop_percent=drop, full_reload=job.full_reload)
    changed = plan.counts(connection)
    runs.set_merged(connection, job.run, digest, " ".join(asks))
    judged = runs.get(connection, owner, number)
    runs.keep_answer(connection, judged, "asked" if asks else "not_needed", "guard")
    report.note(connection, job.run, "changed", changed)
    measured = {kind: limit for kind, limit in limits.items() if kind in changed}
    of = guard.bases(connection, measured)
    limited = {kind: {"of": of[kind], **limit.model_dump()} for kind, limit in measured.items()}
    report.note(connection, job.run, "limits", limited)
    report.note(connection, job.run, "inferred_losses", plan.inferred_losses(connection))
    if job.kommune.trial:
        report.note(connection, job.run, "directory", day_one.compare(connection, job.run))
    return {"asks": int(bool(asks)), **changed}
