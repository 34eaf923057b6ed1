"""The rules that catch faults in FREG's answers, and the rows that they must never catch."""

from collections.abc import Callable
from typing import Any

import pytest

from dataflyt.sources.freg import EMPLOYEES
from dataflyt.sources.freg.rows import (
    Adressebeskyttelse,
    AnnenAdresse,
    Bostedsadresse,
    Familierelasjon,
    Foreldreansvar,
    Identifikasjonsnummer,
    Navn,
    Person,
    Ubesvart,
)

CHILD, MOTHER, OTHER = "01819912345", "02818812345", "03818812345"


def person(number: str, **fields: Any) -> Person:
    known = {"identifikatortype": "foedselsnummer", "status": "bosatt", "foedselsdato": "2014-01-01"}
    unknown = {"foedselsaar": None, "kjoenn": "kvinne", "doedsdato": None, "doed": False, "falskIdentitet": False}
    return Person(**{"foedselsEllerDNummer": number, "oppslag": number, **known, **unknown, **fields})


def responsible(child: str, ansvar: str | None = "felles", ansvarlig: str | None = MOTHER, **fields: Any) -> Any:
    names = dict.fromkeys(Foreldreansvar._fields)
    return Foreldreansvar(
        **{
            **names,
            "foedselsEllerDNummer": child,
            "ansvar": ansvar,
            "ansvarlig": ansvarlig,
            "erGjeldende": True,
            **fields,
        }
    )


def home(number: str, gradering: str | None = "ugradert", kommunenummer: str | None = "1106") -> Bostedsadresse:
    fields = dict.fromkeys(Bostedsadresse._fields)
    known = {"foedselsEllerDNummer": number, "adressegradering": gradering, "kommunenummer": kommunenummer}
    return Bostedsadresse(**{**fields, **known})


def homeless(number: str) -> Bostedsadresse:
    """The row of a document without a residential address."""
    return Bostedsadresse(number, *[None] * 14)


def elsewhere(number: str, gradering: str | None = "ugradert") -> AnnenAdresse:
    return AnnenAdresse(number, "deltBosted", gradering, None, None, True, None)


SOUND = [
    person(CHILD),
    person(MOTHER),
    person(MOTHER, oppslag=OTHER),  # FREG was also asked by an old number
    Ubesvart("04818812345", "Fant ikke person"),
    Identifikasjonsnummer(MOTHER, OTHER, "dNummer", "opphoert"),
    Identifikasjonsnummer(CHILD, CHILD, "foedselsnummer", "iBruk"),
    Navn(CHILD, "SNILL", None, "ELEFANT", None, True, None),
    Navn(CHILD, None, None, None, None, False, "2010-01-01"),  # no longer in use
    Navn(MOTHER, None, None, "ÁHKKU", None, True, None),
    home(CHILD),
    home(MOTHER, "fortrolig", None),
    elsewhere(CHILD, "klientadresse"),
    Adressebeskyttelse(CHILD, "ugradert", False, True, None),
    Adressebeskyttelse(MOTHER, "fortrolig", False, True, None),
    responsible(CHILD),
    responsible(CHILD),  # repeated: merged into one
    responsible(CHILD, "andre", None, ansvarligOrganisasjon="974588145"),
    responsible(CHILD, "ukjent", None),
    responsible(MOTHER, ansvarlig=MOTHER, ansvarssubjekt=CHILD),  # in the mother's own document
    Familierelasjon(CHILD, MOTHER, False, "mor", "barn", True, None),
]

