import io
import os
from functools import partial
from pathlib import Path

import orjson
import pytest

from dataflyt.config.loading import find
from dataflyt.errors import Unreadable
from dataflyt.registers.paging import unanswered
from dataflyt.run.landed import freg_reader
from dataflyt.sources.freg import bulk, oppvekst, person, residents
from dataflyt.sources.freg.formats import FORMATS, named
from dataflyt.sources.freg.rows import (
    TABLES,
    Adressebeskyttelse,
    AnnenAdresse,
    Bostedsadresse,
    Familierelasjon,
    Foreldreansvar,
    Navn,
    Person,
    Resident,
    Ubesvart,
    UkjentFelt,
)
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page

CHILD, MOTHER, FATHER, DNUMBER = "15831499815", "02838639618", "21908439829", "41810021827"
REFERENCE = os.environ.get("DATAFLYT_REFERENCE")


def number(value=CHILD, status="iBruk", current=True, kind="foedselsnummer"):
    return {"foedselsEllerDNummer": value, "status": status, "erGjeldende": current, "identifikatortype": kind}


def rows(document=None, asked=CHILD, **elements):
    if document is None:
        document = {"identifikasjonsnummer": [number()], "status": [{"status": "bosatt"}], **elements}
    entry = {"foedselsEllerDNummer": asked, "folkeregisterperson": document}
    return list(bulk.read(io.BytesIO(orjson.dumps({"oppslag": [entry]}))))


def only(kind, found):
    return [row for row in found if isinstance(row, kind)]


def the(kind, **elements):
    (row,) = only(kind, rows(**elements))
    return row


def road(**more):
    return {
        "kommunenummer": "1106",
        "adressenavn": "Haraldsgata",
        "adressenummer": {"husnummer": "7"},
        "bruksenhetsnummer": "H0101",
        **more,
    }


def dwelling(address, element="bostedsadresse"):
    return the(Bostedsadresse if element == "bostedsadresse" else AnnenAdresse, **{element: [address]}).bolig


def test_the_number_in_use_is_the_key_when_a_historical_one_was_asked_for():
    old = number(DNUMBER, "opphoert", False, "dNummer")
    found = rows({"identifikasjonsnummer": [old, number()], "navn": [{"fornavn": "Máret"}]}, asked=DNUMBER)
    (who,) = only(Person, found)
    assert (who.foedselsEllerDNummer, who.oppslag, who.identifikatortype) == (CHILD, DNUMBER, "foedselsnummer")
    assert {row.foedselsEllerDNummer for row in found} == {CHILD}


def test_the_number_asked_for_is_the_key_when_none_is_in_use():
    assert the(Person, identifikasjonsnummer=[number(status="opphoert")]).foedselsEllerDNummer == CHILD
    (who,) = only(Person, rows({"navn": [{"fornavn": "Máret"}]}))
    assert (who.foedselsEllerDNummer, who.identifikatortype) == (CHILD, None)


def test_a_fodselsnummer_goes_before_a_d_number_still_in_use():
    numbers = [number(DNUMBER, kind="dNummer"), number()]
    found = rows(identifikasjonsnummer=numbers, asked=DNUMBER)
    assert only(Person, found)[0].foedselsEllerDNummer == CHILD


def test_a_number_without_a_person_is_unanswered_and_not_a_person_without_guardians():
    answer = {
        "oppslag": [
            {"foedselsEllerDNummer": "1", "feilmelding": {"feilmelding": "ukjent"}},
            {"foedselsEllerDNummer": "2", "feilmelding": "ukjent"},
            {"foedselsEllerDNummer": "3", "folkeregisterperson": None},
            {"foedselsEllerDNummer": "4", "folkeregisterperson": {}},
            {"foedselsEllerDNummer": "5"},
            {"foedselsEllerDNummer": "6", "folkeregisterperson": "?"},
            {"foedselsEllerDNummer": "7", "folkeregisterperson": {"identifikasjonsnummer": [number("7")], "navn": []}},
            None,
            {},
        ]
    }
    found = list(bulk.read(io.BytesIO(orjson.dumps(answer))))
    assert found == [Ubesvart(str(n), "ukjent" if n < 3 else None) for n in range(1, 8)]


