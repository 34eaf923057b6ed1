"""A run's landed pages: the reader of each page, and the copy of its rows in staging."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO

from dataflyt.config.kommune import Kommune
from dataflyt.errors import CheckFailed, NobodyNamed
from dataflyt.registers.paging import Named, unanswered
from dataflyt.run import report
from dataflyt.run.job import Job
from dataflyt.run.steps import TITLES
from dataflyt.sources import Reader
from dataflyt.sources.freg import formats as freg_formats
from dataflyt.sources.freg.rows import Ubesvart
from dataflyt.sources.hr import formats as hr_formats
from dataflyt.sources.krr import formats as krr_formats
from dataflyt.sources.sas import formats as sas_formats
from dataflyt.sources.sas import ical
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page, landed
from dataflyt.warehouse import runs, staging

log = logging.getLogger(__name__)

SOURCES = ("sas", "hr", "freg", "krr")


def stage(
    job: Job,
    source: str,
    *,
    phase: str | None = None,
    anew: bool = True,
    skip_unreadable: bool = False,
    extracts: bool = False,
) -> dict[str, int]:
    """Copy a source's landed pages (of one phase, or of all) into staging: ``anew``, or after the rows that are there.

    With ``extracts``, the steps ``withdraw`` and ``check`` have to be passed again. Raises NotApproved when a newer run
    has begun.
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
            [(str(page), reader) for page, reader in pages(job, source) if phase in (None, page.phase)],
            job.landing(source),
            skip_unreadable=skip_unreadable,
        )
    return report.without_protection_counts(counts)


def rebuild_staging(job: Job) -> None:
    """Stage the landed pages again when a crash of the database server has emptied staging.

    Raises CheckFailed when the landed pages are gone too, because the run has been closed: the run has to ask again.
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
    """Note which files the run has read, and which are byte for byte those of the released run before it."""
    landing = job.landing(source)
    files = {name: facts for name in landing.names() if (facts := landing.delivered(name))}
    with job.transaction() as connection:
        released = runs.released_before(connection, job.owner, job.run.number)
        before = report.notes(connection, runs.get(connection, job.owner, released)) if released else {}
        said = before.get(f"files_{source}", {})
        noted = {
            page: {
                "name": facts.name,
                "sha256": facts.sha256,
                "same": said.get(page, {}).get("sha256") == facts.sha256,
                "delivered": _as_time(facts.stamp.modified),
            }
            for page, facts in files.items()
        }
        report.note(connection, job.run, f"files_{source}", noted)


def _as_time(seconds: float | None) -> str | None:
    """Return the time of a file's delivery as text; None where the storage does not report it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def pages(job: Job, source: str) -> list[tuple[Page, Reader]]:
    """Return the landed pages of a source with the reader of each, in their order."""
    landing = job.landing(source)
    sources = job.kommune.sources
    readers: dict[str, Callable[[Page], Reader]] = {
        "freg": lambda page: freg_reader(job.kommune, landing, page),
        "krr": lambda page: _and_unanswered(krr_formats.FORMATS[sources.krr.format], None, landing, page),
        "hr": lambda _: partial(
            hr_formats.FORMATS[sources.hr.format],
            employment_types=sources.hr.employment_types,
            protected=sources.hr.protected,
        ),
        "sas": lambda page: _of_day(sas_formats.format_of(page, sources.sas.format), job),
    }
    return [(page, readers[source](page)) for page in landed(landing)]


def freg_reader(kommune: Kommune, landing: Landing, page: Page) -> Reader:
    """Return the reader of a landed page of FREG.

    The reader also yields an ``Ubesvart`` for each number that FREG was asked about a second time and left out again.
    """
    format = freg_formats.format_of(page, kommune.sources.freg.format)
    return _and_unanswered(freg_formats.FORMATS[format], partial(freg_formats.named, format=format), landing, page)


def _of_day(format: str, job: Job) -> Reader:
    """Return the reader of a school system's format; a calendar is read as of the run's day."""
    if format == "ical":
        return partial(ical.read, today=job.environment.day(job.run.as_of))
    return sas_formats.FORMATS[format]


def _and_unanswered(reader: Reader, named: Named | None, landing: Landing, page: Page) -> Reader:
    """Let a page's reader also yield the numbers that were asked about a second time and left out again.

    Such a page may name nobody: all the numbers of its question are then unanswered. KRR has no ``named``: its extract
    counts the missing numbers itself.
    """

    def read(stream: BinaryIO) -> Iterator[tuple[Any, ...]]:
        with suppress(NobodyNamed):
            yield from reader(stream)
        if named and page.again:
            for number in unanswered(landing, page, named):
                yield Ubesvart(number, None)

    return read
