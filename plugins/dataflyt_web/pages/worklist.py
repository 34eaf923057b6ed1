"""Arbeidsliste: what people have to correct, who corrects it, how old it is, and who has taken it."""

from datetime import date
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from dataflyt.config.kommune import Kommune
from dataflyt.errors import DataflytError, NotAllowed
from dataflyt.formats.dates import OSLO
from dataflyt.operations import work_files, work_list
from dataflyt.operations.work_kinds import KINDS, corrected_by
from dataflyt.operations.work_list import Item, Wanted
from dataflyt.why.correcting import CORRECTORS
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Visit, Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("worklist.title", "worklist")

MOST, FEW = 200, 25
"""How many items are shown of a kind: of one that is chosen, and of each when all are. A file has every item."""


@router.get("/kommune/{kommune_id}/worklist")
def show_counts(request: Request, visit: Visiting) -> Any:
    """Show how many items there are of each kind, and who corrects them; nothing about anybody."""
    begun = work_list.begun(visit.kommune, visit.environment)
    return _page(request, visit, begun=begun, counts=work_list.counts(visit.kommune, visit.environment))


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
    """Show the items, after ``act`` (``take`` or ``release``) on one of them. The look is kept in the audit.

    With ``act`` ``csv`` or ``xlsx`` they are a file to take away.
    """
    who = visit.visitor(purpose, f"worklist {act}" if act in ("take", "release", "csv", "xlsx") else "worklist")
    wanted = Wanted(school or None, owner or None, kind or None, new)
    done, error, status = None, None, 200
    if act in ("take", "release"):
        change = work_list.take if act == "take" else work_list.release
        try:
            done = change(visit.kommune, visit.environment, item, who, graded=graded)
        except DataflytError as refused:
            error, status = refused, 403 if isinstance(refused, NotAllowed) else 400
    listed = work_list.items(visit.kommune, visit.environment, who, wanted, graded=graded)
    today = visit.environment.now().astimezone(OSLO).date()
    if act in ("csv", "xlsx"):
        return _file(visit.kommune, listed, today, f"arbeidsliste-{today:%Y%m%d}.{act}")
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
        today=today,
        most=MOST if wanted.kind else FEW,
        act=act,
        done=done,
        error=error,
    )


def _file(kommune: Kommune, listed: list[Item], today: date, name: str) -> Response:
    with TemporaryDirectory() as folder:  # only the server's own user can read it
        file = Path(folder) / name
        work_files.write_table(kommune, listed, file, today)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(file.read_bytes(), media_type="application/octet-stream", headers=headers)


def _page(request: Request, visit: Visit, status: int = 200, **values: Any) -> Any:
    known: dict[str, Any] = {"purpose": "", "graded": False, "wanted": Wanted(), "schools": [], "kinds": None}
    known |= {"begun": True, "counts": {}, "act": "", "done": None, "error": None}
    return show(
        request,
        "worklist.html",
        visit,
        status,
        about=KINDS,
        corrected_by=corrected_by,
        correctors=CORRECTORS,
        names={one.id: one.name for one in visit.kommune.people},
        **(known | values),
    )