ESCAPED = "foedselsEllerDNummer".replace("f", "\\u0066", 1)
WAYS_TO_SAY = [
    (f'{{"foedselsEllerDNummer": "{CHILD}"}}', True),
    (f'{{"foedselsEllerDNummer": {int(CHILD)}, "folkeregisterperson": {{"navn": {{"fornavn": "x"}}}}}}', True),
    (f'{{"{ESCAPED}": " {CHILD} "}}', True),
    (
        f'{{"folkeregisterperson": {{"navn": {{"fornavn": "x"}}, "identifikasjonsnummer": {{"{ESCAPED}": {CHILD}}}}}}}',
        True,
    ),
    ("null", False),
    ('{"feilmelding": {"feilmelding": "ukjent"}}', False),
    (f'{{"foedselsEllerDNummer": null, "feilmelding": "\\"foedselsEllerDNummer\\":\\"{CHILD}\\""}}', False),
    (f'{{"note": {{"foedselsEllerDNummer": "{CHILD}"}}}}', False),
]


@pytest.mark.parametrize(("entry", "answered"), WAYS_TO_SAY)
def test_who_is_answered_for_is_so_wherever_that_is_asked(tmp_path, entry, answered):
    landing, page = Landing(tmp_path), Page("1-pupils", 1, again=True)
    landing.write("1-pupils-again-00001.request.json", orjson.dumps({"foedselsEllerDNummer": [CHILD]}))
    landing.write("1-pupils-again-00001.json", b'{"oppslag": [%b]}' % entry.encode())
    assert unanswered(landing, page, partial(named, format="bulk")) == ([] if answered else [CHILD])
    kommune = find(Path(__file__).parents[2] / "include" / "kommuner", "haugesund")
    with landing.open("1-pupils-again-00001.json") as stream:
        found = list(freg_reader(kommune, landing, page)(stream))
    assert {row.oppslag for row in found if isinstance(row, Person | Ubesvart)} == {CHILD}
    # A page without the only person it was asked about is not faulty, not even the first time.
    first = Page("1-pupils", 1)
    landing.write("1-pupils-00001.json", b'{"oppslag": [%b]}' % entry.encode())
    with landing.open("1-pupils-00001.json") as stream:
        assert bool(list(freg_reader(kommune, landing, first)(stream))) == answered


def test_single_objects_stand_for_arrays_and_arrays_for_single_objects():
    found = rows(
        identifikasjonsnummer=number(),
        navn={"fornavn": "Máret", "etternavn": "Đižžo"},
        doedsfall=[{"doedsdato": "2026-01-02", "erGjeldende": True}],
        foreldreansvar={"ansvar": "mor", "ansvarlig": MOTHER},
    )
    assert only(Navn, found)[0][1:4] == ("Máret", None, "Đižžo")
    assert (only(Person, found)[0].doed, only(Person, found)[0].doedsdato) == (True, "2026-01-02")
    assert only(Foreldreansvar, found)[0].ansvarlig == MOTHER


def test_the_current_value_is_used_when_history_came_with_it():
    who = the(
        Person,
        status=[{"status": "utflyttet", "erGjeldende": False}, {"status": "bosatt", "erGjeldende": True}],
        kjoenn=[{"kjoenn": "mann"}, {"kjoenn": "kvinne", "erGjeldende": True}],
        foedsel=[
            {"foedselsdato": "2014-03-15", "erGjeldende": True, "gyldighetstidspunkt": "2014-03-20T00:00:00+01:00"},
            {"foedselsdato": "2014-03-16", "erGjeldende": True, "gyldighetstidspunkt": "2015-03-20T00:00:00+01:00"},
        ],
    )
    assert (who.status, who.kjoenn, who.foedselsdato) == ("bosatt", "kvinne", "2014-03-16")
    historical = {"status": "bosatt", "erGjeldende": False}
    assert the(Person, status=[historical], kjoenn=[{"kjoenn": "mann"}]).status is None


