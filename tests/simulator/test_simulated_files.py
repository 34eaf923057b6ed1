import csv
from datetime import date

import pytest
from lxml import etree

from simulator import manifest
from simulator.files import PIFU, units, write_files
from simulator.kommuner import KOMMUNER
from simulator.world import build

DAY = date(2026, 11, 23)

NS = {"p": PIFU}


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    return dict(zip(("hr", "pifu", "timetable"), write_files(world, DAY, tmp_path_factory.mktemp("drop")), strict=True))


@pytest.mark.parametrize("kommunenummer", sorted(KOMMUNER))
def test_the_sas_file_is_valid_pifu_ims_1_3(kommunenummer, reference, tmp_path):
    schema = etree.XMLSchema(etree.parse(reference / "pifu_ims" / "PIFU-IMS_SAS.xsd"))
    path = write_files(build(kommunenummer, 1, DAY), DAY, tmp_path)[1]
    assert schema.validate(etree.parse(path)), schema.error_log.last_error


def test_every_membership_and_guardian_points_at_somebody_in_the_sas_file(files):
    sas = etree.parse(files["pifu"])
    persons = sas.xpath("//p:person/p:sourcedid/p:id/text()", namespaces=NS)
    groups = sas.xpath("//p:group/p:sourcedid/p:id/text()", namespaces=NS)
    assert len(set(persons)) == len(persons)
    assert len(set(groups)) == len(groups)
    assert set(sas.xpath("//p:member/p:sourcedid/p:id/text()", namespaces=NS)) <= set(persons)
    assert set(sas.xpath("//p:pifu_hasContactPerson/p:sourcedid/p:id/text()", namespaces=NS)) <= set(persons)
    assert set(sas.xpath("//p:membership/p:sourcedid/p:id/text()", namespaces=NS)) <= set(groups)
    assert len(sas.xpath("//p:pifu_status[@type='pupilStatus']", namespaces=NS)) == 400


def test_every_sas_canary_of_a_pupil_is_in_the_sas_file(world, files):
    text = files["pifu"].read_text().lower()
    for person in manifest.people(world):
        for where, word in person["canaries"].items():
            if where.startswith(("sas.", "navn.")) and "pupil" in person["roles"]:
                assert word.lower() in text


def test_the_timetable_names_groups_of_the_sas_file_but_for_one_that_is_closed(files):
    with files["timetable"].open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    groups = etree.parse(files["pifu"]).xpath("//p:group/p:sourcedid/p:id/text()", namespaces=NS)
    assert list(rows[0]) == ["group", "weekday", "start", "end", "room"]
    assert {row["group"] for row in rows} - set(groups) == {"SKA/nedlagt/2025"}
    assert [row["group"] for row in rows if row["end"] <= row["start"]] == ["SKA/5A/2026"]
    assert {row["weekday"] for row in rows} == {"1", "2", "3", "4", "5"}


def test_the_hr_file_has_everybody_and_their_units(world, files):
    hr = etree.parse(files["hr"])
    assert len(hr.findall(".//Resource")) == len(world.employees) == int(hr.findtext("NumberOfResources"))
    known = {unit for unit, _, _ in units(world.kommune)}
    assert {o.findtext("Id") for o in hr.findall(".//Organisation")} == known
    assert {r.findtext("Value") for r in hr.findall(".//Relation[@Type='MNAL']")} <= known
    assert {r.findtext("Value") for r in hr.findall(".//Relation[@Type='MNAL']")} >= {
        s.unit for s in world.kommune.schools
    }


def test_the_hr_file_has_the_shape_of_the_sample(reference, files):
    def shape(root):
        return {e.tag for e in root.iter() if isinstance(e.tag, str)}

    sample = etree.parse(reference / "stamdata3" / "stamdata3_single.xml").getroot()
    assert shape(etree.parse(files["hr"]).getroot()) == shape(sample) | {"NumberOfResources", "ExportedDate"}
    first = etree.parse(files["hr"]).find(".//Resource")
    assert [e.tag for e in first] == [e.tag for e in sample.find(".//Resource")]


def test_no_unfinished_file_is_left(files):
    assert sorted(p.name for p in files["pifu"].parent.iterdir()) == [
        "pifu_1106_20261123.xml",
        "timeplan_1106_20261123.csv",
    ]


def test_three_deliveries_are_kept(tmp_path):
    small = build("1520", 1, DAY)
    for day in range(1, 6):
        write_files(small, date(2026, 11, day), tmp_path)
    assert sorted(p.name for p in (tmp_path / "1520" / "hr").iterdir()) == [
        f"Stamdata3_1520_2026110{day}.xml" for day in (3, 4, 5)
    ]
