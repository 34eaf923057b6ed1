"""The tables of FREG, the same for all routes. Each format has a module that reads its answers (``formats``).

Fields keep the register's names; values are unchanged. An element that is absent, null or of another type gives no row
or an empty field. An unknown element is passed over and named once a page (``ukjentFelt``), since Skatteetaten adds
elements without a new version.

A reader yields for each document first ``person``, then the rows that belong to it. An entry that names nobody gives no
row: its number counts as unanswered. The number of a document in which only numbers apply also counts as unanswered:
half an answer would end every access. An answer of another shape raises ``Unreadable``.

Every document, with any contents, gives one row of ``adressebeskyttelse`` and at least one of ``bostedsadresse``: the
number of rows in a table tells nothing about protection.

Source: Skatteetaten, Folkeregisteret API documentation (information model, dataminimering, bulkoppslag); KS, OpenAPI
"folkeregister-oppvekst-api-v1".
"""

from typing import NamedTuple

from dataflyt.sources import Table


class Person(NamedTuple):
    """One person FREG answered for. ``foedselsEllerDNummer`` is the number in use, ``oppslag`` the number asked for."""

    foedselsEllerDNummer: str
    oppslag: str
    identifikatortype: str | None
    status: str | None
    foedselsdato: str | None
    foedselsaar: str | None
    kjoenn: str | None
    doedsdato: str | None
    doed: bool
    """True for a ``doedsfall`` (its date may be missing) or the status ``doed``."""
    falskIdentitet: bool


class Ubesvart(NamedTuple):
    """A number that an answer had without a person (``feilmelding``), or with a person of whom nothing applies."""

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

    ``kommunenummer`` comes from any of its three places in the address. ``bolig`` tells one dwelling from another: two
    people with the same non-null value live together. For a person without an address every field but the number is
    empty.
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
    """A document's grading of its person, summed up: each document gives one row, an ungraded document too.

    ``graderingsnivaa`` is the strictest of the known words that apply, ``ugradert`` if there is none, and
    ``gyldighetstidspunkt`` is that entry's. ``ukjent``: an entry that applies has an unlisted word, or cannot be read.
    ``erGjeldende`` is always true.
    """

    foedselsEllerDNummer: str
    graderingsnivaa: str
    ukjent: bool
    erGjeldende: bool | None
    gyldighetstidspunkt: str | None


class Foreldreansvar(NamedTuple):
    """The person or organisation that decides for a child.

    ``foedselsEllerDNummer`` is the person whose document has the entry. That person is the child only if
    ``ansvarssubjekt`` is empty or the same number. All responsible fields may be empty.
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
    """A child who lives here by FREG's extract and was not asked about as a pupil: only the fields of a work list.

    ``graderingsnivaa`` is the strictest word in the document, ``ukjent`` if it cannot be read.
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
    """An unknown element, or an unknown field of one (``navn.nyttFelt``): a name of the schema, never of a person."""

    felt: str


SUBJECT = "foedselsEllerDNummer"
TABLES = {
    table.name: table
    for table in (
        Table("person", Person, (SUBJECT,), SUBJECT, begins=True),
        Table("ubesvart", Ubesvart, ("oppslag",), "oppslag", whole=True),
        Table("identifikasjonsnummer", Identifikasjonsnummer, (SUBJECT, "identifikasjonsnummer"), SUBJECT),
        Table("navn", Navn, (SUBJECT, "fornavn", "mellomnavn", "etternavn", "gyldighetstidspunkt"), SUBJECT),
        Table(
            "bostedsadresse",
            Bostedsadresse,
            (SUBJECT, "adressetype", "bolig", "gyldighetstidspunkt", "adressegradering"),
            SUBJECT,
        ),
        Table(
            "annenAdresse",
            AnnenAdresse,
            (SUBJECT, "element", "bolig", "gyldighetstidspunkt", "adressegradering"),
            SUBJECT,
        ),
        Table("adressebeskyttelse", Adressebeskyttelse, (SUBJECT,), SUBJECT),
        Table("foreldreansvar", Foreldreansvar, Foreldreansvar._fields[:9], SUBJECT),
        Table("familierelasjon", Familierelasjon, Familierelasjon._fields[:5], SUBJECT),
        Table("resident", Resident, (SUBJECT,), SUBJECT, whole=True),
        Table("ukjentFelt", UkjentFelt, ("felt",), "felt", whole=True),
    )
}
