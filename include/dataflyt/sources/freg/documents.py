"""A person's document in FREG's own form to rows: the common part of ``bulk`` and ``person``."""

from collections.abc import Iterator
from typing import NamedTuple

from dataflyt.formats.json_values import Json, flag, is_object, number, part, parts, text
from dataflyt.sources.freg.addresses import OTHER_ADDRESSES, other_address, residence
from dataflyt.sources.freg.gradings import protection
from dataflyt.sources.freg.rows import (
    SUBJECT,
    Familierelasjon,
    Foreldreansvar,
    Identifikasjonsnummer,
    Navn,
    Person,
)
from dataflyt.sources.freg.unknown_fields import KNOWN
from dataflyt.sources.freg.values import is_nothing, validity, word


def says_anything(document: Json) -> bool:
    """Tell whether a document has anything that applies besides numbers; a document without it is half an answer.

    An unknown element does not count: it may be about the document and not about its person.
    """
    return any(
        not is_nothing(item) and not (isinstance(item, dict) and flag(item, "erGjeldende") is False)
        for name, value in document.items()
        if name in KNOWN and name not in _NUMBER_ELEMENTS
        for item in (value if isinstance(value, list) else (value,))
    )


_NUMBER_ELEMENTS = {"identifikasjonsnummer", "tidligereIdentifikasjonsnummer"}


def person_rows(document: Json, asked: str | None) -> Iterator[NamedTuple]:
    """Yield all rows of one person; ``asked`` is the number that was asked about, if it is known."""
    numbers = numbers_in(document)
    current = current_number(numbers, asked)
    me = number(current, SUBJECT) or asked or ""
    birth = current_entry(document, "foedsel")
    state = word(text(current_entry(document, "status"), "status"))
    death = current_entry(document, "doedsfall")
    false_identity = current_entry(document, "falskIdentitet")
    yield Person(
        foedselsEllerDNummer=me,
        oppslag=asked or me,
        identifikatortype=text(current, "identifikatortype"),
        status=state,
        foedselsdato=text(birth, "foedselsdato"),
        foedselsaar=text(birth, "foedselsaar"),
        kjoenn=word(text(current_entry(document, "kjoenn"), "kjoenn")),
        doedsdato=text(death, "doedsdato"),
        doed=bool(death) or state == "doed",
        falskIdentitet=bool(false_identity) and flag(false_identity, "erFalsk") is not False,
    )
    for item in numbers:
        yield Identifikasjonsnummer(
            me, number(item, SUBJECT) or "", text(item, "identifikatortype"), word(text(item, "status"))
        )
    for item in parts(document, "navn"):
        yield Navn(
            me,
            text(item, "fornavn"),
            text(item, "mellomnavn"),
            text(item, "etternavn"),
            text(item, "forkortetNavn"),
            *validity(item),
        )
    for item in parts(document, "bostedsadresse") or [{}]:
        yield residence(me, item)
    for element in OTHER_ADDRESSES:
        for item in parts(document, element):
            yield other_address(me, element, item)
    yield protection(me, document.get("adressebeskyttelse"))
    for item in parts(document, "foreldreansvar"):
        # Ansvar for a child without a number is in the parent's document. Reading it would give the parent a guardian.
        if not is_object(item.get("ansvarssubjektUtenIdentifikator")):
            yield _responsibility(me, item)
    for item in parts(document, "familierelasjon"):
        yield Familierelasjon(
            me,
            number(item, "relatertPerson"),
            is_object(item.get("relatertPersonUtenFolkeregisteridentifikator")),
            text(item, "relatertPersonsRolle"),
            text(item, "minRolleForPerson"),
            *validity(item),
        )


def _responsibility(me: str, item: Json) -> Foreldreansvar:
    unknown = part(item, "ansvarligUtenIdentifikator")
    name = part(unknown, "navn")
    current, since = validity(item)
    return Foreldreansvar(
        me,
        word(text(item, "ansvar")),
        number(item, "ansvarlig"),
        text(item, "ansvarligOrganisasjon"),
        text(name, "fornavn"),
        text(name, "mellomnavn"),
        text(name, "etternavn"),
        text(unknown, "foedselsdato"),
        number(item, "ansvarssubjekt"),
        # An entry that ended without being replaced has the time of its end (Skatteetaten, "opphoerstidspunkt").
        False if current is None and text(item, "opphoerstidspunkt") else current,
        since,
    )


def numbers_in(document: Json) -> list[Json]:
    """Return the entries of ``identifikasjonsnummer`` that have a number."""
    return [item for item in parts(document, "identifikasjonsnummer") if number(item, SUBJECT)]


def number_in_use(document: Json) -> str | None:
    """Return the number that a document is about; None when it has no number."""
    numbers = numbers_in(document)
    return number(current_number(numbers, None), SUBJECT) if numbers else None


def current_number(numbers: list[Json], asked: str | None) -> Json:
    """Return the entry of the number in use, else of the number asked for.

    A number in use has ``iBruk`` and ``erGjeldende``; a fødselsnummer goes before a D-number.
    """
    in_use = [n for n in numbers if word(text(n, "status")) == "iBruk" and flag(n, "erGjeldende") is not False]
    if len(in_use) == 1:
        return in_use[0]
    if in_use:
        return max(
            in_use,
            key=lambda n: (
                flag(n, "erGjeldende") is True,
                text(n, "identifikatortype") == "foedselsnummer",
                number(n, SUBJECT) == asked,
            ),
        )
    if asked is None:
        return numbers[0]
    return next((n for n in numbers if number(n, SUBJECT) == asked), {})


def current_entry(document: Json, name: str) -> Json:
    """Return the entry that applies: the newest with ``erGjeldende`` true, else the newest without ``erGjeldende``."""
    items = [item for item in parts(document, name) if flag(item, "erGjeldende") is not False]
    if len(items) == 1:
        return items[0]
    return max(
        items,
        key=lambda item: (flag(item, "erGjeldende") is True, text(item, "gyldighetstidspunkt") or ""),
        default={},
    )


def error_message(answer: Json) -> str | None:
    """Return the Norwegian clause for an answer that is an error message; None if it is not one."""
    return "den er en feilmelding" if answer.keys() & _OF_ERRORS else None


_OF_ERRORS = {"kode", "feilkode", "code", "feilmelding", "errorId", "errorCode"}
