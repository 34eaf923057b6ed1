"""Oversikt: every kommune that the user may see, the worst first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request

from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import BrokenFile
from dataflyt.on_airflow.rights import dag_of
from dataflyt.operations import overview
from dataflyt.operations.overview import Line
from dataflyt_web.installation import Dag, Installation
from dataflyt_web.login import LoggedIn
from dataflyt_web.showing import show, texts_of
from dataflyt_web.texts import Texts, catalogue

router = APIRouter()
TAB = None


@dataclass(frozen=True)
class Row:
    """A kommune in the list: its file (or what is wrong with it), its runs, and its DAG."""

    kommune: Kommune | BrokenFile
    line: Line
    dag: Dag | None

    @property
    def broken(self) -> bool:
        """Whether the kommune's file cannot be used."""
        return isinstance(self.kommune, BrokenFile)

    @property
    def name(self) -> str:
        """The kommune's name, or the name of its file."""
        return self.kommune.id if isinstance(self.kommune, BrokenFile) else self.kommune.name

    @property
    def outcome(self) -> str:
        """The last run's outcome: ``file`` for a broken file, ``none`` before the first run."""
        return "file" if self.broken else self.line.last.outcome if self.line.last else "none"

    @property
    def kind(self) -> str:
        """The outcome's kind: good, wait, bad or calm."""
        return KINDS.get(self.outcome, "bad")

    @property
    def paused(self) -> bool:
        """Whether the kommune's DAG is paused, so that no run begins by itself."""
        return self.dag is not None and self.dag.paused

    @property
    def next_run(self) -> datetime | None:
        """When the next run is due; None when none begins by itself."""
        return None if self.dag is None or self.dag.paused else self.dag.next_run

    @property
    def quarantined(self) -> int | None:
        """Rows in quarantine in the last run."""
        last = self.line.last
        return last.figures["totals"]["quarantined"] if last and last.figures else None

    @property
    def envelopes(self) -> Mapping[str, int]:
        """About how many guardians there are, and how many have a red envelope, in the run that holds."""
        return self.line.released.figures.get("envelopes", {}) if self.line.released else {}

    @property
    def strip(self) -> tuple[str, ...]:
        """The kinds of the newest runs, the oldest first."""
        return tuple(KINDS.get(run.outcome, "bad") for run in reversed(self.line.runs))

    def words(self, outcomes: Mapping[str, str]) -> str:
        """Return the outcomes of the newest runs in words, the newest first."""
        return ", ".join(outcomes.get(run.outcome, run.outcome) for run in self.line.runs)

    def age(self, source: str) -> datetime | None:
        """Return from when a source's answer is: when the register was asked, or the file delivered."""
        released = self.line.released
        if released is None:
            return None
        return released.as_of if source in ("freg", "krr") else released.delivered(source)


KINDS = {
    "released": "good",
    "planned": "calm",
    "waiting": "wait",
    "running": "calm",
    "none": "calm",
    "superseded": "calm",
    "undone": "wait",
}
"""Each outcome's kind; any other is bad."""

_WORST_FIRST = ("bad", "wait", "calm", "good")
_EARLY, _LATE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

SORTS = {
    "status": lambda row: (_WORST_FIRST.index(row.kind), not row.paused),
    "name": lambda row: (),
    "last": lambda row: row.line.last.as_of if row.line.last else _EARLY,
    "next": lambda row: row.next_run or _LATE,
    "freg": lambda row: row.age("freg") or _EARLY,
    "hr": lambda row: row.age("hr") or _EARLY,
    "sas": lambda row: row.age("sas") or _EARLY,
    "quarantine": lambda row: row.quarantined or 0,
    "envelopes": lambda row: row.envelopes.get("message", 0),
}
"""What the list can be sorted by, each with its key; rows that are equal come by name."""


@router.get("/")
def show_overview(request: Request, somebody: LoggedIn, sort: str = "status", down: bool = False) -> Any:
    """Show every kommune whose DAG the user may read. An unknown ``sort`` is the usual one."""
    installation: Installation = request.app.state.installation
    known = installation.kommuner()
    may = somebody.readable(list(known))
    ids = [one for one in known if one in may]
    usable = [one for one in ids if isinstance(known[one], Kommune)]
    lines = installation.as_airflow_knows(overview.of_all(installation.environment(), usable)) if usable else {}
    dags = installation.dags() if ids else {}
    nothing = Line((), None)
    rows = [Row(known[one], lines.get(one, nothing), dags.get(dag_of(one))) for one in ids]
    sort = sort if sort in SORTS else "status"
    rows.sort(key=lambda row: row.name.casefold())
    rows.sort(key=SORTS[sort], reverse=down)
    now = installation.environment().now()
    counts = {kind: sum(row.kind == kind for row in rows) for kind in _WORST_FIRST}
    return show(
        request,
        "overview.html",
        somebody,
        rows=rows,
        sort=sort,
        down=down,
        now=now,
        counts=counts,
        outcomes=outcomes_in(texts_of(request)),
    )


def outcomes_in(texts: Texts) -> dict[str, str]:
    """Return every outcome in words."""
    return {key.removeprefix("outcome."): texts(key) for key in catalogue() if key.startswith("outcome.")}
