"""The rule for what may be shown, written a second time; and both exports, searched for every hidden person."""

import io
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from dataflyt.exports import feide_ldif, pifu
from dataflyt.exports.reading import ShownViews
from dataflyt.formats import feide
from dataflyt.identity.names import ascii_fold
from dataflyt.run.republish import republish
from dataflyt.storage import database
from dataflyt.warehouse import runs, shown, vetoed_views
from simulator.manifest import people
from simulator.model import Group, Member, Person, Pupil
from tests.installation.fixtures import Installation

HIDDEN = "strengtFortrolig"


@pytest.fixture
def installation(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"exports": ("feide_ldif", "pifu")})
    return installation


# --- what is published ------------------------------------------------------------------------------------------------


class Files(NamedTuple):
    """Both exports: the texts, and the groups by id with name and members (people by number)."""

    ldif: str
    xml: str
    feide_groups: dict[str, str]
    pifu_groups: dict[str, str]


def published(installation: Installation) -> Files:
    """Return the exports of the newest released run."""
    db = database.engine(installation.warehouse_url)
    with database.transaction(db, "haugesund") as connection:
        run = runs.get(connection, "haugesund", runs.released_before(connection, "haugesund"))
        shown.views(vetoed_views.views(connection, "haugesund", run.number, "now_"))
        may_be_shown = ShownViews(connection, installation.kommune, run.as_of)
        out = io.BytesIO(), io.BytesIO()
        feide_ldif.write(may_be_shown, out[0])
        pifu.write(may_be_shown, out[1])
        feide_groups = {
            group.local_id: group.name for person in may_be_shown.account_holders() for group in person.groups
        }
        pifu_groups = {group.group_id: group.name for group in may_be_shown.groups()}
    ldif, xml = (file.getvalue().decode() for file in out)
    assert installation.ldif() == ldif
    return Files(ldif, xml, feide_groups, pifu_groups)


def renamed(installation: Installation) -> set[tuple[str, str]]:
    """Return the expected rows of the work list: group and hidden person."""
    db = database.engine(installation.warehouse_url)
    with database.transaction(db, "haugesund") as connection:
        released = runs.released_before(connection, "haugesund")
        shown.views(vetoed_views.views(connection, "haugesund", released, "now_"))
        found = connection.exec_driver_sql("select kind, subject, other from now_shown_group_renamed").all()
    assert {kind for kind, _, _ in found} <= {"group_name_tells"}
    return {(group, person) for _, group, person in found}


