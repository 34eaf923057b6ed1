"""The step ``check``: the quality rules over the staged rows."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from dataflyt.errors import CheckFailed
from dataflyt.run import report
from dataflyt.run.job import Job, is_released, mark_passed
from dataflyt.run.landed import rebuild_staging
from dataflyt.sources.freg import EMPLOYEES
from dataflyt.warehouse import outcomes

log = logging.getLogger(__name__)


_OF_GROUPS = frozenset({"sas_group", "sas_membership"})
"""Tables that may shrink while the schools make new groups. Pupils who are gone are found in other tables."""

_MISSING_WHILE_MADE = frozenset({"sas_group.grep_code"})
"""Rules whose notes are nothing to look at while the schools make new groups."""


class _Counted(NamedTuple):
    """Rows of a FREG table, as its checks count them: ``every`` row, and the rows ``beside``, about employees."""

    every: int
    beside: int


def check(job: Job) -> dict[str, int]:
    """Check the staged rows: a row that fails goes to quarantine, a table that fails stops the run.

    A row that people have released stays, although it fails. The outcome of every rule is kept.

    Returns the rows per table in quarantine. Raises CheckFailed with the reason and who must look.
    """
    if is_released(job):
        return {}
    # Imported here because they load Great Expectations and pandas, which the other steps do not need.
    from dataflyt.quality import rules, running
    from dataflyt.sources.freg import checks as freg_checks
    from dataflyt.sources.hr import checks as hr_checks
    from dataflyt.sources.krr import checks as krr_checks
    from dataflyt.sources.sas import checks as sas_checks

    rebuild_staging(job)
    with job.transaction(lock=False) as connection:
        previous = {} if job.full_reload else report.staged_before(connection, job.owner, job.run.number)
        pupils = {} if job.full_reload else report.pupils_before(connection, job.owner, job.run.number)
        counted = _count(connection, job, freg_checks.COUNTED)
    if job.groups_not_ready:
        previous = {table: count for table, count in previous.items() if table not in _OF_GROUPS}
    beside = {table: count.beside for table, count in counted.items()}
    context = rules.Context(previous, job.kommune.guard.max_drop_percent, pupils, beside)
    suites = [suite for checks in (freg_checks, krr_checks, hr_checks, sas_checks) for suite in checks.suites(context)]
    result = running.run(job.environment.connect(job.kommune.warehouse).url, f"staging_{job.owner}", suites)
    with job.transaction() as connection:
        connection.execute(text(f"set local search_path to staging_{job.owner}"))
        at_schools = connection.execute(text(sas_checks.PUPILS_PER_SCHOOL.format(memberships="sas_membership")))
        report.note(connection, job.run, "pupils", dict(sorted((orgnr, count) for orgnr, count in at_schools if orgnr)))
        report.note(connection, job.run, "beside", beside)
        report.note(connection, job.run, "counted", {table: count.every for table, count in counted.items()})
    with job.transaction() as connection:
        outcomes.quarantine(connection, job.owner, job.run.number, result.quarantined)
        outcomes.keep(connection, job.owner, job.run.number, result.outcomes)
        quarantined = report.quarantined(connection, job.owner, job.run.number)
        _note(connection, job, result)
        if not result.broken:
            mark_passed(connection, job, "check")
    if result.broken:
        sentences = "; ".join(f"{broken.reason} (ansvarlig: {broken.responsible})" for broken in result.broken)
        raise CheckFailed(f"Kjøringen er stoppet før noe ble endret: {sentences}")
    return report.without_protection_counts(quarantined)


def _count(connection: Connection, job: Job, among: Mapping[str, str]) -> dict[str, _Counted]:
    connection.execute(text(f"set local search_path to staging_{job.owner}"))
    counting = f"select count(*) as every, count(*) filter (where starts_with(page, '{EMPLOYEES}')) as beside"
    return {
        table: _Counted(*connection.execute(text(f"{counting} from {table} t where {condition}")).one())
        for table, condition in among.items()
    }


def _note(connection: Connection, job: Job, result: Any) -> None:
    """Log the counts in quarantine, and note for the report which rules stopped the run and which only noticed."""
    for held in report.reasons(connection, job.run):
        log.info(
            "I karantene: %s i %s. %s Rettes av: %s.",
            f"{report.spaced(held['rows'])} {'rad' if held['rows'] == 1 else 'rader'}",
            held["table_name"],
            held["reason"],
            held["responsible"],
        )
    stopped_by = [{"rule": b.rule, "reason": b.reason, "responsible": b.responsible} for b in result.broken]
    report.note(connection, job.run, "stopped_by", stopped_by)
    muted = _MISSING_WHILE_MADE if job.groups_not_ready else frozenset()
    noted = [note._asdict() for note in result.noted if not note.rule.endswith(".grading") and note.rule not in muted]
    report.note(connection, job.run, "noted", noted)
    unknown = f"select distinct felt from staging_{job.owner}.freg_ukjentfelt order by 1"
    report.note(connection, job.run, "unknown_fields", list(connection.execute(text(unknown)).scalars()))
