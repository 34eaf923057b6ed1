"""The rules that catch faults in the school administration system's files."""

from collections.abc import Callable
from typing import Any

import pytest

from dataflyt.sources.sas.rows import Group, Guardian, Membership, Person, School, Timetable


def school(school_id: str, orgnr: str | None = "974588145", level: str = "skole", name: str = "Testskole") -> School:
    return School(school_id, None, level, orgnr, name, None)


def group(group_id: str, school_id: str | None = "s", **fields: Any) -> Group:
    known = {"group_type": "basisgruppe", "name": "6A", "begin_date": "2026-08-01", "end_date": "2027-07-31"}
    ids = {"group_id": group_id, "school_id": school_id}
    return Group(**{**dict.fromkeys(Group._fields), **ids, **known, **fields})


def person(person_id: str, number: str | None = None, **fields: Any) -> Person:
    known = {"given_name": "SNILL", "family_name": "ELEFANT", "birth_date": "2014-01-01"}
    return Person(**{**dict.fromkeys(Person._fields), "person_id": person_id, "number": number, **known, **fields})


def member(group_id: str = "6a", person_id: str = "pupil", role: str | None = "01", **fields: Any) -> Membership:
    ids = {"group_id": group_id, "person_id": person_id, "role": role}
    return Membership(**{**dict.fromkeys(Membership._fields), **ids, "active": True, **fields})


def lesson(
    group_id: str = "6a", weekday: int | None = 1, start: str | None = "08:30", end: str | None = "09:15"
) -> Any:
    return Timetable(group_id, weekday, start, end, "101")


SOUND = [
    school("owner", None, "skoleeier"),
    school("s"),
    group("6a", year_level=6),
    group("mat", group_type="undervisningsgruppe", grep_code="MAT0006"),
    person("pupil", "05851450027"),
    person("teacher", "41814061033", birth_date=None),
    person("mother"),
    member(),
    member("s"),  # directly in the school
    member(person_id="teacher", role="06"),
    member("mat", begin_date="2026-08-01", end_date="2026-08-01"),
    Guardian("pupil", "mother", "guardian"),
    lesson(),
]

FAULTS = [
    ("sas_school.id", school("", "971032146")),
    ("sas_school.letters", school("s5", "971032146", name="PrÃ¸veskolen")),
    ("sas_school.orgnr", school("s1", None)),
    ("sas_school.orgnr", school("s2", "974588146")),
    ("sas_school.orgnr", school("s3", "NO974588145")),
    ("sas_school.ambiguous", school("s4", "971032146", name="Gammelt navn")),
    ("sas_school.ambiguous", school("s4", "971032146", name="Nytt navn")),
    ("sas_group.id", group("")),
    ("sas_group.letters", group("36", name="7A", long_name="L‘rerne")),
    ("sas_group.no_school", group("1", None)),
    ("sas_group.no_school", group("2", "404")),
    ("sas_group.date", group("3", begin_date="1. august")),
    ("sas_group.date", group("6", begin_date="0206-08-01")),
    ("sas_person.birth_date", person("p5", birth_date="0214-05-05")),
    ("sas_person.birth_date", person("p6", birth_date="2114-05-05")),
    ("sas_membership.date", member("mat", "pupil", "02", begin_date="0206-08-17")),
    ("sas_membership.date", member("mat", "mother", "04", end_date="2206-08-17")),
    ("sas_group.dates", group("4", end_date="2026-07-31")),
    ("sas_group.ambiguous", group("5", name="5A")),
    ("sas_group.ambiguous", group("5", name="5B")),
    ("sas_person.id", person("")),
    ("sas_person.letters", person("p35", family_name="Pr›ve")),
    ("sas_person.no_name", person("p2", given_name=None, family_name="")),
    ("sas_person.birth_date", person("p3", birth_date="010114")),
    ("sas_person.ambiguous", person("p4", given_name="STILLE")),
    ("sas_person.ambiguous", person("p4", given_name="RASK")),
    ("sas_membership.no_group", member("404")),
    ("sas_membership.no_person", member(person_id="404")),
    ("sas_membership.no_role", member(role=None)),
    ("sas_membership.role", member(role="99")),
    ("sas_membership.date", member("mat", "teacher", "02", begin_date="i fjor")),
    ("sas_membership.dates", member("mat", "teacher", "04", begin_date="2026-08-02", end_date="2026-08-01")),
    ("sas_guardian.no_child", Guardian("404", "mother", "guardian")),
    ("sas_guardian.no_guardian", Guardian("pupil", "404", "guardian")),
    ("sas_guardian.self", Guardian("pupil", "pupil", "guardian")),
    ("sas_timetable.no_group", lesson("s")),
    ("sas_timetable.letters", Timetable("6a", 1, "08:30", "09:15", "Auditorium Pr¿ve")),
    ("sas_timetable.no_weekday", lesson(weekday=None)),
    ("sas_timetable.weekday", lesson(weekday=8)),
    ("sas_timetable.time", lesson(start="08:60")),
    ("sas_timetable.time", lesson(end=None)),
    ("sas_timetable.time", lesson(start="10:00", end="09:00")),
]


@pytest.fixture(scope="module")
def found(check: Callable[..., Any]) -> Any:
    named = [(f"{at}", row) for at, (_, row) in enumerate(FAULTS)]
    return check("sas", [*(("sound", row) for row in SOUND), *named])


