"""The PIFU file of a whole installation: who may see whom, and no hidden person."""

import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from dataflyt.config.kommune import Delivery
from dataflyt.errors import CheckFailed
from dataflyt.exports import pifu_check, reading
from dataflyt.run.close_run import close_run
from dataflyt.run.publish import publish
from dataflyt.sources.sas import pifu as sas_pifu
from dataflyt.sources.sas import rows as sas
from dataflyt.why.answering import why
from simulator.manifest import people
from simulator.model import Contact, Person, Pupil
from tests.installation.fixtures import LOOKING, PUPILS, Installation

HIDDEN = "strengtFortrolig"
EXTRACTED = ("extract_sas", "extract_hr", "extract_freg", "extract_krr")


class File(NamedTuple):
    """A published PIFU file as our own reader of school systems' files reads it; people by number."""

    content: bytes
    people: dict[str, sas.Person]
    guardians: dict[str, set[str]]
    pupils: set[str]
    employees: set[str]
    groups: dict[str, sas.Group]
    members: dict[str, set[tuple[str, str]]]


@pytest.fixture
def installation(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"exports": ("feide_ldif", "pifu")})
    return installation


@pytest.mark.after_first_run
def test_those_with_access_are_in_the_file_and_nobody_who_is_hidden(installation: Installation) -> None:
    file = _published(installation)
    world = installation.registers.world
    everybody = {person["number"]: person for person in people(world) if person["number"]}
    expected: dict[str, set[str]] = {}
    for number in file.pupils:
        guardians = {
            access["number"]
            for access in everybody[number]["access"]
            if access["access"]
            and access["number"]
            and everybody[access["number"]]["protection"]["effective"] != HIDDEN
        }
        if guardians:
            expected[number] = guardians
    assert file.guardians == expected
    assert sum(map(len, expected.values())) > PUPILS
    # The pupils are the schools' pupils, except the hidden ones and those FREG has not answered about.
    assert file.pupils == {
        number
        for number, person in everybody.items()
        if "school" in person and person["in_freg"] and not person["dead"] and not _is_hidden(person)
    }
    # The file itself gives the reason for everybody else.
    assert set(file.people) == file.pupils | file.employees | {one for all_ in expected.values() for one in all_}
    assert not {number for number, person in everybody.items() if person["dead"]} & set(file.people)
    # Guardians that a school entered by hand, without a right, are not in the file.
    by_hand = {
        (number, guardian)
        for number, person in everybody.items()
        for guardian in person.get("sas_guardians", ())
        if guardian and number in file.pupils
    }
    without_right = {(child, guardian) for child, guardian in by_hand if guardian not in expected.get(child, ())}
    assert without_right
    assert not {(child, guardian) for child, guardian in without_right if guardian in file.guardians.get(child, ())}
    assert list(pifu_check.check(_path(installation))) == []
    _nobody_hidden_leaves_a_trace(installation)


def test_contact_is_krrs_newest_of_guardians_alone_and_only_while_it_is_fresh(installation: Installation) -> None:
    world = installation.registers.world
    pupil, other, young, third = _plain_pupils(installation)[:4]
    fresh, stale = (world.persons[number] for number in _guardians(pupil))
    graded, beside = (world.persons[number] for number in _guardians(other))
    of_graded = [world.persons[number] for number in _guardians(third)]
    for person in (fresh, stale, graded, beside, *of_graded):
        mail, mobile = f"{person.number}@example.com", f"+479{person.number[:7]}"
        newest, old = date(2026, 6, 1), date(2025, 3, 1)
        person.contact = Contact(epost=mail, epost_oppdatert=newest, mobil=mobile, mobil_verifisert=newest)
        if person is stale:
            person.contact.mobil_verifisert, person.contact.mobil_oppdatert = None, old
    graded.protection, graded.home_grading = "fortrolig", "fortrolig"
    child = third.person
    assert child
    child.protection, child.home_grading = "fortrolig", "fortrolig"
    employee = next(one for one in world.employees if one.email and one.person.number and not one.cases)
    employee.person.contact = Contact(epost="hjemme@example.com", epost_oppdatert=date(2026, 6, 1))
    assert young.person
    young.person.responsibility[0].ansvarlig = employee.person.number
    employee.person.children.append((young.person.number, "", "felles"))
    installation.registers.write()
    installation.run()
    file = _published(installation)

    def contact(person: Person) -> tuple[str | None, str | None]:
        return file.people[person.number].email, file.people[person.number].mobile

    assert contact(fresh) == (f"{fresh.number}@example.com", f"+479{fresh.number[:7]}")
    assert contact(stale) == (f"{stale.number}@example.com", None)
    assert contact(graded) == (None, None)
    # E-mail and mobile of a guardian who lives with a fortrolig person would lead to the address.
    assert file.guardians[child.number] == {person.number for person in of_graded}
    assert {contact(person) for person in of_graded} == {(None, None)}
    # A teacher's address is the one at work, even when KRR has another for the teacher as a guardian.
    assert employee.person.number in file.guardians[young.person.number]
    assert contact(employee.person) == (employee.email, None)
    assert b"hjemme@example.com" not in file.content
    only_guardians = set(file.people) - file.pupils - file.employees
    assert all(file.people[number].birth_date is None for number in only_guardians)
    assert all(file.people[number].username for number in file.pupils | file.employees)
    assert not [number for number in file.pupils if file.people[number].email and number not in file.employees]