@pytest.mark.parametrize(
    ("elements", "dead"),
    [
        ({}, False),
        ({"doedsfall": None}, False),
        ({"doedsfall": {"doedsdato": "2026-01-02"}}, True),
        ({"doedsfall": {"erGjeldende": True}}, True),
        ({"doedsfall": {"doedsdato": "2026-01-02", "erGjeldende": False}}, False),
        ({"status": [{"status": "doed", "erGjeldende": True}]}, True),
    ],
)
def test_a_death_is_known_from_doedsfall_or_status(elements, dead):
    assert the(Person, **elements).doed is dead


@pytest.mark.parametrize(
    ("value", "false"),
    [
        (None, False),
        ({"erFalsk": True, "erGjeldende": True}, True),
        ({"erFalsk": False}, False),
        ({"rettIdentitetErUkjent": True}, True),
        ({"erFalsk": True, "erGjeldende": False}, False),
    ],
)
def test_a_false_identity_is_told(value, false):
    assert the(Person, falskIdentitet=value).falskIdentitet is false


def test_kommunenummer_is_found_in_each_of_its_three_places():
    places = (
        ("vegadresse", {"kommunenummer": "0301"}),
        ("matrikkeladresse", {"matrikkelnummer": {"kommunenummer": "0301"}}),
        ("ukjentBosted", {"bostedskommune": "0301"}),
    )
    for kind, address in places:
        home = the(Bostedsadresse, bostedsadresse=[{kind: address, "adressegradering": "ugradert"}])
        assert (home.adressetype, home.kommunenummer, home.adressegradering) == (kind, "0301", "ugradert")


def test_people_live_together_when_kommune_road_number_letter_and_unit_are_the_same():
    here = dwelling({"vegadresse": road()})
    assert here is not None
    assert dwelling({"vegadresse": road(adressenavn=" HARALDSGATA ", coAdressenavn="c/o Hansen")}) == here
    assert dwelling({"vegadresse": road(adressenummer={"husnummer": "0007"})}) == here
    assert dwelling({"vegadresse": road()}, "deltBosted") == here
    assert dwelling({"vegadresse": road()}, "oppholdsadresse") == here
    for other in (
        {"kommunenummer": "1107"},
        {"adressenavn": "Strandgata"},
        {"adressenummer": {"husnummer": "8"}},
        {"adressenummer": {"husnummer": "7", "husbokstav": "B"}},
        {"bruksenhetsnummer": "H0102"},
    ):
        assert dwelling({"vegadresse": road(**other)}) not in (here, None)
    lot = {"kommunenummer": "1106", "gaardsnummer": 12, "bruksnummer": 3, "festenummer": 0}
    parcel = dwelling({"matrikkeladresse": {"matrikkelnummer": lot}})
    assert parcel == dwelling(
        {"matrikkeladresse": {"matrikkelnummer": {**lot, "festenummer": None, "bruksnummer": "3"}}}
    )
    assert parcel != dwelling({"matrikkeladresse": {"matrikkelnummer": {**lot, "festenummer": 4}}})


@pytest.mark.parametrize(
    "address",
    [
        {"ukjentBosted": {"bostedskommune": "1106"}},
        {"vegadresse": road(adressenummer=None)},
        {"vegadresse": road(adressenavn="")},
        {"matrikkeladresse": {"matrikkelnummer": {"kommunenummer": "1106", "gaardsnummer": 0, "bruksnummer": 1}}},
        {"adressegradering": "strengtFortrolig"},
    ],
)
def test_an_address_that_is_not_precise_tells_nothing_about_who_lives_together(address):
    assert dwelling(address) is None


def test_a_postal_address_is_no_dwelling():
    assert dwelling({"vegadresse": road(), "adressegradering": "fortrolig"}, "postadresse") is None


