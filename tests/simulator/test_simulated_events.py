"""The simulator's event list of FREG comes from the passing weeks, has gaps, and has Skatteetaten's shape."""

from datetime import timedelta

import pytest
import yaml
from jsonschema import Draft202012Validator

from simulator.feed import FIRST, Feed, sequence
from simulator.model import Country
from simulator.weeks import advance
from simulator.world import build, build_country
from tests.simulator.conftest import DAY, Registers

PATH = "/folkeregisteret/offentlig-med-hjemmel/api/v1/hendelser"


@pytest.fixture(scope="module")
def country() -> Country:
    """Haugesund after five weeks."""
    made = build_country(["1106"], 1, DAY)
    advance(made, DAY + timedelta(weeks=5))
    return made


@pytest.fixture
def lived(country: Country, key) -> Registers:
    return Registers(country, key)


def test_the_list_tells_what_the_weeks_have_done_however_often_somebody_looked(
    country: Country,
) -> None:
    again = build_country(["1106"], 1, DAY)
    for week in range(1, 6):
        advance(again, DAY + timedelta(weeks=week))
    assert again.events == country.events
    kinds = {kind for _, _, kind in country.events}
    assert {"endringIAdressebeskyttelse", "endringIForeldreansvar", "endringINavn", "personErDoed"} <= kinds
    told = {number for _, number, kind in country.events if kind == "endringIAdressebeskyttelse"}
    protected = [p for p in country.worlds["1106"].persons.values() if p.protection and "adressebeskyttelse" in p.since]
    assert protected
    assert {person.number for person in protected} <= told


def test_the_list_is_read_from_a_number_on_to_its_end_which_has_a_tag(lived: Registers, country: Country) -> None:
    headers = lived.bearer()
    first = lived.http.get(f"{PATH}/feed", params={"seq": FIRST}, headers=headers)
    events = first.json()
    assert [event["sekvensnummer"] for event in events] == [sequence(index) for index in range(len(country.events))]
    assert events[0]["hendelse"].keys() >= {"folkeregisteridentifikator", "hendelsetype", "hendelsesdokument"}
    inclusive = lived.http.get(f"{PATH}/feed", params={"seq": events[3]["sekvensnummer"]}, headers=headers).json()
    assert inclusive == events[3:]
    last = lived.http.get(f"{PATH}/siste/sekvensnummer", headers=headers).json()
    assert last == events[-1]["sekvensnummer"]
    end = lived.http.get(f"{PATH}/feed", params={"seq": last + 1}, headers=headers)
    assert end.json() == []
    tagged = {**headers, "If-None-Match": end.headers["etag"]}
    assert lived.http.get(f"{PATH}/feed", params={"seq": last + 1}, headers=tagged).status_code == 304
    assert lived.http.get(f"{PATH}/feed", params={"seq": FIRST - 1}, headers=headers).status_code == 406
    assert lived.http.get(f"{PATH}/feed", params={"seq": "x"}, headers=headers).status_code == 400
    assert lived.http.get(f"{PATH}/feed", params={"seq": FIRST}).status_code == 401


def test_a_page_has_a_thousand_and_numbers_are_missing_between(country: Country) -> None:
    feed = Feed(country, made=2500)
    pages, seq = [], FIRST
    while page := feed.page(seq):
        pages.append(page)
        seq = page[-1]["sekvensnummer"] + 1
    numbers = [event["sekvensnummer"] for page in pages for event in page]
    assert [len(page) for page in pages] == [1000, 1000, 500 + len(country.events)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] > len(numbers)


def test_events_and_their_documents_fit_skatteetatens_openapi(lived: Registers, country: Country, reference) -> None:
    api = yaml.safe_load((reference / "freg" / "freg-offentlig-med-hjemmel-openapi-1.5.yaml").read_text())

    def fits(name: str, body: object) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": api["components"]}
        Draft202012Validator(schema).validate(body)

    headers = lived.bearer()
    events = lived.http.get(f"{PATH}/feed", params={"seq": FIRST}, headers=headers).json()
    documents = [event["hendelse"]["hendelsesdokument"] for event in events]
    found = lived.http.post(f"{PATH}/bulkoppslag", json={"dokumentidentifikator": documents}, headers=headers).json()
    assert [document["dokumentidentifikator"] for document in found] == documents
    assert lived.http.get(f"{PATH}/{documents[0]}", headers=headers).json() == found[0]
    assert lived.http.get(f"{PATH}/{'0' * 32}", headers=headers).status_code == 404
    for event in events:
        fits("ske.folkeregister.rettighetspakke.hendelser.LagretHendelseMedDokumentIdentifikatorer", event)
    for document in found:
        fits("folkeregisteret.tilgjengeliggjoering.hendelse.v1.DokumentForHendelse", document)
        assert document["hendelse"]["hendelsestype"]


def test_somebody_is_protected_by_a_switch_and_the_list_tells_of_it(key) -> None:
    world = build("1106", 1, DAY)
    registers = Registers(world, key)
    person = next(pupil.person for pupil in world.pupils if pupil.person and not pupil.person.cases)
    said = {"number": person.number, "graderingsnivaa": "fortrolig"}
    seq = registers.http.post("/simulator/protection", json=said).json()["sekvensnummer"]
    (event,) = registers.http.get(f"{PATH}/feed", params={"seq": seq}, headers=registers.bearer()).json()
    assert event["hendelse"]["hendelsetype"] == "endringIAdressebeskyttelse"
    (answer,) = registers.freg([person.number], "adressebeskyttelse").json()["oppslag"]
    assert answer["folkeregisterperson"]["adressebeskyttelse"][0]["graderingsnivaa"] == "fortrolig"
    assert registers.http.post("/simulator/protection", json={"number": person.number}).status_code == 400
    assert registers.http.post("/simulator/protection", json=said | {"graderingsnivaa": "x"}).status_code == 404
