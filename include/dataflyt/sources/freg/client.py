"""Folkeregisteret (FREG): ask for people by number, in bulk, and land the answers as they came.

Comes in: numbers, and the ``part`` names to ask for. Goes out: the pages of ``land_pages``, phase by phase, with the
question beside each answer. There are three routes:

  skatteetaten    ``/v1/personer/bulkoppslag`` below the connection's address
  fiks            the same below ``/folkeregister/api/v1/{rolleId}`` at KS Fiks, which passes it on
  fiks_oppvekst   ``/register/api/v1/ks/{rolleId}/oppvekst`` at KS Fiks: pupils with their guardians joined, always
                  everything that the rolle covers, so ``part`` is not sent

Source: Skatteetaten, Folkeregisteret API documentation (konsumenttjenester, dataminimering, returkoder, uttrekk): at
most 1000 numbers a call, and Retry-After in milliseconds; KS, "Folkeregister" and the OpenAPI of oppvekst: 1000 too.
When it fails: SourceUnavailable is worth another try, which goes on after the last landed page; SourceRefused tells
which person must do what.
"""

import re
import time
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

import orjson

from dataflyt.config.connections import Connection, Outside
from dataflyt.config.kommune import FregSource
from dataflyt.errors import SourceRefused, SourceUnavailable
from dataflyt.formats.json_values import number as identity_number
from dataflyt.registers import fiks, maskinporten
from dataflyt.registers.answers import Answer, Shape, json_of, list_under, parsed
from dataflyt.registers.paging import Progress, land_pages
from dataflyt.registers.register import Register
from dataflyt.registers.settings import Settings
from dataflyt.sources.freg import EMPLOYEES, RESIDENTS, formats
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page

WHO = "Folkeregisteret"
Route: TypeAlias = Literal["skatteetaten", "fiks", "fiks_oppvekst"]

_READY_TRIES = 50
_READY_WAIT = 2.0
"""Tries for a batch of an extract, and seconds before the second try. All tries together take half an hour."""


def open_register(connection: Connection, route: Route, settings: Settings | None = None) -> Register:
    """Open FREG by a route; use it in a ``with``."""
    settings = settings or Settings()
    if route != "skatteetaten":
        return fiks.open_register(WHO, connection, settings)
    return Register(WHO, connection, partial(maskinporten.token, connection, settings=settings), settings, unit=0.001)


def base(connection: Connection, route: Route, rolle: str | None) -> str:
    """Return the part before ``/v1/…`` in the addresses of FREG's own services: empty, or the path through Fiks."""
    return "" if route == "skatteetaten" else f"/folkeregister/api/v1/{fiks.role(connection, rolle)}"


