"""Maskinporten: from a connection to an access token.

Goes out: a grant (RFC 7523) signed with the connection's key. Comes in: an access token, opaque to us and kept in
memory until 30 seconds before it expires. A grant can be used once, so every try makes a new one. Source: Digdir,
"Maskinporten: API consumer guide" and its list of error codes (MP-nnn).

The connection: ``login`` is the client id, ``password`` the private key (PEM). Its ``extra``:

- ``issuer``, ``scope``, and ``token_endpoint``: ``token`` below the issuer when left out, as Digdir's metadata have it;
- ``kid``, the id under which the key is registered, or ``x5c``, the list of the certificate chain, each base64 of DER;
- ``alg``: RS256 (when left out), RS384 or RS512;
- ``consumer_org``: the organisation number of the kommune that has delegated its access to the client's owner;
- ``resource``: a list, only where a register asks for it. FREG refuses tokens with it (Skatteetaten, "Maskinporten");
- ``key_registered``: the day the key was registered, for ``dataflyt doctor``.

The key, the grant and the token are never logged or put into an exception.
"""

import base64
import contextlib
import logging
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode

import httpx
import jwt
import orjson

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceRefused, SourceUnavailable
from dataflyt.registers.answers import Answer, json_of
from dataflyt.registers.http import open_client, require_https, send, unavailable
from dataflyt.registers.settings import Settings

log = logging.getLogger(__name__)

WHO = "Maskinporten"
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ALGORITHMS = ("RS256", "RS384", "RS512")
GRANT_LIFETIME = 100
"""Seconds; Maskinporten accepts at most 120."""
MARGIN = 30.0
"""Seconds. A token is not used this close to its end."""
CLOCK_MAY_DIFFER = 5.0
"""Seconds; Maskinporten allows 10, and gives its own time in whole seconds."""

Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class _Kept:
    token: str = field(repr=False)
    until: float


_kept: dict[Key, _Kept] = {}
_locks: dict[Key, threading.Lock] = {}
_guard = threading.Lock()

_KEY = "legg nøkkelen og «kid» inn i tilkoblingen {name} med datoen som key_registered"
_SYSTEM_USER = "systembrukeren er ikke satt opp: kommunens Altinn-ansvarlige må godkjenne den"
_NO_SCOPE = "be {owner} om tilgang til scopet"
_REASONS: dict[str, tuple[type[DataflytError], str]] = {
    "MP-100": (ConfigError, "klienten er ukjent: den som forvalter tilkoblingen {name}, må rette klient-id (login)"),
    "MP-110": (ConfigError, "issuer er feil: den som forvalter tilkoblingen {name}, må rette issuer"),
    "MP-011": (ConfigError, "et felt er feil: den som forvalter tilkoblingen {name}, må rette scope eller extra"),
    "MP-120": (
        ConfigError,
        f"nøkkelen er ukjent: den som forvalter klienten, må registrere den hos Digdir, så {_KEY}",
    ),
    "MP-121": (
        ConfigError,
        f"nøkkelen er utløpt: den som forvalter klienten, må lage en ny og registrere den hos Digdir, så {_KEY}",
    ),
    "MP-122": (ConfigError, "sertifikatet kan ikke brukes: den som forvalter {name}, må legge inn et gyldig som x5c"),
    "MP-123": (ConfigError, "x5c er feil: den som forvalter {name}, må skrive hele kjeden som en liste"),
    "MP-124": (
        ConfigError,
        "signaturen er feil: den som forvalter {name}, må legge inn den private nøkkelen som hører til «kid» eller x5c",
    ),
    "MP-012": (SourceRefused, "den kom to ganger: prøv kjøringen på nytt"),
    "MP-130": (SourceRefused, "den kom for sent: den som drifter maskinen, må stille klokken"),
    "MP-200": (
        ConfigError,
        f"scope er feil, eller klienten har det ikke: den som forvalter {{name}}, må rette scope, eller {_NO_SCOPE}",
    ),
    "MP-201": (ConfigError, "scope er feil: den som forvalter tilkoblingen {name}, må rette scope"),
    "MP-250": (SourceRefused, f"kommunen har ikke tilgang til scopet: kommunen må {_NO_SCOPE}"),
    "MP-251": (
        SourceRefused,
        "delegeringen mangler: kommunens Altinn-ansvarlige må delegere tilgangen i Altinn til den som eier klienten",
    ),
    "MP-301": (SourceRefused, _SYSTEM_USER),
    "MP-302": (SourceRefused, _SYSTEM_USER),
    "MP-303": (SourceRefused, _SYSTEM_USER),
}
_ONCE_MORE = {"MP-012", "MP-130"}
_OWNERS = {"folkeregister": "Skatteetaten", "krr": "Digdir", "ks": "KS"}