FAULTS = [
    ("freg_person.number", person("123")),
    ("freg_person.date", person("11811412345", foedselsdato="2000-1-1")),
    ("freg_person.date", person("11811412346", foedselsdato="2014-02-30")),
    ("freg_person.dates", person("12811412345", doedsdato="2013-01-01")),
    ("freg_person.ambiguous", person("13811412345", kjoenn="mann")),
    ("freg_person.ambiguous", person("13811412345", kjoenn="kvinne")),
    ("freg_person.somebody_else", person("14811412345", oppslag="15811412345")),
    ("freg_identifikasjonsnummer.other_number", Identifikasjonsnummer(CHILD, "1", None, None)),
    ("freg_identifikasjonsnummer.shared", Identifikasjonsnummer(CHILD, "05818812345", None, "opphoert")),
    ("freg_identifikasjonsnummer.shared", Identifikasjonsnummer(MOTHER, "05818812345", None, "opphoert")),
    ("freg_navn.no_name", Navn(MOTHER, " ", None, "", None, None, None)),
    ("freg_navn.letters", Navn(MOTHER, "BJ\u009bRN", None, "ELEFANT", None, True, None)),
    ("freg_navn.unanswered", Navn(OTHER, "EN", None, "ANNEN", None, True, None)),
    ("freg_bostedsadresse.number", home("")),
    ("freg_annenAdresse.number", elsewhere("12345678901 ")),
    ("freg_foreldreansvar.no_ansvar", responsible(CHILD, None)),
    ("freg_foreldreansvar.ansvar", responsible(CHILD, "delt")),
    ("freg_foreldreansvar.ansvarlig", responsible(CHILD, "mor", "0281881234")),
    ("freg_foreldreansvar.ansvarssubjekt", responsible(CHILD, "mor", ansvarssubjekt="x")),
    ("freg_foreldreansvar.self", responsible(CHILD, "mor", CHILD)),
    ("freg_foreldreansvar.self", responsible(MOTHER, "mor", CHILD, ansvarssubjekt=CHILD)),
    ("freg_foreldreansvar.ambiguous", responsible(CHILD, "far")),
    ("freg_foreldreansvar.ambiguous", responsible(CHILD, "far", erGjeldende=False)),
    ("freg_foreldreansvar.unanswered", responsible(OTHER)),
    ("freg_familierelasjon.relatertPerson", Familierelasjon(CHILD, "", False, "far", "barn", True, None)),
]


@pytest.fixture(scope="module")
def found(check: Callable[..., Any]) -> Any:
    named = [(f"{at}", row) for at, (_, row) in enumerate(FAULTS)]
    return check("freg", [*(("sound", row) for row in SOUND), *named])


def test_every_fault_is_quarantined_under_its_rule_and_sound_rows_are_not(found: Any) -> None:
    assert found.quarantined == {(f"{at}", rule) for at, (rule, _) in enumerate(FAULTS)}
    assert not found.broken
    assert found.noted == {"freg_foreldreansvar.nobody"}  # "ukjent" names nobody: sound, and counted


def test_a_protection_is_never_quarantined_whatever_it_says(check: Callable[..., Any]) -> None:
    protections = [
        Adressebeskyttelse(CHILD, "ugradert", True, True, "ikke et tidspunkt"),
        Adressebeskyttelse(CHILD, "fortrolig", True, True, None),
        Adressebeskyttelse(OTHER, "strengtFortrolig", False, True, None),  # not among the answered
        home(CHILD, "heltNyGradering", "x"),
        home(OTHER, "strengtFortrolig", None),
        elsewhere(CHILD, "heltNyGradering"),
    ]
    found = check("freg", [*SOUND, *protections])
    assert not found.quarantined
    assert not found.broken
    assert found.noted == {
        "freg_foreldreansvar.nobody",
        *("freg_adressebeskyttelse.grading", "freg_annenAdresse.grading"),
        *("freg_bostedsadresse.grading", "freg_bostedsadresse.kommunenummer"),
    }


def test_a_protection_of_nobody_we_can_name_stops_the_run(check: Callable[..., Any]) -> None:
    stops = {
        *("freg_adressebeskyttelse.number", "freg_bostedsadresse.graded_number", "freg_annenAdresse.graded_number"),
    }
    for protection in (("fortrolig", False), ("ugradert", True)):
        nameless = [Adressebeskyttelse("1", *protection, True, None), home("2", "ny"), elsewhere("3", None)]
        found = check("freg", [*SOUND, *nameless])
        assert found.broken == stops
        assert not found.quarantined


def test_a_document_without_a_number_that_protects_nobody_is_held_back_and_stops_nothing(
    check: Callable[..., Any],
) -> None:
    nobody = [person("1"), Adressebeskyttelse("1", "ugradert", False, True, None), homeless("1")]
    found = check("freg", [*SOUND, *(("nobody", row) for row in nobody)])
    assert found.quarantined == {("nobody", "freg_person.number")}
    assert not found.broken


