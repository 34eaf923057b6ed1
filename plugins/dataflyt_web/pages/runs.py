"""Kjøringer: the runs of every kommune that the user may see: what came of each, who answered, and its cost."""

from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from dataflyt.config.kommune import Kommune
from dataflyt.formats.dates import OSLO
from dataflyt.operations import overview
from dataflyt_web.login import LoggedIn
from dataflyt_web.pages.overview import KINDS, outcomes_in
from dataflyt_web.showing import show, texts_of

if TYPE_CHECKING:
    from dataflyt_web.installation import Installation

router = APIRouter()
TAB = None

SHOWN = 200
"""How many runs are shown; the command writes all."""

DAYS = 31
"""From how many days ago runs are shown, when nobody has chosen a day."""


@router.get("/runs")
def show_runs(request: Request, somebody: LoggedIn, since: str = "", outcome: str = "", kommune: str = "") -> Any:
    """Show the newest runs from a day on, of one outcome or kommune, or of all. Unknown words choose nothing."""
    installation: Installation = request.app.state.installation
    known = installation.kommuner()
    may = somebody.readable(list(known))
    kommuner = {one: found for one, found in known.items() if one in may and isinstance(found, Kommune)}
    environment = installation.environment()
    first = environment.now().astimezone(OSLO).date() - timedelta(days=DAYS)
    with suppress(ValueError):
        first = date.fromisoformat(since)
    chosen = {kommune: kommuner[kommune]} if kommune in kommuner else kommuner
    lines = installation.as_airflow_knows(overview.long_lines(environment, chosen)) if chosen else {}
    outcomes = outcomes_in(texts_of(request))
    outcome = outcome if outcome in outcomes else ""
    rows = [row for row in overview.table_of_runs(lines, chosen, since=first) if outcome in ("", row.outcome)]
    return show(
        request,
        "runs.html",
        somebody,
        rows=rows[:SHOWN],
        count=len(rows),
        kommuner=sorted(kommuner.values(), key=lambda one: one.name.casefold()),
        chosen=kommune if kommune in kommuner else "",
        since=first,
        outcome=outcome,
        outcomes=outcomes,
        choices={key: words for key, words in outcomes.items() if key in {*overview.OUTCOMES, "not_closed"}},
        kinds=KINDS,
        most=overview.MOST,
    )
