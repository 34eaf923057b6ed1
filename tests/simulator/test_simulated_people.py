import subprocess
import sys
from collections import Counter
from datetime import date, timedelta

import pytest

from simulator import manifest
from simulator.cases import CASES
from simulator.files import write_files
from simulator.kommuner import KOMMUNER
from simulator.numbers import Issuer, organisation, rest_of, with_control
from simulator.world import build

DAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def people(world):
    return list(manifest.people(world))


def the(people, case, role="pupil"):
    return next(person for person in people if case in person["cases"] and role in person["roles"])


def test_published_test_numbers_keep_their_control_digits():
    # Skatteetaten's worked examples and the reference's synthetic ones
    for number in ("41814061033", "41810021827", "02013299997", "30108299920", "15831499815"):
        assert rest_of(number) is not None
        assert with_control(number[:9], rest_of(number)) == number
    assert rest_of("27850998856") is None


def test_every_number_is_synthetic_valid_and_somebodys_only(world):
    numbers = [person.number for person in world.persons.values()]
    assert len(set(numbers)) == len(numbers)
    for person in world.persons.values():
        assert int(person.number[2:4]) == person.born.month + 80
        assert int(person.number[:2]) - 40 * (person.id_type == "dNummer") == person.born.day
        new = "rule_2032" in person.cases or any("rule_2032" in p.cases for p in world.pupils if p.person is person)
        assert (rest_of(person.number) > 0) == new
        assert ((int(person.number[8]) % 2 == 1) == (person.sex == "mann")) is not new


def test_no_number_is_handed_out_twice():
    issuer = Issuer()
    assert len({issuer.issue(date(2015, 2, 28), "kvinne", 7) for _ in range(150)}) == 150


def test_every_organisation_number_has_its_control_digit():
    for kommune in KOMMUNER.values():
        for orgnr in (kommune.orgnr, *(school.orgnr for school in kommune.schools)):
            assert organisation(orgnr[:8]) == orgnr


