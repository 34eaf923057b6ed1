"""Time passes in the simulated kommuner: the same events happen each time, and the manifest tells the truth of them."""

import subprocess
import sys
from collections import Counter
from datetime import date, timedelta

import orjson
import pytest
import yaml
from lxml import etree

from dataflyt.sources.hr.formats import FORMATS as HR
from dataflyt.sources.sas.formats import FORMATS as SAS
from simulator import manifest
from simulator.files import PIFU, write_files
from simulator.registers import elements, folkeregisterperson, krr_person
from simulator.server import FREG_PATH
from simulator.weeks import KINDS, TimeGoesForward, advance
from simulator.world import build, build_country
from tests.simulator.conftest import Registers

START = date(2026, 11, 24)
ALL = ("1106", "1520", "4601")
NS = {"p": PIFU}
WANTED, _ = elements(["person-basis", "relasjon-utvidet", "identitetsgrunnlag-utvidet"])


@pytest.fixture(scope="module")
def lived():
    """Three kommuner that have lived through 52 weeks, one at a time, and the events of each week."""
    country = build_country(ALL, 1, START)
    return country, [advance(country, START + timedelta(weeks=week)) for week in range(1, 53)]


@pytest.fixture(scope="module")
def country(lived):
    return lived[0]


def truth(country):
    return {number: list(manifest.people(world)) for number, world in country.worlds.items()}


def written(country, folder):
    return [path.read_bytes() for world in country.worlds.values() for path in write_files(world, country.day, folder)]


def test_when_no_time_passes_nothing_has_happened():
    country = build_country(["1106", "1520"], 1, START)
    assert advance(country, START) == {"1106": {}, "1520": {}}
    advance(country, START + timedelta(days=5))  # a Sunday
    assert truth(country) == {number: list(manifest.people(build(number, 1, START))) for number in country.worlds}


def test_a_kommune_has_the_same_people_alone_and_in_company():
    assert truth(build_country(["4601", "1106"], 1, START))["1106"] == list(manifest.people(build("1106", 1, START)))


def test_forty_weeks_at_once_are_forty_times_one_week(tmp_path):
    until = START + timedelta(weeks=40)  # over the first of August
    at_once, by_week = (build_country(["1106", "1520"], 3, START) for _ in range(2))
    advance(at_once, until)
    while by_week.day < until:
        advance(by_week, by_week.day + timedelta(days=1 if by_week.day.month == 8 else 7))
    assert truth(at_once) == truth(by_week)
    assert written(at_once, tmp_path / "a") == written(by_week, tmp_path / "b")


def test_another_process_that_starts_anew_finds_the_same_people():
    until = START + timedelta(weeks=8)
    command = [sys.executable, "-m", "simulator", "people", "--kommune", "1106", "--kommune", "1520"]
    command += ["--start", str(START), "--date", str(until)]
    told = subprocess.run(command, check=True, capture_output=True, env={"PYTHONHASHSEED": "7", "PATH": ""}).stdout
    country = build_country(["1106", "1520"], 1, START)
    advance(country, until)
    assert [orjson.loads(line) for line in told.splitlines()] == [
        orjson.loads(orjson.dumps(person)) for people in truth(country).values() for person in people
    ]


def test_time_goes_forward_only():
    country = build_country(["1520"], 1, START)
    with pytest.raises(TimeGoesForward, match="It is 2026-11-24 already"):
        advance(country, START - timedelta(days=1))


def test_four_weeks_show_most_of_what_can_happen_and_a_year_all(lived):
    _, weeks = lived
    year = Counter({kind: count for week in weeks for found in week.values() for kind, count in found.items()})
    assert set(year) == KINDS
    assert len({kind for week in weeks[:4] for kind in week["1106"]}) > 20
    for number in ALL:
        assert len({kind for week in weeks for kind in week[number]}) > 25


