"""FREG's and KRR's facts about a person, in their own shapes.

Sources: Skatteetaten, OpenAPI "Folkeregisteret - offentlig med hjemmel" 1.5 and the API documentation (dataminimering,
adresser, foreldreansvar); Digdir, Kontakt- og reservasjonsregisteret, "Attributter" and "Oppslagstjenesten REST".
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from simulator.model import Address, Country, Person

Json = dict[str, Any]

PERSON_BASIS = (
    "identifikasjonsnummer", "identitetsgrunnlag", "status", "doedsfall", "sivilstand", "foedsel", "statsborgerskap",
    "kjoenn", "navn", "bostedsadresse", "oppholdsadresse", "deltBosted", "postadresse", "postadresseIUtlandet",
    "adressebeskyttelse", "kontaktinformasjonForDoedsbo",
)  # fmt: skip
ALIASES = {
    "person-basis": PERSON_BASIS,
    "identitetsgrunnlag-utvidet": ("falskIdentitet", "legitimasjonsdokument", "utenlandskPersonidentifikasjon"),
    "relasjon-utvidet": ("familierelasjon", "foreldreansvar", "vergemaalEllerFremtidsfullmakt"),
}
_OTHERS = (
    "foedselINorge", "innflytting", "utflytting", "opphold", "oppholdPaaSvalbard", "bibehold", "brukAvSamiskSpraak",
    "utlendingsmyndighetenesIdentifikasjonsnummer", "forholdTilSametingetsValgmanntall", "rettsligHandleevne",
    "RettsligHandleevne", "preferertKontaktadresse",
)  # fmt: skip
HISTORY = "historikk"
PARTS = {*PERSON_BASIS, *_OTHERS, *(part for parts in ALIASES.values() for part in parts)}
"""Every element that may be asked for by name. An element that the simulator lacks is left out of the answer."""


class UnknownPart(ValueError):
    """A client asked for a ``part`` that does not exist."""


def elements(parts: Iterable[str]) -> tuple[frozenset[str], bool]:
    """Return the elements in the ``part`` parameters, and whether history is asked for; none means ``person-basis``.

    Raises UnknownPart.
    """
    asked = set(parts)
    history = HISTORY in asked
    asked.discard(HISTORY)
    wanted: set[str] = set()
    for part in asked or {"person-basis"}:
        if part in ALIASES:
            wanted.update(ALIASES[part])
        elif part in PARTS:
            wanted.add(part)
        else:
            raise UnknownPart(part)
    return frozenset(wanted | {"identifikasjonsnummer"}), history


def out_of_order(numbers: Iterable[str]) -> list[str]:
    """Return each number once, in another order than they were asked in, but always the same order."""
    return sorted(set(numbers), key=lambda number: (number[::-1], number))


def look_up(country: Country, number: str, wanted: frozenset[str], history: bool, *, ended: bool = True) -> Json:
    """Return a number's entry in an answer of the bulk look-up; with ``ended`` a former number finds its person."""
    person = country.find(number)
    if person is None or (not ended and number != person.number):
        return {
            "foedselsEllerDNummer": number,
            "feilmelding": {"feilmelding": "Ingen person funnet for angitt identifikator"},
        }
    return {"foedselsEllerDNummer": number, "folkeregisterperson": folkeregisterperson(person, wanted, history)}


def folkeregisterperson(person: Person, wanted: frozenset[str], history: bool) -> Json:
    """Return the person with the elements asked for, without empty elements."""
    answer: Json = {}
    for name, make in _ELEMENTS.items():
        if name not in wanted:
            continue
        # A person's ended numbers are always listed. Former values of all other elements are only in history.
        entries = [e for e in make(person) if history or e["erGjeldende"] or name == "identifikasjonsnummer"]
        if entries:
            answer[name] = entries[0] if name == "doedsfall" else entries
    return answer


def _at(day: date, hour: int = 0) -> str:
    return f"{day.isoformat()}T{hour:02d}:00:00+0{2 if 4 <= day.month <= 10 else 1}:00"


