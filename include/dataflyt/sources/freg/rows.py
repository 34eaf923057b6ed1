"""FREG answers to rows.

In: one JSON answer of FREG "offentlig med hjemmel", of ``personer/bulkoppslag`` (``bulk``; ``residents`` of it reads no
more than children who live here need) or of ``personer/{personidentifikator}`` (``person``), or of KS Fiks'
``oppvekst``. Out: rows of the tables below, for each document first ``person``, then what belongs to it. Fields keep
the register's names; values stay as they stand. Elements that are absent, null or of another type give no row or an
empty field; unknown ones are passed over and named once a page (``ukjentFelt``), since Skatteetaten adds them without a
new version. An entry of a bulk answer that names nobody gives no row: its number counts as unanswered. So does that of
a document in which nothing applies but numbers: half an answer would end every access. An answer of another shape
raises ``Unreadable``.

Every document gives one row of ``adressebeskyttelse`` and at least one of ``bostedsadresse``, whatever it says: the
number of rows in a table tells nothing about protection.

Source: Skatteetaten, Folkeregisteret API documentation (information model, dataminimering, bulkoppslag); KS, OpenAPI
"folkeregister-oppvekst-api-v1".
"""

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from dataflyt.errors import NobodyNamed, Unreadable
from dataflyt.formats.reading import Json, flag, is_object, load_json, number, part, parts, text, tidy
from dataflyt.sources import Reader, Table


class Person(NamedTuple):
    """One person FREG answered for. ``foedselsEllerDNummer`` is the number in use, ``oppslag`` the one asked for."""

    foedselsEllerDNummer: str
    oppslag: str
    identifikatortype: str | None
    status: str | None
    foedselsdato: str | None
    foedselsaar: str | None
    kjoenn: str | None
    doedsdato: str | None
    doed: bool
    """True when there is a ``doedsfall`` (its date may be missing) or status ``doed``."""
    falskIdentitet: bool


class Ubesvart(NamedTuple):
    """A number that was in an answer without a person (``feilmelding``), or with one of whom nothing applies."""

    oppslag: str
    feilmelding: str | None


class Identifikasjonsnummer(NamedTuple):
    """One of the numbers a person has or had."""

    foedselsEllerDNummer: str
    identifikasjonsnummer: str
    identifikatortype: str | None
    status: str | None


class Navn(NamedTuple):
    """A name."""

    foedselsEllerDNummer: str
    fornavn: str | None
    mellomnavn: str | None
    etternavn: str | None
    forkortetNavn: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Bostedsadresse(NamedTuple):
    """A residential address: ``adressetype`` is vegadresse, matrikkeladresse or ukjentBosted.

    ``kommunenummer`` is taken from wherever the address has it (three places). ``bolig`` tells one
    dwelling from another: two people with the same non-null value live together. All is empty but the number for
    somebody without one.
    """

    foedselsEllerDNummer: str
    adressegradering: str | None
    adressetype: str | None
    kommunenummer: str | None
    adressenavn: str | None
    husnummer: str | None
    husbokstav: str | None
    bruksenhetsnummer: str | None
    postnummer: str | None
    poststedsnavn: str | None
    coAdressenavn: str | None
    bolig: str | None
    flyttedato: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class AnnenAdresse(NamedTuple):
    """Any other address, only for its grading.

    ``element`` is oppholdsadresse, deltBosted, postadresse or postadresseIUtlandet. ``bolig`` as in Bostedsadresse
    (deltBosted is a second dwelling).
    """

    foedselsEllerDNummer: str
    element: str
    adressegradering: str | None
    kommunenummer: str | None
    bolig: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Adressebeskyttelse(NamedTuple):
    """How a document grades its person, summed up: each document gives one row, an ungraded one too.

    ``graderingsnivaa`` is the strictest of the known words that apply, ``ugradert`` when there is none, and
    ``gyldighetstidspunkt`` is that entry's. ``ukjent``: an entry that applies has a word in no list, or cannot be read.
    ``erGjeldende`` is always true.
    """

    foedselsEllerDNummer: str
    graderingsnivaa: str
    ukjent: bool
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Foreldreansvar(NamedTuple):
    """Who decides for a child.

    ``foedselsEllerDNummer`` is the person whose document it stands in; it speaks of that person as a
    child only when ``ansvarssubjekt`` is empty or the same number. All responsible fields may be empty.
    """

    foedselsEllerDNummer: str
    ansvar: str | None
    ansvarlig: str | None
    ansvarligOrganisasjon: str | None
    ansvarligUtenIdentifikator_fornavn: str | None
    ansvarligUtenIdentifikator_mellomnavn: str | None
    ansvarligUtenIdentifikator_etternavn: str | None
    ansvarligUtenIdentifikator_foedselsdato: str | None
    ansvarssubjekt: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Familierelasjon(NamedTuple):
    """A relation by birth, adoption or marriage: evidence inside an explanation, never a source of access."""

    foedselsEllerDNummer: str
    relatertPerson: str | None
    relatertPersonUtenFolkeregisteridentifikator: bool
    relatertPersonsRolle: str | None
    minRolleForPerson: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Resident(NamedTuple):
    """A child who lives here by FREG's extract and was not asked about as a pupil: no more than a work list needs.

    ``graderingsnivaa`` is the strictest that stands, ``ukjent`` when it cannot be read.
    """

    foedselsEllerDNummer: str
    oppslag: str
    fornavn: str | None
    mellomnavn: str | None
    etternavn: str | None
    foedselsaar: str | None
    status: str | None
    graderingsnivaa: str | None


