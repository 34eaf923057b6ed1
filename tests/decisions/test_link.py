"""Persons linked and parted by people: protections follow both ways, what gives waits for the approved run."""

from uuid import UUID

import psycopg
import pytest

from dataflyt.decisions import deciding
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.link import Link, Unlink
from tests.decisions.test_block import ANITA, decided  # noqa: F401
from tests.decisions.test_override import confirmed
from tests.installation.fixtures import Installation

WHY = {"reason": "Samme person, to nummer", "case_number": "2026/14"}
PEOPLE_OF = "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number"


@pytest.mark.long
@pytest.mark.after_first_run
def test_two_persons_are_one_after_an_approved_run_and_parted_again_with_the_protection_of_both(
    decided: Installation,  # noqa: F811
) -> None:
    kommune, environment = decided.kommune, decided.environment
    # An adult with access to a child, and a guardian of another child, who has a strict address.
    (child, adult, number) = decided.query(
        "select a.child_id, a.adult, p.number from golden.guardian_access a "
        "join golden.person p on p.person_id::text = a.adult and p.to_run is null "
        "join golden.protection x on x.person_id = p.person_id and x.to_run is null "
        "where a.to_run is null and a.state = 'active' and a.adult_kind = 'person' and x.level = 0 order by 1, 2"
    )[0]
    (other, other_number) = decided.query(
        "select p.person_id, p.number from golden.person p "
        "join golden.protection x on x.person_id = p.person_id and x.to_run is null "
        "where p.to_run is null and x.level = 3 and p.number is not null and p.person_id::text <> :adult "
        "and p.person_id::text in (select adult from golden.guardian_access where to_run is null "
        "and child_id <> :child) order by 1",
        adult=adult,
        child=child,
    )[0]
    with pytest.raises(NotAllowed, match="foresatte"):
        deciding.decide(kommune, environment, Link(person=child, became=adult, **WHY), ANITA)
    with pytest.raises(NotAllowed, match="ikke vært slått sammen"):
        deciding.decide(kommune, environment, Unlink(person=adult, apart=other, **WHY), ANITA)
    seeing = tuple(one.model_copy(update={"may": ("persons", "graded", "decide")}) for one in kommune.people)
    decided.kommune = kommune = kommune.model_copy(update={"people": seeing})
    before = decided.ldif()
    assert confirmed(decided, Link(person=other, became=adult, **WHY))
    assert decided.ldif() == before

    decided.run(answer="rejected")
    assert decided.query(PEOPLE_OF, number=other_number) == [(other,)]
    decided.run()
    assert decided.query("select asks from control.run order by run desc limit 1") == [("always",)]
    assert decided.query(PEOPLE_OF, number=other_number) == decided.query(PEOPLE_OF, number=number)
    level = "select max(level) from golden.protection where to_run is null and person_id = :person"
    assert decided.query(level, person=adult) == [(3,)]

    assert confirmed(decided, Unlink(person=adult, apart=other, **WHY))
    decided.run()
    assert decided.query(PEOPLE_OF, number=other_number) == [(other,)]
    assert [str(person) for (person,) in decided.query(PEOPLE_OF, number=number)] == [adult]
    in_force = "select person_id from control.veto where kind = 'protection' and lifted_at is null and level = 3"
    assert {UUID(adult), other} & {person for (person,) in decided.query(in_force)}
    ((entry,),) = decided.query("select count(*) from control.identity_change where became = :p", p=other)
    assert entry == 1  # by which the veto of the one holds for the other
    assert decided.query("select count(*) from control.link") == [(2,)]


VALUES = (
    "insert into control.link (owner, person_id, became, joined, as_of_run, reason, case_number, decided_by, "
    "approved_by, from_run) values ('haugesund', gen_random_uuid(), gen_random_uuid(), true, "
)
REFUSED = (
    VALUES + "1, 'x', '1', 'anita', 'anita', 2)",
    VALUES + "1, 'x', '1', 'anita', null, 2)",
    VALUES + "1, ' ', '1', 'anita', 'bjørn', 2)",
    VALUES + "1, 'x', '', 'anita', 'bjørn', 2)",
    VALUES + "2, 'x', '1', 'anita', 'bjørn', 2)",
    "update control.link set joined = false",
    "delete from control.link",
)


@pytest.mark.after_first_run
def test_the_database_refuses_links_that_the_functions_refuse(decided: Installation) -> None:  # noqa: F811
    refusals = (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.CheckViolation,
        psycopg.errors.NotNullViolation,
    )
    with psycopg.connect(decided.warehouse_url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in REFUSED:
            with pytest.raises(refusals):
                connection.execute(statement)
