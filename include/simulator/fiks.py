"""KS Fiks: FREG passed on, the service for pupils with their guardians (oppvekst), and KRR one by one.

Sources: KS, developers.fiks.ks.no "Folkeregister"; OpenAPI "folkeregister-oppvekst-api-v1" and "register-krr-api-v1".
A token needs the scope ``ks:fiks``, and every request ``IntegrasjonId`` and ``IntegrasjonPassord``. Each kommune has a
rolle (``rolle_of``) for the elements that a school needs, not for all of person-basis: a request without ``part`` is
refused. The codes of refusals, and the guardians that are not joined to a child, are made up in
the real shape.
"""

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from simulator import extracts, feed
from simulator.maskinporten import FIKS, Maskinporten
from simulator.model import Contact, Country, Person
from simulator.registers import (
    PARTS,
    UnknownPart,
    ahead_of_its_time,
    elements,
    folkeregisterperson,
    look_up,
    out_of_order,
)

INTEGRATION = {"IntegrasjonId": "5e1f0000-0000-4000-8000-000000000001", "IntegrasjonPassord": "simulert-passord"}
FREG = "/folkeregister/api/v1/{rolle}/v1"
REGISTER = "/register/api/v1/ks/{rolle}"
MOST = 1000

ROLE = frozenset({
    "identifikasjonsnummer", "status", "doedsfall", "foedsel", "kjoenn", "navn", "bostedsadresse", "oppholdsadresse",
    "deltBosted", "postadresse", "postadresseIUtlandet", "adressebeskyttelse", "foreldreansvar", "familierelasjon",
    "falskIdentitet",
})  # fmt: skip
"""The elements that every rolle is for."""

Json = dict[str, Any]


def rolle_of(kommunenummer: str) -> str:
    """Return the ``rolleId`` of a kommune."""
    return f"{kommunenummer}0000-0000-4000-8000-000000000000"


def router(country: Country, maskinporten: Maskinporten, orders: extracts.Extracts, events: feed.Feed) -> APIRouter:
    """Answer all requests to KS Fiks."""
    routes = APIRouter()
    roles = {rolle_of(number) for number in country.worlds}

    def guard(request: Request) -> Response | None:
        granted = maskinporten.find(request.headers.get("authorization"))
        if granted is None:
            return _refusal(request, 401, "Unauthorized", "Tokenet mangler, er ukjent eller utløpt")
        if FIKS not in granted.scopes:
            return _refusal(request, 403, "Forbidden", "Tokenet mangler scope ks:fiks")
        if any(request.headers.get(name) != value for name, value in INTEGRATION.items()):
            return _refusal(request, 403, "Forbidden", "Ukjent integrasjon eller feil passord")
        if request.path_params["rolle"].lower() not in roles:
            return _refusal(request, 403, "Forbidden", "Integrasjonen har ikke tilgang til rollen")
        return None

    async def question(request: Request, name: str, most: int = MOST) -> list[str] | Response:
        """Return the numbers asked about, or the answer to a client that may not ask in this way."""
        if refused := guard(request):
            return refused
        try:
            numbers = orjson.loads(await request.body())[name]
        except (ValueError, TypeError, KeyError):
            return _refusal(request, 400, "Bad Request", f"{name} mangler")
        numbers = [numbers] if isinstance(numbers, str) else numbers
        if not isinstance(numbers, list) or not 1 <= len(numbers) <= most:
            return _refusal(request, 400, "Bad Request", f"{name} skal ha fra 1 til {most} numre")
        if any(not isinstance(number, str) or len(number) != 11 or not number.isdecimal() for number in numbers):
            return _refusal(request, 400, "Bad Request", f"{name} skal ha elleve sifre")
        return numbers

    # -- FREG, passed on -----------------------------------------------------------------------------------------------

    def wanted(request: Request) -> tuple[frozenset[str], bool] | Response:
        asked = request.query_params.getlist("part")
        try:
            parts, history = elements(asked)
        except UnknownPart:
            return _refusal(request, 400, "Bad Request", "Ukjent part")
        if not asked or not parts & PARTS <= ROLE:
            return _refusal(request, 403, "Forbidden", "Rollen dekker ikke alle opplysningene det spørres om")
        return parts, history

    @routes.post(f"{FREG}/personer/bulkoppslag")
    async def bulkoppslag(request: Request) -> Response:
        numbers = await question(request, "foedselsEllerDNummer")
        if isinstance(numbers, Response):
            return numbers
        parts = wanted(request)
        if isinstance(parts, Response):
            return parts
        return _json({"oppslag": [look_up(country, number, *parts) for number in out_of_order(numbers)]})

    routes.include_router(feed.router(FREG, events, guard))
    routes.include_router(extracts.router(FREG, orders, guard))

    # -- Pupils with their guardians -----------------------------------------------------------------------------------

    @routes.post(f"{REGISTER}/oppvekst")
    async def oppvekst(request: Request) -> Response:
        numbers = await question(request, "foedselsnumre")
        if isinstance(numbers, Response):
            return numbers
        people = {person.number: person for number in out_of_order(numbers) if (person := country.find(number))}
        return _json([pupil(country, person) for person in people.values()])

    # -- KRR -----------------------------------------------------------------------------------------------------------

    @routes.post(f"{REGISTER}/krr/person")
    async def krr(request: Request) -> Response:
        numbers = await question(request, "fnr", most=1)
        if isinstance(numbers, Response):
            return numbers
        person = country.find(numbers[0])
        if person is None or person.contact is None:
            return _refusal(request, 404, "Not Found", "Ingen treff")
        return _json(contact(numbers[0], person.contact))

    return routes


