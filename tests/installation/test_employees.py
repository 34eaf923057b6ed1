"""FREG is asked about employees where the kommune has the right; protected employees are in no export."""

import os
import time
from dataclasses import replace

import pytest
from lxml import etree

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import FregSource
from dataflyt.errors import CheckFailed
from dataflyt.operations import fast_lane
from dataflyt.run.close_run import close_run
from dataflyt.run.extract_freg import extract_freg
from dataflyt.run.freg_parts import EMPLOYEE_PARTS, freg_parts
from dataflyt.sources.freg import EMPLOYEES
from dataflyt.sources.freg import client as freg_client
from simulator import fiks
from simulator.model import Employee, Person
from tests.installation.fixtures import CLIENT, Installation
from tests.installation.test_events import Lane, published
from tests.warehouse.test_rules import _manifest, _unused_number

Asked = list[tuple[str, list[str], tuple[str, ...], str]]
"""Phase, numbers, parts and route of each question."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The questions to FREG."""
    found: Asked = []
    extract = freg_client.extract

    def listen(config, outside, landing, *, numbers, parts, phase):  # type: ignore[no-untyped-def]
        found.append((phase, list(numbers), tuple(parts), freg_client.route_of(config, phase)))
        return extract(config, outside, landing, numbers=found[-1][1], parts=parts, phase=phase)

    monkeypatch.setattr(freg_client, "extract", listen)
    return found


def _ask_about_employees(installation: Installation, *, employees: bool = True, **freg: object) -> None:
    sources = installation.kommune.sources
    changed = sources.freg.model_copy(update={"employees": employees} | freg)
    installation.kommune = installation.kommune.model_copy(
        update={"sources": sources.model_copy(update={"freg": changed})}
    )


def _teachers(installation: Installation) -> list[Employee]:
    """Ordinary employees who teach a group."""
    teaching = {member.person_id for group in installation.registers.world.groups for member in group.members}
    found = [
        one
        for one in installation.registers.world.employees
        if one.sas
        and one.sas.person_id in teaching
        and not one.cases
        and not one.seed
        and one.person.roles == ["employee"]
    ]
    assert len(found) > 3
    return found


def _protect(person: Person, level: str = "strengtFortrolig") -> None:
    person.protection = level
    if level == "strengtFortrolig":
        person.home = None
    else:
        person.home_grading = level


def _exported(installation: Installation) -> str:
    """Return everything that is published."""
    folder = installation.storage / "exports/haugesund" / str(_manifest(installation)["publication"])
    return "".join(path.read_text("utf-8") for path in sorted(folder.iterdir()) if path.suffix in (".ldif", ".xml"))


def _cases(installation: Installation, case: str) -> set[str]:
    return {one.person.number for one in installation.registers.world.employees if case in one.cases}


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_employee_who_is_protected_in_freg_is_in_no_export_once_the_kommune_asks(
    installation: Installation, asked: Asked
) -> None:
    secret, reserved, moved = _teachers(installation)[:3]
    secret.person.family = "Kanarihemmelig"
    assert secret.sas
    secret.sas.family = "Kanarihemmelig"
    _protect(secret.person)
    _protect(reserved.person, "fortrolig")
    installation.registers.write()
    assert installation.run()["outcome"] == "released"
    assert {phase for phase, *_ in asked} == {"1-pupils", "2-guardians"}
    assert secret.person.number in _exported(installation), "nobody has told"

    asked.clear()
    _ask_about_employees(installation)
    # HR is late with a new number. The same person is found by the old number.
    world, old = installation.registers.world, moved.person.number
    moved.person.old_number, moved.person.number = old, _unused_number(installation, old)
    world.by_any_number[moved.person.number] = world.persons[moved.person.number] = world.persons.pop(old)
    report = installation.run()
    assert report["outcome"] == "released", report["sentences"]
    shown = _exported(installation)
    for trace in (secret.person.number, "Kanarihemmelig", secret.email or "?", reserved.email or "?"):
        assert trace not in shown
    assert reserved.person.number in shown
    assert moved.person.number in shown

    ((_, numbers, parts, route),) = [one for one in asked if one[0] == EMPLOYEES]
    assert route == "skatteetaten"
    assert not {"foreldreansvar", "familierelasjon", "foedsel", "kjoenn", "falskIdentitet"} & set(parts)
    # Those who work at a school today, and about whom FREG has not answered as guardians.
    assert {secret.person.number, reserved.person.number} <= set(numbers)
    assert _cases(installation, "sub_unit") | _cases(installation, "d_number_employee") <= set(numbers)
    for case in ("leaver", "future_starter", "no_school_unit", "guardian_is_employee"):
        assert _cases(installation, case)
        assert not _cases(installation, case) & set(numbers), case
    answered = {number for phase, some, *_ in asked if phase != EMPLOYEES for number in some}
    assert not answered & set(numbers)