def _meta(since: date, *, current: bool = True, ended: date | None = None) -> Json:
    meta: Json = {
        "ajourholdstidspunkt": _at(since + timedelta(days=2), 9),
        "erGjeldende": current,
        "kilde": "Synutopia",
        "aarsak": "Konstruert",
        "gyldighetstidspunkt": _at(since),
    }
    return meta | ({"opphoerstidspunkt": _at(ended)} if ended else {})


def _numbers(person: Person) -> Iterator[Json]:
    since = person.born
    ended = [*person.former_numbers]
    if person.old_number:
        ended.insert(0, (person.old_number, "dNummer", person.born + timedelta(days=900)))
    for number, kind, until in ended:
        yield {
            **_meta(since, current=False, ended=until),
            "status": "opphoert",
            "foedselsEllerDNummer": number,
            "identifikatortype": kind,
        }
        since = until
    yield {
        **_meta(since),
        "status": "iBruk",
        "foedselsEllerDNummer": person.number,
        "identifikatortype": person.id_type,
    }


def _since(person: Person, element: str, otherwise: date | None = None) -> date:
    return person.since.get(element, otherwise or person.born)


def _status(person: Person) -> Iterator[Json]:
    yield {**_meta(person.died or _since(person, "status")), "status": person.status}


def _identity(person: Person) -> Iterator[Json]:
    yield {
        **_meta(_since(person, "identitetsgrunnlag")),
        "identitetsgrunnlagstatus": "ikkeKontrollert" if person.id_type == "dNummer" else "kontrollert",
    }


def _death(person: Person) -> Iterator[Json]:
    if person.died:
        yield {**_meta(person.died), "doedsdato": person.died.isoformat()}


def _civil(person: Person) -> Iterator[Json]:
    if person.married_to:
        since = person.born + timedelta(days=365 * 21)
        yield {
            **_meta(since),
            "sivilstand": "gift",
            "sivilstandsdato": since.isoformat(),
            "relatertVedSivilstand": person.married_to,
        }
    else:
        yield {**_meta(person.born), "sivilstand": "ugift"}


def _birth(person: Person) -> Iterator[Json]:
    entry = {
        **_meta(person.born),
        "foedselsdato": person.born.isoformat(),
        "foedselsaar": str(person.born.year),
        "foedeland": person.born_in,
    }
    yield entry | ({"foedekommuneINorge": "1106"} if person.born_in == "NOR" else {})


def _citizenship(person: Person) -> Iterator[Json]:
    yield {**_meta(person.born), "statsborgerskap": person.born_in}


def _sex(person: Person) -> Iterator[Json]:
    yield {**_meta(_since(person, "kjoenn")), "kjoenn": person.sex}


def _name(person: Person) -> Iterator[Json]:
    changed = _since(person, "navn", person.born + timedelta(days=2500))
    if person.former_name:
        given, family = person.former_name
        yield {
            **_meta(person.born, current=False),
            "fornavn": given,
            "etternavn": family,
            "forkortetNavn": f"{given} {family}",
        }
    parts = {"fornavn": person.given, "mellomnavn": person.middle, "etternavn": person.family}
    short = " ".join(part for part in parts.values() if part)[:40]
    since = changed if person.former_name else person.born
    entry = {**_meta(since), **{key: value for key, value in parts.items() if value}, "forkortetNavn": short}
    yield entry | ({"nyttNavnefelt": "nytt"} if ahead_of_its_time(person) else {})


def ahead_of_its_time(person: Person) -> bool:
    """Tell whether a person is graded with an unlisted word, and has fields that are in no schema.

    Skatteetaten adds values and fields without a new version.
    """
    return person.protection not in (None, "fortrolig", "strengtFortrolig")


