"""Beslutninger: what people have decided, and what they decide now. What gives takes two people."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, TypeAlias

from fastapi import APIRouter, Depends, Form, Request

from dataflyt.decisions import access_lists, block, deciding, grant, manual_person, people_lists
from dataflyt.decisions.access_lists import Line, What
from dataflyt.decisions.deciding import Waiting
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.override import FIELDS
from dataflyt.decisions.people_lists import LinkRow, ManualRow, OverrideRow
from dataflyt.errors import DataflytError, NotAllowed
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals
from dataflyt_web import decision_forms
from dataflyt_web.decision_forms import KINDS, Looker, Unusable
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Missing, Visit, Visiting
from dataflyt_web.showing import Tab, show

router = APIRouter()
TAB = Tab("decisions.title", "decisions")

Purpose: TypeAlias = Annotated[str, Form()]
Graded: TypeAlias = Annotated[bool, Form()]


class Row(NamedTuple):
    """A decision in a list: its people, the rest in words, and the forms that lead on, with what they begin with."""

    number: int
    about: str
    words: tuple[str, ...]
    forms: Mapping[str, Mapping[str, str]]


_BASES = grant.BASES | block.BASES


def of_access(what: What, line: Line, names: Mapping[str, str]) -> Row:
    """Return a row of one of ``access_lists``."""
    forms = {kind: {field: str(_PLACES[field](line)) for field in fields} for kind, fields in _ENDS[what].items()}
    if what == "grants" and "consent" not in line.words:
        del forms["withdraw_consent"]
    words = tuple(_BASES.get(word, names.get(word, word)) for word in line.words)
    return Row(line.number, " – ".join(one for one in (line.person, line.adult) if one), words, forms)


_PLACES: dict[str, Callable[[Line], object]] = {
    "grant": lambda line: line.number,
    "block": lambda line: line.number,
    "child": lambda line: line.person_id,
    "person": lambda line: line.person_id,
    "adult": lambda line: line.adult_id,
}
_ENDS: dict[What, dict[str, tuple[str, ...]]] = {
    "grants": {"end_grant": ("grant",), "withdraw_consent": ("grant",)},
    "blocks": {"lift_block": ("block",)},
    "suspensions": {"keep_suspension": ("child", "adult"), "lift_suspension": ("child", "adult")},
    "publishable": {"end_publishable": ("person",)},
    "held_back": {"end_hold_back": ("person",)},
}
"""The forms that a decision of each sort leads to, and what they begin with."""


def of_override(row: OverrideRow) -> Row:
    """Return a row of the overrides."""
    beside = f"registeret: {row.registered}" if row.registered else ""
    review = f"vurderes {row.review_on:%d.%m.%Y}" if row.review_on else ""
    words = (f"{FIELDS[row.field]} = {row.value or 'ingen'}", beside, row.reason, row.case_number, review)
    return Row(row.number, row.name, words, {"end_override": {"override": str(row.number)}})


def of_manual(row: ManualRow) -> Row:
    """Return a row of the people who are registered by hand."""
    last = f"til {row.until:%d.%m.%Y}" if row.until else f"vurderes {row.review_on:%d.%m.%Y}" if row.review_on else ""
    kind = manual_person.KINDS[row.kind] + (f", for {row.stands_for}" if row.stands_for else "")
    words = (kind, f"{row.unit_id} {row.group_id or ''}".strip(), last, row.sponsor, row.reason)
    return Row(row.number, row.name, words, {"end_manual_person": {"manual_person": str(row.number)}})


def of_link(row: LinkRow) -> Row:
    """Return a row of the links."""
    return Row(row.number, row.name, ("to er én" if row.joined else "delt i to", row.reason, row.case_number), {})


def _access(what: What) -> Callable[[Visit, Visitor, bool], list[Row]]:
    def read(visit: Visit, who: Visitor, graded: bool) -> list[Row]:
        names = {one.id: one.name for one in visit.kommune.people}
        lines = access_lists.listed(visit.kommune, visit.environment, what, who, graded=graded)
        return [of_access(what, line, names) for line in lines]

    return read


def _people(listed: Callable[..., Any], row_of: Callable[[Any], Row]) -> Callable[[Visit, Visitor, bool], list[Row]]:
    return lambda visit, who, graded: [
        row_of(row) for row in listed(visit.kommune, visit.environment, who, graded=graded)
    ]


LISTS: dict[str, Callable[[Visit, Visitor, bool], list[Row]]] = {
    "grants": _access("grants"),
    "blocks": _access("blocks"),
    "suspensions": _access("suspensions"),
    "held_back": _access("held_back"),
    "publishable": _access("publishable"),
    "overrides": _people(people_lists.overrides, of_override),
    "manual_people": _people(people_lists.manual_people, of_manual),
    "links": _people(people_lists.links, of_link),
}
"""The lists, besides that of proposals."""


async def _typed(request: Request) -> dict[str, str]:
    """Return the fields of the form that was sent."""
    return {name: said for name, said in (await request.form()).items() if isinstance(said, str)}


Typed: TypeAlias = Annotated[dict[str, str], Depends(_typed)]


@router.get("/kommune/{kommune_id}/decisions")
@router.get("/kommune/{kommune_id}/decisions/answer")  # after another language is chosen on an answer
def show_decisions(request: Request, visit: Visiting) -> Any:
    """Show what can be listed and decided; nothing about anybody."""
    return _front(request, visit)


@router.post("/kommune/{kommune_id}/decisions", dependencies=[FromOurForm])
def show_list(
    request: Request, visit: Visiting, what: Annotated[str, Form()] = "", purpose: Purpose = "", graded: Graded = False
) -> Any:
    """Show a list of decisions. The look is kept in the audit."""
    if what != "proposals" and what not in LISTS:
        raise Missing
    who = visit.visitor(purpose, "decisions")
    if what == "proposals":
        waiting = deciding.waiting(visit.kommune, visit.environment, who, graded=graded)
        return _front(request, visit, what=what, waiting=waiting, purpose=purpose, graded=graded)
    rows = LISTS[what](visit, who, graded)
    return _front(request, visit, what=what, rows=rows, purpose=purpose, graded=graded)


def _front(request: Request, visit: Visit, **values: Any) -> Any:
    known: dict[str, Any] = {"what": "", "rows": None, "waiting": None, "purpose": "", "graded": False}
    return show(
        request, "decisions.html", visit, lists=["proposals", *LISTS], begin=decision_forms.BEGIN, **(known | values)
    )


@router.get("/kommune/{kommune_id}/decisions/new/{kind}")
def show_form(request: Request, visit: Visiting, kind: str) -> Any:
    """Show the empty form of a kind of decision."""
    return _form(request, visit, _kind(kind), {})


@router.post("/kommune/{kommune_id}/decisions/new/{kind}", dependencies=[FromOurForm])
def decide(
    request: Request,
    visit: Visiting,
    kind: str,
    typed: Typed,
    act: Annotated[str, Form()] = "",
    purpose: Purpose = "",
    graded: Graded = False,
) -> Any:
    """Try a decision (``act`` is ``try``), make or propose it (``decide``), or show the form as far as it is filled."""
    of_kind = _kind(kind)
    if act not in ("try", "decide"):
        return _form(request, visit, of_kind, typed, purpose=purpose, graded=graded)
    who = visit.visitor(purpose, f"decisions {kind}")
    tried = decision_forms.people_of(of_kind, typed)
    with refusals(visit.kommune, visit.environment.connect, who, kind, tried):
        visit.kommune.case_worker(who.id, "decide")
    try:
        with refusals(visit.kommune, visit.environment.connect, who, kind, tried):
            visit.kommune.case_worker(who.id, "graded" if graded else "persons")
        looker = Looker(visit.kommune, visit.environment, who, graded)
        decision = decision_forms.decision_of(of_kind, typed, looker)
        decided = deciding.decide(visit.kommune, visit.environment, decision, who, dry_run=act == "try")
    except DataflytError as error:  # what has been typed is not lost
        status = 403 if isinstance(error, NotAllowed) else 400
        return _form(request, visit, of_kind, typed, status, purpose=purpose, graded=graded, error=error)
    return _form(request, visit, of_kind, typed, purpose=purpose, graded=graded, decided=decided, act=act)


def _kind(kind: str) -> type[Decision]:
    if kind not in KINDS:
        raise Missing
    return KINDS[kind]


def _form(
    request: Request,
    visit: Visit,
    kind: type[Decision],
    typed: Mapping[str, str],
    status: int = 200,
    **values: Any,
) -> Any:
    known: dict[str, Any] = {"purpose": "", "graded": False, "error": None, "decided": None, "act": ""}
    error = values.get("error")
    return show(
        request,
        "decide.html",
        visit,
        status,
        kind=kind,
        fields=decision_forms.fields_of(kind),
        typed=typed,
        wrong=error.fields if isinstance(error, Unusable) else (),
        **(known | values),
    )


@router.post("/kommune/{kommune_id}/decisions/answer", dependencies=[FromOurForm])
def answer(
    request: Request,
    visit: Visiting,
    proposal: Annotated[int, Form()] = 0,
    act: Annotated[str, Form()] = "",
    purpose: Purpose = "",
    graded: Graded = False,
) -> Any:
    """Show a proposal, try it, or answer it: ``confirmed``, ``refused`` or ``taken_back``."""
    answers = ("try", "confirmed", "refused", "taken_back")
    who = visit.visitor(purpose, f"decisions {act if act in answers else 'answer'}")
    decided, error, status = None, None, 200
    listed = deciding.waiting(visit.kommune, visit.environment, who, graded=graded)
    about = next((one for one in listed if one.proposal == proposal), None)
    if act in answers:
        try:
            decided = deciding.answer(
                visit.kommune,
                visit.environment,
                proposal,
                "confirmed" if act == "try" else act,  # type: ignore[arg-type]
                who,
                dry_run=act == "try",
            )
        except DataflytError as refused:
            error, status = refused, 403 if isinstance(refused, NotAllowed) else 400
    return show(
        request,
        "answer.html",
        visit,
        status,
        proposal=proposal,
        about=about,
        mine=about is not None and _is_mine(visit, about),
        act=act,
        decided=decided,
        error=error,
        purpose=purpose,
        graded=graded,
    )


def _is_mine(visit: Visit, about: Waiting) -> bool:
    """Tell whether the user has proposed it. The function that answers decides; this is for which buttons to show."""
    return about.proposed_by in {one.name for one in visit.kommune.people if one.id == visit.somebody.id}