@pytest.mark.long
@pytest.mark.after_first_run
def test_neither_turning_it_on_nor_off_nor_missing_answers_stop_a_run_and_what_is_known_stays(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    secret = _teachers(installation)[0].person
    _protect(secret)
    # A kommune that allows no table to shrink.
    guard = installation.kommune.guard.model_copy(update={"max_drop_percent": 0})
    installation.kommune = installation.kommune.model_copy(update={"guard": guard})
    _ask_about_employees(installation)
    assert installation.run()["outcome"] == "released"
    assert secret.number not in _exported(installation)

    # FREG knows none of the employees.
    country = installation.registers.world.country
    assert country
    find, nobody = country.find, {one.person.number for one in installation.registers.world.employees}
    guardians = {number for phase, some, *_ in asked if phase == "2-guardians" for number in some}
    with monkeypatch.context() as patched:
        patched.setattr(country, "find", lambda number: None if number in nobody - guardians else find(number))
        report = installation.run()
    assert report["outcome"] == "released", report["sentences"]
    assert "freg_ubesvart.employees" in {note["rule"] for note in report["noted"]}
    assert secret.number not in _exported(installation)

    # Twice: the first such run is measured against one with employees.
    _ask_about_employees(installation, employees=False)
    for _ in range(2):
        assert installation.run()["outcome"] == "released"
        assert secret.number not in _exported(installation)
    _ask_about_employees(installation)
    assert installation.run()["outcome"] == "released"

    # Employees do not make up for missing pupils and guardians.
    gone = set(sorted(guardians - nobody)[:1])
    with monkeypatch.context() as patched:
        patched.setattr(country, "find", lambda number: None if number in gone else find(number))
        assert installation.run()["failed"] == ["check"]


@pytest.mark.after_first_run
def test_without_a_file_from_hr_those_of_the_last_run_are_asked_about_and_without_the_schools_nobody(
    installation: Installation, asked: Asked
) -> None:
    _ask_about_employees(installation)
    installation.run()
    secret = _teachers(installation)[0].person
    assert secret.number in _exported(installation)
    _protect(secret)
    asked.clear()
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_freg", "withdraw")
    assert secret.number in {number for phase, some, *_ in asked if phase == EMPLOYEES for number in some}
    assert secret.number not in _exported(installation)
    asked.clear()
    with pytest.raises(CheckFailed, match="skolesystemets fil er ikke lest"):
        extract_freg(installation.open())
    assert asked == []


@pytest.mark.after_first_run
def test_by_fiks_oppvekst_employees_are_asked_about_one_by_one_without_their_children(
    installation: Installation, asked: Asked
) -> None:
    direct, registers = installation.environment.connect, installation.registers
    extra = {"token_endpoint": f"{registers.url}/token", "issuer": f"{registers.url}/", "kid": "test"}
    extra |= {"scope": "ks:fiks", "integrasjon_id": fiks.INTEGRATION["IntegrasjonId"]}
    extra |= {"integrasjon_passord": fiks.INTEGRATION["IntegrasjonPassord"]}

    def connect(name: str) -> Connection:
        if name == "fiks_haugesund":
            return Connection(name, registers.url, CLIENT, registers.private_key, extra)
        return direct(name)

    installation.environment = replace(installation.environment, connect=connect)
    rolle = fiks.rolle_of("1106")
    secret = _teachers(installation)[0].person
    _protect(secret)
    source = FregSource(route="fiks_oppvekst", rolle=rolle, connection="fiks_haugesund", employees=True)
    _ask_about_employees(installation, **source.model_dump())
    job = installation.open()
    installation.run(job=job)
    assert {(phase, route) for phase, _, _, route in asked} == {
        *(("1-pupils", "fiks_oppvekst"), ("2-guardians", "fiks_oppvekst"), (EMPLOYEES, "fiks")),
    }
    assert secret.number not in _exported(installation)


@pytest.fixture
def lane(installation: Installation) -> Lane:
    lane = Lane(installation)
    lane.run()  # finds its place in the list
    return lane


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_employee_whom_the_events_tell_of_leaves_at_once_where_the_kommune_asks(lane: Lane, asked: Asked) -> None:
    here = lane.here
    first, second, third, guardian = [one.person for one in _teachers(here)[:3]] + [lane.adult(lane.children(1)[0])]

    def run() -> fast_lane.Outcome:
        lane.kommuner = [here.kommune]
        return lane.run()

    # No run has asked about employees: they are not held, and not asked about.
    lane.protect(first)
    assert run().counts["waiting"] == 0
    assert asked == []
    assert first.number in published(here)

    # A run under way holds them, and a released one.
    _ask_about_employees(here)
    here.run()
    assert first.number not in published(here)
    asked.clear()
    lane.protect(second)
    lane.protect(guardian)
    outcome = run()
    assert (outcome.trouble, outcome.counts["waiting"]) == ([], 0)
    assert second.number not in published(here)
    questions = {phase: (numbers, parts) for phase, numbers, parts, _ in asked if numbers}
    assert questions == {
        "2-others": ([guardian.number], freg_parts(here.kommune, pupils=False)),
        EMPLOYEES: ([second.number], EMPLOYEE_PARTS),
    }

    # Turned off: waiting employees are not asked about, and from the next run none is held.
    _ask_about_employees(here, employees=False)
    asked.clear()
    lane.protect(third)
    outcome = run()
    assert (outcome.trouble, outcome.counts["waiting"], asked) == ([], 0, [])
    here.run()
    lane.tell(third, "endringIAdressebeskyttelse")
    assert run().counts["kommuner"] == 0
    assert not {first.number, second.number} & published(here), "what is known stays"


def _mark(here: Installation, employee: Employee) -> None:
    """Let HR say of an employee, in a relation of the kommune's own, that they must not be found."""
    (file,) = (here.registers.drop / "1106" / "hr").glob("Stamdata3_*.xml")
    tree = etree.parse(file)
    for resource in tree.iter("{*}Resource"):
        if resource.findtext("{*}ResourceId") == employee.employee_id:
            relations = next(resource.iter("{*}Relations"))
            relation = etree.SubElement(relations, "Relation", Type="X9", Name="Skjermet", ElementType="CUSTOM")
            etree.SubElement(relation, "Value").text = "6"
    tree.write(file, encoding="utf-8", xml_declaration=True)
    os.utime(file, (time.time() - 3600,) * 2)


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_employee_whom_hr_marks_is_in_no_export_and_comes_back_when_somebody_has_agreed(
    installation: Installation,
) -> None:
    here, teacher = installation, _teachers(installation)[0]
    sources = here.kommune.sources
    hr = sources.hr.model_copy(update={"protected": {"x9": ["6", "7"]}})
    here.kommune = here.kommune.model_copy(update={"sources": sources.model_copy(update={"hr": hr})})
    here.registers.write()
    before = here.run()
    assert teacher.person.number in _exported(here)

    _mark(here, teacher)
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    close_run(job, ["check"])
    assert teacher.person.number not in _exported(here), "whatever becomes of the run"
    report = here.run()
    assert report["outcome"] == "released"
    assert teacher.person.number not in _exported(here)
    assert not any(table["table"] == "hr_protection" for table in report["tables"])
    assert report["merged"].keys() == before["merged"].keys()
    assert "hr_protection" not in report["merged"]

    here.registers.write()
    here.run("rejected")
    assert teacher.person.number not in _exported(here)
    here.run()
    assert "always" in here.query("select asks from control.run order by run desc limit 1")[0][0]
    assert teacher.person.number in _exported(here)


@pytest.mark.after_first_run
def test_what_freg_has_said_of_an_employee_stands_when_hr_takes_its_own_mark_away(installation: Installation) -> None:
    here, teacher = installation, _teachers(installation)[0]
    _ask_about_employees(here)
    sources = here.kommune.sources
    hr = sources.hr.model_copy(update={"protected": {"X9": ["6"]}})
    here.kommune = here.kommune.model_copy(update={"sources": sources.model_copy(update={"hr": hr})})
    here.registers.write()
    _mark(here, teacher)
    _protect(teacher.person)
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    close_run(job, ["check"])
    here.registers.write()
    _ask_about_employees(here, employees=False)
    here.run()
    assert teacher.person.number not in _exported(here)
