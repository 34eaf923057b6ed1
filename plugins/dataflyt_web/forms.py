"""Forms: every POST carries a token that this server signed for this user, and comes from a page of this server.

Looks and decisions are POSTs, so that nothing about a person stands in an address, nor in a log of addresses.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.configuration import conf
from fastapi import Depends, Form, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from dataflyt_web.login import LoggedIn, Somebody

LASTS = 12 * 60 * 60
"""Seconds that a token is valid: a page may be left open through a working day."""


class NotOurForm(Exception):
    """A form that is too old, another user's, or from another server."""


def token(somebody: Somebody) -> str:
    """Return the token for the forms of a user's page."""
    return _signer().dumps(somebody.id)


def must_be_ours(request: Request, somebody: LoggedIn, token: Annotated[str, Form()] = "") -> None:
    """Raise NotOurForm unless the form is from one of this user's pages here."""
    origin = request.headers.get("origin")
    at_home = {request.headers.get("host"), urlsplit(str(conf.get("api", "base_url", fallback=""))).netloc} - {"", None}
    if origin is not None and urlsplit(origin).netloc not in at_home:
        raise NotOurForm
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise NotOurForm
    try:
        signed_for: Any = _signer().loads(token, max_age=LASTS)
    except BadSignature:
        raise NotOurForm from None
    if signed_for != somebody.id:
        raise NotOurForm


FromOurForm = Depends(must_be_ours)
"""The dependency of every POST."""


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(get_signing_key("api", "secret_key"), salt="dataflyt form")