def protection(value):
    """Return the only row: level, whether a word is unknown, and since when."""
    row = the(Adressebeskyttelse, adressebeskyttelse=value)
    assert row.erGjeldende is True
    return row.graderingsnivaa, row.ukjent, row.gyldighetstidspunkt


def entry(word, since=None, current=None):
    return {"graderingsnivaa": word, "gyldighetstidspunkt": since, "erGjeldende": current}


@pytest.mark.parametrize(
    "value",
    [None, [], {}, "", " \t", "\0", [{}], [None], [""], [{}, None, " ", []], [entry("fortrolig", current=False)]],
)
def test_nothing_is_no_grading_in_whatever_form_it_comes(value):
    assert protection(value) == ("ugradert", False, None)


@pytest.mark.parametrize(
    "value",
    [
        *(7, 0, False, True, "heltNy", ["heltNy"], [["fortrolig"]]),
        *([entry(None)], [entry("")], [entry([])], [entry({})], [entry(["fortrolig"])]),
        *({"erGjeldende": True}, {"nyttFelt": "fortrolig"}, entry("", current="nei")),
    ],
)
def test_a_grading_that_cannot_be_read_never_looks_like_none(value):
    assert protection(value) == ("ugradert", True, None)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([entry("strengtFortrolig")], ("strengtFortrolig", False, None)),
        # These occur in answers that other clients of FREG show.
        ([entry("STRENGTFORTROLIG")], ("strengtFortrolig", False, None)),
        ([entry("Fortrolig")], ("fortrolig", False, None)),
        ([entry("UGRADERT")], ("ugradert", False, None)),
        ([entry("KLIENTADRESSE")], ("klientadresse", False, None)),
        (entry(" fortrolig\0", "2020"), ("fortrolig", False, "2020")),
        ("strengtFortrolig", ("strengtFortrolig", False, None)),
        ([entry("ugradert", "2020")], ("ugradert", False, "2020")),
        ([entry("fortrolig", "2020"), entry("klientadresse", "2021")], ("fortrolig", False, "2020")),
        ([entry("fortrolig", "2020"), entry("fortrolig", "2021"), {}], ("fortrolig", False, "2021")),
        ([entry("fortrolig", "2020"), entry("heltNy", "2021")], ("fortrolig", True, "2020")),
        ([entry("strengtFortrolig", current="false"), entry("klientadresse")], ("klientadresse", False, None)),
        ([entry("heltNy", current=False), "fortrolig"], ("fortrolig", False, None)),
    ],
)
def test_of_several_gradings_the_strictest_known_stands_and_an_unknown_is_told_beside_it(value, found):
    assert protection(value) == found


@pytest.mark.parametrize("grading", [None, {}, [], "", " ", [{}], [""]])
@pytest.mark.parametrize(("element", "kind"), [("bostedsadresse", Bostedsadresse), ("postadresse", AnnenAdresse)])
def test_an_address_graded_with_nothing_is_not_graded(element, kind, grading):
    assert the(kind, **{element: {"adressegradering": grading, "vegadresse": road()}}).adressegradering is None


@pytest.mark.parametrize("grading", [7, False, True, 1.5, {"x": 1}, ["fortrolig"], "heltNy"])
@pytest.mark.parametrize(("element", "kind"), [("bostedsadresse", Bostedsadresse), ("postadresse", AnnenAdresse)])
def test_an_address_graded_with_something_unreadable_has_a_word_in_no_list(element, kind, grading):
    found = the(kind, **{element: {"adressegradering": grading}}).adressegradering
    assert found
    assert found not in ("ugradert", "klientadresse", "fortrolig", "strengtFortrolig")


