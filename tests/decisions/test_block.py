"""A block: one person sets it at once, two lift it, nobody alone, and everything is in the audit."""

import psycopg
import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.decision import NotAllowed
from dataflyt.warehouse.audit import Visitor
from tests.installation.fixtures import Installation

ANITA = Visitor("101", "Anita", "saksbehandling", "test")
BJORN = Visitor("102", "Bjørn", "saksbehandling", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "decide")),
    CaseWorker(id="103", name="Cato", may=("persons",)),
)


@pytest.fixture
def decided(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def _pair(installation: Installation) -> Block:
    child, adult = installation.query(
        "select child_id, adult from golden.guardian_access "
        "where to_run is null and state = 'active' and adult_kind = 'person' and not exists ("
        "select from golden.protection x where x.to_run is null and (x.level >= 2 or x.held_back) "
        "and x.person_id::text in (child_id::text, adult)) order by 1, 2"
    )[0]
    return Block(child=child, adult=adult, basis="court_judgment", case_number="2026/1")


@pytest.mark.after_first_run
def test_a_block_holds_at_once_and_takes_two_to_lift(decided: Installation) -> None:
    kommune, environment, block = decided.kommune, decided.environment, _pair(decided)
    before = decided.ldif()
    dry = deciding.decide(kommune, environment, block, ANITA, dry_run=True)
    assert dry.effect.losing == 1
    assert not decided.query("select 1 from control.access_block")
    assert decided.ldif() == before

    made = deciding.decide(kommune, environment, block, ANITA)
    assert made.number
    assert (made.effect.losing, made.effect.republished) == (1, True)
    with pytest.raises(NotAllowed, match="fra før"):
        deciding.decide(kommune, environment, block, ANITA)

    proposed = deciding.decide(kommune, environment, LiftBlock(block=made.number), ANITA)
    assert proposed.number is None
    assert proposed.proposal is not None
    with pytest.raises(NotAllowed, match="eget forslag"):
        deciding.answer(kommune, environment, proposed.proposal, "confirmed", ANITA)
    with pytest.raises(NotAllowed, match="retten"):
        deciding.answer(kommune, environment, proposed.proposal, "confirmed", Visitor("103", "Cato", "x", "test"))
    assert not decided.query("select 1 from control.access_block where lifted_at is not null")
    deciding.answer(kommune, environment, proposed.proposal, "confirmed", BJORN)
    assert decided.query("select lifted_by, lifted_by_second from control.access_block") == [("101", "102")]
    with pytest.raises(NotAllowed, match="venter på svar"):
        deciding.answer(kommune, environment, proposed.proposal, "refused", BJORN)

    actions = decided.query("select user_id, action, person_id from control.audit order by at")
    assert {(user, action) for user, action, _ in actions} == {
        ("101", "try block"),
        # Refused: the same block again, the confirmation of one's own, one without the right, a second answer.
        ("101", "denied block"),
        ("101", "denied confirmed proposal"),
        ("103", "denied confirmed proposal"),
        ("102", "denied refused proposal"),
        ("101", "block"),
        ("101", "propose lift_block"),
        ("102", "lift_block"),
    }
    assert [(user, action) for user, action, person in actions if person is None] == [
        ("102", "denied refused proposal")  # of a proposal that is answered nobody is looked up
    ]
    assert {str(person) for *_, person in actions if person} == {str(block.child), block.adult}


@pytest.mark.after_first_run
def test_nobody_decides_about_themselves(decided: Installation) -> None:
    ((employee_id, person),) = decided.query(
        "select value, person_id from golden.person_link where scheme = 'hr' and to_run is null order by 1 limit 1"
    )
    himself = PEOPLE[0].model_copy(update={"employee_id": employee_id})
    kommune = decided.kommune.model_copy(update={"people": (himself, *PEOPLE[1:])})
    block = _pair(decided).model_copy(update={"adult": str(person)})
    with pytest.raises(NotAllowed, match="seg selv"):
        deciding.decide(kommune, decided.environment, block, ANITA)
    assert deciding.decide(kommune, decided.environment, block, BJORN).number


REFUSED = (
    "update control.audit set action = 'x'",
    "update control.proposal set said = '{}'",
    "delete from control.proposal",
    "update control.proposal set answer = 'confirmed', answered_by = proposed_by, answered_at = now()",
)


@pytest.mark.after_first_run
@pytest.mark.parametrize("statement", REFUSED)
def test_the_database_refuses_what_the_functions_refuse(decided: Installation, statement: str) -> None:
    block = _pair(decided)
    number = deciding.decide(decided.kommune, decided.environment, block, ANITA).number
    assert number
    deciding.decide(decided.kommune, decided.environment, LiftBlock(block=number), ANITA)
    with (
        psycopg.connect(decided.warehouse_url.replace("+psycopg", "")) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)),
    ):
        connection.execute(statement)


@pytest.mark.after_first_run
def test_the_audit_is_deleted_only_after_five_years(decided: Installation) -> None:
    deciding.decide(decided.kommune, decided.environment, _pair(decided), ANITA)
    with psycopg.connect(decided.warehouse_url.replace("+psycopg", "")) as connection:
        assert connection.execute("delete from control.audit").rowcount == 0
