"""FREG's event list (hendelsesliste), and the documents of its events.

Source: Skatteetaten, Folkeregisteret API documentation (hendelsesliste, "Hendelser fra Folkeregisteret" 1.8) and
OpenAPI 1.5. ``Country.events`` holds the events of people. The sequence has gaps. ``made`` events, computed from their
place, may come before it, as many as a whole day has. JSON only. The form of a bulk answer of documents is not
published.

``POST /simulator/protection {"number": "…", "graderingsnivaa": "strengtFortrolig"}`` protects a person now (null ends
the protection) and adds the event. A restart of the simulator forgets both.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from datetime import date
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from simulator.model import Country
from simulator.registers import folkeregisterperson

PAGE = 1000
FIRST = 1_000_000
"""The oldest sekvensnummer; events before it are more than 36 months old."""
_ELEMENTS = {
    "endringIAdressebeskyttelse": "adressebeskyttelse",
    "endringIBostedsadresse": "bostedsadresse",
    "endringIFamilierelasjon": "familierelasjon",
    "endringIForeldreansvar": "foreldreansvar",
    "endringIIdentifikasjonsnummer": "identifikasjonsnummer",
    "endringIKjoenn": "kjoenn",
    "endringINavn": "navn",
}
_MADE = (
    *("endringIIdentitetsgrunnlag",) * 6,  # the peak that is announced for February 2027
    *(
        "endringIBostedsadresseUtenFlytting",
        "endringIAdressebeskyttelse",
        "endringIForeldreansvar",
        "personErOppdatert",
    ),
)

Json = dict[str, Any]


def sequence(index: int) -> int:
    """Return the sekvensnummer of the event of this index: three numbers are missing after every tenth event."""
    return FIRST + index + index // 10 * 3


def stranger(index: int) -> str:
    """Return the number of a person that no kommune of the simulator has; its control digits are wrong."""
    return f"{index % 28 + 1:02d}{index // 28 % 12 + 81}{index // 336 % 80 + 20:02d}{index // 26880 % 100_000:05d}"


class Feed:
    """The list of a country, after ``made`` events that are made by arithmetic."""

    def __init__(self, country: Country, made: int = 0) -> None:
        self.country, self.made = country, made

    def __len__(self) -> int:
        return self.made + len(self.country.events)

    def event(self, index: int) -> tuple[date, str, str]:
        """Return day, number and hendelsetype."""
        if index < self.made:
            return self.country.day, stranger(index), _MADE[index % len(_MADE)]
        return self.country.events[index - self.made]

    def oldest(self) -> int:
        """Return the oldest sekvensnummer that is kept: 36 months."""
        day = self.country.day
        kept = date(day.year - 3, day.month, min(day.day, 28))
        return sequence(bisect_left(range(len(self)), kept, key=lambda index: self.event(index)[0]))

    def page(self, seq: int) -> list[Json]:
        """Return the events from ``seq`` on, itself included."""
        first = bisect_left(range(len(self)), seq, key=sequence)
        return [self._entry(index) for index in range(first, min(first + PAGE, len(self)))]

    def last(self) -> int:
        """Return the newest sekvensnummer."""
        return sequence(len(self) - 1) if len(self) else FIRST - 1

    def _entry(self, index: int) -> Json:
        seq = sequence(index)
        day, number, kind = self.event(index)
        documents = {"hendelsesdokument": f"{seq:032x}", "persondokument": f"{seq + 2**64:032x}"}
        if kind == "personErOpphoertSomDublett":
            del documents["persondokument"]
        event = {"folkeregisteridentifikator": number, "hendelsetype": kind, "ajourholdstidspunkt": _at(day)}
        return {"sekvensnummer": seq, "hendelse": event | documents}

    def document(self, identifier: str) -> Json | None:
        """Return an event's document; None if no document has this id."""
        try:
            seq = int(identifier, 16)
        except ValueError:
            return None
        index = bisect_left(range(len(self)), seq, key=sequence)
        if index >= len(self) or sequence(index) != seq:
            return None
        day, number, kind = self.event(index)
        event: Json = {"folkeregisteridentifikator": number, "hendelsestype": kind, "ajourholdstidspunkt": _at(day)}
        person, element = self.country.find(number), _ELEMENTS.get(kind)
        if element:
            now = folkeregisterperson(person, frozenset({element}), history=False).get(element) if person else None
            change = {element: now[-1], "entitetsendring": "registrereNy"} if now else {"entitetsendring": "annullere"}
            event["egenskapshendelse"] = [{**change, "entitet": element}]
        return {"dokumentidentifikator": identifier, "skjemaversjon": "1.0", "hendelse": event}


def router(at: str, feed: Feed, guard: Callable[[Request], Response | None]) -> APIRouter:
    """Answer for the list below ``at``. ``guard`` gives, or raises, the answer to a client that may not ask."""
    routes = APIRouter(prefix=f"{at}/hendelser")

    @routes.get("/feed")
    async def page(request: Request) -> Response:
        if refused := guard(request):
            return refused
        seq = request.query_params.get("seq", "")
        if not seq.isascii() or not seq.isdigit():
            return _json({"kode": "FREG-006", "melding": "Ugyldig parameter: seq."}, 400)
        if int(seq) < feed.oldest():
            said = "Det er oppgitt ulovlig sekvensnummer. Sekvensnummer kan ikke være mere enn 36 måneder gammelt"
            return _json({"kode": "FREG-406", "melding": said}, 406)
        content = orjson.dumps(feed.page(int(seq)))
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(content, headers={"ETag": etag}, media_type="application/json")

    @routes.get("/siste/sekvensnummer")
    async def last(request: Request) -> Response:
        return guard(request) or _json(feed.last())

    @routes.post("/bulkoppslag")
    async def documents(request: Request) -> Response:
        if refused := guard(request):
            return refused
        try:
            asked = orjson.loads(await request.body())["dokumentidentifikator"]
            found = [feed.document(str(identifier)) for identifier in asked]
        except (ValueError, TypeError, KeyError):
            return _json({"kode": "FREG-007", "melding": "Ugyldig forespørsel: dokumentidentifikator mangler."}, 400)
        return _json([one for one in found if one])

    @routes.get("/{hendelsesidentifikator}")
    async def document(hendelsesidentifikator: str, request: Request) -> Response:
        if refused := guard(request):
            return refused
        found = feed.document(hendelsesidentifikator)
        return _json(found) if found else _json({"kode": "FREG-008", "melding": "Ukjent dokumentid."}, 404)

    return routes


def switch(feed: Feed) -> APIRouter:
    """Answer requests to raise and end protection."""
    routes = APIRouter()
    country = feed.country

    @routes.post("/simulator/protection")
    async def protect(request: Request) -> Response:
        try:
            said = orjson.loads(await request.body())
            person, level = country.find(str(said["number"])), said["graderingsnivaa"]
        except (ValueError, TypeError, KeyError):
            return _json({"error": 'Say whom: {"number": "…", "graderingsnivaa": "strengtFortrolig"}.'}, 400)
        if person is None or level not in (None, "klientadresse", "fortrolig", "strengtFortrolig"):
            return _json({"error": "No such person, or no such level."}, 404)
        person.protection = level
        person.home_grading = "fortrolig" if level == "fortrolig" else "ugradert"
        person.since["adressebeskyttelse"] = country.day
        country.events.append((country.day, person.number, "endringIAdressebeskyttelse"))
        return _json({"sekvensnummer": feed.last()})

    return routes


def _at(day: date) -> str:
    return f"{day.isoformat()}T09:26:03.689+0{2 if 4 <= day.month <= 10 else 1}:00"


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