def test_how_many_rows_there_are_tells_nothing_about_protection():
    def counts(found):
        return len(only(Adressebeskyttelse, found)), len(only(Bostedsadresse, found))

    gradings = (None, "fortrolig", [entry("fortrolig"), entry("klientadresse")], "heltNy", [{}])
    home = {"vegadresse": road(), "adressegradering": "ugradert"}
    for value in gradings:
        for elements in ({}, {"bostedsadresse": []}, {"bostedsadresse": [{}]}, {"bostedsadresse": home}):
            assert counts(rows(adressebeskyttelse=value, **elements)) == (1, 1)
            assert counts(alone(status={"status": "bosatt"}, adressebeskyttelse=value, **elements)) == (1, 1)
            guardian = {**flat(MOTHER, personstatus="bosatt", adressebeskyttelse=value, **elements), "ansvar": "mor"}
            came = joined(flat(adressebeskyttelse=value, **elements, foreldreansvarlige=[guardian]))
            assert counts(came) == (2, 2)
    assert the(Bostedsadresse) == Bostedsadresse(CHILD, *[None] * 14)


def alone(**elements):
    return list(person.read(io.BytesIO(orjson.dumps({"identifikasjonsnummer": [number()], **elements}))))


HISTORICAL = [
    {},
    {"navn": []},
    {"status": [{}, None, ""], "navn": None, "foreldreansvar": " "},
    {"status": {"status": "bosatt", "erGjeldende": False}},
    {
        "status": [{"status": "bosatt", "erGjeldende": False}, {"status": "utflyttet", "erGjeldende": "false"}],
        "navn": [{"fornavn": "Máret", "erGjeldende": False}],
        "foreldreansvar": [{"ansvar": "mor", "ansvarlig": MOTHER, "erGjeldende": False}, {}],
        "adressebeskyttelse": [{"graderingsnivaa": "fortrolig", "erGjeldende": False}],
        "doedsfall": {"doedsdato": "2026-01-02", "erGjeldende": False},
        "nyttElement": [{"erGjeldende": False}],
    },
    {"navn": [{"fornavn": "Ola", "erGjeldende": False}], "nyttElement": [{"erGjeldende": True}], "versjon": "1.6"},
]


@pytest.mark.parametrize("elements", HISTORICAL)
def test_a_document_in_which_nothing_applies_is_half_an_answer(elements):
    numbers = [number(DNUMBER, "opphoert", False, "dNummer"), number()]
    document = {"identifikasjonsnummer": numbers, **elements}
    for asked in (CHILD, DNUMBER):
        assert rows(document, asked=asked) == [Ubesvart(asked, None)]
        assert resident_rows(document, asked) == [Ubesvart(asked, None)]
    assert rows(document, asked=None) == [Ubesvart(CHILD, None)]
    assert list(person.read(io.BytesIO(orjson.dumps(document)))) == [Ubesvart(CHILD, None)]


@pytest.mark.parametrize("elements", HISTORICAL)
@pytest.mark.parametrize(
    "applies",
    [
        {"kjoenn": [{"kjoenn": "mann", "erGjeldende": True}]},
        {"kjoenn": [{"kjoenn": "kvinne", "erGjeldende": False}, {"kjoenn": "mann"}]},
        {"adressebeskyttelse": "strengtFortrolig"},
        {"adressebeskyttelse": [{"graderingsnivaa": ""}]},
    ],
)
def test_a_document_in_which_anything_applies_is_an_answer(elements, applies):
    assert len(only(Person, rows(**{"status": [], **elements, **applies}))) == 1
    assert len(only(Person, alone(**{**elements, **applies}))) == 1


def test_every_kind_of_responsible_party_is_read():
    found = only(
        Foreldreansvar,
        rows(
            foreldreansvar=[
                {"ansvar": "felles", "ansvarlig": MOTHER, "ansvarssubjekt": CHILD, "erGjeldende": True},
                {"ansvar": "felles", "ansvarlig": FATHER},
                {"ansvar": "andre", "ansvarligOrganisasjon": "971032146"},
                {
                    "ansvar": "andre",
                    "ansvarligUtenIdentifikator": {
                        "navn": {"fornavn": "Anna", "etternavn": "Svensson"},
                        "foedselsdato": "1980-01-02",
                    },
                },
                {"ansvar": "ukjent"},
                "ukjent",
            ]
        ),
    )
    assert [row.ansvarlig for row in found] == [MOTHER, FATHER, None, None, None]
    assert found[0].ansvarssubjekt == CHILD
    assert found[2].ansvarligOrganisasjon == "971032146"
    assert found[3][4:8] == ("Anna", None, "Svensson", "1980-01-02")
    assert found[4].ansvar == "ukjent"