class UkjentFelt(NamedTuple):
    """An element, or a field of one (``navn.nyttFelt``), that we do not know: a name of the schema, of no person."""

    felt: str


_SUBJECT = "foedselsEllerDNummer"
TABLES = {
    table.name: table
    for table in (
        Table("person", Person, (_SUBJECT,), _SUBJECT, begins=True),
        Table("ubesvart", Ubesvart, ("oppslag",), "oppslag", whole=True),
        Table("identifikasjonsnummer", Identifikasjonsnummer, (_SUBJECT, "identifikasjonsnummer"), _SUBJECT),
        Table("navn", Navn, (_SUBJECT, "fornavn", "mellomnavn", "etternavn", "gyldighetstidspunkt"), _SUBJECT),
        Table(
            "bostedsadresse",
            Bostedsadresse,
            (_SUBJECT, "adressetype", "bolig", "gyldighetstidspunkt", "adressegradering"),
            _SUBJECT,
        ),
        Table(
            "annenAdresse",
            AnnenAdresse,
            (_SUBJECT, "element", "bolig", "gyldighetstidspunkt", "adressegradering"),
            _SUBJECT,
        ),
        Table("adressebeskyttelse", Adressebeskyttelse, (_SUBJECT,), _SUBJECT),
        Table("foreldreansvar", Foreldreansvar, Foreldreansvar._fields[:9], _SUBJECT),
        Table("familierelasjon", Familierelasjon, Familierelasjon._fields[:5], _SUBJECT),
        Table("resident", Resident, (_SUBJECT,), _SUBJECT, whole=True),
        Table("ukjentFelt", UkjentFelt, ("felt",), "felt", whole=True),
    )
}