def test_an_empty_answer_stops_the_run(check: Callable[..., Any]) -> None:
    previous = {"freg_person": 300, "freg_navn": 300, "freg_foreldreansvar": 400, "freg_bostedsadresse": 300}
    assert check("freg", [], previous).broken == {
        *("freg_person.empty", "freg_person.drop", "freg_navn.drop"),
        *("freg_foreldreansvar.drop", "freg_bostedsadresse.drop"),
    }


def test_addresses_that_are_gone_stop_the_run_although_everybody_has_a_row(check: Callable[..., Any]) -> None:
    people = [f"{i:011}" for i in range(10)]
    for given, stops in ((7, False), (6, True)):
        rows = [home(one) if at < given else homeless(one) for at, one in enumerate(people)]
        found = check("freg", [*map(person, people), *rows], {"freg_bostedsadresse": 10})
        assert found.broken == ({"freg_bostedsadresse.drop"} if stops else set())
        assert not found.quarantined


# --- several documents about one person -------------------------------------------------------------------------------


def document(number: str = CHILD, *, ansvarlig: tuple[str, ...] = (MOTHER,), **changed: Any) -> list[Any]:
    """Return a document's rows; ``changed`` replaces the rows of a kind."""
    said = {
        "person": [person(number)],
        "numbers": [Identifikasjonsnummer(number, number, "foedselsnummer", "iBruk")],
        "name": [Navn(number, "SNILL", None, "ELEFANT", None, True, None)],
        "home": [home(number)],
        "other": [elsewhere(number)],
        "grading": [Adressebeskyttelse(number, "ugradert", False, True, None)],
        "ansvar": [responsible(number, ansvarlig=adult) for adult in ansvarlig],
    }
    return [row for rows in (said | changed).values() for row in rows]


PAGE, OTHER_PAGE, AGAIN, GUARDIANS = "1-pupils-1.json", "1-pupils-2.json", "1-pupils-1.json#2", "2-guardians-1.json"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (document(ansvarlig=(MOTHER, OTHER)), document()),
        (document(ansvarlig=(OTHER,)), document()),
        (document(), document(ansvarlig=())),
        (document(), document(ansvar=[responsible(CHILD, "mor")])),
        (document(), document(ansvar=[responsible(CHILD, erGjeldende=False)])),
        (document(), document(ansvar=[responsible(CHILD, ansvarssubjekt=OTHER)])),
        (document(), document(grading=[Adressebeskyttelse(CHILD, "fortrolig", False, True, None)])),
        (document(), document(grading=[Adressebeskyttelse(CHILD, "ugradert", True, True, None)])),
        (document(), document(home=[home(CHILD, "fortrolig")])),
        (document(), document(home=[home(CHILD)._replace(bolig="1106|x|1||")])),
        (document(), document(other=[elsewhere(CHILD, "klientadresse")])),
        (document(), document(numbers=[Identifikasjonsnummer(CHILD, CHILD, "foedselsnummer", "opphoert")])),
        (document(), document(name=[Navn(CHILD, "SNILL", None, "MÅNE", None, True, None)])),
        (document(), document(person=[person(CHILD, status="utflyttet")])),
        (document(), document(person=[person(CHILD, oppslag=OTHER)], ansvarlig=(OTHER,), numbers=[])),
    ],
)
@pytest.mark.parametrize("page", [AGAIN, OTHER_PAGE, GUARDIANS])
def test_who_has_documents_that_disagree_is_quarantined_whole(
    check: Callable[..., Any], first: list[Any], second: list[Any], page: str
) -> None:
    others = [*document(MOTHER, ansvarlig=()), *document(OTHER, ansvarlig=())]
    if page == GUARDIANS and not any(isinstance(row, Foreldreansvar) and row.erGjeldende for row in second):
        return  # it was not asked: see below
    rows = [*((PAGE, row) for row in first + others), *((page, row) for row in second)]
    found = check("freg", rows)
    persons = {(at, rule) for at, rule in found.quarantined if rule in SEVERAL}
    assert {at for at, _ in persons} == {PAGE, page}
    assert not found.broken


SEVERAL = {"freg_person.documents", "freg_person.ambiguous"}