def test_the_guardian_of_a_parents_child_without_a_number_is_not_the_parents():
    child = {"navn": {"fornavn": "Máret", "etternavn": "Đižžo"}}
    found = rows(foreldreansvar=[{"ansvar": "felles", "ansvarlig": FATHER, "ansvarssubjektUtenIdentifikator": child}])
    assert only(Foreldreansvar, found) == []


def test_a_responsibility_with_a_time_at_which_it_ended_has_ended():
    ended = {"ansvar": "mor", "ansvarlig": MOTHER, "opphoerstidspunkt": "2026-01-02T00:00:00+01:00"}
    assert the(Foreldreansvar, foreldreansvar=[ended]).erGjeldende is False
    assert the(Foreldreansvar, foreldreansvar=[{**ended, "erGjeldende": True}]).erGjeldende is True


def test_a_relation_to_a_person_without_a_number_is_kept():
    row = the(
        Familierelasjon,
        familierelasjon=[{"relatertPersonUtenFolkeregisteridentifikator": {"navn": {}}, "relatertPersonsRolle": "far"}],
    )
    assert (row.relatertPerson, row.relatertPersonUtenFolkeregisteridentifikator) == (None, True)


def test_a_number_written_as_a_json_number_gets_its_zero_back():
    assert the(Foreldreansvar, foreldreansvar=[{"ansvarlig": int(MOTHER)}]).ansvarlig == MOTHER


def test_a_single_person_is_its_own_look_up():
    (who, *_) = alone(status={"status": "bosatt"})
    assert who.oppslag == who.foedselsEllerDNummer == CHILD


def test_an_empty_answer_is_no_error_but_one_that_names_nobody_is():
    assert list(bulk.read(io.BytesIO(b'{"oppslag": []}'))) == []
    with pytest.raises(Unreadable, match="ingen oppføring nevner en person"):
        list(bulk.read(io.BytesIO(b'{"oppslag": [null, 1]}')))


def test_every_row_is_of_a_table():
    assert set(FORMATS) == {"bulk", "person", "oppvekst", "residents"}
    assert {type(row) for row in rows(navn=[{"fornavn": "x"}])} <= {table.row for table in TABLES.values()}


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
def test_the_reference_answers_are_read():
    folder = Path(REFERENCE) / "freg"
    with (
        (folder / "freg_bulkoppslag_response.json").open("rb") as one,
        (folder / "freg_person_barn.json").open("rb") as two,
    ):
        found, alone = list(bulk.read(one)), list(person.read(two))
    assert found[:-1] == alone
    assert found[-1].oppslag == "00000000000"
    assert {row.ansvarlig for row in only(Foreldreansvar, alone)} == {MOTHER, FATHER}
    assert [row.erGjeldende for row in only(Bostedsadresse, alone)] == [True, False]
    assert only(Navn, alone)[0].mellomnavn == "GRØNN"


def test_fields_and_elements_we_do_not_know_are_named_once_a_page_and_never_a_value():
    first = {"navn": [{"fornavn": "A", "nyttFelt": "hemmelig"}, {"fornavn": "B", "nyttFelt": 1}], "nyttElement": [{}]}
    second = {"nyttElement": "hemmelig", "statsborgerskap": [{"nytt": 1}], "15831499815": {}, "foedsel": {"x y": 1}}
    entries = [{"foedselsEllerDNummer": CHILD, "folkeregisterperson": one} for one in (first, second)]
    found = list(bulk.read(io.BytesIO(orjson.dumps({"oppslag": entries}))))
    # The content of an unread element is ignored, and a key that is not a schema name is not repeated.
    assert [row.felt for row in only(UkjentFelt, found)] == ["navn.nyttFelt", "nyttElement", "…"]
    assert len(only(Navn, found)) == 2


