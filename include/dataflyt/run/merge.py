"""The step ``merge``: clean rows into history, the golden record, the plan, and the guard's judgement of it."""

from typing import Any

from sqlalchemy import Connection

from dataflyt.accounts import day_one
from dataflyt.errors import DataInDoubt
from dataflyt.formats.dates import OSLO
from dataflyt.reference import not_registered
from dataflyt.run import report
from dataflyt.run.job import Job, is_released, must_have_passed
from dataflyt.run.landed import rebuild_staging
from dataflyt.run.withdraw import IN_DOUBT, RELOADED
from dataflyt.warehouse import contact, golden, guard, plan, runs, veto, vetoed_views
from dataflyt.warehouse import merge as merging
from dataflyt.warehouse.golden import Computed
from dataflyt.warehouse.merge import CleanRows
from dataflyt.warehouse.plan import Plan
from dataflyt.warehouse.vetoed_views import Views


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
            # Checked again under the lock: the run may have been released or replaced meanwhile.
            state = runs.resume(connection, owner, number)
            if state == "released":
                return {"asks": 0}
            must_have_passed(connection, job, "withdraw", "check")
            if state == "merged":
                merging.undo(connection, owner, number)
            clean = _merge_history(connection, job)
            computed = _compute_golden(connection, job)
            released = runs.released_before(connection, owner, number)
            now = vetoed_views.views(connection, owner, released, "now_")
            # An override that somebody has made since raises protection too. Losses that FREG answered are withdraw's.
            doubts = veto.learn(computed, now, job.kommune.guard, answered=None)
            doubts -= RELOADED if job.full_reload else set()
            if doubts:
                raise DataInDoubt(IN_DOUBT)
            veto.plan_lifts(computed, clean)
            merging.merge_golden(computed)
            planned = plan.build(connection, owner, number, released)
            return _judge(job, planned, computed, now, clean)
    except DataInDoubt:
        with job.transaction() as connection:  # the merge is rolled back; the reason is kept
            report.note(connection, job.run, "doubts", sorted(doubts))
        raise


def _merge_history(connection: Connection, job: Job) -> CleanRows:
    owner, number = job.owner, job.run.number
    clean = merging.clean_rows(connection, owner, number)
    contact.keep(clean)
    report.note(connection, job.run, "rows", report.account(clean))
    merged = merging.merge_history(clean)
    report.note(connection, job.run, "merged", report.history_without_protection_counts(merged))
    return clean


def _compute_golden(connection: Connection, job: Job) -> Computed:
    computed = golden.compute(golden.views_of_history(connection, job.owner), job.golden_inputs)
    missing = not_registered.notes(connection, job.kommune, job.run.as_of)
    report.note(connection, job.run, "reference", [note._asdict() for note in missing])
    return computed


def _judge(job: Job, planned: Plan, computed: Computed, now: Views, clean: CleanRows) -> dict[str, Any]:
    """Let the guard judge the plan, store its judgement with the run, and note the counts that an approver sees."""
    connection, digest = planned.connection, plan.digest(planned)
    before = runs.get(connection, job.owner, planned.released) if planned.released else None
    seen = before.as_of.astimezone(OSLO).date() if before else None
    limits = job.kommune.guard.limits_at(job.golden_inputs.today, seen)
    drop = job.kommune.guard.max_drop_percent
    asks = guard.reasons(
        planned,
        computed,
        now,
        clean,
        limits,
        max_drop_percent=drop,
        full_reload=job.full_reload,
        groups_not_ready=job.groups_not_ready,
    )
    realm = job.kommune.feide.realm
    if before and before.realm not in (None, realm):
        asks.append("realm")
    changed = plan.counts(planned)
    runs.set_merged(connection, job.run, digest, " ".join(asks), realm)
    judged = runs.get(connection, job.owner, job.run.number)
    runs.keep_answer(connection, judged, "asked" if asks else "not_needed", "guard")
    report.note(connection, job.run, "changed", changed)
    measured = {kind: limit for kind, limit in limits.items() if kind in changed}
    of = guard.bases(planned, measured)
    limited = {kind: {"of": of[kind], **limit.model_dump()} for kind, limit in measured.items()}
    report.note(connection, job.run, "limits", limited)
    report.note(connection, job.run, "inferred_losses", plan.inferred_losses(planned))
    if job.kommune.trial:
        report.note(connection, job.run, "directory", day_one.compare(connection, job.run))
    return {"asks": int(bool(asks)), **changed}
