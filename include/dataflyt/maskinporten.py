"""Maskinporten: from a connection to an access token.

Goes out: a grant signed with the connection's key (RFC 7523, RS256, ``kid`` in the header). Comes in: an access token
that is opaque to us and kept in memory until 30 seconds before it ends. A grant can be used once, so every try makes a
new one. Source: Digdir, "Maskinporten: API consumer guide" and its list of error codes (MP-nnn).

The connection: ``login`` is the client id, ``password`` the private key (PEM), ``extra`` has ``token_endpoint``,
``issuer``, ``kid``, ``scope``. The key, the grant and the token are never logged or put into an exception.
"""

import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlencode

import httpx
import jwt
import orjson

from dataflyt.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceRefused, SourceUnavailable
from dataflyt.http import Answer, Settings, open_client, require_https, send, unavailable

WHO = "Maskinporten"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_LIFETIME = 100
"""Seconds; Maskinporten takes at most 120."""
MARGIN = 30.0
"""A token is not used in its last seconds."""

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class _Kept:
    token: str = field(repr=False)
    until: float


_kept: dict[Key, _Kept] = {}
_locks: dict[Key, threading.Lock] = {}
_guard = threading.Lock()

_KEY = "nøkkelen i tilkoblingen {name} er ukjent eller utløpt: den som forvalter klienten, må registrere en ny"
_CLOCK = "den kom for sent eller to ganger: den som drifter maskinen, må stille klokken"
_SYSTEM_USER = "systembrukeren er ikke satt opp: kommunens Altinn-ansvarlige må godkjenne den"
_REASONS: dict[str, tuple[type[DataflytError], str]] = {
    "MP-100": (ConfigError, "klienten er ukjent: den som forvalter tilkoblingen {name}, må rette klient-id (login)"),
    "MP-110": (ConfigError, "issuer er feil: den som forvalter tilkoblingen {name}, må rette issuer"),
    "MP-011": (ConfigError, "et felt er feil: den som forvalter tilkoblingen {name}, må rette den"),
    "MP-120": (ConfigError, _KEY),
    "MP-121": (ConfigError, _KEY),
    "MP-122": (ConfigError, _KEY),
    "MP-123": (ConfigError, _KEY),
    "MP-124": (ConfigError, _KEY),
    "MP-012": (SourceRefused, _CLOCK),
    "MP-130": (SourceRefused, _CLOCK),
    "MP-200": (ConfigError, "scope er feil: den som forvalter tilkoblingen {name}, må rette scope"),
    "MP-201": (ConfigError, "scope er feil: den som forvalter tilkoblingen {name}, må rette scope"),
    "MP-250": (SourceRefused, "kommunen har ikke tilgang til scopet: kommunen må be eieren av registeret om tilgang"),
    "MP-251": (SourceRefused, "delegeringen mangler: kommunens Altinn-ansvarlige må delegere tilgangen"),
    "MP-301": (SourceRefused, _SYSTEM_USER),
    "MP-302": (SourceRefused, _SYSTEM_USER),
    "MP-303": (SourceRefused, _SYSTEM_USER),
}
_ONCE_MORE = {"MP-012", "MP-130"}


def token(connection: Connection, rejected: str | None = None, *, settings: Settings | None = None) -> str:
    """Give an access token for the connection's scope; a ``rejected`` one is not given again.

    Asks at most once at a time per connection, and once per call: callers try again on SourceUnavailable. Raises
    ConfigError or SourceRefused when a person must do something.
    """
    extra = _extra(connection)
    key = (connection.name, connection.login or "", extra["token_endpoint"], extra["scope"])
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        kept = _kept.get(key)
        if kept is None or kept.token == rejected or time.monotonic() >= kept.until:
            _kept.pop(key, None)
            kept = _kept[key] = _fetch(connection, extra, settings or Settings())
        return kept.token


def _extra(connection: Connection) -> dict[str, str]:
    names = ("token_endpoint", "issuer", "kid", "scope")
    extra = {name: str(connection.extra.get(name) or "") for name in names}
    missing = [name for name, value in extra.items() if not value]
    missing += [name for name in ("login", "password") if not getattr(connection, name)]
    if missing:
        raise ConfigError(f"Tilkoblingen {connection.name} mangler {', '.join(missing)}: skriv det inn i tilkoblingen.")
    require_https(connection, extra["token_endpoint"])
    return extra


def _fetch(connection: Connection, extra: dict[str, str], settings: Settings) -> _Kept:
    with open_client(connection, settings) as client:
        asked = time.monotonic()
        answer = _ask(client, connection, extra, settings)
        if answer.status != httpx.codes.OK and _code(answer) in _ONCE_MORE:
            answer = _ask(client, connection, extra, settings)
    if error := unavailable(WHO, answer, 1.0, settings):
        raise error
    if answer.status != httpx.codes.OK:
        raise _refusal(connection, answer)
    body = _object(answer)
    value, lifetime = body.get("access_token"), body.get("expires_in")
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value) or not isinstance(lifetime, (int, float)):
        raise SourceUnavailable(f"{WHO} sendte et svar uten token: Dataflyt prøver igjen.", status=answer.status)
    return _Kept(value, asked + lifetime - MARGIN)


def _ask(client: httpx.Client, connection: Connection, extra: dict[str, str], settings: Settings) -> Answer:
    form = urlencode({"grant_type": GRANT_TYPE, "assertion": _grant(connection, extra)}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return send(client, WHO, "POST", extra["token_endpoint"], form, headers, settings)


def _grant(connection: Connection, extra: dict[str, str]) -> str:
    now = int(time.time())
    claims = {
        "aud": extra["issuer"],
        "iss": connection.login,
        "scope": extra["scope"],
        "iat": now,
        "exp": now + GRANT_LIFETIME,
        "jti": str(uuid.uuid4()),
    }
    try:
        return jwt.encode(claims, connection.password or "", algorithm="RS256", headers={"kid": extra["kid"]})
    except Exception:  # noqa: S110  whatever the key is, its text must not come out
        pass
    raise ConfigError(
        f"Nøkkelen i tilkoblingen {connection.name} kan ikke brukes: legg inn en privat RSA-nøkkel (PEM)."
    )


def _refusal(connection: Connection, answer: Answer) -> DataflytError:
    code = _code(answer)
    kind, reason = _REASONS.get(
        code, (SourceRefused, "grunnen er ukjent: den som forvalter tilkoblingen {name}, må ta det opp med Digdir")
    )
    if answer.html:
        reason = "en brannmur stanset den: den som drifter maskinen, må åpne for Maskinporten"
    why = f"HTTP {answer.status}{', ' if code else ''}{code}"
    return kind(f"{WHO} avviste forespørselen ({why}), {reason.format(name=connection.name)}.", status=answer.status)


def _code(answer: Answer) -> str:
    said = " ".join(str(_object(answer).get(key, "")) for key in ("error_description", "error_uri", "error"))
    found = re.search(r"\bMP-[0-9]{3}\b", said)
    return found[0] if found else ""


def _object(answer: Answer) -> dict[str, object]:
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