def bulk(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read an answer of ``personer/bulkoppslag``."""
    unknown: set[str] = set()
    for asked, document, message in _entries(stream):
        if document:
            _look_for_unknown(document, _FIELDS, unknown)
            yield from _person(document, asked)
        else:
            yield Ubesvart(asked or "", message)
    yield from _unknown(unknown)


def residents(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read an answer of ``personer/bulkoppslag`` about children who live here: who they are and whether protected."""
    for asked, document, message in _entries(stream):
        if document:
            yield _resident(document, asked)
        else:
            yield Ubesvart(asked or "", message)


def _entries(stream: BinaryIO) -> Iterator[tuple[str | None, Json, str | None]]:
    """Yield of a bulk answer the number asked for, the person, and where there is none what is said instead."""
    answer = load_json(stream)
    if not isinstance(answer, dict) or not isinstance(answer.get("oppslag"), list | dict):
        raise Unreadable(f"Siden er ikke et svar på bulkoppslag, for {_why_not_bulk(answer)}.")
    named = 0
    for entry in parts(answer, "oppslag"):
        asked = number(entry, "foedselsEllerDNummer")
        person = part(entry, "folkeregisterperson")
        if not _says_anything(person):
            asked, person = asked or _number_in_use(person), {}
        if person and (asked or _numbers(person)):
            named += 1
            yield asked, person, None
        elif asked:
            named += 1
            message = part(entry, "feilmelding")
            yield asked, {}, text(message or entry, "feilmelding")
    if answer["oppslag"] and not named:
        raise NobodyNamed("Siden er ikke et svar på bulkoppslag, for ingen oppføring nevner en person.")


def _says_anything(document: Json) -> bool:
    """Tell whether anything that applies stands in a document beside numbers; without is half an answer.

    An element that we do not know says nothing: what is told of the document, perhaps, and not of its person.
    """
    return any(
        not _is_nothing(item) and not (isinstance(item, dict) and flag(item, "erGjeldende") is False)
        for name, value in document.items()
        if name in _KNOWN and name not in _NUMBERS
        for item in (value if isinstance(value, list) else (value,))
    )


_NUMBERS = {"identifikasjonsnummer", "tidligereIdentifikasjonsnummer"}


def _is_nothing(value: object) -> bool:
    """Tell whether nothing stands there: null, a blank text, an empty object or list, or a list of such."""
    return all(map(_is_blank, value)) if isinstance(value, list) else _is_blank(value)


def _is_blank(value: object) -> bool:
    return tidy(value) is None if isinstance(value, str) else value is None or value in ({}, [])


def person(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read an answer of ``personer/{personidentifikator}``; it does not say which number was asked for."""
    answer = load_json(stream)
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if not isinstance(answer, dict) or not _numbers(answer):
        raise Unreadable(f"Siden er ikke en person fra Folkeregisteret, for {_why_not_person(answer)}.")
    if _says_anything(answer):
        yield from _person(answer, None)
    else:
        yield Ubesvart(_number_in_use(answer) or "", None)


def oppvekst(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read an answer of KS Fiks' ``oppvekst``: pupils, and their guardians joined.

    It is flattened: one current value of each, without ``erGjeldende`` and times, and does not say which number was
    asked for. A guardian of whom nothing but the number is said gives no person, and is asked for. What came along of a
    guardian is a document too, without the numbers they have had; what is said again word for word is passed over. When
    nobody is named as responsible, ``foreldreansvarstype`` stands alone: an organisation or somebody without a number,
    perhaps.
    """
    answer = load_json(stream)
    if not isinstance(answer, list):
        raise Unreadable(f"Siden er ikke et svar fra oppvekst, for {_why_not_oppvekst(answer)}.")
    unknown: set[str] = set()
    told: set[tuple[NamedTuple, ...]] = set()
    named = 0
    for document in answer:
        me = _flat_number(document) if isinstance(document, dict) else None
        if me is None:
            continue
        named += 1
        _look_for_unknown(document, _FLAT_FIELDS, unknown)
        if not _says_anything(document):
            yield Ubesvart(me, None)
            continue
        yield from _flat_pupil(document, me)
        for guardian in parts(document, "foreldreansvarlige"):
            adult = _flat_number(guardian)
            said = {name: value for name, value in guardian.items() if name != "ansvar"}
            if adult and _says_anything(said) and (came_along := tuple(_flat_person(said, adult))) not in told:
                told.add(came_along)
                yield from came_along
    if answer and not named:
        raise NobodyNamed("Siden er ikke et svar fra oppvekst, for ingen oppføring nevner en person.")
    yield from _unknown(unknown)


FORMATS: dict[str, Reader] = {"bulk": bulk, "person": person, "oppvekst": oppvekst, "residents": residents}


def named(content: bytes, format: str) -> set[str]:
    """Give the numbers about which an answer says something, by the same reading as the rows. Raises Unreadable."""
    if format != "oppvekst":
        found: set[str] = set()
        for asked, document, _ in _entries(io.BytesIO(content)):
            found |= {asked} if asked else set()
            found |= {number(item, _SUBJECT) or "" for item in _numbers(document)}
        return found
    rows = oppvekst(io.BytesIO(content))
    return {
        row.identifikasjonsnummer if isinstance(row, Identifikasjonsnummer) else row.oppslag
        for row in rows
        if isinstance(row, Person | Ubesvart | Identifikasjonsnummer)
    }


def _why_not_bulk(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "personer" in answer:
        return "den ser ut som et svar fra KRR"
    if "identifikasjonsnummer" in answer:
        return "den ser ut som én person (formatet person)"
    return _error_message(answer) or "den har ingen liste «oppslag»"


def _why_not_person(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "oppslag" in answer:
        return "den ser ut som et svar på bulkoppslag (formatet bulk)"
    if "personer" in answer:
        return "den ser ut som et svar fra KRR"
    return _error_message(answer) or "den har ingen «identifikasjonsnummer»"


def _why_not_oppvekst(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke en liste"
    if "oppslag" in answer:
        return "den ser ut som et svar på bulkoppslag (formatet bulk)"
    return _error_message(answer) or "den er ett objekt og ikke en liste"


def _error_message(answer: Json) -> str | None:
    return "den er en feilmelding" if answer.keys() & _OF_ERRORS else None


_OF_ERRORS = {"kode", "feilkode", "code", "feilmelding", "errorId", "errorCode"}


def _person(document: Json, asked: str | None) -> Iterator[NamedTuple]:
    """Give all rows of one person; ``asked`` is the number looked up, where it is known."""
    numbers = _numbers(document)
    current = _current_number(numbers, asked)
    me = number(current, _SUBJECT) or asked or ""
    birth = _current(document, "foedsel")
    state = _word(text(_current(document, "status"), "status"))
    death = _current(document, "doedsfall")
    false_identity = _current(document, "falskIdentitet")
    yield Person(
        foedselsEllerDNummer=me,
        oppslag=asked or me,
        identifikatortype=text(current, "identifikatortype"),
        status=state,
        foedselsdato=text(birth, "foedselsdato"),
        foedselsaar=text(birth, "foedselsaar"),
        kjoenn=_word(text(_current(document, "kjoenn"), "kjoenn")),
        doedsdato=text(death, "doedsdato"),
        doed=bool(death) or state == "doed",
        falskIdentitet=bool(false_identity) and flag(false_identity, "erFalsk") is not False,
    )
    for item in numbers:
        yield Identifikasjonsnummer(
            me, number(item, _SUBJECT) or "", text(item, "identifikatortype"), _word(text(item, "status"))
        )
    for item in parts(document, "navn"):
        yield Navn(
            me,
            text(item, "fornavn"),
            text(item, "mellomnavn"),
            text(item, "etternavn"),
            text(item, "forkortetNavn"),
            *_validity(item),
        )
    for item in parts(document, "bostedsadresse") or [{}]:
        yield _residence(me, item)
    for element in _OTHER_ADDRESSES:
        for item in parts(document, element):
            yield _other_address(me, element, item)
    yield _protection(me, document.get("adressebeskyttelse"))
    for item in parts(document, "foreldreansvar"):
        # Of a child without a number: in a parent's own document, where it would look like the parent's guardian.
        if not is_object(item.get("ansvarssubjektUtenIdentifikator")):
            yield _responsibility(me, item)
    for item in parts(document, "familierelasjon"):
        yield Familierelasjon(
            me,
            number(item, "relatertPerson"),
            is_object(item.get("relatertPersonUtenFolkeregisteridentifikator")),
            text(item, "relatertPersonsRolle"),
            text(item, "minRolleForPerson"),
            *_validity(item),
        )


_OTHER_ADDRESSES = ("oppholdsadresse", "deltBosted", "postadresse", "postadresseIUtlandet")


_GRADES = ("ugradert", "klientadresse", "fortrolig", "strengtFortrolig")


def _protection(me: str, value: object) -> Adressebeskyttelse:
    """Sum up whatever stands as ``adressebeskyttelse``: what cannot be read must not look like none."""
    found = list(_gradings(value))
    known = ((_GRADES.index(word), since or "") for word, since in found if word in _GRADES)
    level, since = max(known, default=(0, ""))
    unknown = any(word not in _GRADES for word, _ in found)
    return Adressebeskyttelse(me, _GRADES[level], unknown, True, since or None)


def _gradings(value: object) -> Iterator[tuple[str | None, str | None]]:
    """Yield word and time of each grading that applies; no word where an entry has none that can be read."""
    for item in value if isinstance(value, list) else (value,):
        if _is_blank(item):
            continue
        if not isinstance(item, dict):
            yield _grade(item), None
        elif flag(item, "erGjeldende") is not False:
            yield _grade(item.get("graderingsnivaa")), text(item, "gyldighetstidspunkt")


def _grade(value: object) -> str | None:
    """Return a grading as text, of whatever type it is, so that an unknown one is seen as unknown."""
    if _is_nothing(value):
        return None
    return _word(tidy(value)) if isinstance(value, str) else _UNREADABLE


_UNREADABLE = "ukjent"

_WORDS = {
    word.lower(): word
    for word in (
        *_GRADES,
        *("felles", "mor", "far", "medmor", "andre", "ukjent"),
        *("bosatt", "utflyttet", "forsvunnet", "doed", "opphoert", "foedselsregistrert", "iBruk", "kvinne", "mann"),
    )
}


def _word(said: str | None) -> str | None:
    """Return a word of an enumeration as the register spells it, whatever the case; any other as it stands.

    Capitals (``UGRADERT``) are seen in the answers of other clients of FREG's.
    """
    return _WORDS.get(said.lower(), said) if said else said


def _resident(document: Json, asked: str | None) -> Resident:
    me = number(_current_number(_numbers(document), asked), _SUBJECT) or asked or ""
    name, birth = _current(document, "navn"), _current(document, "foedsel")
    return Resident(
        me,
        asked or me,
        text(name, "fornavn"),
        text(name, "mellomnavn"),
        text(name, "etternavn"),
        text(birth, "foedselsaar") or (text(birth, "foedselsdato") or "")[:4] or None,
        _word(text(_current(document, "status"), "status")),
        _strictest(word or _UNREADABLE for word, _ in _gradings(document.get("adressebeskyttelse"))),
    )


def _strictest(words: Iterable[str]) -> str | None:
    """Return the strictest grading: what is in no list is stricter than all."""
    return max(words, key=lambda word: _GRADES.index(word) if word in _GRADES else len(_GRADES), default=None)


def _validity(item: Json) -> tuple[bool | None, str | None]:
    return flag(item, "erGjeldende"), text(item, "gyldighetstidspunkt")


def _numbers(document: Json) -> list[Json]:
    return [item for item in parts(document, "identifikasjonsnummer") if number(item, _SUBJECT)]


def _number_in_use(document: Json) -> str | None:
    numbers = _numbers(document)
    return number(_current_number(numbers, None), _SUBJECT) if numbers else None


def _current_number(numbers: list[Json], asked: str | None) -> Json:
    """Find the number in use (``iBruk``, ``erGjeldende``; fødselsnummer before D-number), else the one asked for."""
    in_use = [n for n in numbers if _word(text(n, "status")) == "iBruk" and flag(n, "erGjeldende") is not False]
    if len(in_use) == 1:
        return in_use[0]
    if in_use:
        return max(
            in_use,
            key=lambda n: (
                flag(n, "erGjeldende") is True,
                text(n, "identifikatortype") == "foedselsnummer",
                number(n, _SUBJECT) == asked,
            ),
        )
    if asked is None:
        return numbers[0]
    return next((n for n in numbers if number(n, _SUBJECT) == asked), {})


def _current(document: Json, name: str) -> Json:
    """Find the value that applies: the newest with ``erGjeldende``, else the newest that does not say whether it is."""
    items = [item for item in parts(document, name) if flag(item, "erGjeldende") is not False]
    if len(items) == 1:
        return items[0]
    return max(
        items,
        key=lambda item: (flag(item, "erGjeldende") is True, text(item, "gyldighetstidspunkt") or ""),
        default={},
    )


def _residence(me: str, item: Json) -> Bostedsadresse:
    kind = next((name for name in ("vegadresse", "matrikkeladresse", "ukjentBosted") if item.get(name)), None)
    place = part(item, kind) if kind else {}
    house = part(place, "adressenummer")
    post = part(place, "poststed")
    return Bostedsadresse(
        me,
        _grade(item.get("adressegradering")),
        kind,
        _municipality(item),
        text(place, "adressenavn"),
        text(house, "husnummer"),
        text(house, "husbokstav"),
        text(place, "bruksenhetsnummer"),
        text(post, "postnummer"),
        text(post, "poststedsnavn"),
        text(place, "coAdressenavn"),
        _dwelling(item),
        text(item, "flyttedato"),
        *_validity(item),
    )


def _other_address(me: str, element: str, item: Json) -> AnnenAdresse:
    return AnnenAdresse(
        me,
        element,
        _grade(item.get("adressegradering")),
        _municipality(item),
        None if element.startswith("post") else _dwelling(item),
        *_validity(item),
    )


def _municipality(address: Json) -> str | None:
    """Find the kommunenummer in whichever of its three places it stands."""
    return (
        text(part(address, "vegadresse"), "kommunenummer")
        or text(part(part(address, "matrikkeladresse"), "matrikkelnummer"), "kommunenummer")
        or text(part(address, "ukjentBosted"), "bostedskommune")
    )


def _dwelling(address: Json) -> str | None:
    """Return what is the same for two people only when they live together; None when the address is less precise.

    A road address needs kommune, road and house number; a matrikkel address kommune, gaardsnummer and bruksnummer.
    The letter and the bruksenhetsnummer are part of it where they stand.
    """
    road = part(address, "vegadresse")
    if road:
        house = part(road, "adressenummer")
        wanted = (text(road, "kommunenummer"), text(road, "adressenavn"), _plain_number(house, "husnummer"))
        more = (text(house, "husbokstav"), text(road, "bruksenhetsnummer"))
    else:
        cadastre = part(address, "matrikkeladresse")
        parcel = part(cadastre, "matrikkelnummer")
        wanted = (
            text(parcel, "kommunenummer"),
            _plain_number(parcel, "gaardsnummer"),
            _plain_number(parcel, "bruksnummer"),
        )
        more = (_joined(parcel, cadastre), text(cadastre, "bruksenhetsnummer"))
    if not all(wanted):
        return None
    return "|".join(
        " ".join(unicodedata.normalize("NFC", value or "").casefold().replace("|", " ").split())
        for value in (*wanted, *more)
    )


def _joined(parcel: Json, cadastre: Json) -> str:
    """Return feste- and undernummer, which tell parts of a property from another: ``0`` is none."""
    return f"{_plain_number(parcel, 'festenummer') or ''}/{_plain_number(cadastre, 'undernummer') or ''}".strip("/")


def _plain_number(value: Mapping[str, Any], name: str) -> str | None:
    return (text(value, name) or "").lstrip("0") or None


def _responsibility(me: str, item: Json) -> Foreldreansvar:
    unknown = part(item, "ansvarligUtenIdentifikator")
    name = part(unknown, "navn")
    current, since = _validity(item)
    return Foreldreansvar(
        me,
        _word(text(item, "ansvar")),
        number(item, "ansvarlig"),
        text(item, "ansvarligOrganisasjon"),
        text(name, "fornavn"),
        text(name, "mellomnavn"),
        text(name, "etternavn"),
        text(unknown, "foedselsdato"),
        number(item, "ansvarssubjekt"),
        # What has ended and was not replaced has a time for it (Skatteetaten, "opphoerstidspunkt").
        False if current is None and text(item, "opphoerstidspunkt") else current,
        since,
    )


# --- oppvekst --------------------------------------------------------------------------------------------------------


def _flat_number(document: Json) -> str | None:
    return number(part(document, "identifikasjonsnummer"), _SUBJECT)


def _flat_pupil(document: Json, me: str) -> Iterator[NamedTuple]:
    """Give all rows of a pupil; the number is in use, the former has ended."""
    yield from _flat_person(document, me)
    kind = text(part(document, "identifikasjonsnummer"), "identifikatortype")
    yield Identifikasjonsnummer(me, me, kind, "iBruk")
    for former in parts(document, "tidligereIdentifikasjonsnummer"):
        if old := number(former, _SUBJECT):
            yield Identifikasjonsnummer(me, old, text(former, "identifikatortype"), "opphoert")
    guardians = parts(document, "foreldreansvarlige")
    for guardian in guardians:
        yield _flat_responsibility(me, _word(text(guardian, "ansvar")), _flat_number(guardian))
    if not guardians and (kind := _word(text(document, "foreldreansvarstype"))):
        yield _flat_responsibility(me, kind, None)
    for item in parts(document, "familierelasjoner"):
        relative, role = number(item, "familierelasjonPerson"), text(item, "familierelasjonRolle")
        yield Familierelasjon(me, relative, False, role, None, None, None)


def _flat_person(document: Json, me: str) -> Iterator[NamedTuple]:
    """Give the rows that a pupil and a guardian have alike."""
    kind = text(part(document, "identifikasjonsnummer"), "identifikatortype")
    state, born = _word(text(document, "personstatus")), text(document, "foedselsdato") or text(document, "foedsel")
    year = (born or "")[:4] or None
    yield Person(me, me, kind, state, born, year, _word(text(document, "kjoenn")), None, state == "doed", False)
    for name in parts(document, "navn"):
        given, middle, family = (text(name, field) for field in ("fornavn", "mellomnavn", "etternavn"))
        yield Navn(me, given, middle, family, None, None, None)
    for item in parts(document, "bostedsadresse") or [{}]:
        yield _residence(me, item)
    for element in _OTHER_ADDRESSES:
        for item in parts(document, element):
            yield _other_address(me, element, item)
    yield _protection(me, document.get("adressebeskyttelse"))


def _flat_responsibility(me: str, ansvar: str | None, adult: str | None) -> Foreldreansvar:
    return Foreldreansvar(me, ansvar, adult, None, None, None, None, None, None, None, None)


# --- what we do not know ---------------------------------------------------------------------------------------------

_META = ("ajourholdstidspunkt", "erGjeldende", "kilde", "aarsak", "gyldighetstidspunkt", "opphoerstidspunkt")


def _fields(names: str, *more: str) -> frozenset[str]:
    return frozenset((*names.split(), *more))


_PLACE = "adressegradering adresseIdentifikatorFraMatrikkelen naerAdresseIdentifikatorFraMatrikkelen"
_HOME = f"{_PLACE} vegadresse matrikkeladresse ukjentBosted flyttedato grunnkrets stemmekrets skolekrets kirkekrets"
_SHARED_HOME = f"{_PLACE} vegadresse matrikkeladresse ukjentBosted startdatoForKontrakt sluttdatoForKontrakt"

_FIELDS: dict[str, frozenset[str]] = {
    "identifikasjonsnummer": _fields("foedselsEllerDNummer identifikatortype status", *_META),
    "status": _fields("status", *_META),
    "foedsel": _fields("foedselsdato foedselsaar foedested foedekommuneINorge foedeland", *_META),
    "kjoenn": _fields("kjoenn", *_META),
    "doedsfall": _fields("doedsdato", *_META),
    "falskIdentitet": _fields(
        "erFalsk rettIdentitetErUkjent rettIdentitetVedIdentifikasjonsnummer rettIdentitetVedOpplysninger", *_META
    ),
    "navn": _fields("fornavn mellomnavn etternavn forkortetNavn originaltNavn", *_META),
    "bostedsadresse": _fields(_HOME, *_META),
    "oppholdsadresse": _fields(
        f"{_PLACE} vegadresse matrikkeladresse utenlandskAdresse adressenErUkjent oppholdsadressedato oppholdAnnetSted",
        *_META,
    ),
    "deltBosted": _fields(_SHARED_HOME, *_META),
    "postadresse": _fields(f"{_PLACE} postboksadresse vegadresse postadresseIFrittFormat", *_META),
    "postadresseIUtlandet": _fields("adressegradering utenlandskAdresse utenlandskAdresseIFrittFormat", *_META),
    "adressebeskyttelse": _fields("graderingsnivaa", *_META),
    "foreldreansvar": _fields(
        "ansvar ansvarlig ansvarligOrganisasjon ansvarligUtenIdentifikator ansvarssubjekt "
        "ansvarssubjektUtenIdentifikator",
        *_META,
    ),
    "familierelasjon": _fields(
        "relatertPerson relatertPersonUtenFolkeregisteridentifikator relatertPersonsRolle minRolleForPerson", *_META
    ),
}
"""Skatteetaten's fields of each element that we read: its OpenAPI 1.5 (2022). What is newer than that is told."""

_FLAT_FIELDS: dict[str, frozenset[str]] = {
    "identifikasjonsnummer": _fields("foedselsEllerDNummer identifikatortype"),
    "tidligereIdentifikasjonsnummer": _fields("foedselsEllerDNummer identifikatortype"),
    "navn": _fields("fornavn mellomnavn etternavn"),
    "bostedsadresse": _fields(_HOME),
    "oppholdsadresse": _fields(f"{_PLACE} vegadresse matrikkeladresse utenlandskAdresse"),
    "deltBosted": _fields(_SHARED_HOME),
    "postadresse": _fields(f"{_PLACE} postboksadresse vegadresseForPost frittFormat"),
    "foreldreansvarlige": _fields(
        "ansvar identifikasjonsnummer personstatus navn statsborgerskap kjoenn adressebeskyttelse bostedsadresse "
        "oppholdsadresse postadresse foedsel"
    ),
    "familierelasjoner": _fields("familierelasjonPerson familierelasjonRolle"),
}
"""The same of KS Fiks' OpenAPI "folkeregister-oppvekst-api-v1"."""

_UNREAD = _fields(
    "foedselINorge statsborgerskap bibehold sivilstand innflytting utflytting opphold oppholdPaaSvalbard "
    "identitetsgrunnlag utlendingsmyndighetenesIdentifikasjonsnummer utenlandskPersonidentifikasjon "
    "legitimasjonsdokument brukAvSamiskSpraak forholdTilSametingetsValgmanntall kontaktinformasjonForDoedsbo "
    "vergemaalEllerFremtidsfullmakt rettsligHandleevne fratattRettsligHandleevne preferertKontaktadresse "
    "dufNummer foedselsdato personstatus foreldreansvarstype"
)
"""Elements that are known and not read as elements."""
_KNOWN = _UNREAD | _FIELDS.keys() | _FLAT_FIELDS.keys()


def _look_for_unknown(document: Json, fields: Mapping[str, frozenset[str]], found: set[str]) -> None:
    for name, value in document.items():
        known = fields.get(name)
        if known is None:
            if name not in _KNOWN:
                found.add(name)
            continue
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, dict) and not item.keys() <= known:
                found.update(f"{name}.{field}" for field in item.keys() - known)


def _unknown(found: set[str]) -> Iterator[UkjentFelt]:
    """Name what was found, unless it does not look like a name of a schema."""
    for felt in sorted({name if re.fullmatch(r"[A-Za-zÆØÅæøå_.]{1,80}", name) else "…" for name in found}):
        yield UkjentFelt(felt)
