"""The step ``extract_sas``: the school administration system."""

from dataflyt.run.job import Job, is_released
from dataflyt.run.landed import note_files, stage
from dataflyt.sources.sas import client


def extract_sas(job: Job) -> dict[str, int]:
    """Land the newest file of the school administration system, its timetable and its calendars, and stage them."""
    if is_released(job, extracts=True):
        return {}
    source = job.kommune.sources.sas
    client.extract(
        source,
        job.environment,
        job.landing("sas"),
        earlier=job.landing("sas", runs_ago=1),
        as_of=job.run.as_of,
        max_age_days=job.kommune.max_age_days(source, job.golden_inputs.today),
    )
    note_files(job, "sas")
    return stage(job, "sas", extracts=True)
