"""What Dataflyt measures, as metrics: plain numbers with a name and tags, for Airflow's own metrics.

In: a closed run's report (``of_run``), or the runs of all kommuner and the time (``of_installation``). Out: metrics, of
those in ``METRICS`` alone. ``on_airflow.telling`` sends them.

Everybody who sees the dashboards sees every kommune. So a metric has no more than the run's report tells those who may
not see protection: no table, kind or rule that tells of it, and nothing that changes between two runs because somebody
was hidden. Vetoes are not counted, not even for the whole installation and a month: together with the plans' losses of
access, which are told, their number is that of the people who have become protected.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from dataflyt.formats.dates import OSLO
from dataflyt.operations.digest import KINDS, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dataflyt.config.kommune import Kommune
    from dataflyt.config.loading import BrokenFile
    from dataflyt.operations.overview import Line, LineRun
    from dataflyt.run.environment import Environment

Kind = Literal["counter", "gauge", "seconds"]
"""``seconds`` is a duration: StatsD has it in milliseconds, Prometheus in seconds."""


class Described(NamedTuple):
    """A metric's kind, its tags, and its meaning, for the reference page."""

    kind: Kind
    tags: tuple[str, ...]
    says: str


METRICS: Final = {
    "dataflyt.runs": Described("counter", ("kommune", "outcome"), "runs that were closed, by what came of them"),
    "dataflyt.rows": Described(
        "counter", ("kommune", "source", "fate"), "rows of a source, by their fate: received, quarantined, held_over"
    ),
    "dataflyt.changes": Described(
        "counter",
        ("kommune", "kind"),
        "changes that were released, by the plan's kinds; none is about protection",
    ),
    "dataflyt.step": Described(
        "seconds", ("kommune", "step"), "how long a step took, each try by itself; no step that hides people"
    ),
    "dataflyt.work_items": Described(
        "gauge", ("kommune", "corrector"), "items on the work list when a run was released, without hidden people"
    ),
    "dataflyt.file_age": Described(
        "gauge", ("kommune", "source"), "seconds since the file that the newest run read was delivered"
    ),
    "dataflyt.waiting": Described(
        "gauge", ("kommune",), "seconds since a run that waits for an approver was due; 0 when none waits"
    ),
    "dataflyt.publication_age": Described("gauge", ("kommune",), "seconds since the released run was due"),
    "dataflyt.publication_late": Described(
        "gauge", ("kommune",), "seconds since a run was due that has not been published; 0 when none is missing"
    ),
    "dataflyt.concerns": Described(
        "gauge", ("kind",), "kommuner that the morning's digest would name now, by its kinds. Sent every hour"
    ),
}
"""Every metric that Dataflyt sends, by name."""

FATES: Final = ("received", "quarantined", "held_over")

_SLACK: Final = timedelta(minutes=5)
"""A run may begin some seconds before the clock of another machine says that it is due."""


class Metric(NamedTuple):
    """A number to send: seconds for a duration or an age, and otherwise a count."""

    name: str
    value: float
    tags: Mapping[str, str]


def of_run(built: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of a closed run, from its report (``report.build``)."""
    from dataflyt.run import report  # heavy, and Airflow reads the DAGs with this module

    kommune = {"kommune": built["owner"]}
    yield Metric("dataflyt.runs", 1, {**kommune, "outcome": built["outcome"]})
    for source, rows in report.figures(built, {})["sources"].items():
        for fate in FATES:
            yield Metric("dataflyt.rows", rows[fate], {**kommune, "source": source, "fate": fate})
    if built["outcome"] in ("released", "not_published"):
        for kind, count in built["changed"].items():
            if kind in report.KINDS:
                yield Metric("dataflyt.changes", count, {**kommune, "kind": kind})


def of_work_list(kommune: Kommune, counted: Mapping[str, Mapping[str, tuple[int, int]]]) -> Iterator[Metric]:
    """Yield the size of a kommune's work list, from ``work_list.counts_by_owner``; 0 for a corrector without items."""
    from dataflyt.why.correcting import CORRECTORS

    for corrector in CORRECTORS:
        items = sum(items for items, _ in counted.get(corrector, {}).values())
        yield Metric("dataflyt.work_items", items, {"kommune": kommune.id, "corrector": corrector})


def of_step(kommune: str, step: str, seconds: float) -> Metric:
    """Return how long a step took."""
    return Metric("dataflyt.step", seconds, {"kommune": kommune, "step": step})


def of_installation(environment: Environment) -> list[Metric]:
    """Return the metrics of now. Raises ConfigError or SourceUnavailable when files or warehouse cannot be read."""
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations import overview

    kommuner, broken = load_all(folder_of_kommuner())
    lines = overview.of_all(environment, [kommune.id for kommune in kommuner])
    return list(of_lines(kommuner, broken, lines, environment.now()))


def of_lines(
    kommuner: Sequence[Kommune], broken: Sequence[BrokenFile], lines: Mapping[str, Line], now: datetime
) -> Iterator[Metric]:
    """Yield the metrics at ``now``. ``lines`` has the newest and the released run of each kommune with its figures.

    Counters of runs are sent with 0, since Prometheus counts no increase of a series that it has not seen before.
    """
    from dataflyt.run import report

    concerned = [concern.kind for concern in digest(kommuner, broken, lines, now).concerns]
    for kind in KINDS:
        yield Metric("dataflyt.concerns", concerned.count(kind), {"kind": kind})
    for kommune in kommuner:
        for outcome in report.OUTCOMES:
            yield Metric("dataflyt.runs", 0, {"kommune": kommune.id, "outcome": outcome})
        if kommune.id in lines:
            yield from _of_line(kommune, lines[kommune.id], now)


def _of_line(kommune: Kommune, line: Line, now: datetime) -> Iterator[Metric]:
    tags = {"kommune": kommune.id}
    last, released = line.last, line.released
    if last is None:
        return
    waits = now - last.as_of if last.outcome == "waiting" else timedelta(0)
    yield Metric("dataflyt.waiting", waits.total_seconds(), tags)
    for source in ("hr", "sas"):
        delivered = _delivered(source, (last, released))
        if delivered is not None:
            yield Metric("dataflyt.file_age", (now - delivered).total_seconds(), {**tags, "source": source})
    if kommune.trial:  # nothing is published, as it is meant to be
        return
    if released is not None:
        yield Metric("dataflyt.publication_age", (now - released.as_of).total_seconds(), tags)
    missing = first_due(kommune, (released or line.runs[-1]).as_of, now)
    late = now - missing if missing else timedelta(0)
    if released is not None and released.outcome == "not_published":
        late = now - released.as_of
    yield Metric("dataflyt.publication_late", late.total_seconds(), tags)


def _delivered(source: str, runs: Iterable[LineRun | None]) -> datetime | None:
    """Return when the file of the first of these runs that read one was delivered."""
    return next((when for run in runs if run and (when := run.delivered(source))), None)


def first_due(kommune: Kommune, after: datetime, until: datetime) -> datetime | None:
    """Return the first time after ``after`` that a run of the kommune was due; None for none at ``until`` or before."""
    day = after.astimezone(OSLO).date()
    at = time.fromisoformat(kommune.schedule.at)
    while (when := datetime.combine(day, at, OSLO)) <= until:
        if when > after + _SLACK and kommune.schedule.due(day):
            return when
        day += timedelta(days=1)
    return None
