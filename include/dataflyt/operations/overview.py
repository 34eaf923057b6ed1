"""The runs of all kommuner: what came of each, and what waits for an answer.

In: the ids of the kommuner that somebody may see. Out: each kommune's newest runs, with the figures that its report
told everybody, what its steps cost, and who answered. Read in one statement by the role ``dataflyt_web``, by the
connection ``warehouse_web``. That role can read no person of the registers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.formats.dates import OSLO
from dataflyt.run.environment import Environment
from dataflyt.run.steps import HIDING, TITLES
from dataflyt.storage import database

WAREHOUSE = "warehouse_web"
"""The connection: the warehouse as ``dataflyt_web``."""

STRIP = 12
"""How many of each kommune's newest runs are read."""

MOST = 100
"""How many of each kommune's newest runs the table of runs has."""

OUTCOMES = {
    "released": "frigitt",
    "not_published": "frigitt, ikke publisert",
    "planned": "bare plan",
    "rejected": "avvist",
    "unanswered": "ikke besvart",
    "failed": "stoppet",
    "superseded": "erstattet",
    "undone": "angret",
    "waiting": "venter på svar",
    "running": "pågår",
}
"""What came of a run, in a few Norwegian words."""

GOOD = ("released", "planned")
"""The outcomes that need nobody."""


@dataclass(frozen=True)
class LineRun:
    """A run in a kommune's line. ``key`` is Airflow's id of the run.

    ``outcome`` is the report's; of a run that is not closed it is ``waiting`` (for an approver) or ``running``.
    ``figures`` are those of ``report.figures``, empty before the run is closed. ``of_all`` reads those of the newest
    and of the released run.
    """

    number: int
    key: str
    as_of: datetime
    outcome: str
    figures: Mapping[str, Any]
    answered_by: str = ""
    """Who approved or rejected the run; empty when nobody has."""

    @property
    def cost(self) -> Mapping[str, Mapping[str, float]]:
        """The ``seconds`` and seconds of ``cpu`` of each step in ``TIMED``; empty where they were not kept."""
        found: Mapping[str, Mapping[str, float]] = self.figures.get("cost", {})
        return found

    @property
    def good(self) -> bool:
        """Whether the run did what it was to do."""
        return self.outcome in GOOD

    @property
    def failed(self) -> list[str]:
        """The steps that failed."""
        return list(self.figures.get("failed", []))

    @property
    def why(self) -> str:
        """The sentence with which the first step that failed stopped; empty when it left none."""
        said = self.figures.get("why", {})
        return next((str(said[step]) for step in TITLES if said.get(step)), "")

    def delivered(self, source: str) -> datetime | None:
        """Return when the file of ``hr`` or ``sas`` was delivered, if the storage told."""
        said = self.figures.get("delivered", {}).get(source)
        return datetime.fromisoformat(said) if said else None


@dataclass(frozen=True)
class Line:
    """A kommune's newest runs, the newest first, and its newest released run, which may be older than all of them."""

    runs: tuple[LineRun, ...]
    released: LineRun | None

    @property
    def last(self) -> LineRun | None:
        """The newest run."""
        return self.runs[0] if self.runs else None


class RunRow(NamedTuple):
    """A run in the table of all kommuner's runs: the kommune's id and name, and what came of it.

    The counts are None before it is closed. ``cost`` is ``LineRun.cost``.
    """

    kommune: str
    name: str
    number: int
    as_of: datetime
    outcome: str
    failed: tuple[str, ...]
    why: str
    answered_by: str
    received: int | None
    quarantined: int | None
    changes: int | None
    cost: Mapping[str, Mapping[str, float]]

    @property
    def seconds(self) -> float | None:
        """How long the steps took together, without the time that the run waited; None where it is not known."""
        return round(sum(step["seconds"] for step in self.cost.values()), 1) if self.cost else None

    @property
    def cpu(self) -> float | None:
        """The seconds of CPU that the steps took; None where it is not known."""
        return round(sum(step["cpu"] for step in self.cost.values()), 1) if self.cost else None

    def cells(self) -> tuple[str | int | float | None, ...]:
        """Return the row as people read it, below ``HEADS``: times in Norway, words for outcome and steps."""
        return (
            self.name,
            self.number,
            f"{self.as_of.astimezone(OSLO):%Y-%m-%d %H:%M}",
            OUTCOMES.get(self.outcome, self.outcome),
            ", ".join(TITLES.get(step, step) for step in self.failed),
            self.why,
            self.answered_by,
            self.received,
            self.quarantined,
            self.changes,
            self.seconds,
            self.cpu,
            *(self.cost[step]["seconds"] if step in self.cost else None for step in TIMED),
        )