def pupil(country: Country, person: Person) -> Json:
    """Return a person as oppvekst has a pupil (``PersonDefinisjon``): one value of each, no times."""
    answer = _flat(person)
    if born := answer.pop("foedsel", None):
        answer["foedselsdato"] = born
    ended = [number for number, _, _ in person.former_numbers] or [number for number in [person.old_number] if number]
    if ended:
        answer["tidligereIdentifikasjonsnummer"] = _number(ended[-1])
    document = folkeregisterperson(person, ROLE, False)
    records = [
        item
        for item in document.get("foreldreansvar", [])
        if item.get("ansvarssubjekt", person.number) == person.number
    ]
    if ahead_of_its_time(person):
        answer["nyttFelt"] = "nytt"
    if records:
        answer["foreldreansvarstype"] = records[0]["ansvar"]
    answer["foreldreansvarlige"] = list(_guardians(country, records))
    answer["familierelasjoner"] = [
        {
            **({"familierelasjonPerson": item["relatertPerson"]} if "relatertPerson" in item else {}),
            "familierelasjonRolle": item["relatertPersonsRolle"],
        }
        for item in document.get("familierelasjon", [])
    ]
    return answer


def _guardians(country: Country, records: list[Json]) -> Iterator[Json]:
    # ForeldreansvarligDefinisjon has no place for an organisation or a person without a number.
    for number, record in {item["ansvarlig"]: item for item in records if "ansvarlig" in item}.items():
        adult = country.find(number)
        named = {"ansvar": record["ansvar"], "identifikasjonsnummer": _number(number)}
        if adult is None or number.endswith("7"):
            yield named
        else:
            yield named | {key: value for key, value in _flat(adult).items() if key != "deltBosted"}


def _flat(person: Person) -> Json:
    document = folkeregisterperson(person, ROLE, False)
    first = {name: {k: v for k, v in (value[0] if isinstance(value, list) else value).items() if k not in _META}
             for name, value in document.items()}  # fmt: skip
    answer: Json = {"identifikasjonsnummer": _number(person.number)}
    for name, field in (("status", "personstatus"), ("kjoenn", "kjoenn"), ("adressebeskyttelse", "adressebeskyttelse")):
        if name in first:
            answer[field] = next(iter(first[name].values()))
    if "foedsel" in first:
        answer["foedsel"] = first["foedsel"]["foedselsdato"]
    if "navn" in first:
        answer["navn"] = {
            key: value for key, value in first["navn"].items() if key in ("fornavn", "mellomnavn", "etternavn")
        }
    first.get("oppholdsadresse", {}).pop("oppholdsadressedato", None)
    return answer | {name: first[name] for name in _ADDRESSES if name in first}


_META = {"ajourholdstidspunkt", "erGjeldende", "kilde", "aarsak", "gyldighetstidspunkt", "opphoerstidspunkt"}
_ADDRESSES = ("bostedsadresse", "oppholdsadresse", "deltBosted", "postadresse")


def _number(number: str) -> Json:
    kind = "dNummer" if number[0] >= "4" else "foedselsnummer"
    return {"foedselsEllerDNummer": number, "identifikatortype": kind}


def contact(number: str, entry: Contact) -> Json:
    """Return a person's entry in KRR as Fiks has it (``KrrDefinisjon``): both channels are there, even an empty one."""
    channels = {
        "epost": ("adresse", entry.epost, entry.epost_oppdatert, entry.epost_verifisert),
        "tlf": ("nummer", entry.mobil, entry.mobil_oppdatert, entry.mobil_verifisert),
    }
    answer: Json = {
        "fnr": number,
        "status": entry.status,
        "reservert": bool(entry.reserved),
        "kanVarsles": entry.can_be_notified,
    }
    for name, (field, value, updated, verified) in channels.items():
        answer[name] = {field: value or ""}
        for key, day in (("sistOppdatert", updated), ("sistVerifisert", verified)):
            if value and day:
                answer[name][key] = f"{day.isoformat()}T08:14:52.768Z"
    return answer


def _refusal(request: Request, status: int, error: str, message: str) -> Response:
    """Answer as Fiks does (``ErrorMessage``). The path holds the rolle, and no person's number."""
    body = {
        "timestamp": 1795500000000,
        "status": status,
        "error": error,
        "errorId": "5e1f0000-0000-4000-8000-0000000000ff",
        "path": request.url.path,
        "originalPath": request.url.path,
        "message": message,
        "errorCode": error.upper().replace(" ", "_"),
        "errorJson": "",
    }
    return _json(body, status)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
