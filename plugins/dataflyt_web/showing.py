"""Showing a page: its template with the texts, relative links, and the forms' token.

Links are relative, so that the pages work behind a proxy that gives Airflow a path of its own.
"""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dataflyt.formats.dates import OSLO
from dataflyt_web import charts, forms
from dataflyt_web.login import Somebody, Visit
from dataflyt_web.texts import LANGUAGES, Texts

HERE = Path(__file__).parent
LANGUAGE = "dataflyt_language"
"""The cookie, and the parameter, that choose a language."""


class Tab(NamedTuple):
    """A page of a kommune in the menu: the key of its name in the texts, and its path below ``kommune/<id>``."""

    name: str
    path: str


_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


_templates.filters["moment"] = datetime.fromisoformat


def texts_of(request: Request) -> Texts:
    """Return the texts in the language that the user has chosen."""
    return Texts(request.query_params.get(LANGUAGE) or request.cookies.get(LANGUAGE) or "")


def show(request: Request, template: str, who: Visit | Somebody | None, /, status: int = 200, **values: Any) -> Any:
    """Return a page: ``template`` with ``values``, for the user at a kommune, the user, or nobody in particular."""
    texts = texts_of(request)
    somebody = who.somebody if isinstance(who, Visit) else who
    visit = who if isinstance(who, Visit) else None
    page = _templates.get_template(template).render(
        t=texts,
        languages=LANGUAGES,
        url=lambda path="", /, **query: link(request, path, **query),
        airflow=lambda path: f"{_up(request)}../{path}",
        asset=lambda name: link(request, f"static/{name}", v=_version(name)),
        charts=charts,
        oslo=OSLO,
        request_path=path_of(request).lstrip("/"),
        query=dict(request.query_params),
        somebody=somebody,
        visit=visit,
        kommune=visit.kommune if visit else None,
        tabs=request.app.state.tabs if visit else (),
        token=forms.token(somebody) if somebody else "",
        **values,
    )
    answer = HTMLResponse(page, status)
    if (chosen := request.query_params.get(LANGUAGE)) in LANGUAGES:
        path = request.scope.get("root_path", "") or "/"
        answer.set_cookie(LANGUAGE, str(chosen), max_age=31536000, path=path, httponly=True, samesite="lax")
    return answer


def link(request: Request, path: str = "", /, **query: object) -> str:
    """Return the relative address of a page of ours from the page of this request. Values that are None are left out.

    Nothing about a person may stand in ``path`` or ``query``.
    """
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    return f"{_up(request)}{quote(path)}{'?' if asked else ''}{asked}"


def path_of(request: Request) -> str:
    """Return the path of a request below the place where the pages are mounted: ``/kommune/haugesund``."""
    return str(request.scope["path"]).removeprefix(request.scope.get("root_path", "")) or "/"


def _up(request: Request) -> str:
    """Return the way from the page of this request up to the first page."""
    return "../" * (path_of(request).count("/") - 1) or "./"


@cache
def _version(name: str) -> str:
    """Return a word that changes with a static file, so that browsers may keep the file."""
    return hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
