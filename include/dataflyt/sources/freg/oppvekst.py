"""Answers of KS Fiks' ``oppvekst`` to rows: pupils, with their guardians joined.

An answer is flat: it has one current value of each element, without ``erGjeldende`` and times. It does not tell which
number was asked for.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import NobodyNamed, Unreadable
from dataflyt.formats.json_values import Json, load_json, number, part, parts, text
from dataflyt.sources.freg.addresses import OTHER_ADDRESSES, other_address, residence
from dataflyt.sources.freg.documents import error_message, says_anything
from dataflyt.sources.freg.gradings import protection
from dataflyt.sources.freg.rows import (
    SUBJECT,
    Familierelasjon,
    Foreldreansvar,
    Identifikasjonsnummer,
    Navn,
    Person,
    Ubesvart,
)
from dataflyt.sources.freg.unknown_fields import FLAT_FIELDS, look_for_unknown, unknown_fields
from dataflyt.sources.freg.values import word


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield the rows of each pupil, then the rows of the pupil's guardians that have contents. Raises Unreadable.

    A guardian with only a number gives no ``person``, and is therefore asked about. A guardian joined to a pupil is a
    document like any other, but without former numbers; a document repeated word for word is passed over. If no
    responsible person is named, ``foreldreansvarstype`` is alone: the responsible may be an organisation, or a person
    without a number.
    """
    answer = load_json(stream)
    if not isinstance(answer, list):
        raise Unreadable(f"Siden er ikke et svar fra oppvekst, for {_why_not(answer)}.")
    unknown: set[str] = set()
    told: set[tuple[NamedTuple, ...]] = set()
    named = 0
    for document in answer:
        me = _flat_number(document) if isinstance(document, dict) else None
        if me is None:
            continue
        named += 1
        look_for_unknown(document, FLAT_FIELDS, unknown)
        if not says_anything(document):
            yield Ubesvart(me, None)
            continue
        yield from _flat_pupil(document, me)
        for guardian in parts(document, "foreldreansvarlige"):
            adult = _flat_number(guardian)
            said = {name: value for name, value in guardian.items() if name != "ansvar"}
            if adult and says_anything(said) and (came_along := tuple(_flat_person(said, adult))) not in told:
                told.add(came_along)
                yield from came_along
    if answer and not named:
        raise NobodyNamed("Siden er ikke et svar fra oppvekst, for ingen oppføring nevner en person.")
    yield from unknown_fields(unknown)


def _why_not(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke en liste"
    if "oppslag" in answer:
        return "den ser ut som et svar på bulkoppslag (formatet bulk)"
    return error_message(answer) or "den er ett objekt og ikke en liste"


def _flat_number(document: Json) -> str | None:
    return number(part(document, "identifikasjonsnummer"), SUBJECT)


def _flat_pupil(document: Json, me: str) -> Iterator[NamedTuple]:
    """Yield all rows of a pupil. The pupil's number is in use, and former numbers have ended."""
    yield from _flat_person(document, me)
    kind = text(part(document, "identifikasjonsnummer"), "identifikatortype")
    yield Identifikasjonsnummer(me, me, kind, "iBruk")
    for former in parts(document, "tidligereIdentifikasjonsnummer"):
        if old := number(former, SUBJECT):
            yield Identifikasjonsnummer(me, old, text(former, "identifikatortype"), "opphoert")
    guardians = parts(document, "foreldreansvarlige")
    for guardian in guardians:
        yield _flat_responsibility(me, word(text(guardian, "ansvar")), _flat_number(guardian))
    if not guardians and (kind := word(text(document, "foreldreansvarstype"))):
        yield _flat_responsibility(me, kind, None)
    for item in parts(document, "familierelasjoner"):
        relative, role = number(item, "familierelasjonPerson"), text(item, "familierelasjonRolle")
        yield Familierelasjon(me, relative, False, role, None, None, None)


def _flat_person(document: Json, me: str) -> Iterator[NamedTuple]:
    """Yield the rows that pupils and guardians both have."""
    kind = text(part(document, "identifikasjonsnummer"), "identifikatortype")
    state, born = word(text(document, "personstatus")), text(document, "foedselsdato") or text(document, "foedsel")
    year = (born or "")[:4] or None
    yield Person(me, me, kind, state, born, year, word(text(document, "kjoenn")), None, state == "doed", False)
    for name in parts(document, "navn"):
        given, middle, family = (text(name, field) for field in ("fornavn", "mellomnavn", "etternavn"))
        yield Navn(me, given, middle, family, None, None, None)
    for item in parts(document, "bostedsadresse") or [{}]:
        yield residence(me, item)
    for element in OTHER_ADDRESSES:
        for item in parts(document, element):
            yield other_address(me, element, item)
    yield protection(me, document.get("adressebeskyttelse"))


def _flat_responsibility(me: str, ansvar: str | None, adult: str | None) -> Foreldreansvar:
    return Foreldreansvar(me, ansvar, adult, None, None, None, None, None, None, None, None)
