"""A kommune of any size has the same people each time, the promised number of them, and takes no more memory."""

import io
import subprocess
import sys
from collections import Counter
from datetime import date
from itertools import chain

import pytest
from lxml import etree

from dataflyt.identity import numbers
from dataflyt.sources.freg.formats import FORMATS as FREG
from dataflyt.sources.freg.rows import Foreldreansvar
from dataflyt.sources.hr.formats import FORMATS as HR
from dataflyt.sources.krr.formats import FORMATS as KRR
from dataflyt.sources.sas.formats import FORMATS as SAS
from simulator.__main__ import main
from simulator.files import PIFU, write_files
from simulator.kommuner import KOMMUNER
from simulator.large import MOST, Large, kommune_of
from simulator.maskinporten import KRR_CONTACT
from simulator.numbers import SHARES, Series
from simulator.world import build_country

DAY = date(2026, 11, 23)
NS = {"p": PIFU}
ONE_THOUSAND = 1000


def large(pupils: int, seed: int = 1, number: str = "4601") -> Large:
    return Large(number, seed, DAY, pupils)


@pytest.fixture(scope="module")
def two_schools():
    return large(1400)


@pytest.fixture(scope="module")
def world(two_schools):
    """The registers' people."""
    return two_schools


@pytest.fixture(scope="module")
def folk(two_schools):
    """Pupils, adults of their families, and employees, each computed from their place in the order."""
    families = [two_schools.people.family_of(at) for at in range(two_schools.people.families)]
    return (
        [pupil.person for family in families for pupil in family.pupils],
        [adult for family in families for adult in family.adults],
        [employee.person for employee in two_schools.employees],
    )


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    """The files of 70 pupils, and those pupils."""
    world = large(70)
    return world, dict(
        zip(("hr", "pifu", "timetable"), write_files(world, DAY, tmp_path_factory.mktemp("drop")), strict=True)
    )


def test_the_same_seed_makes_the_same_files_and_another_seed_other_people(tmp_path):
    def files(seed: int, folder: str) -> list[bytes]:
        return [path.read_bytes() for path in write_files(large(60, seed), DAY, tmp_path / folder)]

    first = files(1, "a")
    assert files(1, "b") == first
    others = {pupil.person.number for pupil in large(60, 2).pupils}
    assert not others & {pupil.person.number for pupil in large(60).pupils}


def test_any_pupil_is_the_same_whoever_was_made_before(two_schools):
    assert large(1400).pupils[777] == two_schools.pupils[777]
    assert two_schools.employees[7] == large(1400).employees[7]


def test_a_kommune_has_as_many_of_everybody_as_promised(two_schools, folk):
    pupils, _, employees = folk
    guardians = {record.ansvarlig for child in pupils for record in child.responsibility if record.ansvarlig}
    memberships = sum(len(members) for _, members in two_schools.memberships())
    assert len(pupils) == len(two_schools.pupils) == 1400
    assert len(guardians) == 1400 * 17 // 10
    assert len(employees) == len(two_schools.employees) == 1400 * 5 // 7
    assert len(two_schools.groups) == 1400 * 12 // 70
    assert 9.5 < memberships / 1400 < 10.5


def test_every_number_is_valid_synthetic_and_of_one_person_and_finds_that_person(two_schools, folk):
    everybody = {person.number: person for person in chain(*folk)}
    guardians_at_work = sum("guardian" in person.roles or "parent" in person.roles for person in folk[2])
    assert len(everybody) == sum(map(len, folk)) - guardians_at_work
    assert 0.04 < guardians_at_work / len(folk[2]) < 0.06
    for number, person in everybody.items():
        said = numbers.parse(number)
        assert said.valid
        assert said.synthetic
        assert said.birth_date == person.born
        found = two_schools.find(number)
        assert found.number == number
        assert (found.given, found.family, found.parents) == (person.given, person.family, person.parents)


