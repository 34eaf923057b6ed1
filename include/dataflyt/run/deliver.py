"""The step ``deliver``: the published files, to the recipients of the kommune file.

It is a step of its own: a recipient that does not answer is tried again by itself, and says nothing of the publication,
which stands. A publication between two runs is delivered by ``run.republish``.
"""

from collections.abc import Iterable
from functools import partial

from sqlalchemy import Connection

from dataflyt.config.kommune import Kommune
from dataflyt.exports import delivery
from dataflyt.exports.delivery import Told
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.job import Job
from dataflyt.storage import database
from dataflyt.warehouse.runs import Run


def deliver(job: Job) -> dict[str, int]:
    """Deliver the publication in force, and note what came of it for the report. Returns how many have it.

    In a released run every delivery is new, since the manifest names the run: what is told of it is the same whether
    somebody has been hidden or not. Raises the first recipient's error when every recipient has been tried.
    """
    told = deliver_published(job.kommune, job.environment)
    with job.transaction() as connection:
        note(connection, job.run, told)
    for one in told:
        if one.trouble:
            raise one.trouble
    return {"delivered": sum(one.fate in ("delivered", "same") for one in told)}


def deliver_published(
    kommune: Kommune,
    environment: Environment,
    *,
    patience: float = delivery.PATIENCE,
    silent: set[str] | None = None,
    thorough: bool = False,
) -> list[Told]:
    """Bring every recipient's place in line with what is published; return what came of each delivery.

    ``patience``, ``silent`` and ``thorough`` are those of ``delivery.deliver``.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    begin = partial(database.transaction, db, kommune.id, lock=False)
    return delivery.deliver(begin, kommune, environment, patience=patience, silent=silent, thorough=thorough)


def note_again(connection: Connection, run: Run, told: Iterable[Told]) -> None:
    """Note the deliveries after the step ``deliver``, if it has been done.

    Of another run nothing is noted: that there was something to deliver would tell that somebody has been hidden.
    """
    if "delivered" in report.notes(connection, run):
        note(connection, run, told)


def note(connection: Connection, run: Run, told: Iterable[Told]) -> None:
    """Note deliveries for the run's report. What lay there from before leaves an earlier note as it is."""
    known = {(one["export"], one["to"]): one for one in report.notes(connection, run).get("delivered", [])}
    for one in told:
        if one.fate == "same" and known.get((one.export, one.to), {}).get("fate") != "failed":
            known.setdefault((one.export, one.to), {"export": one.export, "to": one.to, "fate": one.fate})
        else:
            said = {"export": one.export, "to": one.to, "fate": one.fate}
            known[one.export, one.to] = said | ({"why": one.trouble.sentence} if one.trouble else {})
    if known:
        report.note(connection, run, "delivered", [known[key] for key in sorted(known)])