def test_a_number_is_one_persons_in_the_whole_country_and_old_ones_find_their_owner(country):
    numbers: dict[str, object] = {}
    for world in country.worlds.values():
        for person in world.persons.values():
            for number in [person.number, *(number for number, *_ in person.former_numbers)]:
                assert numbers.setdefault(number, person) is person
                assert not person.in_freg or country.find(number) is person
    assert len(numbers) > 6000
    assert any(kind == "foedselsnummer" for person in numbers.values() for _, kind, _ in person.former_numbers)
    assert any(kind == "dNummer" for person in numbers.values() for _, kind, _ in person.former_numbers)


def test_nobody_is_a_pupil_twice(country):
    pupils = Counter(p.person.number for world in country.worlds.values() for p in world.pupils if p.person)
    assert set(pupils.values()) == {1}
    for world in country.worlds.values():
        assert abs(len(world.pupils) - world.kommune.pupils) < 40
        ids = [person.person_id for person in world.sas_persons()]
        assert len(set(ids)) == len(ids)


def test_what_freg_says_is_what_the_manifest_says(country):
    for number, people in truth(country).items():
        world = country.worlds[number]
        for told in people:
            if not told["in_freg"]:
                continue
            said = folkeregisterperson(country.find(told["number"]), WANTED, history=False)
            assert [n["foedselsEllerDNummer"] for n in said["identifikasjonsnummer"] if n["status"] == "iBruk"] == [
                told["number"]
            ]
            assert (said["navn"][0]["fornavn"], said["navn"][0]["etternavn"]) == (told["given"], told["family"])
            assert said["kjoenn"][0]["kjoenn"] == told["sex"]
            assert ("doedsfall" in said) == told["dead"]
            graded = [entry["graderingsnivaa"] for entry in said.get("adressebeskyttelse", ())]
            assert graded == ([told["protection"]["own"]] if told["protection"]["own"] else [])
            if told["protection"]["own"] == "strengtFortrolig":
                assert {"bostedsadresse", "oppholdsadresse", "deltBosted"}.isdisjoint(said)
            for relation in said.get("familierelasjon", ()):
                assert "relatertPerson" not in relation or world.person(relation["relatertPerson"])
            if "school" in told:
                mine = [record for record in said.get("foreldreansvar", ()) if "ansvarlig" in record]
                assert {record["ansvarlig"] for record in mine} == {
                    party["number"] for party in told["access"] if party["number"]
                }
                for party in filter(None, (world.person(party["number"]) for party in told["access"])):
                    assert told["number"] in [child for child, _, ansvar in party.children if ansvar]


def test_answers_still_fit_skatteetatens_openapi(country, reference):
    jsonschema = pytest.importorskip("jsonschema")
    api = yaml.safe_load((reference / "freg" / "freg-offentlig-med-hjemmel-openapi-1.5.yaml").read_text())
    wanted = "folkeregisteret.tilgjengeliggjoering.person.v1.bulk.response.PersonBulkoppslagResponse"
    schema = {"$ref": f"#/components/schemas/{wanted}", "components": api["components"]}
    changed: dict[str, object] = {}
    for world in country.worlds.values():
        for person in world.persons.values():
            for _, kind in person.happened:
                changed.setdefault(kind, person)
    assert len(changed) > 15
    answer = [
        {
            "foedselsEllerDNummer": person.number,
            "folkeregisterperson": folkeregisterperson(person, WANTED, history=True),
        }
        for person in changed.values()
    ]
    jsonschema.Draft4Validator(schema).validate({"oppslag": answer})


