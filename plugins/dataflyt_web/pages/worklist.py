"""Arbeidsliste: what people have to correct, who corrects it, how old it is, and who has taken it."""

from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request

from dataflyt.errors import DataflytError, NotAllowed
from dataflyt.formats.dates import OSLO
from dataflyt.operations import work_list
from dataflyt.operations.work_kinds import KINDS
from dataflyt.operations.work_list import Wanted
from dataflyt.why.correcting import CORRECTORS
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Visit, Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("worklist.title", "worklist")

MOST = 200
"""How many items of a kind are shown at once; a file has them all."""


@router.get("/kommune/{kommune_id}/worklist")
def show_counts(request: Request, visit: Visiting) -> Any:
    """Show how many items there are of each kind, and who corrects them; nothing about anybody."""
    return _page(request, visit, counts=work_list.counts(visit.kommune, visit.environment))


@router.post("/kommune/{kommune_id}/worklist", dependencies=[FromOurForm])
def show_items(
    request: Request,
    visit: Visiting,
    purpose: Annotated[str, Form()] = "",
    school: Annotated[str, Form()] = "",
    owner: Annotated[str, Form()] = "",
    kind: Annotated[str, Form()] = "",
    new: Annotated[bool, Form()] = False,
    graded: Annotated[bool, Form()] = False,
    act: Annotated[str, Form()] = "",
    item: Annotated[str, Form()] = "",
) -> Any:
    """Show the items, after ``act`` (``take`` or ``release``) on one of them. The look is kept in the audit."""
    who = visit.visitor(purpose, f"worklist {act}".strip())
    wanted = Wanted(school or None, owner or None, kind or None, new)
    done, error, status = None, None, 200
    if act in ("take", "release"):
        change = work_list.take if act == "take" else work_list.release
        try:
            done = change(visit.kommune, visit.environment, item, who, graded=graded)
        except DataflytError as refused:
            error, status = refused, 403 if isinstance(refused, NotAllowed) else 400
    listed = work_list.items(visit.kommune, visit.environment, who, wanted, graded=graded)
    schools = {one.unit_id: one.school for one in listed if one.unit_id}
    return _page(
        request,
        visit,
        status,
        purpose=purpose,
        graded=graded,
        wanted=wanted,
        schools=sorted(schools.items(), key=lambda one: one[1]),
        kinds=[(kind, list(some)) for kind, some in groupby(listed, lambda one: one.kind)],
        count=len(listed),
        today=visit.environment.now().astimezone(OSLO).date(),
        act=act,
        done=done,
        error=error,
    )


def _page(request: Request, visit: Visit, status: int = 200, **values: Any) -> Any:
    known: dict[str, Any] = {"purpose": "", "graded": False, "wanted": Wanted(), "schools": [], "kinds": None}
    known |= {"counts": {}, "act": "", "done": None, "error": None}
    return show(
        request,
        "worklist.html",
        visit,
        status,
        about=KINDS,
        correctors=CORRECTORS,
        names={one.id: one.name for one in visit.kommune.people},
        most=MOST,
        **(known | values),
    )