@pytest.mark.long
def test_nobody_hidden_is_found_in_any_export_by_name_number_or_group(installation: Installation) -> None:
    world = installation.registers.world
    pupil, mother_of, other = _plain(installation)[:3]
    subject = next(g for g in world.groups if g.kind[1] == "undervisningsgruppe" and g.klass and len(g.members) > 4)
    teacher = next(member.person_id for member in subject.members if member.role != "01")
    employee = next(
        one for one in world.employees if one.sas and not one.cases and not one.person.cases and not one.person.children
    )
    assert pupil.person
    assert mother_of.person
    assert other.person
    guardian = world.persons[mother_of.person.responsibility[0].ansvarlig or ""]
    for person, names in (
        (pupil.person, ("Truls Vågard", "Kvernåsen")),
        (guardian, ("Bjørgny", "Skjærstuen")),
        (employee.person, ("Sølvi-Åse", "Trollhaugsnes")),
    ):
        person.given, person.middle, person.family = names[0], None, names[1]
    pupil.sas.given, pupil.sas.family = "Truls Vågard", "Kvernåsen"
    assert employee.sas
    employee.sas.given, employee.sas.family = "Sølvi-Åse", "Trollhaugsnes"

    def group(name: str, *members: str, kind: tuple[str, str] = ("2", "undervisningsgruppe")) -> Group:
        made = Group(
            f"G/{len(world.groups)}/2026", pupil.school, kind, name, name, subject.grep_short, subject.grep_uri
        )
        made.lessons = [(1, 0, "A1")]
        made.members = [Member(teacher, "02"), *(Member(member, "01") for member in members)]
        world.groups.append(made)
        return made

    alone = group("Norsk for en", pupil.sas.person_id)
    klass = f"{pupil.level}{pupil.letter}"
    named = [
        group(name, other.sas.person_id)
        for name in (
            "Norsk Truls Kvernåsen",
            "KVERNAASEN, TRULS",
            "trulskvernasen",
            "Vågard-Kvernåsens gruppe",
            "T. Kvernåsen",
            f"Kvernåsen {klass}",
            "Skjærstuen Bjørgny",
            "Solvi Trollhaugsnes",
        )
    ]
    own = group("Gruppe Truls", pupil.sas.person_id, other.sas.person_id)
    others = [group(name, other.sas.person_id) for name in ("Truls og venner", "Skjærstuen", "Norsk 3")]
    installation.registers.write()
    installation.run()
    before = published(installation)
    every = {one.group_id for one in (alone, *named, own, *others)}
    assert every <= before.feide_groups.keys()
    assert every <= before.pifu_groups.keys()
    assert pupil.person.number in before.ldif

    pupil.person.protection, pupil.person.home = HIDDEN, None
    guardian.protection, guardian.home = HIDDEN, None
    _raise(installation, employee.person, 3)
    installation.run()
    after = published(installation)
    for groups in (after.feide_groups, after.pifu_groups):
        assert alone.group_id not in groups
        assert {one.group_id: groups[one.group_id] for one in (*named, own)} == {
            one.group_id: one.group_id for one in (*named, own)
        }
        assert {one.group_id: groups[one.group_id] for one in others} == {one.group_id: one.short for one in others}
    people_of = {str(_id(installation, one.number)) for one in (pupil.person, guardian, employee.person)}
    listed = renamed(installation)
    assert {group for group, _ in listed} == {one.group_id for one in (*named, own)}
    assert {person for _, person in listed} == people_of
    for text in (after.ldif, after.xml):
        folded = _letters(text)
        for words in ("truls kvernasen", "trollhaugsnes", "kvernasen", "bjorgny"):
            assert words.replace(" ", "") not in folded
        for one in (pupil.person, guardian, employee.person):
            assert one.number not in text
    _no_canary(installation, after)


@pytest.mark.long
def test_a_group_whose_id_tells_is_not_shown(installation: Installation) -> None:
    world = installation.registers.world
    pupil, other = _plain(installation)[:2]
    assert pupil.person
    pupil.person.given, pupil.person.middle, pupil.person.family = "Truls", None, "Kvernåsen"
    subject = next(group for group in world.groups if group.kind[1] == "undervisningsgruppe")
    made = Group("NOR-KvernåsenTruls", pupil.school, subject.kind, "Norsk", "Norsk", subject.grep_short)
    made.lessons = [(1, 0, "A1")]
    made.members = [Member(other.sas.person_id, "01")]
    world.groups.append(made)
    installation.registers.write()
    installation.run()
    assert made.group_id in published(installation).pifu_groups
    pupil.person.protection, pupil.person.home = HIDDEN, None
    installation.run()
    after = published(installation)
    assert made.group_id not in after.pifu_groups.keys() | after.feide_groups.keys()
    assert (made.group_id, str(_id(installation, pupil.person.number))) in renamed(installation)
    assert "kvernasen" not in _letters(after.ldif) + _letters(after.xml)


@pytest.mark.long
def test_an_earlier_name_of_a_hidden_person_tells_too(installation: Installation) -> None:
    pupil, other = _plain(installation)[:2]
    assert pupil.person
    world = installation.registers.world
    pupil.person.given, pupil.person.family = "Truls", "Kvernåsen"
    group = next(g for g in world.groups if g.kind[1] == "undervisningsgruppe" and g.members)
    group.short = "Engelsk Truls K. og Truls Kvernåsen"
    group.members.append(Member(other.sas.person_id, "01"))
    installation.registers.write()
    installation.run()
    pupil.person.given, pupil.person.family = "Peder", "Ås"
    pupil.sas.given, pupil.sas.family = "Peder", "Ås"
    pupil.person.protection, pupil.person.home = HIDDEN, None
    installation.registers.write()
    installation.run()
    assert published(installation).pifu_groups[group.group_id] == group.group_id


