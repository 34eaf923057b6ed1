"""A person who has left everything is gone from every table and file; one who is here, or decided about, stays."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from dataflyt.operations import retention
from dataflyt.run.erase import remember
from dataflyt.storage import database
from dataflyt.warehouse import erasure
from simulator.model import Person, Pupil
from tests.installation.fixtures import Installation
from tests.records.canaries import admin_url, found
from tests.warehouse.test_rules import _leave, _person, _plain_pupils

NOW, LATER = datetime(2026, 11, 28, tzinfo=UTC), datetime(2027, 3, 1, 3, tzinfo=UTC)


def gone(installation: Installation, pupil: Pupil) -> list[str]:
    """Let a pupil and the guardians leave; return their words: numbers, local ids, user names, contact values."""
    world, person = installation.registers.world, _person(pupil)
    adults = [world.persons[record.ansvarlig or ""] for record in person.responsibility]
    words = [person.number, pupil.sas.person_id, *(adult.number for adult in adults)]
    for adult in adults:
        words += [
            value for value in (adult.contact and adult.contact.epost, adult.contact and adult.contact.mobil) if value
        ]
    words += [
        uid
        for (uid,) in installation.query(
            "select uid from control.account_name where person_id = :id", id=person_id(installation, person)
        )
    ]
    _leave(installation, pupil)
    for guardian in list(pupil.sas.guardians):
        if sum(guardian in other.sas.guardians for other in world.pupils) == 0:
            for number, one in list(world.sas_guardians.items()):
                if one.person_id == guardian:
                    words.append(guardian)
                    del world.sas_guardians[number]
    installation.registers.write()
    return words


def person_id(installation: Installation, person: Person) -> Any:
    sql = "select person_id from golden.person_link where scheme = 'number' and value = :number and to_run is null"
    rows = installation.query(sql, number=person.number)
    return rows[0][0] if rows else None


def retain(installation: Installation, at: datetime = LATER) -> dict[str, int]:
    installation.clock = at
    return retention.retain(installation.kommune, installation.environment)


@pytest.mark.long
@pytest.mark.after_first_run
def test_who_left_everything_is_nowhere_after_the_kommunes_days_and_not_a_day_before(
    installation: Installation,
) -> None:
    here = installation
    pupil, stays = _plain_pupils(here)[:2]
    known = person_id(here, _person(pupil))
    ((uid,),) = here.query("select uid from control.account_name where person_id = :id", id=known)
    words = gone(here, pupil)
    here.run()
    held = found(here, words)
    assert {"golden.person", "history.freg_person", "control.account_name", "history.krr_contact"} <= held.keys()
    assert any(name.startswith("exports/") for name in held), "the publication before is still on disk"

    # The run is of 24 November 04.00 in Norway: the ninetieth day after is 22 February there, also at 23.30 in UTC.
    before = here.dump()
    counts = retain(here, datetime(2027, 2, 21, 22, 30, tzinfo=UTC))
    assert (counts["people"], counts["landing"]) == (0, 1)
    assert here.dump() == before
    counts = retain(here, datetime(2027, 2, 21, 23, 30, tzinfo=UTC))
    assert counts["people"] == 3
    assert found(here, words) == {}
    assert found(here, [_person(stays).number]).keys() >= {"golden.person", "history.freg_person"}
    assert here.query("select count(*) from golden.person where to_run is null")[0][0] > 100
    assert retain(here)["people"] == 0

    # A backup of a day on which they were held, and not yet known to be erased: erased again the next night.
    with database.transaction(database.engine(here.warehouse_url), "haugesund") as connection:
        assert len(remember(connection, here.kommune, here.environment)) == 3
    _write(
        here,
        "insert into golden.person_link (owner, from_run, scheme, value, person_id, current) "
        "values ('haugesund', 2, 'number', :number, :id, true)",
        number=_person(pupil).number,
        id=known,
    )
    days = here.kommune.retention.model_copy(update={"history_days": 1826})
    kommune, here.kommune = here.kommune, here.kommune.model_copy(update={"retention": days})
    assert found(here, words)
    retain(here)
    assert found(here, words) == {}
    here.kommune = kommune

    # Back in the next week: the same person, with another user name, for the old one is nobody's.
    here.clock = NOW
    here.registers.world.pupils.append(pupil)
    here.registers.write()
    here.run()
    assert person_id(here, _person(pupil)) == known
    ((named,),) = here.query("select uid from control.account_name where person_id = :id", id=known)
    assert named != uid


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_protected_person_is_erased_uncounted_and_comes_back_protected(
    installation: Installation,
) -> None:
    here = installation
    pupil = _plain_pupils(here)[0]
    person = _person(pupil)
    person.protection = "strengtFortrolig"
    here.run()
    known = person_id(here, person)
    words = gone(here, pupil)
    here.run()
    counts = retain(here)
    assert found(here, words) == {}
    vetoes = here.query("select count(*) from control.veto where person_id = :id and lifted_at is null", id=known)
    assert vetoes[0][0] >= 1
    assert counts["people"] == 0, "neither the protected, nor the guardians, whose leaving would tell of the child"

    # Back, and FREG no longer says that anybody is protected: it takes people, as if the person had been here always.
    person.protection = None
    here.registers.world.pupils.append(pupil)
    here.registers.write()
    here.clock = NOW
    job = here.open()
    here.run(answer="rejected", job=job)
    ((asks,),) = here.query("select asks from control.run where run = :run", run=job.run.number)
    assert asks, "the lowering waits for an answer"
    still = here.query("select count(*) from control.veto where person_id = :id and lifted_at is null", id=known)
    assert still[0][0] >= 1
    assert person.number not in here.ldif()


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_erased_person_is_known_by_any_former_number(installation: Installation) -> None:
    here = installation
    pupil = _plain_pupils(here)[0]
    person = _person(pupil)
    known, world = person_id(here, person), here.registers.world
    words = gone(here, pupil)
    here.run()
    retain(here)
    assert found(here, words) == {}
    _write(
        here,
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
        "values ('haugesund', 'protection', :id, 3, 'register', 1, now())",
        id=known,
    )
    old, other = person.number, next(p for p in _plain_pupils(here) if p is not pupil)
    new = _person(other).number
    ended = (old, "foedselsnummer", world.day)
    _leave(here, other)
    world.pupils.append(pupil)
    person.former_numbers.append(ended)
    del world.persons[new], world.persons[old]
    person.number = pupil.sas.number = new
    world.persons[new] = world.by_any_number[new] = world.by_any_number[old] = person
    here.registers.write()
    here.clock = NOW
    here.run()
    assert person_id(here, person) is not None
    assert new not in here.ldif(), "protected as the person that the former number was"


def _write(installation: Installation, sql: str, **bound: object) -> None:
    db = database.engine(installation.warehouse_url)
    with database.transaction(db, installation.kommune.id) as connection:
        connection.execute(text(sql), bound)


HOLDS = {
    "a block": "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
    "values ('haugesund', gen_random_uuid(), :person, 'other', '1', '101', now())",
    "an override": "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, "
    "approved_by, from_run) values ('haugesund', cast(:person as uuid), 'adressebeskyttelse', 'fortrolig', 'x', '1', "
    "'101', '102', 1)",
    "a waiting proposal": "insert into control.proposal (owner, kind, said, proposed_by, proposed_by_name) "
    "values ('haugesund', 'lift_block', '{\"adult\":\"' || :person || '\"}', '101', 'Anita')",
    "protection of another": "insert into control.veto (owner, kind, person_id, level, cause, cause_person_id, run, "
    "learned_at) select 'haugesund', 'protection', person_id, 3, 'household', cast(:person as uuid), 1, now() "
    "from golden.enrolment where to_run is null limit 1",
}


@pytest.mark.after_first_run
def test_a_decision_in_force_or_the_protection_of_another_holds(installation: Installation) -> None:
    here = installation
    pupils = _plain_pupils(here)[: len(HOLDS)]
    people = [person_id(here, _person(pupil)) for pupil in pupils]
    for pupil in pupils:
        gone(here, pupil)
    here.run(answer="approved")
    for person, sql in zip(people, HOLDS.values(), strict=True):
        _write(here, sql, person=str(person))
    retain(here)
    held = [person_id(here, _person(pupil)) for pupil in pupils]
    assert held == people


@pytest.mark.after_first_run
def test_who_a_waiting_run_brings_back_or_ends_is_not_erased(installation: Installation) -> None:
    here = installation
    back, leaves = _plain_pupils(here)[:2]
    gone(here, back)
    here.run()
    here.registers.world.pupils.append(back)
    gone(here, leaves)
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    ((digest,),) = here.query("select plan_digest from control.run where run = :run", run=job.run.number)
    retain(here)
    assert person_id(here, _person(back)) is not None
    assert person_id(here, _person(leaves)) is not None
    from tests.installation.fixtures import approve_and_release

    here.clock = datetime(2026, 11, 27, tzinfo=UTC)
    approve_and_release(job)
    assert here.query("select plan_digest from control.run where run = :run", run=job.run.number) == [(digest,)]


def test_every_table_is_erased_from_or_kept_for_a_reason(installation: Installation) -> None:
    tables = {
        name
        for (name,) in installation.query(
            "select schemaname || '.' || tablename from pg_tables "
            "where schemaname in ('control', 'history', 'golden', 'events')"
        )
    }
    named = {name.lower() for name in (*erasure.ERASED, *erasure.KEPT)}
    assert tables - named == set(), "say in warehouse/erasure.py what an erasure does with these"
    assert named - tables == set()


@pytest.mark.after_first_run
def test_landing_goes_after_fourteen_days_and_staging_when_the_run_is_settled(installation: Installation) -> None:
    here = installation
    landing = here.storage / "landing" / "haugesund"
    retain(here, here.clock + timedelta(days=13))
    assert [folder.name for folder in landing.iterdir()] == ["000001"]
    assert here.query("select count(*) from staging_haugesund.sas_person") == [(0,)]
    retain(here, here.clock + timedelta(days=2))
    assert list(landing.iterdir()) == []
    here.clock = datetime(2026, 12, 20, tzinfo=UTC)
    report = here.run()
    assert not any(report["changed"].values())


OLD, NEW = "now() - interval '5 years 1 day'", "now() - interval '5 years' + interval '1 day'"


def test_the_audit_and_decisions_go_five_years_after_their_end_and_nothing_that_is_in_force(
    installation: Installation,
) -> None:
    rows = {
        "audit": "(owner, at, user_id, user_name, login, action, detail, purpose, place) "
        "values ('haugesund', {at}, '101', 'A', 'a', 'look up', '', 'x', 'x')",
        "access_block": "(owner, child_id, adult, basis, case_number, decided_by, decided_at, lifted_at, lifted_by, "
        "lifted_by_second) values ('haugesund', gen_random_uuid(), 'x', 'other', '1', 'a', {at}, {at}, 'a', 'b')",
        "proposal": "(owner, kind, said, proposed_by, proposed_by_name, proposed_at, answer, answered_by, answered_at) "
        "values ('haugesund', 'x', '{{}}', 'a', 'A', {at}, 'refused', 'b', {at})",
        "access_grant": "(owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, decided_by, "
        "approved_by, from_run, until) values ('haugesund', gen_random_uuid(), 'org:974553031', 'organisation', "
        "'verge', 'x', '1', 'a', 'a', 'b', 1, {at})",
    }
    with psycopg.connect(admin_url(installation)) as superuser:
        superuser.execute("set session_replication_role = replica")  # rows of a time when nothing was in the way
        for number, at in enumerate((OLD, NEW), 1):
            for table, row in rows.items():
                columns, values = row.format(at=at).split(" values (", 1)
                if table != "audit":
                    columns, values = (
                        columns.replace("(owner", f"(owner, {table}"),
                        values.replace("'haugesund'", f"'haugesund', {number}", 1),
                    )
                superuser.execute(f"insert into control.{table} {columns} values ({values}")
            superuser.execute(
                "insert into control.consent (owner, consent, access_grant, given_by, how, given_at) "
                f"values ('haugesund', {number}, {number}, 'x', 'brev', {at})"
            )
        superuser.execute(
            "insert into control.access_block (owner, access_block, child_id, adult, basis, case_number, decided_by, "
            f"decided_at) values ('haugesund', 3, gen_random_uuid(), 'x', 'other', '1', 'a', {OLD})"
        )
        # A consent that was withdrawn lately, of a grant that ended long ago.
        columns, values = rows["access_grant"].format(at=OLD).split(" values ('haugesund'", 1)
        superuser.execute(
            f"insert into control.access_grant {columns.replace('(owner', '(owner, access_grant')} "
            f"values ('haugesund', 3{values}"
        )
        superuser.execute(
            "insert into control.consent (owner, consent, access_grant, given_by, how, given_at, withdrawn_at, "
            f"withdrawn_by) values ('haugesund', 3, 3, 'x', 'brev', {OLD}, {NEW}, 'x')"
        )
    with database.transaction(database.engine(installation.warehouse_url), "haugesund") as connection:
        counts = erasure.forget_old(connection, "haugesund", days=90, today=NOW.date())
    assert {table: counts[table] for table in (*rows, "consent")} == dict.fromkeys((*rows, "consent"), 1)
    assert installation.query("select access_block from control.access_block order by 1") == [(2,), (3,)]
    assert installation.query("select access_grant from control.access_grant order by 1") == [(2,), (3,)]
    assert installation.query("select consent from control.consent order by 1") == [(2,), (3,)]
    with (
        psycopg.connect(installation.warehouse_url.replace("+psycopg", "")) as kommune,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        kommune.execute("delete from control.access_block where access_block = 3")
