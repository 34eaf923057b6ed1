"""The step ``extract_hr``: the HR system."""

from dataflyt.run.job import Job, is_released
from dataflyt.run.landed import note_files, stage
from dataflyt.sources.hr import client


def extract_hr(job: Job) -> dict[str, int]:
    """Land the newest file of the HR system, and stage it."""
    if is_released(job, extracts=True):
        return {}
    source = job.kommune.sources.hr
    client.extract(
        source,
        job.environment,
        job.landing("hr"),
        earlier=job.landing("hr", runs_ago=1),
        as_of=job.run.as_of,
        max_age_days=job.kommune.max_age_days(source, job.golden_inputs.today),
    )
    note_files(job, "hr")
    return stage(job, "hr", extracts=True)