def _raise(installation: Installation, person: Person, level: int) -> None:
    installation.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
        "values ('haugesund', 'protection', :person, :level, 'own', 1, now()) returning 1",
        person=_id(installation, person.number),
        level=level,
    )


def _no_canary(installation: Installation, files: Files) -> None:
    words = 0
    for person in people(installation.registers.world):
        level = person["protection"]["effective"]
        if level == HIDDEN and person["number"]:
            assert person["number"] not in files.ldif + files.xml
        for where, word in person["canaries"].items():
            if level == HIDDEN or (level == "fortrolig" and "navn" not in where):
                words += 1
                assert word.lower() not in (files.ldif + files.xml).lower()
    assert words > 20


def _letters(text: str) -> str:
    """Return the letters alone, in one spelling; percent-encoded text in a group's value is decoded too."""
    return re.sub("[^a-z]", "", re.sub("oe+", "o", re.sub("a[ae]+", "a", ascii_fold(unquote(text)).lower())))


# --- the rule, written a second time ----------------------------------------------------------------------------------


@pytest.mark.after_first_run
def test_both_exports_show_those_whom_a_second_writing_of_the_rule_shows(installation: Installation) -> None:
    smallest = """
        select array_agg(value) from golden.membership m
        join golden.school_group g using (group_id)
        join golden.person_link l using (person_id)
        where m.to_run is null and g.to_run is null and l.to_run is null and l.scheme = 'number' and l.current
            and m.role = 'student' and g.feide_type = 'u'
        group by group_id order by count(*), group_id limit 1
    """
    for number in installation.query(smallest)[0][0]:
        _raise(installation, installation.registers.world.persons[number], 3)
    for pupil in _plain(installation)[:9:3]:
        assert pupil.person
        _raise(installation, pupil.person, 2)
    installation.open()
    republish(installation.kommune, installation.environment)
    rows: dict[str, list[Any]] = {
        table: installation.query(f"select * from golden.{table} where to_run is null")
        for table in (
            "person",
            "protection",
            "enrolment",
            "employment",
            "membership",
            "school_group",
            "unit",
            "account",
        )
    }
    vetoes = installation.query("select person_id, level from control.veto where kind = 'protection'")
    hidden = {one.person_id for one in rows["protection"] if one.level >= 3 or one.held_back}
    hidden |= {one.person_id for one in vetoes if one.level >= 3}
    assert len(hidden) > 5
    schools = {unit.unit_id for unit in rows["unit"] if unit.kind == "school"}
    may = {
        one.person_id
        for one in rows["person"]
        if one.person_id not in hidden and not one.dead and (one.fornavn or one.etternavn)
    }
    pupils = {one.person_id for one in rows["enrolment"] if one.unit_id in schools} & may
    employees = {one.person_id for one in rows["employment"] if one.unit_id in schools} & may
    groups = {
        group.group_id: group
        for group in rows["school_group"]
        if group.unit_id in schools
        and group.group_type in pifu.KINDS
        and any(
            m.group_id == group.group_id and m.role == "student" and m.person_id in pupils for m in rows["membership"]
        )
    }
    assert len(groups) < sum(group.group_type in pifu.KINDS for group in rows["school_group"])
    members = {
        (one.group_id, one.person_id)
        for one in rows["membership"]
        if one.group_id in groups and one.person_id in (pupils if one.role == "student" else employees)
    }
    files = published(installation)
    assert files.pifu_groups == {group_id: group.name for group_id, group in groups.items()}
    uids = {one.uid: one.person_id for one in rows["account"] if one.state == "active"}
    entries = {
        uids[uid.group(1)]: entry
        for entry in files.ldif.split("\n\n")
        if (uid := re.search(r"^uid: (.+)$", entry, re.MULTILINE))
    }
    assert entries.keys() == (pupils | employees) & set(uids.values())
    in_feide = {
        (value.group.local_id, person)
        for person, entry in entries.items()
        for line in re.findall(r"^eduPersonEntitlement: (.+)$", entry.replace("\n ", ""), re.MULTILINE)
        if (value := feide.parse(line)).group
    }
    assert in_feide == {(group, person) for group, person in members if groups[group].feide_type}
    in_pifu = {
        (group, person)
        for group, part in re.findall(
            r"<membership><sourcedid>.*?<id>(.*?)</id>(.*?)</membership>", files.xml, re.DOTALL
        )
        for person in re.findall(r"<member><sourcedid>.*?<id>(.*?)</id>", part)
        if not group.startswith("skole:")
    }
    assert in_pifu == {(group, str(person)) for group, person in members}


