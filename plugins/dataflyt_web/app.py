"""The app: the pages' routes, the headers of every answer, and pages for what goes wrong.

app = create_app()      mounted by plugins/pages.py under /dataflyt
"""

from contextlib import suppress
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dataflyt.errors import DataflytError, NotAllowed, SourceUnavailable
from dataflyt_web import installation
from dataflyt_web.forms import NotOurForm
from dataflyt_web.installation import Installation
from dataflyt_web.login import Missing
from dataflyt_web.pages import PAGES
from dataflyt_web.showing import HERE, link, path_of, show

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'",
    "X-Frame-Options": "SAMEORIGIN",  # Airflow shows the pages in a frame
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser hides where a form comes from, see forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Robots-Tag": "noindex, nofollow",
}
"""The headers of every answer."""


def create_app(found: Installation | None = None) -> FastAPI:
    """Return the app for an installation, by default the one that Airflow's settings and connections describe."""
    app = FastAPI(title="Dataflyt", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.installation = found or Installation(installation.environment, installation.dags, installation.ended)
    app.state.tabs = tuple(page.TAB for page in PAGES if page.TAB)
    for page in PAGES:
        app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_middleware(Headers)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _missing)
    app.add_exception_handler(Missing, _missing)
    app.add_exception_handler(NotOurForm, _not_our_form)
    app.add_exception_handler(DataflytError, _said)
    app.add_exception_handler(Exception, _broken)
    Thread(target=_read_ahead, args=(app.state.installation,), daemon=True).start()
    return app


def _read_ahead(found: Installation) -> None:
    """Read the kommune files, so that the first who opens a page does not wait for hundreds of them."""
    with suppress(DataflytError):  # the page says what is wrong
        found.kommuner()


class Headers:
    """Gives every answer ``HEADERS``, and lets nobody keep a page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                static = "/static/" in scope["path"] and message["status"] == 200
                headers["Cache-Control"] = "public, max-age=31536000, immutable" if static else "no-store"
            await send(message)

        await self.app(scope, receive, sent)


async def _refused(request: Request, error: Any) -> Any:
    """Send somebody who has not logged in to Airflow's login, and a program away."""
    if error.status_code not in (401, 403):
        return await _missing(request, error)
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("Log in to Airflow.", 401)
    here = request.scope.get("root_path", "") + path_of(request)
    query = f"?{request.scope['query_string'].decode('ascii', 'replace')}" if request.scope["query_string"] else ""
    return RedirectResponse(f"{link(request)}../api/v2/auth/login?{urlencode({'next': here + query})}", 302)


async def _missing(request: Request, error: Any) -> Any:
    """Tell somebody who has logged in that there is no such page; the same for what they may not know of."""
    return show(request, "error.html", None, 404, title="error.missing", sentence="", again=False)


async def _not_our_form(request: Request, error: Any) -> Any:
    return show(request, "error.html", None, 403, title="error.form", sentence="", again=False)


async def _said(request: Request, error: Any) -> Any:
    """Show the sentence of an expected error."""
    away = isinstance(error, SourceUnavailable)
    status = 403 if isinstance(error, NotAllowed) else 503 if away else 400
    visit = getattr(request.state, "visit", None)
    return show(request, "error.html", visit, status, title="error.said", sentence=error.sentence, again=away)


async def _broken(request: Request, error: Any) -> Any:
    """Say that something is wrong here. The error itself is in the server's log: this answer passes by ``Headers``."""
    answer = show(request, "error.html", None, 500, title="error.broken", sentence="", again=True)
    answer.headers.update({**HEADERS, "Cache-Control": "no-store"})
    return answer