@pytest.mark.long
def test_pupils_are_in_the_groups_the_school_has_them_in_with_pifus_roles(installation: Installation) -> None:
    world = installation.registers.world
    lonely = _plain_pupils(installation)[0]
    alone = next(group for group in world.groups if group.kind[1] == "undervisningsgruppe" and group.members)
    alone.short = alone.long = "Norsk for Lasse"
    teachers = [member for member in alone.members if member.role != "01"]
    alone.members[:] = [
        *teachers,
        next(m for g in world.groups for m in g.members if m.person_id == lonely.sas.person_id),
    ]
    installation.registers.write()
    installation.run()
    file = _published(installation)
    by_sas = {pupil.sas.person_id: pupil.person.number for pupil in world.pupils if pupil.person}
    by_sas |= {one.sas.person_id: one.person.number for one in world.employees if one.sas}
    for group in world.groups:
        if group.group_id not in file.groups:
            continue
        assert file.groups[group.group_id].group_type == group.kind[1]
        expected = {
            (number, member.role)
            for member in group.members
            if (number := by_sas.get(member.person_id)) in (file.pupils if member.role == "01" else file.employees)
        }
        # A contact teacher's group makes a teacher in it contact teacher.
        if group.kind[1] == "kontaktlærergruppe":
            expected = {(number, "06" if role == "02" else role) for number, role in expected}
        found = {(number, role) for number, role in file.members[group.group_id] if number in file.people}
        assert found == {(number, role if role in ("01", "02", "06") else "04") for number, role in expected}
    assert {group.group_type for group in file.groups.values()} >= {"basisgruppe", "undervisningsgruppe", "trinn"}
    assert b"Norsk for Lasse" in file.content

    # When the only pupil of a group is hidden, the group's name would tell of the pupil: it goes too.
    assert lonely.person
    lonely.person.protection, lonely.person.home = HIDDEN, None
    installation.run()
    assert alone.group_id not in _published(installation).groups
    assert b"Norsk for Lasse" not in _published(installation).content


@pytest.mark.after_first_run
def test_a_raised_protection_takes_child_and_guardians_out_before_anything_else(installation: Installation) -> None:
    pupil = _plain_pupils(installation)[0]
    child = pupil.person
    assert child
    guardians = set(_guardians(pupil))
    before = _published(installation)
    assert before.guardians[child.number] == guardians
    others = {one for number, all_ in before.guardians.items() if number != child.number for one in all_}
    child.protection, child.home = HIDDEN, None
    job = installation.open()
    installation.steps(job, *EXTRACTED, "withdraw")
    after = _published(installation)
    assert child.number not in after.people
    assert child.number not in after.content.decode()
    # A guardian who has no other child in the file, and does not work at a school, is gone with the child.
    gone = guardians - others - before.employees
    assert gone
    assert not gone & set(after.people)
    assert set(after.people) == set(before.people) - {child.number} - gone
    assert after.guardians == {number: all_ for number, all_ in before.guardians.items() if number != child.number}
    kept = b"".join(path.read_bytes() for path in (installation.storage / "exports").rglob("pifu.xml"))
    assert child.number.encode() not in kept
    close_run(job, ["check"])


