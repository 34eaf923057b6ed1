"""Where parts meet that were built apart: decisions beside audit, lists, kommuner, undo and the database."""

from uuid import UUID

import psycopg
import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding
from dataflyt.decisions.decision import Decision, NotAllowed
from dataflyt.decisions.hold_back import HoldBack
from dataflyt.decisions.override import Override
from dataflyt.decisions.quarantine import RejectRow
from dataflyt.records.disclosed import disclosed
from dataflyt.records.show_person import show_person
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound
from tests.decisions.test_manual_person import manual
from tests.decisions.test_override import holders
from tests.decisions.test_quarantine import _check, _held
from tests.decisions.test_undo import families
from tests.installation.fixtures import Installation
from tests.records.test_show_person import parents

ANITA = Visitor("101", "Anita", "saksbehandling", "test")
BJORN = Visitor("102", "Bjørn", "saksbehandling", "test")
CATO = Visitor("103", "Cato", "saksbehandling", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "graded", "decide")),
    CaseWorker(id="103", name="Cato", may=("persons", "decide")),
)


@pytest.fixture
def here(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def _decide(here: Installation, decision: Decision, by: Visitor = ANITA, second: Visitor = BJORN) -> int:
    made = deciding.decide(here.kommune, here.environment, decision, by)
    if made.proposal is not None:
        made = deciding.answer(here.kommune, here.environment, made.proposal, "confirmed", second)
    return int(made.number or 0)


def _number(here: Installation, person: UUID) -> str:
    ((number,),) = here.query(
        "select value from golden.person_link where person_id = :p and scheme = 'number' and to_run is null "
        "order by current desc limit 1",
        p=person,
    )
    return str(number)


@pytest.mark.after_first_run
def test_a_substitutes_proposal_looks_the_same_whoever_the_number_is(here: Installation) -> None:
    (secret, _), (plain, _) = holders(here, "employee", 2)
    _decide(here, HoldBack(person=secret, reason="x"))
    seen = []
    for number in (_number(here, secret), _number(here, plain)):
        proposed = deciding.decide(here.kommune, here.environment, manual("substitute", number=number), CATO)
        waiting = deciding.waiting(here.kommune, here.environment, CATO, graded=False)
        seen.append([one.about for one in waiting if one.proposal == proposed.proposal])
    assert seen[0] == seen[1]


@pytest.mark.after_first_run
def test_numbers_of_decisions_do_not_tell_how_many_there_are(here: Installation) -> None:
    people = holders(here, "pupil", 4)
    numbers = [
        _decide(here, Override(person=one, field="display_name", value="Vis", reason="x", case_number="1"))
        for one, _ in people[:3]
    ]
    assert numbers[1] - numbers[0] != 1 or numbers[2] - numbers[1] != 1
    manuals = [_decide(here, manual("substitute", fornavn=f"Vik{letter}")) for letter in "abc"]
    assert manuals[1] - manuals[0] != 1 or manuals[2] - manuals[1] != 1
    drawn = {table for (table,) in here.query(_DRAWN)}
    # Vetoes and approvals are shown by no number; a link's was, until it was drawn too.
    in_a_row = {table for (table,) in here.query(_DRAWN.replace("numbered_at_random", "numbered"))}
    assert in_a_row == {"veto", "approval"}
    assert drawn >= {"access_grant", "access_block", "publishable", "row_decision", "override", "link", "erasure"}


_DRAWN = """
select c.relname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
where t.tgname = 'numbered' and p.proname = 'numbered_at_random'
"""


@pytest.mark.after_first_run
def test_no_run_and_no_single_person_ends_a_hold_back_from_psql(here: Installation) -> None:
    ((secret, _),) = holders(here, "pupil", 1)
    _decide(here, HoldBack(person=secret, reason="x"))
    with psycopg.connect(here.warehouse_url.replace("+psycopg", ""), autocommit=True) as connection:
        for set_ in ("lifted_run = 2", "lifted_run = 1", "lifted_run = 2, lifted_by = '101'"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(f"update control.veto set lifted_at = now(), {set_} where cause = 'held_back'")


@pytest.mark.after_first_run
def test_refusing_to_reject_a_row_does_not_tell_whom_it_is_about(here: Installation) -> None:
    pupil = next(one for one in here.registers.world.pupils if not one.person.cases and not one.person.protection)
    pupil.sas.given = "PrÃ¸ve"
    here.registers.write()
    _check(here)
    pupil.person.protection, pupil.person.home = "strengtFortrolig", None
    _check(here)
    (row,) = _held(here, "sas_person.letters", CATO)
    assert not row.people
    reject = RejectRow(row=row.row, rule="sas_person.letters", reason="skrivefeil")
    assert deciding.decide(here.kommune, here.environment, reject, CATO, dry_run=True).number is None


@pytest.mark.after_first_run
def test_a_page_says_that_people_have_set_a_value(here: Installation) -> None:
    ((child, _),) = holders(here, "pupil", 1)
    _decide(here, Override(person=child, field="fornavn", value="Nyttnavn", reason="x", case_number="1"))
    _decide(here, manual("substitute"))
    here.run()
    shown = show_person(here.kommune, here.environment, str(child), CATO)
    assert [(one.value, one.source) for one in shown.current if one.name == "Fornavn"] == [
        ("Nyttnavn", "Bestemt av folk")
    ]
    ((vikar,),) = here.query("select person_id from golden.employment where manual is not null and to_run is null")
    shown = show_person(here.kommune, here.environment, str(vikar), CATO)
    assert {one.source for one in shown.current if one.section == "Stilling"} == {"Bestemt av folk"}


@pytest.mark.after_first_run
def test_every_table_with_an_owner_is_closed_to_others(here: Installation) -> None:
    found = here.query(
        "select c.oid::regclass::text from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid and a.attname = 'owner' "
        "where c.relkind = 'r' and c.relnamespace::regnamespace::text in ('control', 'golden', 'history', 'events') "
        "and not (c.relrowsecurity and c.relforcerowsecurity)"
    )
    assert found == []


@pytest.mark.after_first_run
def test_a_guardian_of_a_protected_child_alone_is_found_by_no_command(here: Installation) -> None:
    child = next(families(here))
    adult = parents(child)[0]
    found = deciding.look_up(here.kommune, here.environment, [adult], CATO, graded=False)
    assert found
    child.protection, child.home = "strengtFortrolig", None
    here.run()
    with pytest.raises(NotFound):
        show_person(here.kommune, here.environment, adult, CATO)
    with pytest.raises(NotFound):
        deciding.look_up(here.kommune, here.environment, [adult], CATO, graded=False)
    with pytest.raises(NotFound):
        deciding.look_up_adult(here.kommune, here.environment, adult, CATO, graded=False)
    with pytest.raises(NotAllowed, match="Fant ingen"):
        deciding.decide(here.kommune, here.environment, HoldBack(person=found[0], reason="x"), CATO, dry_run=True)
    assert deciding.look_up(here.kommune, here.environment, [adult], ANITA, graded=True) == found


@pytest.mark.after_first_run
def test_disclosures_do_not_tell_of_a_guardian_of_a_protected_child_alone(here: Installation) -> None:
    child = next(families(here))
    adult = parents(child)[0]
    child.protection, child.home = "strengtFortrolig", None
    here.run()
    with pytest.raises(NotFound):
        disclosed(here.kommune, here.environment, adult, CATO)


@pytest.mark.after_first_run
def test_a_name_of_another_realm_is_nobody_in_every_command(here: Installation) -> None:
    ((_, uid),) = holders(here, "employee", 1)
    ours, theirs = f"{uid}@{here.kommune.feide.realm}", f"{uid}@bergen.kommune.no"
    for graded in (False, True):
        for ask in (
            lambda who, graded=graded: deciding.look_up(here.kommune, here.environment, [who], ANITA, graded=graded),
            lambda who, graded=graded: deciding.look_up_adult(
                here.kommune, here.environment, who, ANITA, graded=graded
            ),
            lambda who, graded=graded: show_person(here.kommune, here.environment, who, ANITA, graded=graded),
            lambda who, graded=graded: disclosed(here.kommune, here.environment, who, ANITA, graded=graded),
        ):
            ask(ours)
            with pytest.raises(NotFound):
                ask(theirs)
