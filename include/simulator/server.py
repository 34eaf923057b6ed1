"""Maskinporten, FREG, KRR and open registers over HTTP: one application, the people of one kommune or several.

FREG and KRR are national: every client finds the people of every kommune. ``/simulator/date`` is the simulator's own:
GET returns the day, and POST ``{"date": "2026-12-01"}`` lets time pass until that day in every kommune and writes its
files anew. ``/simulator/faults`` is for switching faults on and off (``faults``).

Sources: Skatteetaten, OpenAPI "Folkeregisteret - offentlig med hjemmel" 1.5 and "Returkoder"; Digdir,
"Oppslagstjenesten REST". Skatteetaten's list of FREG-nnn codes is not public: the codes here are made up in the real
shape. The answer to an unknown number is an ``oppslag`` with ``feilmelding``, with its own wording.
"""

import io
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from fastapi import FastAPI, Request, Response

from simulator import extracts, feed, fiks, reference
from simulator.faults import Faulty, Switches, UnknownFault
from simulator.files import write_files
from simulator.formats import write_calendar
from simulator.maskinporten import (
    ALGORITHMS,
    FREG,
    GRANT_TYPE,
    KRR_CONTACT,
    KRR_MAILBOX,
    SCOPES,
    Maskinporten,
    Refused,
    Token,
)
from simulator.model import Country, Person, World
from simulator.registers import UnknownPart, elements, folkeregisterperson, krr_person, look_up, out_of_order
from simulator.weeks import TimeGoesForward, advance

MOST = 1000
FREG_PATH = "/folkeregisteret/offentlig-med-hjemmel/api/v1/personer"
KRR_PATH = "/rest/v2/personer"


class Problem(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, "application/json")