def test_a_former_d_number_finds_its_owner_and_numbers_of_nobody_find_nobody(two_schools, folk):
    former = [person for person in chain(*folk) if person.old_number]
    assert former
    for person in former:
        assert two_schools.find(person.old_number).number == person.number
        assert numbers.parse(person.old_number).valid
    known = {person.number for person in chain(*folk)}
    nobody = [
        number
        for day in range(1, 29)
        for rank in range(1, 11)
        if (number := Series(KOMMUNER["4601"].share).issue(date(1980, 3, day), "kvinne", rank)) not in known
    ]
    assert nobody
    assert {two_schools.find(number) for number in [*nobody, "", "abc", "12345678901"]} == {None}


def test_nobody_of_another_kommune_has_the_same_number(folk):
    others = build_country(["1106", "1520"], 1, DAY)
    assert not {person.number for person in chain(*folk)} & {
        number for world in others.worlds.values() for number in world.by_any_number
    }


def test_every_day_has_enough_numbers_for_the_largest_kommune():
    for share in range(SHARES):
        series = Series(share)
        for sex in ("kvinne", "mann"):
            for day in range(1, 29):
                for month in range(1, 13):
                    born = date(1964 + day + month, month, day)
                    for dnummer in (False, True):
                        number = series.issue(born, sex, Series.RANKS, dnummer=dnummer)
                        assert series.place(number) == (born, sex, Series.RANKS)


def test_the_special_cases_are_there_in_sensible_shares(folk):
    pupils, adults, _ = folk
    kinds = Counter(
        tuple(sorted(record.ansvar for record in child.responsibility if record.current)) for child in pupils
    )
    assert min(kinds["mor",], kinds["far",], kinds["medmor", "mor"], kinds["far", "mor"]) > 10
    apart = sum("parents_apart" in child.cases for child in pupils)
    protected = sum(child.protection is not None for child in pupils)
    assert 0.05 < apart / len(pupils) < 0.2
    assert 0.002 < protected / len(pupils) < 0.03
    assert any(adult.protection == "strengtFortrolig" for adult in adults)
    assert any(child.home_grading == "fortrolig" and not child.protection for child in pupils)
    assert sum(adult.id_type == "dNummer" for adult in adults) > 10
    assert any(adult.died for adult in adults)
    states = Counter(case for adult in adults for case in adult.cases if case.startswith("krr_"))
    assert {"krr_reserved", "krr_expired", "krr_missing", "krr_only_mobile"} <= set(states)


def test_no_two_households_have_the_same_dwelling(folk):
    _, adults, _ = folk
    homes = {(home.adressenavn, home.husnummer, home.matrikkel_id) for adult in adults if (home := adult.home)}
    assert len({(street, house) for street, house, _ in homes}) == len(homes) == len({place for *_, place in homes})


def test_a_class_in_the_sas_has_the_pupils_that_are_in_it(two_schools):
    members = dict(two_schools.memberships())
    for pupil in (two_schools.pupils[0], two_schools.pupils[733], two_schools.pupils[1399]):
        group = f"{pupil.school.key}/{pupil.level}{pupil.letter}/2026"
        assert pupil.sas.person_id in {member.person_id for member in members[group]}
        assert pupil.sas.person_id in {member.person_id for member in members[pupil.school.school_id]}


def test_the_registers_answer_a_thousand_numbers_in_the_order_asked(two_schools, registers):
    asked = [two_schools.pupils[at].person.number for at in range(ONE_THOUSAND)]
    answered = registers.freg(asked, "person-basis", "relasjon-utvidet", somBestilt="true").json()["oppslag"]
    assert [entry["foedselsEllerDNummer"] for entry in answered] == asked
    assert all("folkeregisterperson" in entry for entry in answered)
    guardians = [
        record["ansvarlig"]
        for entry in answered
        for record in entry["folkeregisterperson"].get("foreldreansvar", ())
        if "ansvarlig" in record
    ]
    contacts = registers.krr(guardians[:ONE_THOUSAND], KRR_CONTACT[0]).json()["personer"]
    active = [entry for entry in contacts if entry["status"] == "AKTIV"]
    assert len(contacts) == len(set(guardians[:ONE_THOUSAND]))
    assert len(active) > 0.9 * len(contacts)
    assert all(entry["kontaktinformasjon"] for entry in active if entry["reservasjon"] == "NEI")