@pytest.mark.parametrize("kommunenummer", sorted(KOMMUNER))
def test_each_kommune_has_its_pupils_and_valid_ids(kommunenummer):
    small = build(kommunenummer, 5, DAY)
    assert len(small.pupils) == KOMMUNER[kommunenummer].pupils
    ids = [person.person_id for person in small.sas_persons()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_case_is_there_whatever_the_seed(seed):
    seen = Counter(case for person in manifest.people(build("1106", seed, DAY)) for case in person["cases"])
    assert set(seen) == set(CASES)


def test_another_day_of_the_same_school_year_has_the_same_people(world, people):
    assert list(manifest.people(build("1106", 1, date(2027, 7, 31)))) == people
    assert list(manifest.people(build("1106", 1, date(2026, 8, 1)))) == people
    assert list(manifest.people(build("1106", 1, date(2027, 8, 1)))) != people
    assert list(manifest.people(build("1106", 2, DAY))) != people


def test_same_seed_and_date_give_the_same_bytes_in_another_process(tmp_path, world):
    for folder, salt in (("a", "1"), ("b", "2")):
        command = [sys.executable, "-m", "simulator", "files", "--date", str(DAY), "--drop", str(tmp_path / folder)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": salt, "PATH": ""}, stdout=subprocess.DEVNULL)
    written = write_files(world, DAY, tmp_path / "c")
    assert len(written) == 3
    for path in written:
        name = path.relative_to(tmp_path / "c")
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() == path.read_bytes()


def test_the_simulator_imports_nothing_of_dataflyt():
    code = "import sys, simulator.__main__, simulator.server; sys.exit('dataflyt' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_seeds_pupil_has_mother_father_and_a_stepfather_without_right(world, people):
    baug, stepfather = the(people, "seed_baug"), the(people, "stepfather", "household")
    assert (baug["given"], baug["family"], baug["class"], baug["born"]) == (
        "Konkurransedyktig",
        "Baug",
        "6A",
        "2015-05-20",
    )
    mother, father = the(people, "seed_mother", "guardian"), the(people, "seed_father", "guardian")
    assert [(party["number"], party["access"]) for party in baug["access"]] == [
        (mother["number"], True),
        (father["number"], True),
    ]
    home = {
        who: world.persons[person["number"]].home
        for who, person in (("baug", baug), ("mother", mother), ("step", stepfather))
    }
    assert home["baug"] is home["mother"] is home["step"] is not world.persons[father["number"]].home
    assert stepfather["sas_person_id"] is None
    groups = {group.group_id: group for group in world.groups}
    assert not any(groups[group].lessons for group in baug["groups"])


def test_the_seeds_contact_teachers_are_where_the_seed_has_them(world):
    teachers = {e.sas.person_id: f"{e.person.given} {e.person.family}" for e in world.employees if e.sas}
    contact = {
        g.group_id: teachers[m.person_id]
        for g in world.groups
        for m in g.members
        if m.role == "06" and g.kind[0] == "1"
    }
    assert contact["SKA/6A/2026"] == "Felicia Ansatt"
    assert contact["TE1/9A/2026"] == "Lisabeth Lærer"
    assert any(
        p.person and p.person.given == "Elev" and p.person.family == "1" and p.letter == "A" and p.level == 9
        for p in world.pupils
    )


def test_lilly_lektors_week_is_the_seeds(world):
    lilly = next(e.sas.person_id for e in world.employees if e.person.given == "Lilly")
    mine = [g for g in world.groups if g.kind[0] == "2" and any(m.person_id == lilly for m in g.members)]
    week = {(weekday, slot): g.short[:3] for g in mine for weekday, slot, _ in g.lessons}
    assert week == {
        (2, 0): "NOR", (3, 0): "NOR", (4, 0): "NOR", (5, 0): "NOR",
        (2, 1): "SAM", (3, 1): "NOR", (4, 1): "NOR", (5, 1): "SAM",
        (2, 2): "NOR", (4, 2): "SAM", (5, 2): "SAM",
        (5, 3): "SAM",
        (4, 4): "SAM", (5, 4): "NOR",
        (3, 5): "SAM", (5, 5): "UTD",
    }  # fmt: skip


def test_no_class_has_two_lessons_at_once(world):
    taken = Counter((room, weekday, slot) for group in world.groups for weekday, slot, room in group.lessons)
    assert set(taken.values()) == {1}


def test_groups_with_and_without_grep_code_and_timetable(world):
    subjects = [group for group in world.groups if group.kind[0] == "2"]
    assert {(bool(group.grep_short), bool(group.lessons)) for group in subjects} == {
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    }


def test_contact_is_fresh_or_expired_on_every_day_of_the_school_year(world):
    first, last = date(2026, 8, 1), date(2027, 7, 31)
    expired = fresh = 0
    for person in world.persons.values():
        if person.contact and person.contact.epost:
            newest = max(person.contact.epost_oppdatert, person.contact.epost_verifisert)
            assert newest < first
            if "krr_expired" in person.cases:
                expired += 1
                assert newest < first - timedelta(days=550)
            else:
                fresh += 1
                assert newest > last - timedelta(days=540)
    assert expired
    assert fresh


EXPECTED_PROTECTION = {
    "strengt_fortrolig": ("strengtFortrolig", "own"),
    "strengt_fortrolig_has_sibling": ("strengtFortrolig", "own"),
    "sibling_of_strengt_fortrolig": ("strengtFortrolig", "sibling"),
    "guardian_strengt_fortrolig": ("strengtFortrolig", "guardian"),
    "unknown_grading": ("strengtFortrolig", "own"),
    "fortrolig": ("fortrolig", "own"),
    "fortrolig_has_sibling": ("fortrolig", "own"),
    "sibling_of_fortrolig": ("fortrolig", "sibling"),
    "graded_stay": ("fortrolig", "address"),
    "client_address": ("klientadresse", "address"),
}


@pytest.mark.parametrize("case", EXPECTED_PROTECTION)
def test_the_manifest_tells_who_is_protected_and_why(people, case):
    level, cause = EXPECTED_PROTECTION[case]
    pupil = the(people, case)
    assert pupil["protection"]["effective"] == level
    assert cause in pupil["protection"]["because"]
    if level == "strengtFortrolig":
        assert pupil["access"]
        assert not any(party["access"] for party in pupil["access"])


def test_nobody_else_is_protected(people):
    protected = [p for p in people if "pupil" in p["roles"] and p["protection"]["effective"]]
    assert len(protected) == len(EXPECTED_PROTECTION)


def test_the_father_who_lives_elsewhere_is_suspended_for_a_child_who_is_fortrolig(people):
    assert [party["access"] for party in the(people, "fortrolig")["access"]] == [True, False]


@pytest.mark.parametrize(
    ("case", "access"),
    [
        ("felles", [True, True]), ("two_records", [True, True]), ("mor", [True]), ("far", [True]),
        ("medmor", [True, True]), ("andre", [True]), ("ukjent", [False]), ("ukjent_named", [True]),
        ("organisation", [True]), ("guardian_without_number", [True, True]), ("no_responsible_field", [False]),
        ("duplicate_record", [True, True]), ("former_guardian", [True]), ("child_of_by_hand", [True]),
        ("unknown_to_freg", []),
    ],
)  # fmt: skip
def test_access_is_by_foreldreansvar_alone(people, case, access):
    assert [party["access"] for party in the(people, case)["access"]] == access


def test_a_father_entered_by_hand_without_right_is_in_the_sas_and_nowhere_else(people):
    child, father = the(people, "child_of_by_hand"), the(people, "by_hand_without_right", "parent")
    assert father["number"] in child["sas_guardians"]
    assert father["number"] not in [party["number"] for party in child["access"]]


def test_every_protected_pupil_and_their_guardians_carry_a_canary_in_every_field(people):
    by_number = {person["number"]: person for person in people}
    for pupil in people:
        if "pupil" not in pupil["roles"] or not pupil["protection"]["effective"]:
            continue
        fields = {
            "navn.fornavn",
            "navn.etternavn",
            "sas.person_id",
            "sas.username",
            "sas.email",
            "sas.mobile",
            "sas.street",
        }
        fields |= {
            "freg.adresse.adressenavn",
            "freg.adresse.poststedsnavn",
            "freg.adresse.adresseIdentifikatorFraMatrikkelen",
        }
        assert fields <= set(pupil["canaries"])
        for party in pupil["access"]:
            guardian = by_number[party["number"]]
            assert {"navn.fornavn", "krr.epostadresse", "krr.mobiltelefonnummer", "sas.person_id"} <= set(
                guardian["canaries"]
            )


def test_each_canary_stands_in_one_field_of_one_person_or_dwelling(people):
    owners: dict[str, set[str]] = {}
    for person in people:
        assert len(set(person["canaries"].values())) == len(person["canaries"])
        for where, word in person["canaries"].items():
            owners.setdefault(word, set()).add(f"{person['number']}" if not where.startswith("freg.adresse") else where)
    assert all(len(owner) == 1 for owner in owners.values())
    words = sorted(owners)
    assert not any(a != b and a.lower() in b.lower() for a in words for b in words)
