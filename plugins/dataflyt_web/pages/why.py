"""Hvorfor?: why something is as it is, who corrects it, where, and when it shows; and what the caller may hear."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request

from dataflyt.errors import ConfigError, DataflytError
from dataflyt.warehouse.people import NotFound
from dataflyt.why.answering import why
from dataflyt.why.questions import QUESTIONS
from dataflyt.why.texts import LANGUAGES, NB, Language, said
from dataflyt_web.forms import FromOurForm
from dataflyt_web.login import Visit, Visiting
from dataflyt_web.showing import Tab, show, texts_of

router = APIRouter()
TAB = Tab("why.title", "why")


@router.get("/kommune/{kommune_id}/why")
def show_questions(request: Request, visit: Visiting) -> Any:
    """Show the form to ask with."""
    return _page(request, visit)


@router.post("/kommune/{kommune_id}/why", dependencies=[FromOurForm])
def ask(
    request: Request,
    visit: Visiting,
    question: Annotated[str, Form()] = "",
    who: Annotated[str, Form()] = "",
    child: Annotated[str, Form()] = "",
    word: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    graded: Annotated[bool, Form()] = False,
) -> Any:
    """Answer a question. The look is kept in the audit. Without a question, show the form as far as it is filled."""
    asked: dict[str, Any] = {
        "question": question,
        "who": who,
        "child": child,
        "word": word,
        "purpose": purpose,
        "graded": graded,
    }
    if not question:
        return _page(request, visit, **asked)
    try:
        answer = why(
            visit.kommune,
            visit.environment,
            question,
            visit.visitor(purpose, f"why {question if question in QUESTIONS else ''}".strip()),
            who=who.strip(),
            child=child.strip() or None,
            word=word.strip(),
            graded=graded,
            language=_language(request),
        )
    except (ConfigError, NotFound) as wrong:  # the question must be written otherwise: what has been typed is not lost
        return _page(request, visit, 400, error=wrong, **asked)
    return _page(request, visit, answer=answer, **asked)


def _language(request: Request) -> Language:
    """Return the language of the answer: the page's."""
    chosen = texts_of(request).language
    return next((language for language in LANGUAGES if language == chosen), NB)


def _page(request: Request, visit: Visit, status: int = 200, **values: Any) -> Any:
    language = _language(request)
    known: dict[str, Any] = {"question": "", "who": "", "child": "", "word": "", "purpose": "", "graded": False}
    error: DataflytError | None = None
    return show(
        request,
        "why.html",
        visit,
        status,
        questions={name: said(language, "questions", name) for name in QUESTIONS},
        spoken=language,
        **({"answer": None, "error": error} | known | values),
    )
