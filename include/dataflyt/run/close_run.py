"""The step ``close_run``: the end of every run, released or not."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import orjson
from sqlalchemy import text

from dataflyt.exports import publishing
from dataflyt.run import cost, report
from dataflyt.run.deliver import note_again
from dataflyt.run.job import Job
from dataflyt.run.report import UNASKED
from dataflyt.run.republish import republish
from dataflyt.storage.files import purge_landing, remove, write_atomically
from dataflyt.warehouse import contact, runs
from dataflyt.warehouse.runs import Run

log = logging.getLogger(__name__)

REGISTERS = ("freg", "freg_residents", "krr")
"""The folders of a run's landing that hold the registers' raw answers."""


Failed: TypeAlias = Sequence[str] | Mapping[str, str | None]
"""The steps that failed, with the sentence of each where it is known."""


def close_run(job: Job, failed: Failed) -> dict[str, Any]:
    """Close the run: undo it unless it was released, bring the publication in line, write the run's report.

    ``failed`` has the steps that failed; the answer to the run's question stands in the warehouse. A run that is only a
    plan stays for inspection until the next run begins. Returns the report's outcome and totals, and the ``report``.

    The registers' raw answers are deleted, whether the run was released or not: nothing reads them again, and they say
    where protected people live. The files of the HR system and the school system stay until the next run is closed.
    That run takes over the files that are unchanged. A run that is taken up again after this asks the registers anew.
    """
    with job.transaction() as connection:
        run = runs.get(connection, job.owner, job.run.number)
        planned = job.plan_only and run.state == "merged" and not failed
        if run.state != "released" and not planned:
            said = runs.answer_to(connection, run) if run.state == "merged" else None
            state = said if said in ("rejected", "unanswered") and not failed else "failed"
            runs.undo(connection, job.owner, run.number, state)
        contact.forget(connection, job.owner)
    try:
        told = republish(job.kommune, job.environment)
        with job.transaction() as connection:
            note_again(connection, job.run, told)
    finally:  # a fault in the exports must not leave raw answers behind, nor a run without its report
        for source in REGISTERS:
            remove(job.landing(source).folder)
        purge_landing(job.environment.folder("landing") / job.owner, keep=run.number)
        written = _write_report(job, run, failed)
    for sentence in written["sentences"]:
        log.info("%s", sentence)
    held = _newly_held(job)
    return {"outcome": written["outcome"], "held_pupils": held, "report": written, **written["totals"]}


def _newly_held(job: Job) -> int:
    """Count the pupils whom this released run holds back and the run before did not: FREG cannot be asked about them.

    The count is 0 for a run that was not released.
    """
    with job.transaction(lock=False) as connection:
        found = text(
            "select count(distinct w.subject) from golden.work_item w "
            "join control.run r on r.owner = w.owner and r.run = w.from_run and r.state = 'released' "
            "where w.owner = :owner and w.from_run = :run and w.to_run is null and w.kind = any(:kinds) "
            "and not exists (select from golden.work_item b where b.owner = w.owner and b.to_run = w.from_run "
            "and b.subject = w.subject and b.kind = any(:kinds))"
        )
        bound = {"owner": job.owner, "run": job.run.number, "kinds": sorted(UNASKED)}
        return connection.scalar(found, bound) or 0


def _write_report(job: Job, run: Run, failed: Failed) -> dict[str, Any]:
    """Write a closed run's report to the storage, and return it."""
    with job.transaction() as connection:
        stood = report.notes(connection, run).get("stood", {})
        stands = publishing.published(connection, job.owner)
        day = job.environment.day(run.as_of)
        smaller = publishing.fallen(stood, stands.sizes if stands else {}, job.kommune, day)
        report.note(connection, run, "much_smaller", bool(smaller))
        written = report.build(connection, job.kommune, run, list(failed))
        spent = cost.of_notes(report.notes(connection, run))
    folder = job.environment.folder("reports") / job.owner
    why = failed if isinstance(failed, Mapping) else {}
    with job.transaction() as connection:
        runs.keep_figures(connection, run, written["outcome"], report.figures(written, why) | {cost.COST: spent})
    write_atomically(folder / f"run-{run.number:06d}.json", orjson.dumps(written, option=orjson.OPT_INDENT_2))
    return written
