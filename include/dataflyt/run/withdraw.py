"""The step ``withdraw``: raised protection and ended access take effect at once, before any check and any answer."""

import logging
from contextlib import suppress

from dataflyt.errors import DataInDoubt, Unreadable
from dataflyt.run import report
from dataflyt.run.job import Job, is_released, mark_passed
from dataflyt.run.landed import pages, stage
from dataflyt.run.republish import republish
from dataflyt.warehouse import golden, runs, staging, veto, vetoed_views

log = logging.getLogger(__name__)

RELOADED = {"ungraded", "local_ids"}
"""Doubts that do not stop a full reload: an approver is asked about every full reload."""
IN_DOUBT = (
    "Uttrekket fra Folkeregisteret er ikke godtatt: det skiller seg for mye fra det kommunen har. Det som beskytter "
    "noen, gjelder likevel straks; ellers er ingenting endret, og kjøringen stopper. Undersøk om kommunen har mistet "
    "rettigheter i Folkeregisteret, eller om Folkeregisteret har endret svarene sine. Den som kan se "
    "adressebeskyttelse, får vite mer med «dataflyt plan --graded»."
)
"""The sentence for every extract that is not believed. It leaves out the reason, which can tell of protection."""


def withdraw(job: Job) -> dict[str, int]:
    """Write the vetoes of the landed answers, and publish the released run anew under them if any were written.

    Runs after the extracts even when one failed. Raises DataInDoubt when a part of an extract is too much to believe
    (``veto.learn``): no veto is written for that part, and vetoes are written for the rest. The reason is noted for
    those who may see protection; the sentence is the same for every reason.
    """
    if is_released(job):
        return {}
    staged = [source for source in ("sas", "freg") if _is_staged(job, source)]
    if "freg" not in staged:
        log.info("FREG has answered nothing in this run: there is nothing to withdraw.")
        return {}
    with job.transaction() as connection:
        views = golden.views_of_staging(connection, job.owner, staged)
        if staging.exists(connection, job.owner, "hr") and staging.intact(connection, job.owner, job.run.number, "hr"):
            golden.marked_in_staging(views)
        computed = golden.compute(views, job.golden_inputs, for_vetoes=True)
        released = runs.released_before(connection, job.owner)
        now = vetoed_views.views(connection, job.owner, released, "now_")
        answered = f"staging_{job.owner}.freg_person"
        doubts = veto.learn(computed, now, job.kommune.guard, answered=answered)
        doubts -= RELOADED if job.full_reload else set()
        report.note(connection, job.run, "doubts", sorted(doubts))
    republish(job.kommune, job.environment)
    if doubts:
        raise DataInDoubt(IN_DOUBT)
    with job.transaction() as connection:
        mark_passed(connection, job, "withdraw")
    return {}


def _is_staged(job: Job, source: str) -> bool:
    """Return whether staging holds all of a source's landed pages; stage them when it does not."""
    with job.transaction(lock=False) as connection:
        intact = staging.exists(connection, job.owner, source) and staging.intact(
            connection, job.owner, job.run.number, source
        )
        # An extract that broke off has landed more than it has staged.
        if source == "freg" and intact:
            landed = {str(page) for page, _ in pages(job, source)}
            intact = landed <= staging.pages(connection, job.owner, source)
    if not intact and pages(job, source):
        with suppress(Unreadable):
            stage(job, source, skip_unreadable=source == "freg")
            intact = True
    return intact
