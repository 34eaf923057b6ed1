"""Person: what is held about one person, from where and since when, what is decided, and what the next run changes."""

from datetime import date
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request

from dataflyt.decisions.about_person import AboutPerson, about_person
from dataflyt.errors import ConfigError
from dataflyt.operations.overview import read_lines
from dataflyt.records.show_person import Page, Value, show_person
from dataflyt.run.open_plan import open_plan
from dataflyt.warehouse.people import NotFound
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Visit, Visiting
from dataflyt_web.pages import decisions
from dataflyt_web.pages.decisions import Row
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("person.title", "person")

ORDER = ("Beskyttelse", "Person", "Foresatte", "Barn", "Kontakt", "FEIDE-konto", "Skole", "Stilling", "Grupper")
"""The sections in the order of the page; the others come last."""

WAITS = ("waiting", "running")
"""The outcomes of a run that may still be released."""


@router.get("/kommune/{kommune_id}/person")
def show_search(request: Request, visit: Visiting) -> Any:
    """Show the form to search with."""
    return _page(request, visit)


@router.post("/kommune/{kommune_id}/person", dependencies=[FromOurForm])
def show_one(
    request: Request,
    visit: Visiting,
    who: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    at: Annotated[str, Form()] = "",
    graded: Annotated[bool, Form()] = False,
    numbers: Annotated[bool, Form()] = False,
    plan: Annotated[bool, Form()] = False,
) -> Any:
    """Show a person. Each look is kept in the audit; with ``plan`` also what a waiting run changes."""
    asked: dict[str, Any] = {"who": who, "purpose": purpose, "at": at, "graded": graded, "numbers": numbers}
    visitor = visit.visitor(purpose, "person")
    try:
        page = show_person(visit.kommune, visit.environment, who, visitor, at=_day(at), graded=graded, numbers=numbers)
    except NotFound as nobody:
        return _page(request, visit, 404, error=nobody.sentence, **asked)
    decided = about_person(visit.kommune, visit.environment, page.person_id, visitor, graded=graded)
    with open_plan(visit.kommune, visit.environment, None, visitor) as opened:
        last = read_lines(opened.connection, [visit.kommune.id], 1)[visit.kommune.id].last
        waits = last is not None and last.outcome in WAITS and opened.run.state == "merged"
        waiting = opened.run.number if waits else None
        # Shown when the audit is kept, not before.
        rows = opened.about(page.person_id, graded=graded) if plan and waiting else None
    return _page(
        request,
        visit,
        person=page,
        current=_sections(page.current),
        earlier=page.earlier,
        decided=_decided(visit, decided),
        waiting=waiting,
        rows=rows,
        pupil=any(one.section in ("Skole", "Foresatte") for one in page.current),
        **asked,
    )


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said.strip()) if said.strip() else None
    except ValueError:
        raise ConfigError("Skriv dagen som 2026-11-20, eller la feltet stå tomt.") from None


def _sections(values: tuple[Value, ...]) -> list[tuple[str, list[Value]]]:
    """Return the values section by section, what callers ask about first."""
    ordered = sorted(values, key=lambda one: ORDER.index(one.section) if one.section in ORDER else len(ORDER))
    return [(name, list(found)) for name, found in groupby(ordered, lambda one: one.section)]


def _decided(visit: Visit, found: AboutPerson) -> dict[str, list[Row]]:
    """Return the decisions as the lists of the decisions' page have them."""
    names = {one.id: one.name for one in visit.kommune.people}
    rows: dict[str, list[Row]] = {
        what: [decisions.of_access(what, one, names) for one in lines] for what, lines in found.access.items()
    }
    rows["overrides"] = [decisions.of_override(one) for one in found.overrides]
    rows["manual_people"] = [decisions.of_manual(one) for one in found.manual_people]
    rows["links"] = [decisions.of_link(one) for one in found.links]
    return {what: some for what, some in rows.items() if some}


def _page(request: Request, visit: Visit, status: int = 200, **values: Any) -> Any:
    known: dict[str, Any] = {"who": "", "purpose": "", "at": "", "graded": False, "numbers": False, "error": ""}
    person: Page | None = None
    return show(request, "person.html", visit, status, **({"person": person} | known | values))
