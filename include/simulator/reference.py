"""NSR v4, Grep's subject codes and SSB's Klass 131, with the paths, the fields and the habits of the real ones.

NSR has the schools of the simulator's kommuner, and computed units of the rest of the country: owners, kindergartens,
closed ones. Two entries are missing on purpose, so that a report has something to correct: Haugesund's Testskole 1 in
NSR and KRLE's code in Grep. NSR v4 has no known official description: its fields are those that public clients read,
and its answer to a page that does not exist is assumed to be an empty page. Grep's records follow an early example,
Klass's the fields that clients read.
"""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from simulator.kommuner import KOMMUNER
from simulator.large import CHOICES, COMMON
from simulator.model import Country
from simulator.numbers import organisation

NOT_IN_NSR = "TE1"
"""The key of the school that NSR lacks."""
NOT_IN_GREP = "KRL"
"""The subject whose code Grep lacks."""
UNITS = 2_300
"""Units of the rest of the country; the real register has some 19 000."""
CODES = 400
COUNTIES = ("03", "11", "15", "18", "31", "32", "33", "34", "39", "40", "42", "46", "50", "55", "56")
"""The fifteen counties' numbers (Klass 104, 2026)."""
MOST = 1000

Json = dict[str, Any]


def kommuner() -> dict[str, str]:
    """Return 357 kommuner, as many as the country has: ours by their names, the rest by made-up numbers and names."""
    made = (f"{county}{serial:02d}" for serial in range(1, 99) for county in COUNTIES if county != "03")
    found = {"0301": "Oslo - Oslove"} | {
        number: kommune.name.removesuffix(" kommune") for number, kommune in KOMMUNER.items()
    }
    for number in made:
        if len(found) == 357:
            break
        found.setdefault(number, f"Kommune {number}")
    return dict(sorted(found.items()))


def units(country: Country) -> list[Json]:
    """List NSR's units, in the order of their numbers."""
    owners = {**KOMMUNER, **{number: world.kommune for number, world in country.worlds.items()}}
    found = []
    for number, kommune in owners.items():
        found.append(_unit(kommune.orgnr, kommune.name, number, school=False))
        found += [_unit(school.orgnr, school.name, number) for school in kommune.schools if school.key != NOT_IN_NSR]
    numbers = list(kommuner())
    serial = made = 0
    while made < UNITS:
        serial += 1
        try:
            orgnr = organisation(f"319{serial:05d}")
        except ValueError:  # every eleventh number has no control digit
            continue
        made += 1
        kind = ("skole ", "barnehage", "voksenopplæring")[serial % 3]  # with an extra blank, as real names have
        where = numbers[serial % len(numbers)]
        found.append(_unit(orgnr, f"Enhet {serial} {kind}", where, school=serial % 3 == 0, active=serial % 7 > 0))
    return sorted(found, key=lambda unit: str(unit["Organisasjonsnummer"]))


def _unit(orgnr: str, name: str, kommunenummer: str, *, school: bool = True, active: bool = True) -> Json:
    return {
        "Organisasjonsnummer": orgnr,
        "Navn": name,
        "Fylkesnummer": kommunenummer[:2],
        "Kommunenummer": kommunenummer,
        "ErAktiv": active,
        "ErSkole": school,
        "ErGrunnskole": school,
        "ErVideregaaendeSkole": False,
        "DatoEndret": "2026-08-01T03:14:15.9265359+02:00",
    }


def subject_codes() -> list[Json]:
    """List Grep's subject codes: all codes taught here except one, other codes, and some that have ended."""
    taught = [(short, title, code) for short, title, code in (*COMMON, *CHOICES) if short != NOT_IN_GREP]
    made = [("ENH", f"Fag {serial}", f"FAG{serial:04d}") for serial in range(1, CODES + 1)]
    return [_code(code, title, ended=short == "ENH" and code[-1] == "0") for short, title, code in (*taught, *made)]


def _code(code: str, title: str, *, ended: bool) -> Json:
    return {
        "id": f"uuid:{code}",
        "kode": code,
        "uri": f"http://psi.udir.no/kl06/{code}",
        "url-data": f"http://data.udir.no/kl06/v201906/fagkoder/{code}",
        "grep-type": "http://psi.udir.no/ontologi/kl06/fagkode",
        "status": f"http://psi.udir.no/kl06/status_{'utgaatt' if ended else 'publisert'}",
        "sist-endret": "2026-06-30T12:00:00",
        "tittel": [{"spraak": "nob", "verdi": title}, {"spraak": "default", "verdi": title}],
        # One key has the spelling of Udir's own example.
        "kortform": [{"spraak": "nob", "verdi": title}, {"spraak": "default", "sprakk": title}],
    }


def klass_codes() -> list[Json]:
    """List Klass 131's codes on a day: the kommuner, and the code for no kommune."""
    return [
        {
            "code": number,
            "parentCode": None,
            "level": "1",
            "name": name,
            "shortName": "",
            "presentationName": "",
            "validFrom": None,
            "validTo": None,
            "notes": "",
        }
        for number, name in [*kommuner().items(), ("9999", "Uoppgitt")]
    ]


def router(country: Country) -> APIRouter:
    """Answer at ``/v4``, ``/kl06/v201906`` and ``/api/klass/v1``, to any client."""
    routes = APIRouter()

    @routes.get("/v4/enheter")
    async def enheter(request: Request) -> Response:
        asked = {name.lower(): value for name, value in request.query_params.items()}  # clients write it in two ways
        try:
            number, size = int(asked.get("sidenummer", "1")), min(int(asked.get("antallperside", "100")), MOST)
        except ValueError:
            return Response(status_code=400)
        if number < 1 or size < 1:
            return Response(status_code=400)
        found = units(country)
        return _json(
            {
                "Sidenummer": number,
                "AntallPerSide": size,
                "AntallSider": -(-len(found) // size),
                "TotaltAntallEnheter": len(found),
                "EnhetListe": found[(number - 1) * size : number * size],
            }
        )

    @routes.get("/kl06/v201906/fagkoder")
    async def fagkoder() -> Response:
        return _json(subject_codes())

    @routes.get("/api/klass/v1/classifications/131/codesAt")
    async def codes_at(request: Request) -> Response:
        if "date" not in request.query_params:
            return Response(status_code=400)
        return _json({"codes": klass_codes()})

    return routes


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