@dataclass(frozen=True)
class Client:
    """A connection's facts about a client of Maskinporten; ``claims`` and ``headers`` are the grant's."""

    token_endpoint: str
    issuer: str
    scope: str
    alg: str
    headers: dict[str, Any] = field(repr=False)
    claims: dict[str, Any] = field(repr=False)


def token(connection: Connection, rejected: str | None = None, *, settings: Settings | None = None) -> str:
    """Return an access token for the connection's scope, never the ``rejected`` one.

    One thread at a time asks for a connection's token, once per call: callers try again on SourceUnavailable. Raises
    ConfigError or SourceRefused when a person must do something.
    """
    client = client_of(connection)
    key = _key_of(connection, client)
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        kept = _kept.get(key)
        if kept is None or kept.token == rejected or time.monotonic() >= kept.until:
            _kept.pop(key, None)
            kept = _kept[key] = _fetch(connection, client, settings or Settings())
        return kept.token


def forget(connection: Connection) -> None:
    """Keep no token of the connection: the next one is fetched. Raises ConfigError as ``client_of``."""
    _kept.pop(_key_of(connection, client_of(connection)), None)


def _key_of(connection: Connection, client: Client) -> Key:
    return (connection.name, client.token_endpoint, client.scope, repr(sorted(client.claims.items())))


def client_of(connection: Connection) -> Client:
    """Read the client from a connection. Raises ConfigError, which tells what to write instead."""
    extra = connection.extra
    connection.require("login", "password", "issuer", "scope")
    endpoint = str(extra.get("token_endpoint") or f"{str(extra['issuer']).rstrip('/')}/token")
    require_https(connection, endpoint)
    kid, x5c = extra.get("kid"), extra.get("x5c")
    alg, scope = str(extra.get("alg") or "RS256"), str(extra["scope"])
    consumer, resource = extra.get("consumer_org"), extra.get("resource")
    wrong = None
    if bool(kid) == bool(x5c):
        wrong = "skal ha enten kid eller x5c: skriv den ene, og ta den andre bort"
    elif x5c and not (isinstance(x5c, list) and all(isinstance(one, str) and one for one in x5c)):
        wrong = "har en x5c som ikke er en liste: skriv sertifikatkjeden som en liste med base64 av DER"
    elif alg not in ALGORITHMS:
        wrong = f"har en alg som Maskinporten ikke tar: skriv {', '.join(ALGORITHMS)} eller ta den bort"
    elif consumer and not re.fullmatch(r"[0-9]{9}", str(consumer)):
        wrong = "har en consumer_org som ikke er et organisasjonsnummer: skriv ni sifre"
    elif resource and not isinstance(resource, list):
        wrong = "har en resource som ikke er en liste: skriv den som en liste, eller ta den bort"
    elif resource and "folkeregister:" in scope:
        wrong = "har resource, men Folkeregisteret tar bare token uten: ta den bort"
    if wrong:
        raise ConfigError(f"Tilkoblingen {connection.name} {wrong}.")
    claims: dict[str, Any] = {"aud": str(extra["issuer"]), "iss": connection.login, "scope": scope}
    claims |= {"consumer_org": str(consumer)} if consumer else {}
    claims |= {"resource": resource} if resource else {}
    headers: dict[str, Any] = {"x5c": x5c} if x5c else {"kid": str(kid)}
    return Client(endpoint, str(extra["issuer"]), scope, alg, headers, claims)


def key_ends(connection: Connection) -> date | None:
    """Return the last day of the connection's key: a certificate states it, a registered key lasts a year.

    None if the connection does not give the day of registration. Raises ConfigError for a certificate or a date that
    cannot be read, and for a certificate that belongs to another key.
    """
    x5c, registered = connection.extra.get("x5c"), connection.extra.get("key_registered")
    if x5c:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509 import load_der_x509_certificate

        try:
            certificate = load_der_x509_certificate(base64.b64decode(x5c[0], validate=True))
            key = load_pem_private_key(private_key(connection).encode(), None)
        except (ValueError, TypeError):
            certificate = None
        if certificate is None or certificate.public_key() != key.public_key():
            raise ConfigError(
                f"Sertifikatet i tilkoblingen {connection.name} kan ikke leses eller hører til en annen nøkkel: skriv "
                "kjeden som x5c, base64 av DER, nøkkelens eget sertifikat først."
            )
        return certificate.not_valid_after_utc.date()
    if not registered:
        return None
    try:
        return date.fromisoformat(str(registered)) + timedelta(days=365)
    except ValueError:
        raise ConfigError(
            f"Tilkoblingen {connection.name} har en key_registered som ikke er en dato: skriv den slik: 2026-01-31."
        ) from None