def extract(
    config: FregSource,
    outside: Outside,
    landing: Landing,
    *,
    numbers: Iterable[str],
    parts: Sequence[str],
    phase: str,
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> int:
    """Land FREG's answers about ``numbers`` as pages of a phase; return the number of unanswered ones.

    Only the named ``parts`` are asked for. Pupils and guardians are asked about by the config's route, residents and
    employees by its route for people who are not pupils.
    """
    connection, route = outside.connect(config.connection), route_of(config, phase)
    path, key, shape = question(connection, route, config.rolle, parts)
    with open_register(connection, route, settings) as register:
        return land_pages(
            lambda numbers: register.post(path, numbers, shape=shape).content,
            landing,
            phase,
            numbers,
            key,
            progress,
            who=WHO,
            named=partial(formats.named, format="oppvekst" if route == "fiks_oppvekst" else "bulk"),
        )


def question(connection: Connection, route: Route, rolle: str | None, parts: Sequence[str]) -> tuple[str, str, Shape]:
    """Return a question's path, the name of its list of numbers, and the shape of its answer."""
    if not parts:
        raise ValueError("without part FREG gives more than a school may ask for: name the parts")
    if route == "fiks_oppvekst":
        return f"/register/api/v1/ks/{fiks.role(connection, rolle)}/oppvekst", "foedselsnumre", list_under(None)
    query = urlencode([("part", part) for part in parts])
    path = f"{base(connection, route, rolle)}/v1/personer/bulkoppslag?{query}"
    return path, "foedselsEllerDNummer", list_under("oppslag")


def route_of(config: FregSource, phase: str) -> Route:
    """Return the route by which a phase is asked about."""
    return config.route_alone if phase in (RESIDENTS, EMPLOYEES) else config.route


def residents(
    config: FregSource,
    outside: Outside,
    landing: Landing,
    *,
    kommunenummer: str,
    born: tuple[int, int],
    settings: Settings | None = None,
) -> list[str]:
    """Return the numbers of people who live in a kommune and were born in these years, both included.

    Orders an extract (``uttrekk/tilpasset``) and lands its batches as ``<kommunenummer>-<order>-<batch:05d>.json``:
    called again, it goes on after the last. 404 means that a batch is not ready yet, 410 that the extract is gone, and
    an empty ``{}`` is the end. An extract that is gone is ordered once more. FREG allows ten orders at a time; this is
    one. An extract never includes a person who is strengtFortrolig. KS Fiks passes FREG's own extract on.
    """
    settings, connection, route = settings or Settings(), outside.connect(config.connection), config.route_alone
    at = f"{base(connection, route, config.rolle)}/v1/uttrekk"
    wanted = {
        "personstatustyper": ["bosatt"],
        "kommunenummer": {"bostedskommunenummer": kommunenummer},
        "foedselsaarFraOgMed": str(born[0]),
        "foedselsaarTilOgMed": str(born[1]),
    }
    with open_register(connection, route, settings) as register:
        for order in (1, 2):
            name = f"{kommunenummer}-{order}"
            if not landing.has(f"{name}-job.json"):
                answer = register.post(f"{at}/tilpasset", orjson.dumps(wanted), shape=parsed(_is_job))
                landing.write(f"{name}-job.json", answer.content)
            numbers = _batches(register, at, landing, name, settings)
            if numbers is not None:
                return numbers
    raise SourceRefused(
        f"{WHO} slettet uttrekket av innbyggere før det var hentet, to ganger: prøv igjen på en roligere tid av døgnet."
    )


def _batches(register: Register, at: str, landing: Landing, name: str, settings: Settings) -> list[str] | None:
    """Land an order's batches until the empty one; return all numbers, or None when the extract is gone."""
    job = json_of(_landed(landing, f"{name}-job.json"))["jobbId"]
    numbers: list[str] = []
    for batch in count():
        page = str(Page(name, batch))
        if not landing.has(page):
            answer = _when_ready(register, f"{at}/{job}/batch/{batch}", settings)
            if answer.status == 410:
                return None
            landing.write(page, answer.content)
        found = json_of(_landed(landing, page)).get("foedselsEllerDNummer") or []
        if not found:
            return numbers
        numbers += [one for one in map(_number, found) if re.fullmatch(r"[0-9]{11}", one)]
    raise AssertionError


def _when_ready(register: Register, path: str, settings: Settings) -> Answer:
    for tries in range(1, _READY_TRIES + 1):
        answer = register.get(path, accept_status=(404, 410), shape=parsed(_is_batch))
        if answer.status != 404:
            return answer
        time.sleep(min(_READY_WAIT * tries, settings.longest_wait))
    raise SourceUnavailable(f"{WHO} har ikke gjort uttrekket av innbyggere klart ennå: Dataflyt prøver igjen.")


def _landed(landing: Landing, page: str) -> bytes:
    with landing.open(page) as stream:
        return stream.read()


def _is_job(body: Any) -> bool:
    # The order's id becomes a part of an address.
    return isinstance(body, dict) and bool(re.fullmatch(r"[A-Za-z0-9._-]{1,100}", str(body.get("jobbId") or "")))


def _is_batch(body: Any) -> bool:
    if not isinstance(body, dict) or body.get("feilmelding"):
        return False
    found = body.get("foedselsEllerDNummer")
    if not found:
        return not any(body.values())  # an error is not the end
    return isinstance(found, list) and all(map(_number, found))


def _number(value: object) -> str:
    return identity_number({"": value}, "") or ""