# --- names of groups --------------------------------------------------------------------------------------------------


class Somebody(NamedTuple):
    """A hidden person's names, the class they are in, and their year."""

    given: str | None
    middle: str | None
    family: str | None
    klass: str | None = None
    year: int | None = None


OLA = Somebody("Ola Håkon", "Lie", "Nordmann", "7B", 7)
BO = Somebody("Bo", None, "Li")

TELLS = {
    OLA: (
        "Ola Nordmann|Norsk for Ola Nordmann|NORDMANN, OLA|nordmann ola 2|Lie, Ola|OlaNordmann|olanordmann|"
        "nordmannola7b|Ola-Nordmann|Ola_Nordmann|Ola.Nordmann|Håkon Nordmann|Haakon Nordmann|Hakon Nordmanns gruppe|"
        "Olas gruppe (Nordmanns)|O. Nordmann|O Nordmann|ONordmann|Nordmann O|O.H. Nordmann|OHL Nordmann|Ola N|"
        "Norsk Ola N.|Ola Kristian Nordmann|O L A N O R D M A N N|Ola\u00a0Nord\u00admann|Nordmann 7B|7. B Nordmann|"
        "Nordmannsgruppa 7b|Ola 7B|7BNordmann|7b-nordmann"
    ),
    BO: "Bo Li|Li, Bo|BoLi|boli|Bo H Li|B. Li|Bos og Lis",
    Somebody("Anne-Marie", None, "Ås-Øien"): (
        "Anne Marie Aas|Annemarie Øien|AnneMarie Oyen Oien|Marie Aasoien|anne oien|ÅS ØIEN ANNE-MARIE"
    ),
    Somebody("Åse Æsbjørg", None, "Sæther"): "Aase Saether|ASE SÆTHER|Esbjørg og Asbjorg Sather",
    Somebody("Zoë", None, "O'Brien"): "Zoe OBrien|Zoë O’Brien|Z. O'Brien|zoobrien",
    Somebody("José", None, "García Núñez"): "Jose Nunez|Garcia, Jose|JGarcia",
    Somebody("Máret", None, "Đorđević"): "Maret Dordevic|MARET ĐORĐEVIĆ",
    Somebody(None, None, "Kvernåsen", "Klasse 10 A", 10): "Kvernåsen 10A|10 a kvernaasen|Kvernåsen Klasse 10 A",
    Somebody("Eva", None, "Berg", "Blå B", 4): "Berg Blå B|4B Berg|Eva blaa b",
}
"""Names of groups that tell of a hidden person."""

SAYS_NOTHING = {
    OLA: (
        "7B|Norsk 7B|Trinn 7|Ola|Nordmann|Nordmann 8B|Ola 17B|Nicolai 7B|Solarium|Kari Nordmann|Gruppa Nordmann|"
        "Ola Hansen|Ola 7C|Lier 7B"
    ),
    Somebody("Tor", None, "Eng", "7B", 7): "Historie 7B|Engelsk 7B|Religion 7B|Torsdag 7B",
    BO: "Boligbygging|Bo|Livsmestring|Oboliten",
    Somebody("Jan", None, "de Vries", "7B", 7): "Gruppe de 7B|Januar 7B",
}
"""Names of groups that do not tell, though they resemble such names."""