def test_the_sas_file_is_valid_and_holds_what_the_registers_answer(drop, reference):
    world, files = drop
    sas = etree.parse(files["pifu"])
    schema = etree.XMLSchema(etree.parse(reference / "pifu_ims" / "PIFU-IMS_SAS.xsd"))
    assert schema.validate(sas), schema.error_log.last_error
    persons = sas.xpath("//p:person/p:sourcedid/p:id/text()", namespaces=NS)
    assert len(set(persons)) == len(persons)
    assert set(sas.xpath("//p:member/p:sourcedid/p:id/text()", namespaces=NS)) <= set(persons)
    in_file = sas.xpath(
        "//p:person[.//p:pifu_status[@type='pupilStatus']]/p:userid[@useridtype='personNIN']", namespaces=NS
    )
    assert len(in_file) == 70
    for element in in_file:
        name = element.getparent().findtext("p:name/p:n/p:family", namespaces=NS)
        assert world.find(element.text).family == name


def test_dataflyt_reads_files_and_answers_without_a_row_in_quarantine(drop, check, registers, key):
    world, files = drop
    registers = type(registers)(world, key)
    asked = [pupil.person.number for pupil in world.pupils]
    parts = ("person-basis", "relasjon-utvidet")
    pupils = registers.freg(asked, *parts, somBestilt="true").content
    freg = list(FREG["bulk"](io.BytesIO(pupils)))
    adults = sorted({row.ansvarlig for row in freg if isinstance(row, Foreldreansvar) and row.ansvarlig})
    freg += FREG["bulk"](io.BytesIO(registers.freg(adults, "person-basis", somBestilt="true").content))
    krr = KRR["personer"](io.BytesIO(registers.krr(adults).content))
    with files["hr"].open("rb") as hr, files["pifu"].open("rb") as pifu, files["timetable"].open("rb") as lessons:
        staged = {
            "freg": freg,
            "krr": list(krr),
            "hr": list(HR["stamdata3"](hr)),
            "sas": [*SAS["pifu"](pifu), *SAS["timetable"](lessons)],
        }
    for source, rows in staged.items():
        found = check(source, rows)
        assert not found.quarantined, source
        assert not found.broken, source


# On Linux a child inherits its parent's ru_maxrss; VmHWM is this program's alone.
PEAK = """
import re, resource, sys
from pathlib import Path
from simulator.__main__ import main
main(["files", "--kommune", "4601", "--pupils", sys.argv[1], "--drop", sys.argv[2]])
status = Path("/proc/self/status")
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1] if status.exists() else used)
"""


def test_ten_times_as_many_pupils_take_no_more_memory(tmp_path):
    def peak(pupils: int) -> int:
        command = [sys.executable, "-c", PEAK, str(pupils), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout.split()[-1])

    assert peak(1400) < 1.15 * peak(140)


def test_the_command_line_gives_the_units_of_any_size_and_says_what_size_is_too_much(capsys):
    assert main(["units", "--kommune", "4601", "--pupils", "1500"]) == 0
    lines = capsys.readouterr().out.splitlines()
    schools = kommune_of("4601", 1500).schools
    assert [line.split(":")[0].strip(' "') for line in lines[1:]] == [school.unit for school in schools]
    assert len({school.orgnr for school in kommune_of("4601", MOST).schools}) == len(kommune_of("4601", MOST).schools)
    with pytest.raises(SystemExit):
        main(["units", "--pupils", str(MOST + 1)])
    assert f"1 to {MOST}" in capsys.readouterr().err
