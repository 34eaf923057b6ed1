"""The step ``extract_krr``: Kontakt- og reservasjonsregisteret."""

from dataflyt.run import report
from dataflyt.run.job import Job, is_released
from dataflyt.run.landed import stage
from dataflyt.run.whom_to_ask import RESPONSIBLE, numbers
from dataflyt.sources.krr import client


def extract_krr(job: Job) -> dict[str, int]:
    """Ask KRR for e-mail and phone of those who are responsible for pupils."""
    if is_released(job, extracts=True):
        return {}
    unanswered = client.extract(
        job.kommune.sources.krr, job.environment, job.landing("krr"), numbers=numbers(job, RESPONSIBLE)
    )
    with job.transaction() as connection:
        report.note(connection, job.run, "krr_unanswered", unanswered)
    return stage(job, "krr", extracts=True)
