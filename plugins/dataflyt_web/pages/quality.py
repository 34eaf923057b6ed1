"""Kvalitet: each rule over the newest runs, and the rows in quarantine, to release or reject."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request

from dataflyt.decisions import held_rows
from dataflyt.decisions.quarantine import SHOWN
from dataflyt.operations import quality
from dataflyt.warehouse.audit import Visitor
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Visit, Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("quality.title", "quality")

RUNS = 12
"""How many of the newest runs are shown."""


@router.get("/kommune/{kommune_id}/quality")
def show_quality(request: Request, visit: Visiting, every: bool = False) -> Any:
    """Show the rules that some run broke (or ``every`` rule) by counts, and the rows in quarantine without names."""
    return _page(request, visit, every=every)


@router.post("/kommune/{kommune_id}/quality", dependencies=[FromOurForm])
def show_whom(
    request: Request,
    visit: Visiting,
    purpose: Annotated[str, Form()] = "",
    graded: Annotated[bool, Form()] = False,
) -> Any:
    """Show whom the rows in quarantine are about. The look is kept in the audit."""
    return _page(request, visit, visit.visitor(purpose, "quality"), purpose, graded=graded)


def _page(
    request: Request,
    visit: Visit,
    who: Visitor | None = None,
    purpose: str = "",
    *,
    graded: bool = False,
    every: bool = False,
) -> Any:
    found = quality.over_time(visit.kommune, visit.environment, RUNS)
    rules = [one for one in found.rules if every or any(one.found)]
    rules.sort(key=lambda one: (not one.new, not one.broken))  # what has begun comes first, what has ended last
    return show(
        request,
        "quality.html",
        visit,
        quality=found,
        rules=rules,
        every=every,
        counts=[sum(one.broken for one in found.rules), sum(one.new for one in found.rules)],
        said=quality.said,
        rows=held_rows.listed(visit.kommune, visit.environment, who, graded=graded) if found.runs else [],
        names=who is not None,
        shown=SHOWN,
        purpose=purpose,
        graded=graded,
    )
