"""The work list: what must be corrected, by whom, how old it is, who has taken it, and what nobody may read from it."""

import io
import json
import os
import re
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, get_args

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.config.kommune import WorkOwner
from dataflyt.config.loading import find
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.exports import feide_ldif_check
from dataflyt.formats import sheets
from dataflyt.operations import work_list
from dataflyt.operations.work_kinds import KINDS, RESPONSIBLE
from dataflyt.operations.work_list import Item, Wanted
from dataflyt.warehouse.audit import Visitor
from dataflyt.why.correcting import CORRECTORS
from simulator import manifest
from tests.exports import openldap
from tests.installation.fixtures import KOMMUNER, LOOKING, Installation
from tests.installation.test_pifu import _id, _plain_pupils
from tests.warehouse.test_state import tonight
from tests.why.test_envelope import protect
from tests.why.test_leak import ANITA, BJORN, PEOPLE

runner = CliRunner(env={"COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb"})
BJARNE = Visitor("111", "Bjarne Høvik", "test", "test")
FORMULA = "=Beate"


@pytest.fixture
def operator(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The command line of an operator, whose kommune looks for children who live there."""
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(KOMMUNER))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    url = installation.environment.connect("warehouse_haugesund").url
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", json.dumps({"conn_type": "generic", "host": url}))
    installation.kommune = find(KOMMUNER, "haugesund")
    return installation


def _items(here: Installation, wanted: Wanted = work_list.EVERYTHING, *, graded: bool = False) -> list[Item]:
    return work_list.items(here.kommune, here.environment, LOOKING, wanted, graded=graded)


def _of(listed: Sequence[Item], kind: str) -> dict[str, Item]:
    return {item.whom: item for item in listed if item.kind == kind}


def _name(person: Any) -> str:
    return " ".join(word for word in (person.given, person.middle, person.family) if word)


def said(*words: str) -> str:
    done = runner.invoke(app, ["worklist", *words])
    assert done.exit_code == 0, done.output
    return done.output


def _in_the_directory(here: Installation) -> dict[str, set[str]]:
    """Return the schools with what Feide's validator would find in the published directory, by the list's kinds."""
    held = openldap.entries(here.ldif().encode())
    number = "noreduorgunituniqueidentifier"
    schools = {dn: of[number][0].removeprefix("NO") for dn, of in held.items() if number in of}
    found: dict[str, set[str]] = {"pupils_without_year_level": set(), "teachers_without_group": set()}
    for of in held.values():
        values = of.get("edupersonentitlement", [])
        at = {schools[dn] for dn in of.get("edupersonorgunitdn", [])}
        roles = of.get("edupersonaffiliation", [])
        if "student" in roles and not any(":go:grep:" in value for value in values):
            found["pupils_without_year_level"] |= at
        if "faculty" in roles and not any(":go:group:" in value for value in values):
            found["teachers_without_group"] |= at
    return found


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_feides_validator_finds_is_on_the_list_and_tells_of_nobody_who_is_protected(
    installation: Installation,
) -> None:
    here, world = installation, installation.registers.world
    here.kommune = here.kommune.model_copy(update={"people": PEOPLE})

    def on_the_list(*, graded: bool = False) -> dict[str, set[str]]:
        listed = work_list.items(here.kommune, here.environment, ANITA if graded else BJORN, graded=graded)
        return {kind: {item.subject for item in listed if item.kind == kind} for kind in _in_the_directory(here)}

    # Two pupils of a school are in no group, and a teacher of another is the contact teacher of a class and no more.
    pupil, other = _plain_pupils(here)[:2]
    other.school = pupil.school
    assert pupil.person
    assert other.person
    contacts = {member.person_id for group in world.groups for member in group.members if group.kind[0] == "3"}
    teacher = next(
        one
        for one in world.employees
        if one.sas and one.sas.person_id in contacts and not one.cases and not one.seed and len(one.positions) == 1
    )
    assert teacher.sas
    for group in world.groups:
        gone = {pupil.sas.person_id, other.sas.person_id} | ({teacher.sas.person_id} if group.kind[0] != "3" else set())
        group.members = [member for member in group.members if member.person_id not in gone]
    here.registers.write()
    assert here.run()["outcome"] == "released"
    found = on_the_list()
    assert found == _in_the_directory(here) == on_the_list(graded=True)
    assert found["pupils_without_year_level"] == {pupil.school.orgnr}
    assert found["teachers_without_group"]
    (item,) = _items(here, Wanted(kind="pupils_without_year_level"))
    assert (item.whom, item.owner) == (pupil.school.name, "school_office")
    names = [finding.name for finding in feide_ldif_check.check(_Lying(here.ldif()))]
    assert set(names) <= {"Missing Grep codes for student", "Missing groups for teacher or pupil"}

    # One of them is fortrolig, and is in the directory still: nothing on the list tells.
    protect(here, _id(here, pupil.person.number))
    tonight(here)
    assert on_the_list() == found == _in_the_directory(here)
    protect(here, _id(here, other.person.number))
    tonight(here)
    assert on_the_list() == found == _in_the_directory(here)
    # They are hidden, and in the directory no more: the list says what the directory says.
    for hidden in (pupil, other):
        protect(here, _id(here, hidden.person.number), 3)  # type: ignore[union-attr]
        tonight(here)
        assert on_the_list() == _in_the_directory(here)
    assert on_the_list()["pupils_without_year_level"] == set()

    # An address is of the kommune file, and so is what is published for Feide.
    assert not _items(here, Wanted(kind="no_mail_in_feide"))
    feide = here.kommune.feide.model_copy(update={"mail": None})
    here.kommune = here.kommune.model_copy(update={"feide": feide})
    (item,) = _items(here, Wanted(kind="no_mail_in_feide"))
    assert (item.owner, item.subject) == ("system_owner", here.kommune.orgnr)
    here.kommune = here.kommune.model_copy(update={"exports": ("pifu",)})
    assert not [item for item in _items(here) if item.kind in (*found, "no_mail_in_feide")]


class _Lying(NamedTuple):
    """A file in memory."""

    content: str

    def open(self, mode: str, /) -> Any:
        return io.BytesIO(self.content.encode())


@pytest.mark.long
def test_two_schools_of_one_number_are_on_the_list(installation: Installation) -> None:
    here = installation
    one, other = here.registers.world.kommune.schools[:2]
    (path,) = (here.registers.drop / "1106" / "sas").glob("*.xml")
    path.write_bytes(path.read_bytes().replace(other.orgnr.encode(), one.orgnr.encode()))
    os.utime(path, (time.time() - 3600,) * 2)
    here.run()
    (item,) = _items(here, Wanted(kind="orgnr_of_two_schools"))
    assert (item.subject, item.owner) == (one.orgnr, "system_owner")


@pytest.mark.long
@pytest.mark.after_first_run
def test_everybody_who_must_be_corrected_is_on_the_list_with_corrector_age_and_school(
    operator: Installation, tmp_path: Path
) -> None:
    here, world = operator, operator.registers.world
    first = {item.id for item in _items(here)}
    assert first
    assert all(item.new for item in _items(here) if item.since), "before the first run nothing was known"
    other_name = next(one for one in world.pupils if "other_name_in_sas" in one.cases)
    assert other_name.person
    other_name.person.given = FORMULA
    here.registers.write()
    assert here.run()["outcome"] == "released"

    listed = _items(here)
    assert listed[0].kind == "sas_guardian_without_basis"
    order = [list(KINDS).index(item.kind) for item in listed]
    assert order == sorted(order)
    employees = {case: one.person for one in world.employees for case in one.cases}
    pupils = {case: one.person for one in world.pupils for case in one.cases}
    unreached = next(one for one in world.persons.values() if one.roles == ["guardian"] and "krr_missing" in one.cases)
    for kind, person in (
        ("name_differs", other_name.person),
        ("number_differs", pupils["changed_number"]),
        ("two_in_sas", employees["two_users"]),
        ("two_in_hr", employees["two_users"]),
        ("employee_without_school", employees["leaver"]),
        ("resident_not_enrolled", here.registers.person("resident_not_in_sas")),
        ("pupil_without_guardian", pupils["ukjent"]),
        ("responsible_not_named", pupils["ukjent"]),
        ("guardian_not_reached", unreached),
        ("guardian_without_number", pupils["guardian_without_number"]),
        ("pupil_without_class", pupils["pupil_without_class"]),
        ("sas_guardian_without_basis", pupils["child_of_by_hand"]),
    ):
        assert _name(person) in _of(listed, kind), kind
        item = _of(listed, kind)[_name(person)]
        assert item.new is (kind == "resident_not_enrolled"), kind
        age = date(2026, 11, 24) if item.new else date(2026, 11, 23)
        assert item.since == age, kind
        assert bool(item.school) is (kind != "resident_not_enrolled"), kind
        assert item.about.todo.endswith(".")
    assert {item.id for item in listed if not item.new} >= {one.id for one in listed if one.id in first}

    # What is asked for is shown, and nothing else; what does not exist is refused.
    school = other_name.school.orgnr
    of_school = _items(here, Wanted(school=school))
    assert of_school == [item for item in listed if item.unit_id == school]
    assert _items(here, Wanted(school=other_name.school.name.upper())) == of_school
    assert {item.kind for item in _items(here, Wanted(new=True))} == {item.kind for item in listed if item.new}
    assert {item.owner for item in _items(here, Wanted(owner="hr"))} == {"hr"}
    with pytest.raises(ConfigError, match="ingen skole"):
        _items(here, Wanted(school="974553031"))
    for wrong in ({"owner": "rektor"}, {"kind": "navn"}):
        with pytest.raises(ConfigError, match="skriv"):
            Wanted(**wrong)  # type: ignore[arg-type]
    assert work_list.counts(here.kommune, here.environment) == {
        kind: sum(item.kind == kind for item in listed) for kind in dict.fromkeys(item.kind for item in listed)
    }

    # The command line: counts for anybody, names with a purpose, and files that hold no formula.
    assert "Foresatte lagt inn for hånd uten grunnlag" in said("haugesund")
    assert _name(pupils["ukjent"]) not in said("haugesund")
    about = ("--as", "101", "--purpose", "1")
    line = next(line for line in said("haugesund", "--kind", "name_differs", *about).splitlines() if FORMULA in line)
    item = _of(listed, "name_differs")[_name(other_name.person)]
    assert line.split()[0] == item.id
    assert " dag" in line
    csv, xlsx = tmp_path / "liste.csv", tmp_path / "liste.xlsx"
    said("haugesund", "--csv", str(csv), "--xlsx", str(xlsx), "--numbers", *about)
    assert csv.read_bytes().startswith(b"\xef\xbb\xbfId;Hva;Gjelder;")
    text, sheet = pd.read_csv(csv, sep=";", dtype=str), pd.read_excel(xlsx, dtype=str)
    assert list(text["Id"]) == list(sheet["Id"]) == [one.id for one in listed]
    (written,) = text[text["Id"] == item.id].to_dict("records")
    assert written["Gjelder"] == f"'{_name(other_name.person)}", "a quote makes it text"
    assert written["Fødselsnummer"] == other_name.person.number
    assert (written["Rettes av"], written["Skole"]) == (CORRECTORS["school_office"].title, other_name.school.name)
    cells = [cell for row in openpyxl.load_workbook(xlsx).active.iter_rows() for cell in row]
    assert _name(other_name.person) in {cell.value for cell in cells}
    assert "f" not in {cell.data_type for cell in cells}
    refused = runner.invoke(app, ["worklist", "haugesund", "--csv", str(tmp_path / "x.txt"), *about])
    assert (refused.exit_code, "slutter på .csv" in refused.output) == (2, True)

    # One takes an item, and nobody else can take it from them unseen.
    assert "er din" in said("take", "haugesund", item.id[:6], *about)
    assert _of(_items(here), "name_differs")[item.whom].taken_by == "101"
    assert "tatt av Anita Ingebretsen" in said("haugesund", "--kind", "name_differs", *about)
    with pytest.raises(NotAllowed, match="tatt av Anita Ingebretsen"):
        work_list.take(here.kommune, here.environment, item.id, BJARNE)
    assert work_list.release(here.kommune, here.environment, item.id, BJARNE).taken_by is None
    with pytest.raises(NotAllowed, match="ingen som har tatt"):
        work_list.release(here.kommune, here.environment, item.id, LOOKING)
    assert work_list.take(here.kommune, here.environment, item.id, BJARNE).taken_by == "111"
    assert here.query("select taken_by, ended_by from control.work_taken order by taken_at") == [
        ("101", "111"),
        ("111", None),
    ]
    looked = here.query(
        "select user_id, action from control.audit where action like '%work item' and person_id::text = :id "
        "order by at",
        id=item.subject,
    )
    assert [tuple(row) for row in looked] == [
        ("101", "take work item"),
        ("111", "release work item"),
        ("111", "take work item"),
    ]

    # A group that only moves to another school keeps its age.
    groups = "kind = 'group_without_grep' and to_run is null"
    moved = here.query(f"update golden.work_item set to_run = 2 where {groups} returning subject")
    for (subject,) in moved:
        here.query(
            "insert into golden.work_item (owner, kind, subject, other, unit_id, from_run) values "
            "('haugesund', 'group_without_grep', :subject, '', '311060023', 2) returning 1",
            subject=subject,
        )
    found = _items(here, Wanted(kind="group_without_grep"))
    assert len(found) == len(moved) > 5
    assert {(item.unit_id, item.since, item.new) for item in found} == {("311060023", date(2026, 11, 23), False)}


@pytest.mark.long
@pytest.mark.after_first_run
def test_without_graded_nobody_hidden_is_on_the_list_in_a_count_or_to_be_taken(installation: Installation) -> None:
    here, world = installation, installation.registers.world
    grown = next(one for one in world.pupils if one.person and not one.cases and not one.person.cases)
    assert grown.person
    grown.person.protection = grown.person.home_grading = "fortrolig"
    grown.sas.family = "Skrivefeil"
    here.registers.write()
    here.run()
    people = list(manifest.people(world))
    hidden = {one["number"] for one in people if manifest.STRICTNESS[one["protection"]["effective"] or "ugradert"] >= 2}
    hidden |= {person.number for person in world.persons.values() if "unknown_to_freg" in person.cases}
    words = {word for one in people if one["number"] in hidden for word in one["canaries"].values()}
    links = here.query(
        "select person_id::text, value from golden.person_link where to_run is null and scheme = 'number'"
    )
    ids = {person for person, number in links if number in hidden}
    assert len(words) > 20
    assert len(ids) > 5

    # A group that is named after somebody protected. Who is fortrolig is in the exports, and the group by its name.
    (group,) = here.query("select min(subject) from golden.work_item where kind = 'group_without_grep'")[0]
    here.query(
        "update golden.school_group set name = :n where group_id = :g returning 1", n=_name(grown.person), g=group
    )

    listed, graded = _items(here), _items(here, graded=True)
    assert (group, f"{_name(grown.person)} ({group})") == tuple(
        one.whom
        for some in (listed, graded)
        for one in some
        if one.kind == "group_without_grep" and one.subject == group
    )
    assert not ids & {id_ for item in listed for id_ in (item.subject, item.other)}
    assert not words & set(" ".join(map(str, listed)).replace(",", " ").replace("'", " ").split())
    unnamed = [item for item in listed if item.kind in work_list.UNASKED]
    assert unnamed
    assert {item.whom for item in unnamed} == {""}
    kept = {item.id: item for item in graded}
    assert {item.id for item in listed} < set(kept)
    gone = [item for item in graded if item.id not in {one.id for one in listed}]
    beside = "select adult from golden.guardian_access where to_run is null group by adult having bool_and({})"
    alone = here.query(beside.format("child_id::text = any(:ids)"), ids=sorted(ids))
    ids |= {adult for (adult,) in alone}  # they are here for hidden children, and nobody else
    assert [one for one in gone if not (one.about.graded or {one.subject, one.other} & ids)] == []
    assert _name(grown.person) in _of(gone, "name_differs")
    assert {"suspension_to_decide", "pupil_held_back"} <= {item.kind for item in gone}
    counted = work_list.counts_by_owner(here.kommune, here.environment)
    assert sum(every for kinds in counted.values() for every, _ in kinds.values()) == len(listed)
    for one in gone:
        with pytest.raises(NotAllowed, match="Ingen sak på arbeidslisten heter"):
            work_list.take(here.kommune, here.environment, one.id, LOOKING)
    assert work_list.take(here.kommune, here.environment, gone[0].id, LOOKING, graded=True).taken_by == "101"
    shown = here.query("select distinct person_id::text from control.audit where action = 'work list' and at < now()")
    assert ids & {person for (person,) in shown}, "the graded look is kept as such"


@pytest.mark.after_first_run
@pytest.mark.parametrize("kind", ["guardian_not_reached", "name_differs", "number_differs"])
def test_an_employee_with_a_protected_child_is_not_on_the_list_as_a_guardian(
    installation: Installation, kind: str
) -> None:
    """KRR is asked about guardians alone, and FREG about no other employees in this kommune."""
    here = installation
    ((parent,),) = here.query(
        "select distinct e.person_id from golden.employment e join golden.guardian_access g "
        "on g.adult = e.person_id::text and g.state = 'active' join golden.protection x on x.person_id = e.person_id "
        "where x.level = 0 limit 1"
    )
    here.query(
        "insert into golden.work_item (owner, kind, subject, other, from_run) "
        "values ('haugesund', :kind, :adult, '', 1) on conflict do nothing returning 1",
        adult=str(parent),
        kind=kind,
    )
    wanted = Wanted(kind=kind)
    assert str(parent) in {one.subject for one in _items(here, wanted)}
    here.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
        "select owner, 'protection', child_id, 2, 'own', 1, now() from golden.guardian_access where adult = :adult "
        "returning 1",
        adult=str(parent),
    )
    assert str(parent) not in {one.subject for one in _items(here, wanted)}
    assert str(parent) in {one.subject for one in _items(here, wanted, graded=True)}


@pytest.mark.parametrize("start", sheets.FORMULA)
def test_no_cell_is_a_formula(start: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"Navn": [f"{start}1+1"], "Tall": [-3], "Dag": [date(2026, 11, 23)]})
    sheets.write(frame, tmp_path / "a.csv", "Ark")
    assert pd.read_csv(tmp_path / "a.csv", sep=";")["Navn"][0][0] == "'"
    if start not in "\t\r":  # openpyxl keeps no such letters
        sheets.write(frame, tmp_path / "a.xlsx", "Ark")
        name, number, _ = openpyxl.load_workbook(tmp_path / "a.xlsx").active[2]
        assert (name.value, name.data_type, number.value) == (f"{start}1+1", "s", -3)


def test_every_kind_has_a_corrector_and_one_sentence_on_what_to_do() -> None:
    owners = {kind.owner for kind in KINDS.values()} | set(RESPONSIBLE.values())
    assert owners == set(get_args(WorkOwner)), "and a kommune can name each of them for the weekly mail"
    assert owners <= CORRECTORS.keys()
    for kind in KINDS.values():
        assert kind.todo.endswith(".")
        assert ". " not in kind.todo


def test_before_a_run_is_released_nobody_is_told_that_nothing_is_to_be_corrected(operator: Installation) -> None:
    for more in ([], ["--as", "101", "--purpose", "1"]):
        refused = runner.invoke(app, ["worklist", "haugesund", *more])
        assert refused.exit_code == 2
        assert "har ikke frigitt noen kjøring ennå: da kommer arbeidslisten" in refused.stderr
    assert not work_list.begun(operator.kommune, operator.environment)
    operator.run()
    assert work_list.begun(operator.kommune, operator.environment)
    assert re.search(r"Rader i karantene +│ +\d+ +│ +Den regelen sier", said("haugesund"))
