"""Innsyn: who has looked at whom, what a person has a right to read, and which files a person has been in."""

from datetime import date
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from dataflyt.errors import ConfigError, DataflytError, NotAllowed
from dataflyt.records import audited, documents
from dataflyt.records.disclosed import disclosed
from dataflyt.records.subject_access import subject_access
from dataflyt.warehouse import actions
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Visit, Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("privacy.title", "privacy")

MOST = 1000
"""How many rows of the audit are shown, the newest."""

Text: TypeAlias = Annotated[str, Form()]
Ticked: TypeAlias = Annotated[bool, Form()]


@router.get("/kommune/{kommune_id}/privacy")
@router.get("/kommune/{kommune_id}/privacy/audit")  # after another language is chosen on an answer
@router.get("/kommune/{kommune_id}/privacy/disclosed")
@router.get("/kommune/{kommune_id}/privacy/subject-access")
def show_privacy(request: Request, visit: Visiting) -> Any:
    """Show what can be asked for; nothing about anybody."""
    return _page(request, visit)


@router.post("/kommune/{kommune_id}/privacy/audit", dependencies=[FromOurForm])
def show_audit(
    request: Request, visit: Visiting, purpose: Text = "", who: Text = "", since: Text = "", user: Text = ""
) -> Any:
    """Show who has looked or decided, about whom, when and why. Reading it is a look as well."""
    visitor = visit.visitor(purpose, "privacy audit")
    typed = {"who": who, "since": since, "user": user}
    try:
        looks = audited.looks(
            visit.kommune,
            visit.environment,
            visitor,
            who=who.strip() or None,
            since=_day(since),
            user=user.strip() or None,
        )
    except DataflytError as error:
        return _refused(request, visit, "audit", purpose, typed, error)
    return _page(
        request,
        visit,
        tool="audit",
        purpose=purpose,
        typed=typed,
        looks=looks[: -MOST - 1 : -1],
        count=len(looks),
        done=actions.title,
    )


@router.post("/kommune/{kommune_id}/privacy/disclosed", dependencies=[FromOurForm])
def show_disclosed(
    request: Request, visit: Visiting, purpose: Text = "", who: Text = "", graded: Ticked = False
) -> Any:
    """Show which published files a person is or has been in."""
    visitor = visit.visitor(purpose, "privacy disclosed")
    typed = {"who": who, "graded": graded}
    try:
        files = disclosed(visit.kommune, visit.environment, who, visitor, graded=graded)
    except DataflytError as error:
        return _refused(request, visit, "disclosed", purpose, typed, error)
    return _page(request, visit, tool="disclosed", purpose=purpose, typed=typed, files=files)


@router.post("/kommune/{kommune_id}/privacy/subject-access", dependencies=[FromOurForm])
def show_subject_access(
    request: Request,
    visit: Visiting,
    purpose: Text = "",
    number: Text = "",
    guardian: Text = "",
    graded: Ticked = False,
    file: Text = "",
) -> Any:
    """Show all that is held about a person, for the person; as a ``file`` (``html``, ``pdf`` or ``json``) if wanted."""
    visitor = visit.visitor(purpose, "privacy subject-access")
    typed = {"number": number, "guardian": guardian, "graded": graded}
    try:
        answer = subject_access(
            visit.kommune, visit.environment, number, visitor, graded=graded, requester=guardian.strip() or None
        )
        content = {
            "html": lambda: documents.html(answer.document).encode(),
            "pdf": lambda: documents.pdf(answer.document),
            "json": lambda: orjson.dumps(answer.data, option=orjson.OPT_INDENT_2),
        }
        if file in content:
            name = f"innsyn-{visit.environment.now():%Y%m%d-%H%M%S}-{str(answer.person_id)[:8]}.{file}"
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(content[file](), media_type="application/octet-stream", headers=headers)
    except DataflytError as error:
        return _refused(request, visit, "subject", purpose, typed, error)
    return _page(request, visit, tool="subject", purpose=purpose, typed=typed, document=answer.document)


def _refused(request: Request, visit: Visit, tool: str, purpose: str, typed: Any, error: DataflytError) -> Any:
    status = 403 if isinstance(error, NotAllowed) else 400
    return _page(request, visit, status, tool=tool, purpose=purpose, typed=typed, error=error)


def _page(request: Request, visit: Visit, status: int = 200, **values: Any) -> Any:
    known: dict[str, Any] = {"tool": "", "purpose": "", "typed": {}, "error": None}
    known |= {"looks": None, "files": None, "document": None, "most": MOST}
    return show(request, "privacy.html", visit, status, **(known | values))


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said.strip()) if said.strip() else None
    except ValueError:
        raise ConfigError("Skriv dagen som 2026-11-20, eller la feltet stå tomt.") from None