@pytest.mark.parametrize(
    ("page", "second"),
    [
        (AGAIN, document()),
        (OTHER_PAGE, document(person=[person(CHILD, oppslag=OTHER)])),
        # Only rows that apply are compared. Repetition and order do not matter.
        (
            AGAIN,
            document(
                ansvarlig=(MOTHER, MOTHER), home=[home(CHILD), home(CHILD, "fortrolig")._replace(erGjeldende=False)]
            ),
        ),
        (AGAIN, document(name=document()[2:3] * 2, home=[home(CHILD, None)])),
        # FREG is not asked about guardians' foreldreansvar, and a guardian in a pupil's document has no list of
        # numbers.
        (GUARDIANS, document(ansvarlig=())),
        (OTHER_PAGE, document(numbers=[])),
    ],
)
def test_a_document_that_comes_twice_is_only_repeated(check: Callable[..., Any], page: str, second: list[Any]) -> None:
    numbers = [Identifikasjonsnummer(CHILD, OTHER, "dNummer", "opphoert"), *document()[1:2]]
    first = document(numbers=numbers)
    if any(isinstance(row, Identifikasjonsnummer) for row in second):
        second = [*second, numbers[0]]
    rows = [*((PAGE, row) for row in first + document(MOTHER, ansvarlig=())), *((page, row) for row in second)]
    assert not check("freg", rows).quarantined


@pytest.mark.parametrize(
    "second",
    [
        # FREG was asked by the same number, which belongs to one of them.
        [
            *document(OTHER, person=[person(OTHER, oppslag="04818812345")], ansvarlig=()),
            Identifikasjonsnummer(OTHER, "04818812345", None, "opphoert"),
        ],
        # FREG says that one's number is a former number of the other.
        [*document(OTHER, ansvarlig=()), Identifikasjonsnummer(OTHER, CHILD, None, "opphoert")],
        document(OTHER, person=[person(OTHER, oppslag=CHILD)], ansvarlig=()),
    ],
)
def test_a_number_that_documents_say_is_of_two_people_gives_neither_anything(
    check: Callable[..., Any], second: list[Any]
) -> None:
    first = document(person=[person(CHILD, oppslag="04818812345")])
    first.append(Identifikasjonsnummer(CHILD, "04818812345", None, "opphoert"))
    rows = [*((PAGE, row) for row in first + document(MOTHER, ansvarlig=())), *((OTHER_PAGE, row) for row in second)]
    found = check("freg", rows)
    assert {(PAGE, "freg_person.two_persons"), (OTHER_PAGE, "freg_person.two_persons")} <= found.quarantined


@pytest.mark.parametrize(("unanswered", "stops"), [(10, False), (11, True)])
def test_too_many_unanswered_stop_the_run(check: Callable[..., Any], unanswered: int, stops: bool) -> None:
    rows = [*(person(f"{i:011}") for i in range(90)), *(Ubesvart(f"{i:011}", None) for i in range(unanswered))]
    assert ("freg_ubesvart.share" in check("freg", rows).broken) is stops


def test_employees_who_are_unanswered_are_noted_and_stop_nothing(check: Callable[..., Any]) -> None:
    rows = [
        *(person(f"{i:011}") for i in range(9)),
        *((f"{EMPLOYEES}-1", Ubesvart(f"{i:011}", None)) for i in range(90)),
    ]
    found = check("freg", rows)
    assert not found.broken
    assert not found.quarantined
    assert found.noted == {"freg_ubesvart.employees"}
    # Answered employees do not make up for unanswered pupils.
    rows = [
        *((f"{EMPLOYEES}-1", person(f"{i:011}")) for i in range(900)),
        *(Ubesvart(f"{i:011}", None) for i in range(11)),
    ]
    assert "freg_ubesvart.share" in check("freg", rows).broken


def test_code_values_that_are_new_to_us_are_noted_and_read(check: Callable[..., Any]) -> None:
    rows = [
        person(CHILD, status="ny", kjoenn="ny"),
        responsible(CHILD, ansvarligOrganisasjon="1"),
        Identifikasjonsnummer(CHILD, CHILD, "nyType", "ny"),
        Familierelasjon(CHILD, MOTHER, False, "ny", "barn", True, None),
        Navn(CHILD, "KARI*PIKE", None, "ELEFANT", None, True, None),  # a newborn's temporary name
    ]
    found = check("freg", rows)
    assert found.noted == {
        *("freg_person.status", "freg_person.kjoenn", "freg_foreldreansvar.organisation", "freg_navn.temporary"),
        *("freg_identifikasjonsnummer.status", "freg_identifikasjonsnummer.type", "freg_familierelasjon.role"),
    }
    assert not found.quarantined
