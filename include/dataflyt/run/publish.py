"""The step ``publish``: the released run's exports."""

from typing import TYPE_CHECKING

from dataflyt.errors import CheckFailed, NotApproved
from dataflyt.exports import delivery, publishing
from dataflyt.run import report
from dataflyt.run.job import Job
from dataflyt.warehouse import contact, outcomes, runs

if TYPE_CHECKING:
    from dataflyt.quality.rules import Outcome


def publish(job: Job) -> dict[str, int]:
    """Write, check and publish the released run's exports. Returns how many files there are.

    Raises CheckFailed when a file does not pass its check; the earlier publication then stays. Raises NotApproved when
    a newer run has been released: an old one never takes its place again.

    The number of people in the files is not returned: a reader who has the plan and the earlier number could compute
    how many are hidden now.
    """
    told: list[Outcome] = []
    try:
        with job.transaction() as connection:
            run = runs.get(connection, job.owner, job.run.number)
            if run.state != "released":
                raise CheckFailed("Kjøringen er ikke frigitt og kan ikke publiseres.")
            if runs.released_before(connection, job.owner) != run.number:
                raise NotApproved("En nyere kjøring er frigitt: denne kan ikke publiseres på nytt.")
            files = publishing.publish(connection, job.kommune, run, job.environment, must_pass=True, told=told)
            delivery.let(connection, job.kommune)
            report.note(connection, run, "published", files)
            report.note(connection, run, "envelopes", contact.envelopes(connection))
            outcomes.keep(connection, job.owner, run.number, told)
    except CheckFailed:
        with job.transaction() as connection:  # nothing is published; the reason is kept
            outcomes.keep(connection, job.owner, job.run.number, told)
        raise
    with job.transaction() as connection:
        folder = job.environment.folder("exports") / job.owner
        publishing.put_forward(connection, job.owner, folder, just_written=True)
    return {"files": len(files)}