@pytest.mark.long
def test_access_that_people_end_or_give_shows_when_the_run_is_published_again(installation: Installation) -> None:
    job = installation.open()
    installation.run(job=job)
    first = _published(installation)
    publish(job)
    assert _published(installation).content == first.content
    pupil, granted, grown = _plain_pupils(installation)[:3]
    assert pupil.person
    assert granted.person
    assert grown.person
    blocked, stays = _guardians(pupil)
    installation.query(
        "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
        "values ('haugesund', :child, :adult, 'besøksforbud', '2026/1', 'anita', now()) returning 1",
        child=_id(installation, pupil.person.number),
        adult=str(_id(installation, blocked)),
    )
    publish(job)
    assert _published(installation).guardians[pupil.person.number] == {stays}
    # A guardian at a secret address, or who has died, is not a person in the file any more; the child stays.
    for kind, level, gone in (("protection", 3, _guardians(granted)[0]), ("death", None, _guardians(granted)[1])):
        assert gone in _published(installation).people
        installation.query(
            "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
            "values ('haugesund', :kind, :person, :level, 'own', 1, now()) returning 1",
            kind=kind,
            person=_id(installation, gone),
            level=level,
        )
        publish(job)
        assert gone not in _published(installation).content.decode()
        assert granted.person.number in _published(installation).pupils
    # A grant gives access from the next run. From 18 nobody has access without the pupil's own consent.
    friend = next(
        one.number
        for one in installation.registers.world.persons.values()
        if one.roles == ["guardian"] and not one.cases and not one.protection and one.number in first.people
    )
    installation.query(
        "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
        "decided_by, approved_by, from_run) "
        "values ('haugesund', :child, :adult, 'person', 'court_judgment', 'alt', '2026/2', "
        "'anita', 'anita', 'birgitte', 1) returning 1",
        child=_id(installation, granted.person.number),
        adult=str(_id(installation, friend)),
    )
    grown.person.born = grown.person.born.replace(year=2007)
    installation.run()
    file = _published(installation)
    assert friend in file.guardians[granted.person.number]
    assert grown.person.number in file.pupils
    assert grown.person.number not in file.guardians


@pytest.mark.after_first_run
def test_a_receiver_of_an_older_version_gets_the_same_people_and_why_looks_in_that_file(
    installation: Installation,
) -> None:
    newest = _published(installation)
    older = ("pifu_1_1", "pifu_1_2")
    installation.kommune = installation.kommune.model_copy(update={"exports": ("feide_ldif", *older)})
    installation.run()
    folder = installation.storage / "exports" / "haugesund" / _manifest(installation)["publication"]
    for version in ("1.1", "1.2"):
        path = folder / f"pifu-{version}.xml"
        assert [one for one in pifu_check.check(path, version) if one.blocks] == []
        with path.open("rb") as file:
            ids = {row.person_id for row in sas_pifu.read(file) if isinstance(row, sas.Person)}
        assert ids == {person.person_id for person in newest.people.values()}
    verdicts = []
    for child, guardians in sorted(newest.guardians.items())[:12]:  # some may be fortrolig
        seen = {"who": min(guardians), "child": child, "graded": True}
        told = why(installation.kommune, installation.environment, "access", LOOKING, **seen)
        verdicts.append(told.verdict.causes)
    assert set(verdicts) <= {(), ("guardian_not_in_school_file",)}  # the school's file has no other fault
    assert () in verdicts