# --- children who live here -------------------------------------------------------------------------------------------


def resident_rows(document, asked=DNUMBER):
    entry = {"foedselsEllerDNummer": asked, "folkeregisterperson": document}
    return list(residents.read(io.BytesIO(orjson.dumps({"oppslag": [entry]}))))


def resident(**elements):
    (row,) = resident_rows({"identifikasjonsnummer": [number()], "kjoenn": {"kjoenn": "mann"}, **elements})
    return row


def test_of_a_resident_no_more_is_read_than_who_and_whether_protected():
    old = {"fornavn": "GAMMEL", "erGjeldende": False}
    row = resident(
        navn=[old, {"fornavn": "MÁRET", "etternavn": "ELEFANT", "erGjeldende": True}],
        foedsel=[{"foedselsdato": "2014-03-15"}],
        status=[{"status": "bosatt"}],
        bostedsadresse=[{"vegadresse": road(), "adressegradering": "ugradert"}],
        foreldreansvar=[{"ansvar": "felles", "ansvarlig": MOTHER}],
    )
    assert row == Resident(CHILD, DNUMBER, "MÁRET", None, "ELEFANT", "2014", "bosatt", None)


@pytest.mark.parametrize(
    ("protection", "grading"),
    [
        ([{"graderingsnivaa": "fortrolig"}, {"graderingsnivaa": "klientadresse"}], "fortrolig"),
        ([{"graderingsnivaa": "fortrolig"}, {"graderingsnivaa": "heltNy"}], "heltNy"),
        ([{"graderingsnivaa": "strengtFortrolig", "erGjeldende": False}], None),
        ([{"gradering": "fortrolig"}], "ukjent"),
        *((nothing, None) for nothing in ([], {}, "", " ", [{}], [""], [{}, None])),
        ("fortrolig", "fortrolig"),
    ],
)
def test_a_residents_protection_is_the_strictest_and_what_cannot_be_read_is_stricter(protection, grading):
    assert resident(adressebeskyttelse=protection).graderingsnivaa == grading


def test_a_resident_without_an_answer_is_unanswered():
    entry = {"foedselsEllerDNummer": CHILD, "feilmelding": {"feilmelding": "ukjent"}}
    assert list(residents.read(io.BytesIO(orjson.dumps({"oppslag": [entry]})))) == [Ubesvart(CHILD, "ukjent")]


# --- oppvekst ---------------------------------------------------------------------------------------------------------


def flat(value=CHILD, **more):
    return {"identifikasjonsnummer": {"foedselsEllerDNummer": value, "identifikatortype": "foedselsnummer"}, **more}


def joined(*people):
    return list(oppvekst.read(io.BytesIO(orjson.dumps(people))))


def test_a_pupil_and_the_guardians_that_came_along_are_people_and_one_that_is_only_named_is_not():
    mother = {**flat(MOTHER, navn={"fornavn": "ÁHKKU"}, adressebeskyttelse="fortrolig"), "ansvar": "felles"}
    father = {**flat(FATHER), "ansvar": "felles"}
    former = {"foedselsEllerDNummer": DNUMBER, "identifikatortype": "dNummer"}
    child = flat(tidligereIdentifikasjonsnummer=former, foedselsdato="2014-03-15", foreldreansvarlige=[mother, father])
    found = joined(child, flat("11811412345", foreldreansvarlige=[mother]))
    assert [row.foedselsEllerDNummer for row in only(Person, found)] == [CHILD, MOTHER, "11811412345"]
    assert [(row.foedselsEllerDNummer, row.ansvarlig) for row in only(Foreldreansvar, found)] == [
        *((CHILD, MOTHER), (CHILD, FATHER), ("11811412345", MOTHER)),
    ]
    assert {(row.identifikasjonsnummer, row.status) for row in found if hasattr(row, "identifikasjonsnummer")} >= {
        *((CHILD, "iBruk"), (DNUMBER, "opphoert")),
    }
    assert [row[:2] for row in only(Adressebeskyttelse, found)] == [
        *((CHILD, "ugradert"), (MOTHER, "fortrolig"), ("11811412345", "ugradert")),
    ]
    # Rows after a person belong to that person. Of a guardian's numbers only the current one is given.
    of = [row.foedselsEllerDNummer for row in found]
    assert of == sorted(of, key=[CHILD, MOTHER, "11811412345"].index)
    assert not any(hasattr(row, "identifikasjonsnummer") for row in found if row.foedselsEllerDNummer == MOTHER)


