"""Kontakt- og reservasjonsregisteret (KRR): ask for people by number, and land the answers as they came.

Comes in: numbers. Goes out: the pages of ``land_pages`` under the phase ``krr``, with the question beside each answer.
There are two routes:

  digdir   ``/rest/v2/personer`` (or v1): a thousand a call. Digdir does not tell how the versions differ
  fiks     ``/register/api/v1/ks/{rolleId}/krr/person`` at KS Fiks: one a call. The answers to a question's numbers are
           landed together, so that a page is not about a single person, as
           ``{"personer": [{"fnr": …, "svar": <the answer>}, …]}``; 404 is "Ingen treff", an entry without ``svar``

Source: Digdir, Kontakt- og reservasjonsregisteret, "Oppslagstjenesten REST"; KS, the OpenAPI of register KRR.
When it fails: SourceUnavailable is worth another try, which goes on after the last landed page; SourceRefused tells
which person must do what.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, TypeAlias

import orjson

from dataflyt.config.connections import Connection, Outside
from dataflyt.config.kommune import KrrSource
from dataflyt.formats.json_values import number
from dataflyt.registers import fiks, maskinporten
from dataflyt.registers.answers import parsed
from dataflyt.registers.paging import Progress, land_pages
from dataflyt.registers.register import Register
from dataflyt.registers.settings import Settings
from dataflyt.sources.krr import formats
from dataflyt.storage.landing import Landing

WHO = "Kontakt- og reservasjonsregisteret"
Route: TypeAlias = Literal["digdir", "fiks"]


def extract(
    config: KrrSource,
    outside: Outside,
    landing: Landing,
    *,
    numbers: Iterable[str],
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> int:
    """Land KRR's answers about ``numbers`` as pages of the phase ``krr``; return the number of unanswered ones."""
    settings, connection = settings or Settings(), outside.connect(config.connection)
    with open_register(connection, config.route, settings) as register:
        ask: Callable[[bytes], bytes]
        named = partial(formats.named, format=config.format)
        if config.route == "fiks":
            ask = partial(_one_by_one, register, person_path(connection, config.rolle))
        else:
            ask = partial(register.ask, persons_path(config.version), expect="personer")
        return land_pages(ask, landing, "krr", numbers, "personidentifikatorer", progress, who=WHO, named=named)


def open_register(connection: Connection, route: Route, settings: Settings | None = None) -> Register:
    """Open KRR by a route; use it in a ``with``."""
    settings = settings or Settings()
    if route == "fiks":
        return fiks.open_register(WHO, connection, settings)
    return Register(WHO, connection, partial(maskinporten.token, connection, settings=settings), settings)


def persons_path(version: int) -> str:
    """Return the address of Digdir's service for many."""
    return f"/rest/v{version}/personer"


def person_path(connection: Connection, rolle: str | None) -> str:
    """Return the address of Fiks' service for one."""
    return f"/register/api/v1/ks/{fiks.role(connection, rolle)}/krr/person"


def _one_by_one(register: Register, path: str, question: bytes) -> bytes:
    """Ask about each number of a question, and put the answers, unchanged, into one page."""
    entries = []
    for one in orjson.loads(question)["personidentifikatorer"]:
        answer = register.post(path, orjson.dumps({"fnr": one}), accept_status=(404,), shape=parsed(_is_person))
        found = b"" if answer.status == 404 else b', "svar": ' + answer.content.removeprefix(b"\xef\xbb\xbf")
        entries.append(b'{"fnr": "%b"%b}' % (one.encode(), found))
    return b'{"personer": [\n%b\n]}' % b",\n".join(entries)


def _is_person(body: Any) -> bool:
    return isinstance(body, dict) and number(body, "fnr") is not None
