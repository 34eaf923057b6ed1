"""The step ``release``: the merged run becomes the kommune's current one."""

from dataflyt.errors import NotApproved
from dataflyt.run.job import Job
from dataflyt.warehouse import events, runs


def release(job: Job) -> dict[str, int]:
    """Make the merged run the kommune's current run. Raises NotApproved unless the warehouse has its answer."""
    if job.plan_only:
        raise NotApproved("Kjøringen er bare en plan, og kan ikke frigis.")
    with job.transaction() as connection:
        runs.release(connection, job.owner, job.run.number)
        events.route_no_other_numbers(connection, job.owner, employees=job.kommune.sources.freg.employees)
    return {"run": job.run.number}