def _dwelling(address: Address) -> Json:
    """One of the three forms, with the ids of the place."""
    place = {"poststedsnavn": address.poststedsnavn, "postnummer": address.postnummer}
    if address.kind == "ukjentBosted":
        return {"ukjentBosted": {"bostedskommune": address.kommunenummer}}
    if address.kind == "matrikkeladresse":
        farm = {"kommunenummer": address.kommunenummer, "gaardsnummer": int(address.husnummer), "bruksnummer": 4}
        form: Json = {
            "matrikkeladresse": {
                "matrikkelnummer": farm,
                "bruksenhetsnummer": address.bruksenhetsnummer,
                "bruksenhetstype": "bolig",
                "poststed": place,
            }
        }
    else:
        house = {"husnummer": address.husnummer} | ({"husbokstav": address.husbokstav} if address.husbokstav else {})
        form = {
            "vegadresse": {
                "kommunenummer": address.kommunenummer,
                "bruksenhetsnummer": address.bruksenhetsnummer,
                "bruksenhetstype": "bolig",
                "adressenavn": address.adressenavn,
                "adressenummer": house,
                "adressekode": f"1{int(address.husnummer):04d}",
                "poststed": place,
            }
        }
    return form | {"adresseIdentifikatorFraMatrikkelen": address.matrikkel_id}


def _home(person: Person) -> Iterator[Json]:
    # Skatteetaten, "Adresser": a strengtFortrolig person's residential address is left out, even the kommune.
    if person.protection == "strengtFortrolig":
        return
    if person.former_home:
        since = person.former_home.since
        if person.home and since >= person.home.since:
            since -= timedelta(days=3000)
        yield {
            **_meta(since, current=False),
            **_dwelling(person.former_home),
            "adressegradering": "ugradert",
            "flyttedato": since.isoformat(),
        }
    if person.home:
        since = max(person.home.since, person.born)
        circles = (
            {"grunnkrets": 101, "stemmekrets": 1, "skolekrets": 12, "kirkekrets": 1}
            if person.home.kind == "vegadresse"
            else {}
        )
        yield {
            **_meta(since),
            **_dwelling(person.home),
            "adressegradering": person.home_grading,
            "flyttedato": since.isoformat(),
            **circles,
        }


def _stay(person: Person) -> Iterator[Json]:
    if person.stay and person.protection != "strengtFortrolig":
        form = _dwelling(person.stay)
        yield {
            **_meta(person.stay.since),
            **form,
            "adressegradering": person.stay_grading,
            "oppholdsadressedato": person.stay.since.isoformat(),
        }


def _second_home(person: Person) -> Iterator[Json]:
    if person.second_home and person.protection != "strengtFortrolig":
        since = max(person.second_home.since, person.born)
        yield {
            **_meta(since),
            **_dwelling(person.second_home),
            "adressegradering": "ugradert",
            "startdatoForKontrakt": since.isoformat(),
        }


def _post(person: Person) -> Iterator[Json]:
    if person.postbox:
        place = {"poststedsnavn": "OSLO", "postnummer": "0031"}
        yield {
            **_meta(person.born),
            "postboksadresse": {"postboks": person.postbox, "poststed": place},
            "adressegradering": "ugradert",
        }


def _protection(person: Person) -> Iterator[Json]:
    if person.protection:
        since = _since(person, "adressebeskyttelse", person.born + timedelta(days=1200))
        yield {**_meta(since), "graderingsnivaa": person.protection}


def _without_number(given: str, family: str, born: date) -> Json:
    return {"navn": {"fornavn": given, "etternavn": family}, "foedselsdato": born.isoformat(), "statsborgerskap": "SWE"}


def _family(person: Person) -> Iterator[Json]:
    for role, number in person.parents:
        yield {
            **_meta(person.born),
            "relatertPerson": number,
            "relatertPersonsRolle": role,
            "minRolleForPerson": "barn",
        }
    for role, given, family, born in person.unnumbered_parents:
        stranger = _without_number(given, family, born)
        yield {
            **_meta(person.born),
            "relatertPersonUtenFolkeregisteridentifikator": stranger,
            "relatertPersonsRolle": role,
            "minRolleForPerson": "barn",
        }
    for number, role, _ in person.children:
        if role:
            yield {
                **_meta(person.born),
                "relatertPerson": number,
                "relatertPersonsRolle": "barn",
                "minRolleForPerson": role,
            }
    if person.married_to:
        partner = "ektefelleEllerPartner"
        yield {
            **_meta(person.born),
            "relatertPerson": person.married_to,
            "relatertPersonsRolle": partner,
            "minRolleForPerson": partner,
        }


