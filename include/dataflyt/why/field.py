"""Why a field cannot be edited: who owns it, whether it is overridden, and whether it can be."""

from dataflyt.why import flow
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Found, Rows, check, failed, passed
from dataflyt.why.employees import person_known

FIELDS: dict[str, tuple[str, str, str]] = {
    # Words of an operator: the source, the fields that people may override, and how.
    "navn": ("freg", "fornavn mellomnavn etternavn", "may"),
    "fornavn": ("freg", "fornavn", "may"),
    "mellomnavn": ("freg", "mellomnavn", "may"),
    "etternavn": ("freg", "etternavn", "may"),
    "kjønn": ("freg", "kjoenn", "may"),
    "fødselsnummer": ("freg", "", "may_not"),
    "fødselsdato": ("freg", "", "may_not"),
    "adresse": ("freg", "", "may_not"),
    "adressebeskyttelse": ("freg", "adressebeskyttelse", "may_raise"),
    "foreldreansvar": ("freg", "", "may_not"),
    "foresatt": ("freg", "", "may_not"),
    "e-post": ("", "", "may_not"),
    "telefon": ("", "", "may_not"),
    "stilling": ("hr", "", "may_not"),
    "arbeidssted": ("hr", "school_unit", "may"),
    "skole": ("sas", "", "may_not"),
    "klasse": ("sas", "", "may_not"),
    "gruppe": ("sas", "", "may_not"),
    "kontaktlærer": ("sas", "", "may_not"),
    "timeplan": ("sas", "", "may_not"),
    "visningsnavn": ("dataflyt", "display_name", "may"),
    "brukernavn": ("dataflyt", "user_name", "may"),
}
"""Each field by its name in Norwegian: the source that owns it, and the names of its overrides."""

_MEANT = {
    "epost": "e-post",
    "email": "e-post",
    "e-mail": "e-post",
    "mail": "e-post",
    "e-postadresse": "e-post",
    "epostadresse": "e-post",
    "ansatt e-post": "e-post",
    "mobil": "telefon",
    "privat telefonnummer": "telefon",
    "telefonnummer": "telefon",
    "mobilnummer": "telefon",
    "kjoenn": "kjønn",
    "bostedsadresse": "adresse",
    "postnummer": "adresse",
    "poststed": "adresse",
    "landskode": "adresse",
    "personnummer": "fødselsnummer",
    "fnr": "fødselsnummer",
    "fodselsnummer": "fødselsnummer",
    "foresatte": "foresatt",
    "forelder": "foresatt",
    "foreldre": "foresatt",
    "mor": "foresatt",
    "far": "foresatt",
    "enhet": "skole",
    "trinn": "klasse",
    "faggruppe": "gruppe",
    "kontaktlaerer": "kontaktlærer",
    "name": "navn",
    "address": "adresse",
    "phone": "telefon",
    "class": "klasse",
    "username": "brukernavn",
}

_OVERRIDDEN = "select field, value from now_overridden where person_id = :who"
_ROLE = """
select exists (select from why_employment where person_id = :who) as employee,
    exists (select from why_enrolment where person_id = :who) as pupil,
    exists (select from why_seen_access where adult = :adult) as guardian,
    (select source from why_person where person_id = :who) as source
"""


def named(word: str) -> str:
    """Return the field that a word means; the word itself if it means none."""
    word = word.strip().casefold()
    return _MEANT.get(word, word)


def source_of(field: str, *, employee: bool, guardian: bool) -> str:
    """Return the source that owns a field of a person."""
    if field in ("e-post", "telefon"):
        return "hr" if employee else "krr" if guardian else "sas"
    return FIELDS[field][0]


@check(overridden=_OVERRIDDEN)
def not_overridden(asked: Asked, rows: Rows) -> Found | None:
    """Check that nobody has set another value beside the register's."""
    if not asked.who.known:
        return None
    if any(row.field in FIELDS[named(asked.word)][1].split() for row in rows["overridden"]):
        return failed("field_overridden", "people", override=named(asked.word))
    return passed()


@check(role=_ROLE)
def who_owns(asked: Asked, rows: Rows) -> Found | None:
    """Check that the source that owns the field: there it is corrected."""
    if not asked.who.known:
        return None
    field = named(asked.word)
    role = rows["role"][0]
    source = source_of(field, employee=role.employee, guardian=role.guardian)
    return failed(f"field_of_{source}", source, override=asked.word_for("override", FIELDS[field][2]))


def chain() -> list[Check]:
    """Return the checks: a field that is overridden is so before anything else."""
    return [flow.run_stands("select where false"), person_known, not_overridden, who_owns]