def create_app(
    world: World | Country,
    url: str,
    key: RSAPublicKey,
    kid: str | None,
    client_id: str,
    clock: Callable[[], float] = time.time,
    drop: Path | None = None,
    key_registered: float | None = None,
    faults: Switches | None = None,
    events: int = 0,
) -> FastAPI:
    """Make the application at ``url`` (no slash at the end), for the client whose public ``key`` this is.

    When time passes the kommuner's files are written under ``drop``. All kommuner have delegated their access to the
    client's owner. ``key_registered`` is the time when the key was registered, by ``clock``; without it the key never
    grows old. FREG's event list begins with ``events`` events made by arithmetic. The server that runs this must send
    no Date of its own.
    """
    switches = faults or Switches()

    country = world if isinstance(world, Country) else world.country or Country.of(world)
    delegations = frozenset(world.kommune.orgnr for world in country.worlds.values())
    maskinporten = Maskinporten(
        f"{url}/", client_id, key, kid, lambda: clock() + switches.offset, delegations, key_registered
    )
    switches.forget_tokens = maskinporten.forget
    app = FastAPI(title="Register simulator", openapi_url=None)
    app.add_middleware(Faulty, switches=switches, clock=clock)

    @app.exception_handler(Problem)
    async def problem(_: Request, failure: Problem) -> Response:
        return _json(failure.body, failure.status)

    @app.get("/calendar/{kommunenummer}.ics")
    async def calendar(kommunenummer: str) -> Response:
        if kommunenummer not in country.worlds:
            return Response(status_code=404)
        out = io.BytesIO()
        write_calendar(country.worlds[kommunenummer], country.day, out)
        return Response(out.getvalue(), media_type="text/calendar")

    @app.get("/health")
    async def health() -> Response:
        worlds = country.worlds.values()
        kommuner = [
            {"kommune": world.kommune.number, "school_year": world.year, "seed": world.seed} for world in worlds
        ]
        return _json({"status": "ok", "date": str(country.day), "kommuner": kommuner})

    @app.get("/simulator/date")
    async def today() -> Response:
        return _json({"date": str(country.day)})

    @app.post("/simulator/date")
    async def pass_time(request: Request) -> Response:
        try:
            until = date.fromisoformat(orjson.loads(await request.body())["date"])
        except (ValueError, TypeError, KeyError):
            raise Problem(400, {"error": 'Say until when: {"date": "2026-12-01"}.'}) from None
        try:
            counts = advance(country, until)
        except TimeGoesForward as backward:
            raise Problem(400, {"error": str(backward)}) from None
        if drop:
            for moved in country.worlds.values():
                write_files(moved, until, drop)
        return _json({"date": str(until), "happened": counts})

    @app.get("/simulator/faults")
    async def told_faults() -> Response:
        return _json(switches.told())

    @app.post("/simulator/faults")
    async def turn_fault_on(request: Request) -> Response:
        try:
            wanted = orjson.loads(await request.body())
            switches.turn_on(wanted["name"], wanted.get("path"), wanted.get("count"))
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            said = str(wrong) if isinstance(wrong, UnknownFault) else 'Say which: {"name": "half", "path": "freg"}.'
            raise Problem(400, {"error": said}) from None
        return _json(switches.told())

    @app.delete("/simulator/faults")
    async def turn_faults_off() -> Response:
        switches.clear()
        return _json(switches.told())

    @app.get("/.well-known/oauth-authorization-server")
    async def metadata() -> Response:
        return _json(
            {
                "issuer": maskinporten.issuer,
                "token_endpoint": f"{url}/token",
                "grant_types_supported": [GRANT_TYPE],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
                "scopes_supported": sorted(SCOPES),
            }
        )

    @app.post("/token")
    async def token(request: Request) -> Response:
        if not _is(request, "application/x-www-form-urlencoded"):
            return _json(
                {
                    "error": "invalid_request",
                    "error_description": "Content-Type must be application/x-www-form-urlencoded",
                },
                400,
            )
        form = await request.form()
        try:
            answer = maskinporten.token(_text(form.get("grant_type")), _text(form.get("assertion")))
        except Refused as refused:
            return _json(refused.body, refused.status)
        return _json(answer, headers={"Cache-Control": "no-store"})

    # -- FREG ----------------------------------------------------------------------------------------------------

    def freg_request(request: Request) -> tuple[frozenset[str], bool]:
        granted = maskinporten.find(request.headers.get("authorization"))
        if granted is None or granted.resources:
            raise Problem(401, _freg_refusal(401, "FREG-401", "Autentisering feiler."))
        if FREG not in granted.scopes:
            raise Problem(403, _freg_refusal(403, "FREG-403", "Ugyldig tilgang."))
        accept = request.headers.get("accept", "*/*")
        if not any(kind in accept for kind in ("*/*", "application/*", "application/json")):
            raise Problem(406, {"kode": "FREG-406", "melding": "Bare application/json støttes her."})
        try:
            return elements(request.query_params.getlist("part"))
        except UnknownPart as unknown:
            raise Problem(400, {"kode": "FREG-002", "melding": f"Ugyldig part: {unknown}"}) from None

    @app.post(f"{FREG_PATH}/bulkoppslag")
    async def bulkoppslag(request: Request) -> Response:
        wanted, history = freg_request(request)
        if not _is(request, "application/json"):
            raise Problem(
                400,
                {"kode": "FREG-003", "melding": "Innholdet er ikke gyldig XML. Sett Content-Type: application/json."},
            )
        numbers = await _numbers(request, "foedselsEllerDNummer")
        if numbers is None:
            raise Problem(400, {"kode": "FREG-004", "melding": "Ugyldig forespørsel: foedselsEllerDNummer mangler."})
        if len(numbers) > MOST:
            raise Problem(400, {"kode": "FREG-005", "melding": f"Maks {MOST} identifikatorer per oppslag."})
        as_ordered = request.query_params.get("somBestilt") == "true"
        asked = numbers if as_ordered else out_of_order(numbers)
        entries = [look_up(country, number, wanted, history, ended=not as_ordered) for number in asked]
        return _json({"oppslag": entries})

    @app.get(f"{FREG_PATH}/{{personidentifikator}}")
    async def personer(personidentifikator: str, request: Request) -> Response:
        wanted, history = freg_request(request)
        person = country.find(personidentifikator)
        if person is None:
            raise Problem(404, {"kode": "FREG-001", "melding": "Ukjent person."})
        return _json(folkeregisterperson(person, wanted, history))

    def freg_guard(request: Request) -> None:
        freg_request(request)

    orders = extracts.Extracts(country)
    app.include_router(extracts.router(FREG_PATH.removesuffix("/personer"), orders, freg_guard))
    event_list = feed.Feed(country, events)
    app.include_router(feed.router(FREG_PATH.removesuffix("/personer"), event_list, freg_guard))
    app.include_router(feed.switch(event_list))
    app.include_router(fiks.router(country, maskinporten, orders, event_list))

    app.include_router(reference.router(country))

    # -- KRR -----------------------------------------------------------------------------------------------------

    def krr_token(request: Request) -> Token:
        granted = maskinporten.find(request.headers.get("authorization"))
        if granted is None:
            raise Problem(401, _krr_errors(401, "Unauthorized", "The access token is missing, unknown or expired."))
        if granted.scopes.isdisjoint({*KRR_CONTACT, *KRR_MAILBOX}):
            raise Problem(403, _krr_errors(403, "Forbidden", "The access token lacks a scope of krr:global."))
        return granted

    @app.post(KRR_PATH)
    @app.post(KRR_PATH.replace("v2", "v1"))
    async def krr(request: Request) -> Response:
        granted = krr_token(request)
        if not _is(request, "application/json"):
            raise Problem(400, _krr_errors(400, "Bad Request", "Content-Type must be application/json."))
        numbers = await _numbers(request, "personidentifikatorer")
        if numbers is None or not 1 <= len(numbers) <= MOST:
            raise Problem(
                400,
                _krr_errors(
                    400, "Bad Request", f"personidentifikatorer must hold 1 to {MOST} numbers.", "personidentifikatorer"
                ),
            )
        if any(len(number) != 11 or not number.isdigit() for number in numbers):
            raise Problem(400, _krr_errors(400, "Bad Request", "Not a number of 11 digits.", "personidentifikatorer"))
        contact, mailbox = (not granted.scopes.isdisjoint(scopes) for scopes in (KRR_CONTACT, KRR_MAILBOX))
        people: list[tuple[str, Person | None]] = [(number, country.find(number)) for number in out_of_order(numbers)]
        return _json(
            {"personer": [krr_person(number, person, contact=contact, mailbox=mailbox) for number, person in people]}
        )

    return app


def _is(request: Request, content_type: str) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == content_type


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


async def _numbers(request: Request, name: str) -> list[str] | None:
    """Read the list of numbers in the body; None when there is none."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    numbers = body.get(name) if isinstance(body, dict) else None
    return numbers if isinstance(numbers, list) and all(isinstance(number, str) for number in numbers) else None


def _freg_refusal(status: int, code: str, message: str) -> dict[str, Any]:
    return {
        "alvorlighetsgrad": "feil",
        "feilkode": code,
        "feilmelding": message,
        "httpStatus": status,
        "tilleggsinformasjon": {},
    }


def _krr_errors(status: int, title: str, detail: str, pointer: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"id": f"krr-{status}", "status": str(status), "title": title, "detail": detail}
    return {"errors": [error | ({"source": {"pointer": pointer}} if pointer else {})]}