@pytest.fixture
def tells(installation: Installation) -> Callable[[dict[Somebody, str]], set[str]]:
    """Return a function that returns, for each hidden person, the given names that tell of that person."""

    def tells(given: dict[Somebody, str]) -> set[str]:
        db = database.engine(installation.warehouse_url)
        everybody = list(given)
        pairs = [(somebody, name) for somebody, names in given.items() for name in names.split("|")]
        with database.transaction(db, "haugesund") as connection:
            execute = connection.exec_driver_sql
            execute("insert into golden.unit (owner, from_run, unit_id, kind) values ('haugesund', 1, 'S', 'school')")
            people = (
                "(owner, from_run, person_id, fornavn, mellomnavn, etternavn, dead) "
                "values ('haugesund', 1, %s, %s, %s, %s, false)"
            )
            person = "00000000-0000-0000-0000-{:012d}".format
            execute(f"insert into golden.person {people}", (person(0), "Shown", None, "Pupil"))
            execute(
                "insert into golden.enrolment (owner, from_run, person_id, unit_id, school_year) "
                "values ('haugesund', 1, %s, 'S', '2026/2027')",
                (person(0),),
            )

            def group(group_id: str, name: str, kind: str, year: int | None = None) -> None:
                execute(
                    "insert into golden.school_group "
                    "(owner, from_run, group_id, unit_id, group_type, name, year_level) "
                    "values ('haugesund', 1, %s, 'S', %s, %s, %s)",
                    (group_id, kind, name, year),
                )
                member(group_id, 0)

            def member(group_id: str, number: int) -> None:
                execute(
                    "insert into golden.membership (owner, from_run, group_id, person_id, role) "
                    "values ('haugesund', 1, %s, %s, 'student')",
                    (group_id, person(number)),
                )

            for number, one in enumerate(everybody, 1):
                execute(f"insert into golden.person {people}", (person(number), one.given, one.middle, one.family))
                execute(
                    "insert into golden.protection (owner, from_run, person_id, level, held_back) "
                    "values ('haugesund', 1, %s, %s, %s)",
                    (person(number), 3 if number % 2 else 0, number % 2 == 0),
                )
                if one.klass:
                    group(f"1{number}", one.klass, "basisgruppe", one.year)
                    member(f"1{number}", number)
            for number, (_, name) in enumerate(pairs):
                group(f"2{number}", name, "undervisningsgruppe")
            shown.views(vetoed_views.views(connection, "haugesund", 1, "now_"))
            found = set(execute("select group_id, person_id::text from now_group_tells").all())
            names: dict[str, str] = dict(execute("select group_id, name from now_shown_school_group").all())
            connection.rollback()
        assert {group for group, _ in found} == {group for group, name in names.items() if name == group}
        return {
            name
            for number, (somebody, name) in enumerate(pairs)
            if (f"2{number}", person(everybody.index(somebody) + 1)) in found
        }

    return tells


def test_a_group_name_that_holds_a_hidden_persons_name_gives_way_to_the_groups_id(
    tells: Callable[[dict[Somebody, str]], set[str]],
) -> None:
    assert {name for names in TELLS.values() for name in names.split("|")} - tells(TELLS) == set()


def test_other_names_of_groups_stay(tells: Callable[[dict[Somebody, str]], set[str]]) -> None:
    assert tells(SAYS_NOTHING) == set()


def _plain(installation: Installation) -> list[Pupil]:
    """Return ordinary pupils whose guardians have no other child and no other role."""
    world = installation.registers.world
    found = []
    for pupil in world.pupils:
        child = pupil.person
        if child and not child.cases and not pupil.cases and not pupil.second_school and len(child.responsibility) == 2:
            adults = [world.persons[record.ansvarlig] for record in child.responsibility if record.ansvarlig]
            if all(len(one.children) == 1 and not one.cases and one.roles == ["guardian"] for one in adults):
                found.append(pupil)
    return found


def _id(installation: Installation, number: str) -> Any:
    sql = "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number"
    return installation.query(sql, number=number)[0][0]