def test_a_guardian_who_comes_along_in_two_ways_is_read_twice():
    """Only one of them may hold the protection."""
    mother = flat(MOTHER, navn={"fornavn": "ÁHKKU"})
    secret = {**mother, "adressebeskyttelse": "strengtFortrolig"}
    children = [CHILD, "11811412345", "12811412345"]
    guardians = [{**one, "ansvar": "felles"} for one in (mother, secret, {**mother, "ansvar": "mor"})]
    found = joined(*(flat(at, foreldreansvarlige=[one]) for at, one in zip(children, guardians, strict=True)))
    assert [row.graderingsnivaa for row in only(Adressebeskyttelse, found) if row[0] == MOTHER] == [
        *("ugradert", "strengtFortrolig"),
    ]


def test_of_oppvekst_a_number_alone_is_half_an_answer_for_a_pupil_and_a_guardian():
    former = {"foedselsEllerDNummer": DNUMBER, "identifikatortype": "dNummer"}
    empty = {"navn": {}, "bostedsadresse": None, "adressebeskyttelse": "", "familierelasjoner": []}
    assert joined(flat(tidligereIdentifikasjonsnummer=former, foreldreansvarlige=[], **empty)) == [
        Ubesvart(CHILD, None)
    ]
    found = joined(flat(foreldreansvarlige=[{**flat(MOTHER, **empty), "ansvar": "mor"}]))
    assert [row.foedselsEllerDNummer for row in only(Person, found)] == [CHILD]
    assert [row.ansvarlig for row in only(Foreldreansvar, found)] == [MOTHER]


def test_a_responsibility_of_nobody_who_is_named_stands_alone():
    (row,) = only(Foreldreansvar, joined(flat(foreldreansvarstype="andre", foreldreansvarlige=[])))
    assert (row.ansvar, row.ansvarlig, row.ansvarligOrganisasjon) == ("andre", None, None)
    (row,) = only(Foreldreansvar, joined(flat(foreldreansvarlige=[{"ansvar": "far"}])))
    assert (row.ansvar, row.ansvarlig) == ("far", None)


def test_addresses_of_oppvekst_tell_kommune_and_grading_in_all_forms():
    places = [
        {"vegadresse": road()},
        {"matrikkeladresse": {"matrikkelnummer": {"kommunenummer": "1106", "gaardsnummer": 1, "bruksnummer": 2}}},
        {"ukjentBosted": {"bostedskommune": "1106"}},
    ]
    found = joined(*(flat(bostedsadresse={"adressegradering": "klientadresse", **place}) for place in places))
    assert {(row.kommunenummer, row.adressegradering) for row in only(Bostedsadresse, found)} == {
        ("1106", "klientadresse")
    }
    (post,) = only(AnnenAdresse, joined(flat(postadresse={"adressegradering": "fortrolig", "frittFormat": {}})))
    assert (post.element, post.adressegradering, post.bolig) == ("postadresse", "fortrolig", None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"oppslag": []}, "formatet bulk"),
        ({"errorId": "x", "status": 403}, "feilmelding"),
        ([{"a": 1}], "nevner en person"),
    ],
)
def test_what_is_no_answer_of_oppvekst_is_said(answer, words):
    with pytest.raises(Unreadable, match=words):
        list(oppvekst.read(io.BytesIO(orjson.dumps(answer))))


def test_nobody_known_to_oppvekst_is_no_error():
    assert joined() == []
