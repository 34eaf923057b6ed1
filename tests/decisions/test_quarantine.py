"""A quarantined row: two people let it in, one rejects it, and some rules nobody can pass by."""

import psycopg
import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding, held_rows
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.held_rows import HeldRow
from dataflyt.decisions.quarantine import RejectRow, ReleaseRow, rules
from dataflyt.operations import work_list
from dataflyt.warehouse.audit import Visitor
from simulator.model import Employee
from tests.decisions.guardians import employed_parents, protect_children, set_aside_in_krr
from tests.installation.fixtures import Installation

ANITA = Visitor("101", "Anita", "saksbehandling", "test")
BJORN = Visitor("102", "Bjørn", "saksbehandling", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "decide")),
)
PERCENTAGE = "hr_employment.percentage"


@pytest.fixture
def decided(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def _teacher(here: Installation) -> Employee:
    return next(one for one in here.registers.world.employees if not one.cases and one.person.number)


def _works(here: Installation, employee: Employee, percentage: float) -> None:
    """Let the HR file say so much of an employee's first position, and check it."""
    employee.positions[0].percentage = percentage
    here.registers.write()
    _check(here)


def _check(here: Installation) -> None:
    """Begin a new run, and take it through its check."""
    here.steps(here.open(), "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")


def _held(here: Installation, rule: str, visitor: Visitor | None = None, *, graded: bool = False) -> list[HeldRow]:
    listed = held_rows.listed(here.kommune, here.environment, visitor, graded=graded)
    return [row for row in listed if row.rule == rule]


def _percentages(here: Installation, employee: Employee) -> set[float]:
    found = here.query(
        "select percentage from golden.employment where to_run is null and employee_id = :id", id=employee.employee_id
    )
    return {percentage for (percentage,) in found}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_row_that_two_people_release_is_taken_in_at_the_next_run_until_it_changes(decided: Installation) -> None:
    here, employee = decided, _teacher(decided)
    _works(here, employee, 250)
    (row,) = _held(here, PERCENTAGE)
    assert (row.releasable, row.decided, row.people) == (True, None, {})
    release = ReleaseRow(row=row.row[:12], rule=PERCENTAGE, reason="sommervikar")
    proposed = deciding.decide(here.kommune, here.environment, release, ANITA)
    assert proposed.number is None
    assert proposed.proposal is not None
    with pytest.raises(NotAllowed, match="eget forslag"):
        deciding.answer(here.kommune, here.environment, proposed.proposal, "confirmed", ANITA)
    assert not here.query("select 1 from control.row_decision"), "one person alone lets nothing in"
    deciding.answer(here.kommune, here.environment, proposed.proposal, "confirmed", BJORN)
    assert 250 not in _percentages(here, employee), "what gives waits for the next run"
    here.run()
    assert 250 in _percentages(here, employee)
    assert not _held(here, PERCENTAGE)
    outcome = "select passed, unexpected from control.check_result where rule = :rule order by run desc limit 1"
    assert here.query(outcome, rule=PERCENTAGE) == [(False, 1)], "the rule fails still, and is told as failing"

    _works(here, employee, 260)
    (changed,) = _held(here, PERCENTAGE)
    assert changed.row != row.row
    assert changed.decided is None


@pytest.mark.after_first_run
def test_a_rejection_ends_a_release_and_nobody_decides_about_a_row_of_their_own(
    decided: Installation,
) -> None:
    here, employee = decided, _teacher(decided)
    _works(here, employee, 250)
    name = _held(here, PERCENTAGE)[0].row
    another = ReleaseRow(row=name, rule="hr_employee.letters", reason="x")
    with pytest.raises(NotAllowed, match="Ingen rad"):
        deciding.decide(here.kommune, here.environment, another, ANITA)
    himself = PEOPLE[0].model_copy(update={"employee_id": employee.employee_id})
    of_himself = here.kommune.model_copy(update={"people": (himself, PEOPLE[1])})
    reject = RejectRow(row=name, rule=PERCENTAGE, reason="skrivefeil")
    dry = deciding.decide(here.kommune, here.environment, reject, ANITA, dry_run=True)
    assert dry.number is None
    assert not here.query("select 1 from control.row_decision")
    rejected = deciding.decide(here.kommune, here.environment, reject, ANITA).number
    assert rejected
    assert _held(here, PERCENTAGE)[0].decided == "rejected"
    with pytest.raises(NotAllowed, match="fra før"):
        deciding.decide(here.kommune, here.environment, reject, BJORN)
    release = ReleaseRow(row=name, rule=PERCENTAGE, reason="stemmer likevel")
    with pytest.raises(NotAllowed, match="seg selv"):
        deciding.decide(of_himself, here.environment, release, ANITA)
    proposed = deciding.decide(here.kommune, here.environment, release, BJORN)
    with pytest.raises(NotAllowed, match="seg selv"):
        deciding.answer(of_himself, here.environment, proposed.proposal or 0, "confirmed", ANITA)
    assert deciding.answer(here.kommune, here.environment, proposed.proposal or 0, "confirmed", ANITA).number
    assert _held(here, PERCENTAGE)[0].decided == "released"
    assert deciding.decide(here.kommune, here.environment, reject, BJORN).number
    _check(here)
    assert len(_held(here, PERCENTAGE)) == 1
    assert here.query("select decision, ended_by from control.row_decision order by decided_at") == [
        ("rejected", "102"),
        ("released", "102"),
        ("rejected", None),
    ]
    audited = here.query("select distinct action from control.audit")
    assert {action for (action,) in audited} == {
        *("try reject_row", "reject_row", "release_row", "propose release_row"),
        *("denied reject_row", "denied release_row", "denied confirmed proposal"),
    }


@pytest.mark.parametrize("rule", sorted(name for name, rule in rules().items() if not rule.releasable))
def test_a_rule_that_nobody_may_pass_by_is_refused_whatever_the_row(rule: str) -> None:
    with pytest.raises(NotAllowed, match="må rettes der den er"):
        ReleaseRow(row="0" * 64, rule=rule, reason="x").demand(None)  # type: ignore[arg-type]


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_database_refuses_what_the_functions_refuse(decided: Installation) -> None:
    columns = "owner, row_hash, rule, decision, reason, decided_by, approved_by, from_run"
    values = "'haugesund', repeat('0', 64), %s, %s, 'x', %s, %s, 2"
    inserted = f"insert into control.row_decision ({columns}) values ({values})"
    url = decided.warehouse_url.replace("+psycopg", "")
    refused = (psycopg.errors.CheckViolation, psycopg.errors.InsufficientPrivilege, psycopg.errors.UniqueViolation)
    with psycopg.connect(url, autocommit=True) as connection:
        for name, rule in rules().items():
            if not rule.releasable:
                with pytest.raises(refused):
                    connection.execute(inserted, (name, "released", "101", "102"))
        for decided_by, approved_by in (("101", None), ("101", "101"), ("101", ""), ("", "102")):
            with pytest.raises(refused):
                connection.execute(inserted, (PERCENTAGE, "released", decided_by, approved_by))
        for name in sorted(name for name, rule in rules().items() if rule.releasable):
            connection.execute(inserted, (name, "released", "101", "102"))
        for statement in (
            "update control.row_decision set rule = 'freg_navn.letters'",
            "update control.row_decision set row_hash = repeat('1', 64)",
            "update control.row_decision set ended_at = now()",
            "delete from control.row_decision",
            "update control.check_result set unexpected = 0",
        ):
            with pytest.raises(refused):
                connection.execute(statement)
        with pytest.raises(refused):
            connection.execute(inserted, (PERCENTAGE, "rejected", "101", None))
        connection.execute("update control.row_decision set ended_at = now(), ended_by = '101'")
        with pytest.raises(refused, match="ended once"):
            connection.execute("update control.row_decision set ended_at = null, ended_by = null")


@pytest.mark.after_first_run
def test_a_row_about_a_protected_person_names_nobody_to_those_without_graded(decided: Installation) -> None:
    here, rule = decided, "sas_person.letters"
    pupil = next(one for one in here.registers.world.pupils if not one.person.cases and not one.person.protection)
    pupil.sas.given = "PrÃ¸ve"
    here.registers.write()
    _check(here)
    assert [name.split()[-1] for name in _held(here, rule, BJORN)[0].people.values()] == [pupil.person.family]
    pupil.person.protection, pupil.person.home = "strengtFortrolig", None
    _check(here)
    listed = held_rows.listed(here.kommune, here.environment)
    assert len(listed) == len(held_rows.listed(here.kommune, here.environment, BJORN)), "no difference to count by"
    assert _held(here, rule, BJORN)[0].people == {}
    assert len(_held(here, rule, ANITA, graded=True)[0].people) == 1
    with pytest.raises(NotAllowed, match="graded"):
        held_rows.listed(here.kommune, here.environment, BJORN, graded=True)
    with pytest.raises(NotAllowed, match="persons"):
        held_rows.listed(here.kommune, here.environment, Visitor("999", "x", "y", "test"))
    looks = here.query("select user_id, person_id is null from control.audit where action = 'list quarantine'")
    assert {("101", False), ("102", False)} <= set(looks)


@pytest.mark.after_first_run
def test_a_row_of_krr_about_an_employee_names_nobody_when_only_protected_children_explain_it(
    decided: Installation,
) -> None:
    """KRR is asked about guardians alone: a named row tells that the employee is one here."""
    here, rule = decided, "krr_contact.letters"
    ((parent, number),) = employed_parents(here)
    set_aside_in_krr(here, number)
    wanted = work_list.Wanted(kind="set_aside")

    def named(visitor: Visitor, *, graded: bool = False) -> tuple[bool, bool]:
        (row,) = _held(here, rule, visitor, graded=graded)
        items = work_list.items(here.kommune, here.environment, visitor, wanted, graded=graded)
        (item,) = [one for one in items if one.other == rule]
        return parent in row.people, ":" in item.whom

    assert named(BJORN) == (True, True)
    protect_children(here, parent)
    assert named(BJORN) == (False, False)
    assert named(ANITA, graded=True) == (True, True)
