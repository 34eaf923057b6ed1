"""What a run's sources have landed: which reader each page has, and its copy in staging."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

from dataflyt.config.kommune import Kommune
from dataflyt.errors import CheckFailed, NobodyNamed
from dataflyt.registers.http import AGAIN, Named, unanswered
from dataflyt.run import report
from dataflyt.run.job import Job
from dataflyt.run.steps import TITLES
from dataflyt.sources import Reader
from dataflyt.sources.freg import EMPLOYEES
from dataflyt.sources.freg import rows as freg_rows
from dataflyt.sources.hr import rows as hr_rows
from dataflyt.sources.krr import rows as krr_rows
from dataflyt.sources.sas import client as sas_client
from dataflyt.sources.sas import rows as sas_rows
from dataflyt.storage.landing import FACTS, Landing
from dataflyt.warehouse import runs, staging

log = logging.getLogger(__name__)

SOURCES = ("sas", "hr", "freg", "krr")
RESIDENTS = "3-residents"
"""The phase of FREG's pages about children who live in the kommune and are not its pupils."""


def stage(
    job: Job,
    source: str,
    *,
    phase: str = "",
    anew: bool = True,
    skip_unreadable: bool = False,
    extracts: bool = False,
) -> dict[str, int]:
    """Copy what a source has landed (in one phase, or in all) into staging: ``anew``, or after what is there.

    When it ``extracts``, ``withdraw`` and ``check`` have to be passed again.
    Raises NotApproved when a newer run has begun.
    """
    with job.transaction() as connection:
        runs.resume(connection, job.owner, job.run.number)
        if extracts:
            report.note(connection, job.run, "passed", [])
        if anew:
            staging.prepare(connection, job.owner, source)
        counts = staging.load(
            connection,
            job.owner,
            job.run.number,
            source,
            [(name, reader) for name, reader in pages(job, source) if name.startswith(phase)],
            job.landing(source),
            skip_unreadable=skip_unreadable,
        )
    return report.without_protection_counts(counts)


def rebuild_staging(job: Job) -> None:
    """Stage again from the landed pages what a crash of the database server has emptied.

    Raises CheckFailed when the landed pages are gone too, because the run has been closed: it has to ask again.
    """
    for source in SOURCES:
        with job.transaction(lock=False) as connection:
            intact = staging.intact(connection, job.owner, job.run.number, source)
        if not intact:
            if not pages(job, source):
                step = TITLES[f"extract_{source}"]
                raise CheckFailed(
                    f"Det som ble hentet i «{step}», er ikke lenger å finne, og svarene ble slettet da kjøringen ble "
                    f"gjort opp. Start en ny kjøring, eller denne på nytt fra «{step}»."
                )
            log.warning("Staging of %s is not what was copied in: it is built again from the landed pages.", source)
            stage(job, source)


def note_files(job: Job, source: str) -> None:
    """Note which files the run has read, and which of them equal, byte by byte, those of the released run before it."""
    landing = job.landing(source)
    files = {name: facts for name in landing.names() if (facts := landing.delivered(name))}
    with job.transaction() as connection:
        released = runs.released_before(connection, job.owner, job.run.number)
        before = report.notes(connection, runs.get(connection, job.owner, released)) if released else {}
        said = before.get(f"files_{source}", {})
        noted = {
            page: {"name": facts.name, "sha256": facts.sha256, "same": said.get(page, {}).get("sha256") == facts.sha256}
            for page, facts in files.items()
        }
        report.note(connection, job.run, f"files_{source}", noted)


def pages(job: Job, source: str) -> list[tuple[str, Reader]]:
    """Return the landed pages of a source with the reader of each, in their order."""
    landing = job.landing(source)
    names = [name for name in landing.names() if not name.endswith((".request.json", FACTS))]
    sources = job.kommune.sources
    readers: dict[str, Callable[[str], Reader]] = {
        "freg": lambda name: freg_reader(job.kommune, landing, name),
        "krr": lambda name: _and_unanswered(krr_rows.FORMATS[sources.krr.format], None, landing, name),
        "hr": lambda _: partial(
            hr_rows.FORMATS[sources.hr.format],
            employment_types=sources.hr.employment_types,
            protected=sources.hr.protected,
        ),
        "sas": lambda name: _of_day(sas_client.format_of(name, sources.sas.format), job),
    }
    return [(name, readers[source](name)) for name in names]


def freg_reader(kommune: Kommune, landing: Landing, page: str) -> Reader:
    """Return the reader of a landed page of FREG.

    It yields an ``Ubesvart`` for each number that FREG was asked about a second time and left out again.
    """
    alone = {RESIDENTS: "residents", EMPLOYEES: "bulk"}
    format = next((alone[phase] for phase in alone if page.startswith(phase)), kommune.sources.freg.format)
    return _and_unanswered(freg_rows.FORMATS[format], partial(freg_rows.named, format=format), landing, page)


def _of_day(format: str, job: Job) -> Reader:
    """Return the reader of a school system's format; a calendar is read as of the run's day."""
    if format == "ical":
        return partial(sas_rows.ical, today=job.environment.day(job.run.as_of))
    return sas_rows.FORMATS[format]


def _and_unanswered(reader: Reader, named: Named | None, landing: Landing, name: str) -> Reader:
    """Let a page's reader also yield the numbers that were asked about a second time and left out again.

    Such a page may name nobody: then all the numbers of its question are unanswered. KRR has no ``named``: its extract
    counts the numbers that are left out.
    """

    def read(stream: BinaryIO) -> Iterator[tuple[Any, ...]]:
        with suppress(NobodyNamed):
            yield from reader(stream)
        if named and f"{AGAIN}-" in name:
            for number in unanswered(landing, name.removesuffix(".json"), named):
                yield freg_rows.Ubesvart(number, None)

    return read