def test_every_fault_is_quarantined_under_its_rule_and_sound_rows_are_not(found: Any) -> None:
    assert found.quarantined == {(f"{at}", rule) for at, (rule, _) in enumerate(FAULTS)}
    assert not found.broken


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (None, "without_number"),
        ("miswritten", "miswritten"),
        ("provisional", "provisional"),
        ("duf", "duf"),
        ("encrypted", "encrypted_number"),
    ],
)
def test_who_cannot_be_asked_about_is_told_of_and_keeps_the_classes(
    check: Callable[..., Any], kind: str | None, rule: str
) -> None:
    rows = [*SOUND, ("number", person("typo", None, number_kind=kind)), ("class", member(person_id="typo"))]
    found = check("sas", rows)
    assert not found.quarantined
    assert not found.broken
    assert f"sas_person.{rule}" in found.noted


def test_a_file_in_which_every_number_is_encrypted_stops_the_run(check: Callable[..., Any]) -> None:
    encrypted = [
        row._replace(number=None, number_kind="encrypted") if isinstance(row, Person) else row for row in SOUND
    ]
    assert check("sas", encrypted).broken == {"sas_person.encrypted"}


def test_a_file_read_in_another_encoding_stops_the_run_but_one_name_typed_wrongly_does_not(
    check: Callable[..., Any],
) -> None:
    sound = [*SOUND, *(person(f"s{i}") for i in range(196))]
    garbled = [(f"{i}", person(f"g{i}", family_name="PrÃ¸ve")) for i in range(3)]
    assert not check("sas", [*SOUND, garbled[0]]).broken
    assert not check("sas", [*sound, *garbled[:2]]).broken
    found = check("sas", [*sound, *garbled])
    assert found.broken == {"sas_person.encoding"}
    assert found.quarantined == {(f"{i}", "sas_person.letters") for i in range(3)}


def test_what_the_school_ought_to_correct_is_noted(check: Callable[..., Any]) -> None:
    odd = [
        school("s9", name=""),
        group("9", name=None, year_level=14, group_type="undervisningsgruppe"),
        person("p8", "05851450027"),
        Guardian("pupil", "teacher", "nabo"),
        *(person("off", recstatus="disabled"), member(person_id="mother", subrole="privatist")),
        member(person_id="mother", role="02", subrole="rektor"),
    ]
    found = check("sas", [*SOUND, *odd, school("x", level="barnehage")])
    assert found.noted == {
        *("sas_school.no_name", "sas_school.shared_orgnr", "sas_school.no_pupils", "sas_school.level"),
        *("sas_group.no_name", "sas_group.grep_code", "sas_group.year_level"),
        *("sas_person.shared_number", "sas_guardian.contact_type"),
        *("sas_person.disabled", "sas_person.without_number", "sas_membership.private_candidate"),
        "sas_membership.subrole",
    }
    assert not found.quarantined
    assert check("sas", SOUND).noted == set()


@pytest.mark.parametrize(
    ("role", "subrole", "noted"),
    [
        *(("02", "Faglærer", False), ("05", "rektor", False), ("07", "iktansvarlig", False), ("01", "E", False)),
        *(("02", "rektor", True), ("06", "faglærer", True), ("04", "=1+1", True), ("01", "x", True)),
    ],
)
def test_a_subrole_that_the_role_does_not_have_in_pifu_is_noted_and_the_row_stays(
    check: Callable[..., Any], role: str, subrole: str, noted: bool
) -> None:
    found = check("sas", [*SOUND, member(person_id="teacher", role=role, subrole=subrole)])
    assert ("sas_membership.subrole" in found.noted) == noted
    assert not found.quarantined


def test_a_school_whose_pupils_are_all_inactive_or_private_candidates_has_none(check: Callable[..., Any]) -> None:
    others = [row for row in SOUND if not (isinstance(row, Membership) and row.role == "01")]
    for ended in ({"active": False}, {"subrole": "privatist"}):
        assert "sas_school.no_pupils" in check("sas", [*others, member(**ended), member("s", **ended)]).noted


def test_an_empty_file_stops_the_run(check: Callable[..., Any]) -> None:
    assert check("sas", []).broken == {"sas_school.empty", "sas_person.empty", "sas_membership.empty"}


def test_a_shrunken_file_stops_the_run(check: Callable[..., Any]) -> None:
    previous = {"sas_school": 3, "sas_group": 3, "sas_person": 5, "sas_membership": 6}
    assert check("sas", SOUND, previous).broken == {
        "sas_school.drop",
        "sas_group.drop",
        "sas_person.drop",
        "sas_membership.drop",
    }


def test_a_file_whose_pupils_lack_numbers_stops_the_run_but_guardians_may(check: Callable[..., Any]) -> None:
    people = [person(f"p{i}") for i in range(11)]
    assert not check("sas", [*SOUND, *people]).broken
    assert check("sas", [*SOUND, *people, *(member(person_id=f"p{i}") for i in range(11))]).broken == {
        "sas_person.no_number"
    }


def test_a_file_whose_memberships_point_nowhere_stops_the_run(check: Callable[..., Any]) -> None:
    lost = [*(member(f"g{i}") for i in range(6)), *(member(person_id=f"p{i}") for i in range(5))]
    assert check("sas", [*SOUND, *lost]).broken == {"sas_membership.orphans"}


def test_a_school_that_has_lost_most_of_its_pupils_stops_the_run(check: Callable[..., Any]) -> None:
    few = [person(f"p{at}") for at in range(6)]
    file = [*SOUND, *few, *(member(person_id=one.person_id) for one in few)]  # seven pupils
    for before, broken in ((14, set()), (15, {"sas_membership.emptied"})):
        assert check("sas", file, pupils={"974588145": before}).broken == broken
    assert check("sas", file, pupils={"974588145": 7, "971032146": 10}).broken == {"sas_membership.emptied"}
    assert not check("sas", file, pupils={"971032146": 9, "no; number": 99}).broken