def _responsibility(person: Person) -> Iterator[Json]:
    for record in person.responsibility:
        entry = {**_meta(_since(person, "foreldreansvar"), current=record.current), "ansvar": record.ansvar}
        if person.names_itself:
            entry["ansvarssubjekt"] = person.number
        if record.ansvarlig:
            entry["ansvarlig"] = record.ansvarlig
        if record.organisasjon:
            entry["ansvarligOrganisasjon"] = record.organisasjon
        if record.uten_identifikator:
            entry["ansvarligUtenIdentifikator"] = _without_number(*record.uten_identifikator)
        yield entry
    for number, _, ansvar in person.children:
        if ansvar:
            yield {**_meta(person.born), "ansvar": ansvar, "ansvarssubjekt": number}


_ELEMENTS: dict[str, Callable[[Person], Iterator[Json]]] = {
    "identifikasjonsnummer": _numbers,
    "identitetsgrunnlag": _identity,
    "status": _status,
    "doedsfall": _death,
    "sivilstand": _civil,
    "familierelasjon": _family,
    "bostedsadresse": _home,
    "deltBosted": _second_home,
    "oppholdsadresse": _stay,
    "postadresse": _post,
    "adressebeskyttelse": _protection,
    "kjoenn": _sex,
    "statsborgerskap": _citizenship,
    "foreldreansvar": _responsibility,
    "foedsel": _birth,
    "navn": _name,
}


def krr_person(number: str, person: Person | None, *, contact: bool, mailbox: bool) -> Json:
    """Return a person's entry in KRR; ``contact`` and ``mailbox`` as the scopes allow. Offsets are in whole hours."""
    entry = person.contact if person else None
    if entry is None:
        return {
            "personidentifikator": number,
            "reservasjon": "NEI",
            "status": "IKKE_REGISTRERT",
            "varslingsstatus": "KAN_IKKE_VARSLES",
        }
    answer: Json = {
        "personidentifikator": number,
        "reservasjon": "JA" if entry.reserved else "NEI",
        "status": entry.status,
    }
    if entry.reserved:
        answer["reservasjonstidspunkt"] = answer["reservasjon_oppdatert"] = _krr_time(entry.reserved)
    if contact:
        answer["varslingsstatus"] = "KAN_VARSLES" if entry.can_be_notified else "KAN_IKKE_VARSLES"
        details: Json = {}
        channels = (
            ("epostadresse", entry.epost, entry.epost_oppdatert, entry.epost_verifisert),
            ("mobiltelefonnummer", entry.mobil, entry.mobil_oppdatert, entry.mobil_verifisert),
        )
        for name, value, updated, verified in channels:
            if value:
                details[name] = value
                details |= {f"{name}_oppdatert": _krr_time(updated)} if updated else {}
                details |= {f"{name}_sist_verifisert": _krr_time(verified)} if verified else {}
        if entry.epost and entry.epost_duplisert:
            details["epostadresse_duplisert"] = "JA"
        if details:
            answer["kontaktinformasjon"] = details
        answer["spraak"] = entry.spraak
    if mailbox and entry.status == "AKTIV" and int(number[-1]) % 2 == 0:
        answer["digital_post"] = {
            "postkasseadresse": f"synt.{number[-4:]}#{number[:4]}",
            "postkasseleverandoeradresse": "984661185",
        }
    return answer


def _krr_time(day: date) -> str:
    return f"{day.isoformat()}T10:14:52+0{2 if 4 <= day.month <= 10 else 1}"
