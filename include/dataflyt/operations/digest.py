"""The morning's digest for the engineer of an installation: which kommuner must be looked at, and why.

In: the kommune files, the runs of all kommuner (``overview``), and the time. Out: one concern for each kommune and
cause, the gravest first. It has no persons, and no number that tells of protection.

Looked for:

- ``file``: the kommune's file cannot be used, so nothing runs;
- ``overdue``: no run has begun although one was due two hours ago or more (paused, or Airflow was down);
- ``stopped``: the last run stopped in a step, or was not published;
- ``unfinished``: the last run has neither ended nor asked, and should have: by ``schedule.done_by``, or in six hours;
- ``refused``: the last run was rejected, or nobody answered in time;
- ``waiting``: the last run waits for an approver;
- ``old_file``: the last run read a file of HR or the school system that was delivered before the run before it was due.

A kommune that has never run is no concern: somebody is setting it up. They are counted.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from dataflyt.formats.dates import OSLO
from dataflyt.operations.causes import grouped, key_of
from dataflyt.run.steps import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dataflyt.config.kommune import Kommune
    from dataflyt.config.loading import BrokenFile
    from dataflyt.operations.overview import Line, LineRun
    from dataflyt.run.environment import Environment

KINDS: Final = {
    "file": "Kommunefilen kan ikke brukes",
    "overdue": "Har ikke kjørt",
    "stopped": "Stoppet",
    "unfinished": "Ikke ferdig",
    "refused": "Avvist eller ikke besvart",
    "waiting": "Venter på svar",
    "old_file": "Leste en gammel fil",
}
"""The kinds of concerns in Norwegian, the gravest first."""

_SLACK: Final = timedelta(hours=2)
_LONGEST: Final = timedelta(hours=6)
_DAY: Final = timedelta(days=1)
_SOURCES: Final = {"hr": "lønnssystemet", "sas": "skolesystemet"}


class Concern(NamedTuple):
    """Something to look at: the kommune's id and name, the kind, a sentence, and Airflow's id of the run ("" for none).

    ``since`` is when it began, as far as is known. ``cause`` is the sentence with which the run stopped: kommuner with
    the same one are told of together.
    """

    kommune: str
    name: str
    kind: str
    sentence: str
    run: str
    since: datetime | None
    cause: str = ""


class Digest(NamedTuple):
    """The concerns, how many kommuner there are, and how many of them have never run."""

    concerns: tuple[Concern, ...]
    kommuner: int
    never_run: int

    @property
    def to_look_at(self) -> int:
        """How many kommuner have a concern."""
        return len({one.kommune for one in self.concerns})


def of_installation(environment: Environment) -> Digest:
    """Return the digest of now. Raises ConfigError or SourceUnavailable when files or warehouse cannot be read."""
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations import overview

    kommuner, broken = load_all(folder_of_kommuner())
    lines = overview.of_all(environment, [kommune.id for kommune in kommuner])
    return digest(kommuner, broken, lines, environment.now())


def digest(
    kommuner: Sequence[Kommune], broken: Sequence[BrokenFile], lines: Mapping[str, Line], now: datetime
) -> Digest:
    """Return the digest at ``now``. ``lines`` has the newest run of each kommune with its figures."""
    found = [
        Concern(file.id, file.id, "file", file.sentence, "", None) for file in sorted(broken, key=lambda one: one.id)
    ]
    never_run = 0
    for kommune in kommuner:
        last = lines[kommune.id].last if kommune.id in lines else None
        if last is None:
            never_run += 1
        else:
            found += _concerns(kommune, last, now)
    order = list(KINDS)
    found.sort(key=lambda one: (order.index(one.kind), one.name.casefold()))
    return Digest(tuple(found), len(kommuner) + len(broken), never_run)


def in_lines(found: Digest) -> Iterator[tuple[str, list[str]]]:
    """Yield each kind's title with its lines: one for each cause, however many kommuner it holds for."""
    for kind, title in KINDS.items():
        those = [one for one in found.concerns if one.kind == kind]
        causes = [one for one in grouped((one.name, one.cause) for one in those if one.cause) if len(one.kommuner) > 1]
        shared = {cause.key for cause in causes}
        lines = [cause.in_words() for cause in sorted(causes, key=lambda cause: -len(cause.kommuner))]
        lines += [f"{one.name}: {one.sentence}" for one in those if not one.cause or key_of(one.cause) not in shared]
        if lines:
            yield title, lines


def _concerns(kommune: Kommune, last: LineRun, now: datetime) -> Iterable[Concern]:
    def concern(
        kind: str, sentence: str, run: str = last.key, since: datetime | None = last.as_of, cause: str = ""
    ) -> Concern:
        return Concern(kommune.id, kommune.display_name, kind, f"{sentence} {cause}".strip(), run, since, cause)

    due = last_due(kommune, now - _SLACK)
    # A run may begin some seconds before the clock of another machine says that it is due.
    if due is not None and last.as_of < due - timedelta(minutes=5) and last.outcome not in ("running", "waiting"):
        yield concern("overdue", f"Skulle ha kjørt {said(due)}. Forrige kjøring var {said(last.as_of)}.", "", due)
    if last.outcome in ("failed", "not_published"):
        steps = ", ".join(f"«{TITLES.get(step, step)}»" for step in last.failed)
        published = "" if last.outcome == "failed" else " Kjøringen er frigitt, men ikke publisert."
        where = f" i {steps}" if steps else ""
        yield concern("stopped", f"Kjøringen {said(last.as_of)} stoppet{where}.{published}", cause=last.why)
    elif last.failed:
        steps = ", ".join(f"«{TITLES.get(step, step)}»" for step in last.failed)
        sentence = f"Kjøringen {said(last.as_of)} gikk ikke som den skulle i {steps}."
        yield concern("stopped", sentence, cause=last.why)
    elif last.outcome == "rejected":
        yield concern("refused", f"Kjøringen {said(last.as_of)} ble avvist.")
    elif last.outcome == "unanswered":
        yield concern("refused", f"Kjøringen {said(last.as_of)} ble ikke besvart i tide.")
    elif last.outcome == "waiting":
        yield concern("waiting", f"Kjøringen {said(last.as_of)} venter på svar{_days(now - last.as_of)}.")
    elif last.outcome == "running" and now - last.as_of > (kommune.schedule.time_allowed or _LONGEST):
        yield concern("unfinished", f"Kjøringen begynte {said(last.as_of)} og er ikke ferdig.")
    period = timedelta(days=7 if kommune.schedule.every == "week" else 31) + _DAY
    for source, title in _SOURCES.items():
        delivered = last.delivered(source)
        if delivered is not None and last.as_of - delivered > period:
            yield concern("old_file", f"Filen fra {title} var fra {said(delivered)}.", since=delivered)


def last_due(kommune: Kommune, until: datetime) -> datetime | None:
    """Return the last time a run of the kommune was due, at ``until`` or before it; None for none in 40 days."""
    day: date = until.astimezone(OSLO).date()
    for back in range(41):
        one = day - timedelta(days=back)
        when = datetime.combine(one, time.fromisoformat(kommune.schedule.at), OSLO)
        if kommune.schedule.due(one) and when <= until:
            return when
    return None


def said(moment: datetime) -> str:
    """Return a time in Norway as people say it: ``23.11.2026 kl. 03.00``."""
    local = moment.astimezone(OSLO)
    return f"{local.day}.{local.month}.{local.year} kl. {local:%H.%M}"


def _days(waited: timedelta) -> str:
    return f", nå i {waited.days} døgn" if waited.days else ""