def test_a_file_that_does_not_pass_its_check_is_not_published(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = installation.open()
    installation.run(job=job)
    before = _published(installation).content
    # Simulate an export that forgets that guardians are among the people.
    without = reading.PEOPLE.replace("order by p.person_id\n", "where p.pupil or p.employee\n")
    assert without != reading.PEOPLE
    monkeypatch.setattr(reading, "PEOPLE", without)
    with pytest.raises(CheckFailed, match="Henvisning til noe som ikke finnes"):
        publish(job)
    assert _published(installation).content == before


def _nobody_hidden_leaves_a_trace(installation: Installation) -> None:
    content = _published(installation).content.decode().lower()
    hidden = 0
    for person in people(installation.registers.world):
        level = person["protection"]["effective"]
        if level not in (HIDDEN, "fortrolig"):
            continue
        words = {word for where, word in person["canaries"].items() if level == HIDDEN or "navn" not in where}
        hidden += len(words)
        assert not [word for word in words if word.lower() in content]
        if level == HIDDEN and person["number"]:
            assert person["number"] not in content
    assert hidden > 20
    # Nor are they in the counts, which are of pupils and employees, as in the FEIDE directory.
    (sizes,) = installation.query("select sizes from control.publication where withdrawn_at is null")[0]
    assert sizes["pifu.xml"]["people"] == sizes["feide.ldif"]["people"]


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_subject_of_the_school_system_is_in_pifu_and_in_no_other_export(installation: Installation) -> None:
    exports = ("feide_ldif", "pifu", "oneroster")
    delivery = {"pifu": (Delivery(to="BAS", connection="nowhere"),)}
    changed = {"exports": exports, "recipients": {"pifu": ("Kommunens BAS",)}, "delivery": delivery}
    installation.kommune = installation.kommune.model_copy(update=changed)
    group = next(one for one in installation.registers.world.groups if one.kind[1] == "undervisningsgruppe")
    group.kind = ("7", "fag")
    installation.registers.write()
    installation.run()  # the delivery fails, and stops nothing
    file = _published(installation)
    assert file.groups[group.group_id].group_type == "fag"
    assert file.groups[group.group_id].grep_code
    assert {role for _, role in file.members[group.group_id]} >= {"01", "02"}
    folder = _path(installation).parent
    assert group.group_id.lower() not in (folder / "feide.ldif").read_text().lower()
    with zipfile.ZipFile(folder / "oneroster.zip") as archive:
        assert group.group_id not in archive.read("classes.csv").decode()
    assert b"<target>Kommunens BAS@haugesund.kommune.no</target><type>" in file.content
    assert b"<target>BAS@haugesund.kommune.no</target><type>" in (folder / "pifu-uten-kontakt.xml").read_bytes()


@pytest.mark.long
@pytest.mark.after_first_run
def test_roles_and_subroles_are_the_school_systems_or_what_the_kommune_says_that_a_position_is(
    installation: Installation,
) -> None:
    world = installation.registers.world
    hr = installation.kommune.sources.hr.model_copy(
        update={
            "positions": {"Rektor": "inspektør", "796200": "rådgiver", "lektor": "faglærer", "Lektor": "faglærer"},
            "employment_types": {"T": "vikar"},
        }
    )
    sources = installation.kommune.sources.model_copy(update={"hr": hr})
    installation.kommune = installation.kommune.model_copy(
        update={"sources": sources, "exports": ("feide_ldif", "pifu", "oneroster")}
    )
    group = next(one for one in world.groups if one.kind[1] == "undervisningsgruppe" and one.members[0].subrole)
    unknown = next(one for one in world.groups if one.kind[1] == "undervisningsgruppe" and not one.members[0].subrole)
    unknown.members[0].subrole = "'; drop table x; --"
    substitute = next(one for one in world.employees if one.sas and one.sas.person_id == group.members[0].person_id)
    substitute.positions[0] = replace(substitute.positions[0], kind="T")
    installation.registers.write()
    assert installation.run()["outcome"] == "released"
    with _path(installation).open("rb") as stream:
        rows = list(sas_pifu.read(stream))
    numbers = {row.person_id: row.number for row in rows if isinstance(row, sas.Person)}
    found: dict[tuple[str, str | None], set[tuple[str | None, str | None]]] = {}
    for row in rows:
        if isinstance(row, sas.Membership) and row.role != "01":
            found.setdefault((row.group_id.removeprefix("skole:"), numbers[row.person_id]), set()).add(row[2:4])

    # A second, slower way from the same world: who teaches what, and what each file says of the person.
    units = {school.unit: school for school in world.kommune.schools}
    teaching: dict[str, set[str]] = {}
    for one in world.groups:
        for member in one.members:
            if member.role in ("02", "06"):
                teaching.setdefault(one.school.orgnr, set()).add(member.person_id)
    said = {key: members for key, members in world.memberships()}
    expected, seen = {}, set()
    for employee in world.employees:
        for position in employee.positions:
            school = units.get("011110" if position.unit == "011111" else position.unit)
            key = (school.orgnr if school else "", employee.person.number)
            if key not in found:
                continue
            sas_id = employee.sas.person_id if employee.sas else ""
            members = said.get(school.school_id if school else "", ())
            own = {(one.role, one.subrole) for one in members if one.person_id == sas_id}
            roles = {one for one in own if one[0] not in ("01", "02")}
            if not roles and position.name == "Adjunkt":
                roles = {("04", "rådgiver")}
            if not roles and position.name == "Rektor":
                roles = {("05", "inspektør")}
            if sas_id in teaching.get(key[0], ()):
                word = "vikar" if position.kind == "T" else "faglærer" if position.name == "Lektor" else None
                roles = {*roles, ("02", word)}
            expected[key] = expected.get(key, set()) | (roles or {("04", None)})
            seen |= expected[key]
    two = {one.person.number for one in world.employees if len(one.positions) > 1}
    assert {key: roles for key, roles in found.items() if key in expected and key[1] not in two} == {
        key: roles for key, roles in expected.items() if key[1] not in two
    }
    assert {("05", "rektor"), ("08", None), ("04", "rådgiver")} <= seen
    assert {("02", "faglærer"), ("02", "vikar"), ("02", None)} <= seen
    by_sas = {one.sas.person_id: one.person.number for one in world.employees if one.sas}
    assert found[group.group_id, by_sas[group.members[0].person_id]] == {("02", "faglærer")}
    assert found[unknown.group_id, by_sas[unknown.members[0].person_id]] == {("02", None)}
    noted = "select unexpected from control.check_result where rule = 'sas_membership.subrole' and unexpected > 0"
    assert installation.query(noted) == [(1,)]
    with zipfile.ZipFile(_path(installation).with_name("oneroster.zip")) as archive:
        assert ",principal," in archive.read("roles.csv").decode()


def _path(installation: Installation) -> Path:
    return installation.storage / "exports" / "haugesund" / _manifest(installation)["publication"] / "pifu.xml"


def _manifest(installation: Installation) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((installation.storage / "exports/haugesund/manifest.json").read_bytes())
    return found


def _published(installation: Installation) -> File:
    content = _path(installation).read_bytes()
    tables: dict[type, list[Any]] = {
        kind: [] for kind in (sas.Person, sas.Guardian, sas.Group, sas.Membership, sas.School)
    }
    with _path(installation).open("rb") as stream:
        for row in sas_pifu.read(stream):
            tables[type(row)].append(row)
    names = {row.person_id: row.number or row.person_id for row in tables[sas.Person]}
    assert len(set(names.values())) == len(tables[sas.Person])
    schools = {row.school_id for row in tables[sas.School]}
    guardians: dict[str, set[str]] = {}
    for row in tables[sas.Guardian]:
        assert row.contact_type == "guardian"
        guardians.setdefault(names[row.child_id], set()).add(names[row.guardian_id])
    members: dict[str, set[tuple[str, str]]] = {}
    for row in tables[sas.Membership]:
        members.setdefault(row.group_id, set()).add((names[row.person_id], row.role))
    of_schools = {part for school in schools for part in members.get(school, ())}
    numbered = {row.number for row in tables[sas.Person] if row.number}
    return File(
        content,
        {number: row for row in tables[sas.Person] if (number := row.number)},
        guardians,
        {number for number, role in of_schools if role == "01"} & numbered,
        {number for number, role in of_schools if role != "01"} & numbered,
        {row.group_id: row for row in tables[sas.Group]},
        members,
    )


def _is_hidden(person: dict[str, Any]) -> bool:
    return bool(person["protection"]["effective"] == HIDDEN)


def _plain_pupils(installation: Installation) -> list[Pupil]:
    """Return ordinary pupils with two ordinary guardians, who have no other child."""
    world = installation.registers.world
    found = []
    for pupil in world.pupils:
        child = pupil.person
        if child and not child.cases and not pupil.cases and not pupil.second_school and len(child.responsibility) == 2:
            adults = [world.persons[number] for number in _guardians(pupil)]
            if all(len(one.children) == 1 and not one.cases and one.roles == ["guardian"] for one in adults):
                found.append(pupil)
    return found


def _guardians(pupil: Pupil) -> list[str]:
    assert pupil.person
    return [record.ansvarlig for record in pupil.person.responsibility if record.ansvarlig]


def _id(installation: Installation, number: str) -> Any:
    sql = "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number"
    return installation.query(sql, number=number)[0][0]
