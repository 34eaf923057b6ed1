"""FREG answers to rows."""

from typing import NamedTuple

from dataflyt.sources import Table


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
    """A number that was in an answer without a person (``feilmelding``)."""

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

    ``kommunenummer`` is taken from wherever the address has it (FREG_KRR A3: three places). ``bolig`` tells one
    dwelling from another: two people with the same non-null value live together.
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
    """Any other address, only for its grading: ``element`` is oppholdsadresse, deltBosted, postadresse or
    postadresseIUtlandet. ``bolig`` as in Bostedsadresse (deltBosted is a second dwelling)."""

    foedselsEllerDNummer: str
    element: str
    adressegradering: str | None
    kommunenummer: str | None
    bolig: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Adressebeskyttelse(NamedTuple):
    """A grading of the person."""

    foedselsEllerDNummer: str
    graderingsnivaa: str | None
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Foreldreansvar(NamedTuple):
    """Who decides for a child. ``foedselsEllerDNummer`` is the person whose document it stands in; it speaks of that
    person as a child only when ``ansvarssubjekt`` is empty or the same number. All responsible fields may be empty."""

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


_SUBJECT = "foedselsEllerDNummer"
TABLES = {
    table.name: table
    for table in (
        Table("person", Person, (_SUBJECT,), _SUBJECT),
        Table("ubesvart", Ubesvart, ("oppslag",), "oppslag"),
        Table("identifikasjonsnummer", Identifikasjonsnummer, (_SUBJECT, "identifikasjonsnummer"), _SUBJECT),
        Table("navn", Navn, (_SUBJECT, "fornavn", "mellomnavn", "etternavn", "gyldighetstidspunkt"), _SUBJECT),
        Table("bostedsadresse", Bostedsadresse, (_SUBJECT, "adressetype", "bolig", "gyldighetstidspunkt"), _SUBJECT),
        Table("annenAdresse", AnnenAdresse, (_SUBJECT, "element", "bolig", "gyldighetstidspunkt"), _SUBJECT),
        Table("adressebeskyttelse", Adressebeskyttelse, (_SUBJECT, "graderingsnivaa", "gyldighetstidspunkt"), _SUBJECT),
        Table("foreldreansvar", Foreldreansvar, Foreldreansvar._fields[:9], _SUBJECT),
        Table("familierelasjon", Familierelasjon, Familierelasjon._fields[:5], _SUBJECT),
    )
}
