"""FREG's extracts (uttrekk): an order for the people of a kommune born in given years, and its batches of numbers.

Source: Skatteetaten, "Uttrekk" and OpenAPI 1.5: 404 while a batch is not ready, 410 if the order or batch does not
exist or no longer exists, ``{}`` after the last batch, at most ten orders at a time. The size of a batch and the life
of an order are not public. Here a batch has few numbers, and an order lives until its end has been read.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from simulator.model import Country, Person

MOST_ORDERS = 10
PER_BATCH = 150
LONGEST = 3600.0
"""Seconds that an unfetched order is kept."""

Json = dict[str, Any]


class Extracts:
    """The orders that are open."""

    def __init__(self, country: Country) -> None:
        self._country = country
        self._serial = itertools.count(1)
        self._orders: dict[str, tuple[float, list[str]]] = {}
        self._asked: set[tuple[str, int]] = set()

    def order(self, wanted: Json) -> Json | None:
        """Take an order (``TilpassetUttrekkJobbRequest``); None when too many are open. Raises ValueError."""
        if not wanted.get("personstatustyper"):
            raise ValueError("personstatustyper mangler")
        born = int(wanted.get("foedselsaarFraOgMed", 0)), int(wanted.get("foedselsaarTilOgMed", 9999))
        where = wanted.get("kommunenummer", {}).get("bostedskommunenummer")
        now = time.monotonic()
        self._orders = {job: order for job, order in self._orders.items() if order[0] > now - LONGEST}
        if len(self._orders) >= MOST_ORDERS:
            return None
        numbers = [
            person.number
            for person in self._people()
            if person.status in wanted["personstatustyper"]
            and born[0] <= person.born.year <= born[1]
            # No client is told a kommune for a person who is strengtFortrolig.
            and (where is None or (person.protection != "strengtFortrolig" and _lives_in(person, where)))
        ]
        job = f"uttrekk-{next(self._serial)}"
        self._orders[job] = (now, numbers)
        return {"jobbId": job}

    def batch(self, job: str, number: int) -> Json | int:
        """Return a batch, or the status to answer instead."""
        if job not in self._orders or number < 0:
            return 410
        if (job, number) not in self._asked:
            self._asked.add((job, number))
            return 404
        found = self._orders[job][1][number * PER_BATCH : (number + 1) * PER_BATCH]
        if not found:
            del self._orders[job]
            return {}
        return {"foedselsEllerDNummer": found}

    def _people(self) -> Iterator[Person]:
        for world in self._country.worlds.values():
            for number, person in world.by_any_number.items():
                if number == person.number and person.in_freg:
                    yield person


def _lives_in(person: Person, kommunenummer: str) -> bool:
    return bool(person.home and person.home.kommunenummer == kommunenummer)


def router(prefix: str, extracts: Extracts, guard: Callable[[Request], Response | None]) -> APIRouter:
    """Answer ``<prefix>/uttrekk/…``; ``guard`` gives the answer to a client that may not ask."""
    routes = APIRouter(prefix=f"{prefix}/uttrekk")

    @routes.post("/tilpasset")
    async def order(request: Request) -> Response:
        if refused := guard(request):
            return refused
        try:
            answer = extracts.order(orjson.loads(await request.body()))
        except (ValueError, TypeError, AttributeError):
            return _json({"kode": "FREG-006", "melding": "Ugyldig parameter."}, 400)
        if answer is None:
            return Response(status_code=429, headers={"Retry-After": "2000"})
        return _json(answer)

    @routes.get("/{job}/batch/{number}")
    async def batch(job: str, number: int, request: Request) -> Response:
        if refused := guard(request):
            return refused
        answer = extracts.batch(job, number)
        return Response(status_code=answer) if isinstance(answer, int) else _json(answer)

    return routes


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