TIMED = tuple(step for step in TITLES if step != "approve" and step not in HIDING)
"""The steps whose cost is kept; a person does ``approve``."""

HEADS = (
    *("Kommune", "Kjøring", "Begynte", "Utfall", "Stoppet i", "Hvorfor", "Svarte", "Mottatt", "Karantene", "Endringer"),
    *("Sekunder", "Sekunder CPU", *(f"{TITLES[step]} (s)" for step in TIMED)),
)
"""The heads of the table of runs."""


def long_lines(environment: Environment, owners: Iterable[str]) -> dict[str, Line]:
    """Return the lines of these kommuner, at most ``MOST`` runs of each, every run with its figures.

    Raises ConfigError or SourceUnavailable when the warehouse cannot be read.
    """
    db = database.engine(environment.connect(WAREHOUSE).url)
    with database.reading_runs(db) as connection:
        return read_lines(connection, list(owners), MOST)


def table_of_runs(lines: Mapping[str, Line], kommuner: Mapping[str, Kommune], *, since: date | None) -> list[RunRow]:
    """Return the runs of these lines as rows, from the day ``since`` in Norway, the newest first."""
    found = [
        _row(kommuner[owner], run)
        for owner, line in lines.items()
        for run in line.runs
        if since is None or run.as_of.astimezone(OSLO).date() >= since
    ]
    return sorted(found, key=lambda row: row.as_of, reverse=True)


def _row(kommune: Kommune, run: LineRun) -> RunRow:
    totals = run.figures.get("totals", {})
    return RunRow(
        kommune.id,
        kommune.display_name,
        run.number,
        run.as_of,
        run.outcome,
        tuple(run.failed),
        run.why,
        run.answered_by,
        totals.get("received"),
        totals.get("quarantined"),
        run.figures.get("changes"),
        run.cost,
    )


def of_all(environment: Environment, owners: Iterable[str]) -> dict[str, Line]:
    """Return the lines of these kommuner. Raises ConfigError or SourceUnavailable when the warehouse cannot be read."""
    db = database.engine(environment.connect(WAREHOUSE).url)
    with database.reading_runs(db) as connection:
        return read_lines(connection, list(owners), STRIP, figures=1)


def read_lines(
    connection: Connection, owners: list[str], newest: int, *, figures: int | None = None
) -> dict[str, Line]:
    """Return the lines of kommuner in an open transaction: the ``newest`` runs of each.

    With ``figures``, only so many of the newest have their figures.
    """
    # Rows are few and found by their key: the loops that a merge must not use are right here.
    connection.execute(text("set local enable_nestloop = on"))
    found: dict[str, list[LineRun]] = {owner: [] for owner in owners}
    released: dict[str, LineRun] = {}
    asked = {"owners": owners, "newest": newest, "figures": figures or newest}
    for row in connection.execute(text(_LINES), asked):
        told = orjson.loads(row.figures) if row.figures else {}
        run = LineRun(row.run, row.key, row.as_of, _outcome(row), told, row.answered_by or "")
        if row.place:
            found[row.owner].append(run)
        else:
            released[row.owner] = run
    return {owner: Line(tuple(runs), released.get(owner)) for owner, runs in found.items()}


def _outcome(row: Any) -> str:
    """Return what came of a run: of one that people have undone since, that; else what its report says."""
    if row.state in ("undone", "superseded") or (row.outcome is None and row.state not in ("open", "merged")):
        return str(row.state)
    if row.outcome is not None and row.state != "open":  # an open run was closed, and has been taken up again
        return str(row.outcome)
    return "waiting" if row.answer == "asked" else "running"


# "place" counts from the newest run; the released run comes once more, without a place.
_LINES = """
select o.owner, r.run, r.key, r.as_of, r.state, r.outcome, r.figures, r.place,
    case when r.state = 'merged' then a.answer end as answer,
    case when a.answer in ('approved', 'rejected') then a.user_name end as answered_by
from unnest(cast(:owners as text[])) as o (owner)
cross join lateral (
    select run, key, as_of, state, outcome, case when place <= :figures then figures end as figures, place
    from (
        select s.*, row_number() over (order by run desc) as place
        from (
            select run, key, as_of, state, outcome, figures from control.run
            where owner = o.owner order by run desc limit :newest
        ) s
    ) s
    union all
    (
        select run, key, as_of, state, outcome, figures, null from control.run
        where owner = o.owner and state = 'released' order by run desc limit 1
    )
) r
left join lateral (
    select answer, user_name from control.approval
    where owner = o.owner and run = r.run order by approval desc limit 1
) a on true
order by o.owner, r.run desc
"""