@pytest.fixture(scope="module")
def files(country, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drop")
    return {number: write_files(country.worlds[number], country.day, folder) for number in ("1106", "1520")}


@pytest.mark.parametrize("number", ["1106", "1520"])
def test_the_sas_file_is_still_valid_pifu_ims(number, files, reference):
    schema = etree.XMLSchema(etree.parse(reference / "pifu_ims" / "PIFU-IMS_SAS.xsd"))
    assert schema.validate(etree.parse(files[number][1])), schema.error_log.last_error


@pytest.mark.parametrize("number", ["1106", "1520"])
def test_dataflyt_reads_the_files_whole(number, files, country):
    world = country.worlds[number]
    hr, pifu, timetable = files[number]
    found: dict[str, list[object]] = {}
    for path, reader in ((pifu, SAS["pifu"]), (timetable, SAS["timetable"])):
        with path.open("rb") as stream:
            for row in reader(stream):
                found.setdefault(type(row).__name__, []).append(row)
    with hr.open("rb") as stream:
        for row in HR["stamdata3"](stream):
            found.setdefault(type(row).__name__, []).append(row)
    persons = {row.person_id for row in found["Person"]}
    groups = {row.group_id for row in found["Group"]}
    schools = {school.school_id for school in world.kommune.schools}
    assert len(persons) == len(found["Person"]) == len(list(world.sas_persons()))
    assert {row.person_id for row in found["Membership"]} <= persons
    assert {row.group_id for row in found["Membership"]} <= groups | schools
    assert len(found["Membership"]) == len({row[:3] for row in found["Membership"]})
    assert len(found["Employee"]) == len(world.employees)
    assert {row.begin_date for row in found["Group"]} <= {"2027-08-01", None}
    assert all(row.begin_date <= str(country.day) for row in found["Membership"])


def test_in_august_everybody_is_a_level_up_and_all_groups_are_new():
    country = build_country(["1106", "1520"], 2, date(2027, 7, 27))
    before = {
        number: {p.sas.person_id: (p.level, p.person) for p in world.pupils} for number, world in country.worlds.items()
    }
    old_groups = {group.group_id for world in country.worlds.values() for group in world.groups}
    happened = advance(country, date(2027, 8, 1))  # a Sunday
    for number, world in country.worlds.items():
        assert set(happened[number]) == {"school_year", "pupil_finishes", "pupil_begins", "teacher_replaced"}
        assert world.year == 2027
        now = {pupil.sas.person_id: pupil.level for pupil in world.pupils}
        stayed = {sas_id: level for sas_id, (level, _) in before[number].items() if level < 10}
        assert {sas_id: now[sas_id] for sas_id in stayed} == {sas_id: level + 1 for sas_id, level in stayed.items()}
        new = [pupil for pupil in world.pupils if pupil.sas.person_id not in before[number]]
        assert {pupil.level for pupil in new} == {1}
        assert len(new) == len(before[number]) - len(stayed) == happened[number]["pupil_begins"]
        families = [{parent for _, parent in p.person.parents} for p in world.pupils if p not in new and p.person]
        assert 0 < sum(any({parent for _, parent in p.person.parents} & f for f in families) for p in new) < len(new)
        assert all((pupil.level, pupil.letter) in pupil.school.classes for pupil in world.pupils)
        assert not old_groups & {group.group_id for group in world.groups}
        members = {member.person_id for group in world.groups for member in group.members}
        assert members <= {person.person_id for person in world.sas_persons()}


def the(world, case):
    return next(person for person in manifest.people(world) if case in person["cases"])


def test_in_the_first_week_a_new_man_takes_the_place_of_the_seeds_father():
    country = build_country(["1106"], 1, START)
    world = country.worlds["1106"]
    mother, father = the(world, "seed_mother")["number"], the(world, "seed_father")["number"]
    happened = advance(country, START + timedelta(weeks=1))
    assert happened["1106"]["father_replaced"] == 1
    baug = the(world, "seed_baug")
    new = next(party["number"] for party in baug["access"] if party["number"] != mother)
    assert [(party["number"], party["access"]) for party in baug["access"]] == [(mother, True), (new, True)]
    assert new != father
    assert father in baug["sas_guardians"]
    assert new not in baug["sas_guardians"]
    advance(country, START + timedelta(weeks=6))
    assert set(the(world, "seed_baug")["sas_guardians"]) == {mother, new}


def test_whom_protection_has_suspended_stays_so_when_it_is_lowered_and_in_this_kommune_alone(lived):
    country, _ = lived
    after = [
        told
        for people in truth(country).values()
        for told in people
        if "school" in told
        and not told["protection"]["effective"]
        and any("protection_raised" in event for event in told.get("happened", ()))
    ]
    suspended = [party for told in after for party in told["access"] if not party["access"]]
    assert len(after) > 5
    assert len(suspended) > 5
    assert {party["because"] for party in suspended} >= {"the child is strengtFortrolig"}


def test_the_sas_learns_of_a_new_number_a_week_after_freg():
    country = build_country(["1106"], 1, START)
    world = country.worlds["1106"]
    for _ in range(8):
        advance(country, country.day + timedelta(weeks=1))
        changed = [p for p in world.pupils if p.person and p.person.former_numbers]
        if changed:
            break
    pupil = changed[0]
    old, new = pupil.person.former_numbers[-1][0], pupil.person.number
    assert (pupil.sas.number, country.find(old), country.find(new)) == (old, pupil.person, pupil.person)
    advance(country, country.day + timedelta(weeks=1))
    assert pupil.sas.number == new


def test_a_family_that_moves_keeps_its_numbers_and_gets_a_new_school_and_address():
    country = build_country(ALL, 1, START)
    where = {p.person.number: number for number, world in country.worlds.items() for p in world.pupils if p.person}
    advance(country, START + timedelta(weeks=3))
    moved = [
        (number, pupil)
        for number, world in country.worlds.items()
        for pupil in world.pupils
        if pupil.person and where.get(pupil.person.number, number) != number
    ]
    assert moved
    for number, pupil in moved:
        assert pupil.person.home.kommunenummer == number != pupil.person.former_home.kommunenummer
        origin = country.worlds[where[pupil.person.number]]
        assert pupil.person.number not in origin.persons
        assert pupil.person not in [other.person for other in origin.pupils]


def test_next_week_comes_over_http_and_tells_counts_and_nobodys_number(key, tmp_path):
    country = build_country(["1106", "1520"], 1, START)
    registers = Registers(country, key, drop=tmp_path)
    assert registers.http.get("/simulator/date").json() == {"date": "2026-11-24"}
    answer = registers.http.post("/simulator/date", json={"date": "2026-12-01"})
    assert answer.json()["date"] == "2026-12-01" == str(country.day)
    happened = answer.json()["happened"]
    assert set(happened) == {"1106", "1520"}
    assert set(happened["1106"]) <= KINDS
    assert happened["1106"]["birth"] == 1
    assert {path.parent.name: path.name for path in (tmp_path / "1520").rglob("*.xml")} == {
        "hr": "Stamdata3_1520_20261201.xml",
        "sas": "pifu_1520_20261201.xml",
    }
    for body in ({"date": "2026-11-30"}, {"date": "soon"}, {}, []):
        refused = registers.http.post("/simulator/date", json=body)
        assert refused.status_code == 400
        assert refused.json()["error"].endswith(("or later.", '{"date": "2026-12-01"}.'))
    newborn = next(p for p in country.worlds["1520"].persons.values() if "*" in p.given)
    assert newborn.given.endswith(("*PIKE", "*GUTT"))
    found = registers.http.get(f"{FREG_PATH}/{newborn.number}", params={"part": "navn"}, headers=registers.bearer())
    assert found.json()["navn"][0]["fornavn"] == newborn.given


def test_one_client_finds_the_people_of_every_kommune(key):
    country = build_country(["1106", "1520"], 1, START)
    registers = Registers(country, key)
    numbers = [next(p.person.number for p in world.pupils if p.person.in_freg) for world in country.worlds.values()]
    assert all("folkeregisterperson" in one for one in registers.freg(numbers, "navn").json()["oppslag"])
    assert len(registers.krr(numbers).json()["personer"]) == 2


def test_after_a_year_krr_has_contact_that_was_confirmed_and_contact_that_was_not(country):
    told = [
        krr_person(person.number, person, contact=True, mailbox=False)
        for world in country.worlds.values()
        for person in world.persons.values()
        if person.contact and not person.cases
    ]
    states = Counter(answer["varslingsstatus"] for answer in told)
    assert states["KAN_VARSLES"] > 10 * states["KAN_IKKE_VARSLES"] > 0
