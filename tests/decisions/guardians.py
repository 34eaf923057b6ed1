"""Employees who are guardians here, for tests of what is told of them when their children are protected."""

from uuid import UUID

from tests.installation.fixtures import Installation


def employed_parents(here: Installation, count: int = 1) -> list[tuple[UUID, str]]:
    """Return ids and numbers of employees who are guardians of pupils, and of whom nobody is protected."""
    return here.query(
        "select distinct e.person_id, p.number from golden.employment e join golden.person p using (person_id) "
        "join golden.guardian_access g on g.adult = e.person_id::text and g.state = 'active' "
        "join golden.protection x on x.person_id = e.person_id and x.level = 0 and not x.held_back "
        "join golden.protection c on c.person_id = g.child_id and c.level = 0 and not c.held_back "
        "where p.number is not null and p.answered order by 1 limit :count",
        count=count,
    )


def protect_children(here: Installation, parent: UUID) -> None:
    """Let all children of a guardian be fortrolige from now on."""
    here.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run) "
        "select owner, 'protection', child_id, 2, 'own', 1, now(), true from golden.guardian_access "
        "where adult = :adult returning 1",
        adult=str(parent),
    )


def set_aside_in_krr(here: Installation, number: str) -> None:
    """Let the newest checked run have set KRR's row about a person aside."""
    here.query(
        "insert into control.quarantine "
        "(owner, run, table_name, row_id, rule, reason, responsible, key, subject, row_hash) "
        "select 'haugesund', max(run), 'krr_contact', 999999, 'krr_contact.letters', 'Ødelagte bokstaver', "
        "'systemansvarlig', :number, :number, md5(:number) || md5(:number) from control.check_result returning 1",
        number=number,
    )
