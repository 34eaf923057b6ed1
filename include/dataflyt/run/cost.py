"""What a run's steps cost: the seconds that each took, and the seconds of CPU. The page of all runs shows it.

They are no part of the run's report: two runs that do the same tell the same there. The steps that hide people
(``steps.HIDING``) have none: how long they take would tell whether somebody was hidden.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dataflyt.run import report
from dataflyt.run.job import Job
from dataflyt.run.steps import HIDING

log = logging.getLogger(__name__)

COST = "cost"
"""The note's key."""


@contextmanager
def noted(job: Job, step: str) -> Iterator[None]:
    """Keep what a step cost, also one that stops. A step that is done again has the cost of the last time.

    A cost that cannot be kept stops nothing.
    """
    if step in HIDING:
        yield
        return
    began, cpu = time.monotonic(), time.process_time()
    try:
        yield
    finally:
        spent = {"seconds": round(time.monotonic() - began, 2), "cpu": round(time.process_time() - cpu, 2)}
        try:
            with job.transaction() as connection:
                known = report.notes(connection, job.run).get(COST, {})
                report.note(connection, job.run, COST, {**known, step: spent})
        except Exception as error:  # the warehouse is away, which the step's own error says better
            log.info("The cost of %s was not kept: %s.", step, type(error).__name__)


def of_notes(notes: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the cost of each step from a run's notes."""
    found: dict[str, dict[str, float]] = notes.get(COST, {})
    return found