def clock_ahead(answer: Answer) -> float:
    """Return the seconds that this machine's clock is ahead of the server's, by the answer's Date; 0 without a Date."""
    with contextlib.suppress(ValueError, TypeError):
        return time.time() - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    return 0.0


def _fetch(connection: Connection, client: Client, settings: Settings) -> _Kept:
    ahead = 0.0
    with open_client(connection, settings, client.token_endpoint) as http:
        asked = time.monotonic()
        answer = _ask(http, connection, client, settings, ahead)
        if answer.status == httpx.codes.BAD_REQUEST:
            ahead = clock_ahead(answer)
            wrong = abs(ahead) > CLOCK_MAY_DIFFER
            if wrong:
                log.warning("This machine's clock is %.0f s ahead of Maskinporten's: it should be set.", ahead)
            if wrong or _code(answer) in _ONCE_MORE:
                answer = _ask(http, connection, client, settings, ahead if wrong else 0.0)
    if error := unavailable(WHO, answer, 1.0, settings):
        raise error
    if answer.status != httpx.codes.OK:
        raise _refusal(connection, client, answer, ahead)
    body = _object(answer)
    value, lifetime = body.get("access_token"), body.get("expires_in")
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value) or not isinstance(lifetime, (int, float)):
        raise SourceUnavailable(f"{WHO} sendte et svar uten token: Dataflyt prøver igjen.", status=answer.status)
    return _Kept(value, asked + lifetime - MARGIN)


def _ask(http: httpx.Client, connection: Connection, client: Client, settings: Settings, ahead: float) -> Answer:
    assertion = grant(connection, client, int(time.time() - ahead))
    form = urlencode({"grant_type": GRANT_TYPE, "assertion": assertion}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return send(http, WHO, "POST", client.token_endpoint, form, headers, settings)


def grant(connection: Connection, client: Client, now: int) -> str:
    """Return a signed grant issued ``now``. Raises ConfigError if the connection's key cannot sign."""
    claims = client.claims | {"iat": now, "exp": now + GRANT_LIFETIME, "jti": str(uuid.uuid4())}
    try:
        return jwt.encode(claims, private_key(connection), algorithm=client.alg, headers=client.headers)
    except Exception:  # noqa: S110  the exception may quote the key
        pass
    raise ConfigError(
        f"Nøkkelen i tilkoblingen {connection.name} kan ikke brukes: legg inn en privat RSA-nøkkel (PEM)."
    )


def private_key(connection: Connection) -> str:
    """Return the connection's key as PEM has it: a form with room for one line has joined the key's lines."""
    text = (connection.password or "").replace("\\n", "\n")
    found = re.fullmatch(r"\s*(-----BEGIN [A-Z ]+-----)([A-Za-z0-9+/=\s]+)(-----END [A-Z ]+-----)\s*", text)
    if not found:
        return text
    body = "".join(found[2].split())
    return "\n".join([found[1], *(body[at : at + 64] for at in range(0, len(body), 64)), found[3], ""])


def _refusal(connection: Connection, client: Client, answer: Answer, ahead: float) -> DataflytError:
    code = _code(answer)
    kind, reason = _REASONS.get(
        code, (SourceRefused, "grunnen er ukjent: den som forvalter tilkoblingen {name}, må ta det opp med Digdir")
    )
    if abs(ahead) > CLOCK_MAY_DIFFER and code in ("", "MP-130"):
        kind, reason = SourceRefused, f"{said_of_clock(ahead)}: den som drifter maskinen, må stille den"
    if answer.html:
        kind, reason = SourceRefused, "en brannmur stanset den: den som drifter maskinen, må åpne for Maskinporten"
    why = f"HTTP {answer.status}{', ' if code else ''}{code}"
    owner = _OWNERS.get(client.scope.partition(":")[0], "eieren av registeret")
    said = reason.format(name=connection.name, owner=owner)
    return kind(f"{WHO} avviste forespørselen ({why}), {said}.", status=answer.status)


def said_of_clock(ahead: float) -> str:
    """Tell in Norwegian how wrong this machine's clock is."""
    return f"klokken på denne maskinen går {abs(ahead):.0f} sekunder for {'fort' if ahead > 0 else 'sakte'}"


def _code(answer: Answer) -> str:
    said = " ".join(str(_object(answer).get(key, "")) for key in ("error_description", "error_uri", "error"))
    found = re.search(r"\bMP-[0-9]{3}\b", said)
    return found[0] if found else ""


def _object(answer: Answer) -> dict[str, object]:
    try:
        body = json_of(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
