"""Plan: what a run changes or would change, by kind beside limit and base; names for those who may see them."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request

from dataflyt.on_airflow.rights import dag_of
from dataflyt.operations.overview import STRIP, read_lines
from dataflyt.run import report
from dataflyt.run.open_plan import OF_GUARDIANS, NoSuchRun, OpenPlan, open_plan
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Missing, Visit, Visiting
from dataflyt_web.pages.overview import KINDS
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("plan.title", "plan")

ABOUT = {
    "guardian": "access",
    "sas": "access",
    "protection": "protection",
    "pupil": "pupils",
    "employee": "employees",
    "name": "identity",
    "number": "identity",
    "person": "identity",
    "persons": "identity",
    "identity": "identity",
    "contact": "contact",
    "group": "groups",
    "membership": "groups",
    "account": "accounts",
}
"""What a change is about, by the first word of its kind: the list can be narrowed to one."""

MOST = 500
"""How many rows of a kind are shown with names. Each look at a person is kept in the audit."""


@router.get("/kommune/{kommune_id}/plan")
def show_newest_plan(request: Request, visit: Visiting) -> Any:
    """Show the plan of the newest run."""
    try:
        return _plan(request, visit, None)
    except Missing:
        return show(request, "plan.html", visit, run=None)


@router.get("/kommune/{kommune_id}/plan/{number}")
def show_plan(request: Request, visit: Visiting, number: int) -> Any:
    """Show the plan of a run. Raises Missing when there is no such run."""
    return _plan(request, visit, number)


@router.post("/kommune/{kommune_id}/plan/{number}", dependencies=[FromOurForm])
def show_names(
    request: Request,
    visit: Visiting,
    number: int,
    kind: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    graded: Annotated[bool, Form()] = False,
) -> Any:
    """Show the rows of a kind with names. The look is kept in the audit."""
    return _plan(request, visit, number, kind, purpose, graded=graded)


def _plan(
    request: Request,
    visit: Visit,
    number: int | None,
    kind: str = "",
    purpose: str | None = None,
    *,
    graded: bool = False,
) -> Any:
    """Show a run's plan, the newest run's for None; with a ``purpose`` the names behind a kind too."""
    kommune = visit.kommune
    who = None if purpose is None else visit.visitor(purpose, f"plan {number}")
    try:
        with open_plan(kommune, visit.environment, number, who) as opened:
            line = read_lines(opened.connection, [kommune.id], STRIP)[kommune.id]
            kinds = _kinds(opened, graded=graded)
            doubts = opened.doubts() if graded else []
            # Shown when the audit is kept, not before: otherwise a broken connection would undo it.
            rows = opened.named(kind, MOST, graded=graded) if who else None
            run, stands, before = opened.run, opened.stands, opened.released
    except NoSuchRun:
        raise Missing from None
    in_line = next((one for one in line.runs if one.number == run.number), None)
    return show(
        request,
        "plan.html",
        visit,
        run=run,
        in_line=in_line,
        outcome=in_line.outcome if in_line else run.state,
        outcomes=KINDS,
        runs=line.runs,
        before=before,
        stands=stands,
        reasons=(run.asks or "").split(),
        kinds=kinds,
        about=request.query_params.get("about", ""),
        doubts=doubts,
        kind=kind,
        rows=rows,
        never_named=kind == OF_GUARDIANS and not graded,
        most=MOST,
        purpose=purpose or "",
        graded=graded,
        dag=dag_of(kommune.id),
    )


def _kinds(opened: OpenPlan, *, graded: bool) -> list[dict[str, Any]]:
    """Return the kinds of change with their counts, beside limit and base, in the order of ``report.KINDS``."""
    counts, limits = opened.counts(graded=graded), opened.limits()
    asks = (opened.run.asks or "").split()
    return [
        {
            "kind": kind,
            "words": words,
            "about": ABOUT[kind.partition("_")[0]],
            "count": counts[kind],
            "limit": limits.get(kind),
            "over": f"limit:{kind}" in asks,
        }
        for kind, words in (report.KINDS | report.GRADED_KINDS).items()
        if kind in counts
    ]
