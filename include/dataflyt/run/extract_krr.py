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
    source = job.kommune.sources.krr
    left_out = client.extract(
        job.environment.connect(source.connection),
        numbers(job, RESPONSIBLE),
        job.landing("krr"),
        route=source.route,
        version=source.version,
        rolle=source.rolle,
    )
    with job.transaction() as connection:
        report.note(connection, job.run, "krr_unanswered", left_out)
    return stage(job, "krr", extracts=True)
