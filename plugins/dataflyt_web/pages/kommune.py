"""Kommune: a run's way from the sources to the exports, the runs over time, and the files received and sent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from dataflyt.formats.dates import OSLO
from dataflyt.on_airflow.rights import dag_of
from dataflyt.operations.overview import LineRun
from dataflyt.operations.standing import Standing, number_of, standing
from dataflyt_web.charts import Bar
from dataflyt_web.login import LoggedIn, Missing, Somebody, Visiting, visit_at
from dataflyt_web.pages.overview import KINDS
from dataflyt_web.showing import Tab, link, show, texts_of
from dataflyt_web.texts import Texts

router = APIRouter()
TAB = Tab("kommune.title", "")

SOURCES = ("freg", "krr", "hr", "sas")
PLACES = {
    "freg": "extract_freg",
    "krr": "extract_krr",
    "hr": "extract_hr",
    "sas": "extract_sas",
    "checks": "check",
    "warehouse": "merge",
    "exports": "publish",
}
"""The places in the picture, and the step that stops there."""

DROP = 10
"""Percent fewer rows than in the run before, from which the picture marks a source."""


@router.get("/kommune/{kommune_id}")
def show_kommune(request: Request, visit: Visiting, run: int | None = None) -> Any:
    """Show the kommune at a run, by default its newest. Raises Missing when there is no such run."""
    found = standing(visit.kommune, visit.environment, run)
    if found.run is None and run is not None:
        raise Missing
    line = visit.installation.as_airflow_knows({visit.kommune.id: found.line})[visit.kommune.id]
    if found.run and line.last and line.last.number == found.run.number:
        found = replace(found, line=line, run=line.last)
    texts = texts_of(request)
    dag = visit.installation.dags().get(dag_of(visit.kommune.id))
    return show(
        request,
        "kommune.html",
        visit,
        standing=found,
        run=found.run,
        report=found.report,
        lanes=[_lane(source, found) for source in SOURCES],
        stopped={place for place, step in PLACES.items() if found.run and step in found.run.failed},
        series=_series(found.line.runs[::-1], texts),
        outcomes=KINDS,
        dag_id=dag_of(visit.kommune.id),
        dag=dag,
        now=visit.environment.now(),
    )


@router.get("/dag/{dag_id}")
def show_dag(request: Request, somebody: LoggedIn, dag_id: str) -> Any:
    """Lead from a DAG in Airflow to its kommune. Raises Missing for a common DAG."""
    return _lead(request, somebody, dag_id, "")


@router.get("/dag/{dag_id}/run/{key:path}")
def show_dag_run(request: Request, somebody: LoggedIn, dag_id: str, key: str) -> Any:
    """Lead from a run in Airflow to its plan; to the kommune when the run has not begun in the warehouse."""
    visit = visit_at(request, _kommune_of(dag_id), somebody)
    number = number_of(visit.kommune, visit.environment, key)
    return _lead(request, somebody, dag_id, f"/plan/{number}" if number else "")


def _kommune_of(dag_id: str) -> str:
    if not dag_id.startswith(dag_of("")):
        raise Missing
    return dag_id.removeprefix(dag_of(""))


def _lead(request: Request, somebody: Somebody, dag_id: str, path: str) -> Any:
    visit = visit_at(request, _kommune_of(dag_id), somebody)
    return RedirectResponse(link(request, f"kommune/{visit.kommune.id}{path}"), 302)


def _lane(source: str, found: Standing) -> dict[str, Any]:
    """Return a source's rows on their way: received, set aside, on to the warehouse, and those received before."""
    rows = found.figures.get("sources", {}).get(source, {})
    received = rows.get("received")
    before = found.before.figures["sources"].get(source, {}).get("received") if found.before else None
    fewer = round(100 * (before - received) / before) if before and received is not None else 0
    delivered = found.figures.get("delivered", {}).get(source)
    return {
        "source": source,
        "received": received,
        "quarantined": rows.get("quarantined", 0) + rows.get("held_over", 0),
        "duplicates": rows.get("duplicates", 0),
        "staged": rows.get("staged"),
        "before": before,
        "fewer": fewer if fewer >= DROP else 0,
        "at": datetime.fromisoformat(delivered) if delivered else found.run and found.run.as_of if rows else None,
    }


def _series(runs: Sequence[LineRun], texts: Texts) -> dict[str, list[Bar]]:
    """Return the bars of each chart: a bar a run."""

    def drawn(name: str, value: int | None, run: LineRun) -> Bar:
        outcome = texts.known(f"outcome.{run.outcome}", run.outcome)
        words = texts(
            f"chart.{name}_one", run=run.number, when=texts.short(run.as_of), count=texts.number(value), outcome=outcome
        )
        kind = "faulty" if KINDS.get(run.outcome, "bad") == "bad" else "series"
        return Bar(f"{run.as_of.astimezone(OSLO):%d.%m.}", value, words, kind)

    return {
        "received": [drawn("received", run.figures.get("totals", {}).get("received"), run) for run in runs],
        "quarantined": [drawn("quarantined", run.figures.get("totals", {}).get("quarantined"), run) for run in runs],
        "changes": [drawn("changes", run.figures.get("changes"), run) for run in runs],
    }
