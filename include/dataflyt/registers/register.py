"""A register that is asked about people: questions with a token, retries, and refusals as sentences.

These are tried again, with growing waits: lost connections, time limits, 408, 425, 429, 5xx, and a 200 whose body has
the wrong shape. A 401 is tried once more with a fresh token. Every other answer is a refusal: a person must look at it.

The questions to a host, at a time and per second, are limited by the settings or by the connection's ``max_concurrent``
and ``max_per_second`` (``limits``).
"""

from collections.abc import Callable, Container, Mapping
from typing import Self, TypeAlias

import httpx

from dataflyt.config.connections import Connection
from dataflyt.errors import SourceRefused, SourceUnavailable
from dataflyt.registers.answers import Answer, Shape, list_under, whole_json
from dataflyt.registers.http import open_client, require_https, retrying, send, unavailable
from dataflyt.registers.limits import limiter_of, limits_of
from dataflyt.registers.settings import Settings

Token: TypeAlias = Callable[[str | None], str]
"""Returns an access token; given a rejected token, it returns another."""


class Register:
    """A register that is asked with a token from Maskinporten, or without a token if it is open to all.

    ``who`` is its name in sentences; ``unit`` is the unit of its Retry-After, in seconds; ``headers`` go with every
    question. Use it in a ``with``; threads may share it.
    """

    def __init__(
        self,
        who: str,
        connection: Connection,
        token: Token | None,
        settings: Settings,
        *,
        unit: float = 1.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        require_https(connection, connection.url)
        self.who = who
        self.connection = connection
        self.token = token
        self.settings = settings
        self.unit = unit
        self.headers = dict(headers or {})
        self._limiter = limiter_of(connection)
        self._limits = limits_of(connection, settings)
        self._client = open_client(connection, settings, connection.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, path: str, content: bytes, expect: str) -> bytes:
        """Send a JSON question and return the answer's bytes: a JSON object with a list under ``expect``."""
        return self.post(path, content, shape=list_under(expect)).content

    def get(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        accept_status: Container[int] = (),
        shape: Shape = whole_json,
    ) -> Answer:
        """Ask without a body; otherwise as ``post``.

        With an ETag: ``If-None-Match`` in ``headers``, and 304 in ``accept_status``.
        """
        return self._ask("GET", path, None, headers or {}, accept_status, shape)

    def post(
        self,
        path: str,
        content: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        accept_status: Container[int] = (),
        shape: Shape = whole_json,
    ) -> Answer:
        """Send a JSON question and return the answer: a 200 whose content is JSON of that ``shape``.

        An answer with a status in ``accept_status`` is returned as it came, unless it is a firewall's web page. Raises
        SourceUnavailable if no answer comes in the tries that the settings allow, SourceRefused if a person must do
        something, Unreadable if the answer is too long.
        """
        return self._ask(
            "POST", path, content, {"Content-Type": "application/json", **(headers or {})}, accept_status, shape
        )

    def _ask(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        accept_status: Container[int],
        shape: Shape,
    ) -> Answer:
        return retrying(self.settings)(self._ask_once, method, path, content, headers, accept_status, shape)

    def _ask_once(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        accept_status: Container[int],
        shape: Shape,
    ) -> Answer:
        token = self.token(None) if self.token else None
        answer = self._send(method, path, content, headers, token)
        if answer.status == httpx.codes.UNAUTHORIZED and self.token:
            answer = self._send(method, path, content, headers, self.token(token))
        if answer.status in accept_status and not answer.html:
            return answer
        if error := unavailable(self.who, answer, self.unit, self.settings):
            raise error
        if answer.status != httpx.codes.OK:
            raise self._refusal(answer)
        if not shape(answer.content):
            raise SourceUnavailable(
                f"{self.who} sendte et svar som ikke er hele og gyldige data: Dataflyt prøver igjen.",
                status=answer.status,
                html=answer.html,
                length=len(answer.content),
            )
        return answer

    def _send(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str], token: str | None
    ) -> Answer:
        headers = {**self.headers, **headers} | ({"Authorization": f"Bearer {token}"} if token else {})
        url = self.connection.url.rstrip("/") + path
        with self._limiter.turn(*self._limits):
            return send(self._client, self.who, method, url, content, headers, self.settings)

    def _refusal(self, answer: Answer) -> SourceRefused:
        name, status = self.connection.name, answer.status
        if answer.html and status >= 400:
            what = "En brannmur avviste forespørselen til {who} ({why}): be registeret slippe inn kommunens IP-adresse."
        elif status == httpx.codes.BAD_REQUEST:
            what = "{who} godtok ikke forespørselen ({why}): meld fra til den som forvalter Dataflyt."
        elif status == httpx.codes.UNAUTHORIZED and self.token:
            what = "{who} godtok ikke tokenet fra Maskinporten ({why}): rett scope eller miljø i tilkoblingen {name}."
        elif status == httpx.codes.FORBIDDEN and self.token:
            what = "{who} gir ikke kommunen tilgang ({why}): den som forvalter {name}, må skaffe rettigheten."
        elif status == httpx.codes.NOT_FOUND or 300 <= status < 400:
            what = "{who} finnes ikke på adressen i tilkoblingen {name} ({why}): rett adressen."
        else:
            what = "{who} avviste forespørselen ({why}): meld fra til den som forvalter Dataflyt."
        return SourceRefused(what.format(who=self.who, name=name, why=f"HTTP {status}{answer.code}"), status=status)
