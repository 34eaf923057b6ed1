"""People without the right to see protection can read nothing that tells how many are protected, or who."""

from typing import Any

import orjson
import psycopg
import pytest
from sqlalchemy import make_url

from dataflyt.operations import metrics, work_list
from dataflyt.run.approve import question
from dataflyt.run.close_run import close_run
from dataflyt.run.open_plan import open_plan
from dataflyt.run.publish import publish
from dataflyt.warehouse import runs
from simulator.model import Person, SasPerson
from tests.installation.fixtures import LOOKING, TO_PLAN, Installation, _libpq, approve_and_release, respond
from tests.installation.test_run import _access, _newcomer
from tests.warehouse.test_consent import _consent, _young
from tests.warehouse.test_rules import _leave, _person, _plain_pupils


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("level", ["fortrolig", "strengtFortrolig"])
@pytest.mark.parametrize("who", ["pupil", "employee"])
def test_two_worlds_that_differ_in_one_persons_protection_read_the_same(
    installation: Installation, level: str, who: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One week without and one with the protection, from the same state. Everything told of the two is compared."""
    here = installation
    child, friend = (_person(pupil) for pupil in _plain_pupils(here)[:2])
    friend.family = "Nyttnavn"
    if who == "employee":  # a pupil who works at a school too
        here.registers.world.employees[0].number = child.number
        here.registers.write()
        here.run()
    _without_details(here, child)
    here.run()
    without, with_protection = _two_worlds(here, child, level, caplog)
    assert with_protection == without
    assert not _access(here, child.number) or level == "fortrolig"


@pytest.mark.long
def test_a_first_run_tells_the_same_of_a_fortrolig_and_counts_nowhere_who_is_in_no_export(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    child = _person(_plain_pupils(installation)[0])
    _without_details(installation, child)
    without, with_protection = _two_worlds(installation, child, "fortrolig", caplog)
    assert with_protection == without
    strict, _ = _two_worlds(installation, child, "strengtFortrolig", caplog)
    assert with_protection == strict


def _without_details(here: Installation, child: Person) -> None:
    """Let the guardians of a child have no contact details.

    A protection withholds them, and the plan tells of a change as it does where KRR has none any more
    (``test_told_alike``). The two worlds differ in nothing then. The work list has the guardians while they are found.
    """
    for record in child.responsibility:
        guardian = here.registers.world.persons[record.ansvarlig or ""]
        guardian.contact = None
        here.not_compared.add(" ".join(filter(None, (guardian.given, guardian.middle, guardian.family))))


def _two_worlds(
    here: Installation, child: Person, level: str, caplog: pytest.LogCaptureFixture
) -> tuple[dict[str, Any], dict[str, Any]]:
    told = []
    for protected in (False, True):
        if protected:
            child.protection = level
            if level == "fortrolig":
                child.home_grading = "fortrolig"
            else:
                child.home = None
        caplog.clear()
        told.append(_everything_told(here, caplog))
        job = here.job
        with job.transaction() as connection:  # undo the run
            runs.undo(connection, job.owner, job.run.number, "rejected")
            if not protected:
                number = job.run.number
                connection.exec_driver_sql("delete from control.run where run = %s", (number,))
    return told[0], told[1]


def _everything_told(here: Installation, caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    caplog.set_level("INFO")
    here.job = job = here.open("the-run")
    told: dict[str, Any] = {name: step(job) for name, step in TO_PLAN.items()}
    asked = question(job)
    told["question"] = asked and asked.body.replace(asked.digest[:16], "")
    with open_plan(here.kommune, here.environment, None, LOOKING) as opened:
        told["plan"] = opened.changes()
        told["rows"] = list(opened.rows())
        told["asks"] = opened.run.asks
    told["work_list"] = _compared(here, work_list.items(here.kommune, here.environment, LOOKING))
    respond(job, "rejected")
    told["closed"] = close_run(job, [])
    report = orjson.loads((here.storage / f"reports/haugesund/run-{job.run.number:06d}.json").read_bytes())
    told["report"] = report
    told["metrics"] = [*metrics.of_run(report), *metrics.of_run({**report, "outcome": "released"})]
    told["files"] = sorted(
        (path.name, path.stat().st_size)
        for path in here.storage.rglob("*")
        if path.is_file() and "exports" not in path.parts and "reports" not in path.parts
    )
    told["log"] = [record.getMessage() for record in caplog.records if record.name.startswith("dataflyt")]
    return told


@pytest.mark.after_first_run
def test_accounts_in_the_plan_and_entries_in_the_file_differ_by_nobody(installation: Installation) -> None:
    here = installation
    (sizes,) = here.query("select sizes from control.publication")[0]
    with open_plan(here.kommune, here.environment, 1, LOOKING) as opened:
        created = opened.counts()["account_created"]
    assert created == sizes["feide.ldif"]["people"]
    # A count that was told stays as it was told, even when somebody is protected later.
    child = _person(_plain_pupils(here)[0])
    child.protection, child.home = "strengtFortrolig", None
    here.run()
    with open_plan(here.kommune, here.environment, 1, LOOKING) as opened:
        assert opened.counts()["account_created"] == created
        assert list(opened.rows()) == [], "what is missing from the rows would tell of whom"


@pytest.mark.after_first_run
def test_a_run_that_hides_somebody_tells_airflow_what_one_that_hides_nobody_does(installation: Installation) -> None:
    here, told = installation, []
    for hides in (False, True):
        if hides:
            child = _person(_plain_pupils(here)[0])
            child.protection, child.home = "strengtFortrolig", None
        job = here.open()
        counts = {name: step(job) for name, step in TO_PLAN.items()}
        approve_and_release(job)
        published, closed = publish(job), close_run(job, [])
        del closed["report"]  # the one that is read below
        report = orjson.loads((here.storage / f"reports/haugesund/run-{job.run.number:06d}.json").read_bytes())
        manifest = orjson.loads((here.storage / "exports/haugesund/manifest.json").read_bytes())
        # Who reads the manifest reads the changes too, and sees there who is deleted: "earlier" tells no more.
        assert [sorted(file.keys() - {"earlier"}) for file in manifest.pop("files")] == [
            ["changes", "file", "sha256"]
        ] * 2
        for known_to_differ in ("run", "as_of"):
            report.pop(known_to_differ), manifest.pop(known_to_differ)
        assert manifest.pop("publication").startswith(f"{job.run.number:06d}-")
        told.append((counts, published, closed, report, manifest))
    assert child.number not in here.ldif()
    assert told[0] == told[1]


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_digest_of_a_plan_without_changes_says_nothing_of_what_only_graded_may_see(
    installation: Installation,
) -> None:
    here = installation
    for _ in range(2):
        here.run()
    child = _person(_plain_pupils(here)[0])
    child.protection, child.home = "strengtFortrolig", None
    here.run()
    told = here.query("select distinct plan_digest from control.run")
    assert len(told) == 4, "each run's is its own, whether anything is in the plan or not"


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("in_the_school_system", [True, False])
def test_a_consent_that_falls_by_protection_is_told_only_to_those_who_may_see_it(
    installation: Installation, in_the_school_system: bool, caplog: pytest.LogCaptureFixture
) -> None:
    here, world = installation, installation.registers.world
    child = _young(here, 0)
    friend = world.persons[_newcomer(here, child.number)]
    _consent(here, child, friend.number, [record.ansvarlig or "" for record in child.responsibility])
    _without_details(here, child)
    if in_the_school_system:
        sas = next(pupil.sas for pupil in world.pupils if pupil.person is child)
        kept = SasPerson("by-hand", friend.number, friend.given, friend.family, friend.sex, friend.born)
        world.sas_ids[friend.number] = kept.person_id
        world.sas_guardians[friend.number] = kept
        sas.guardians.append(kept.person_id)
    here.registers.write()
    here.run()
    assert friend.number in _access(here, child.number)
    told = []
    for protected in (False, True):
        if protected:
            child.protection = child.home_grading = "fortrolig"
        caplog.clear()
        told.append(_everything_told(here, caplog))
        job = here.job
        with job.transaction() as connection:
            runs.undo(connection, job.owner, job.run.number, "rejected")
            if not protected:
                connection.exec_driver_sql("delete from control.run where run = %s", (job.run.number,))
    assert told[1] == told[0]
    # After the release the protection is lowered again: the consent stays fallen, and nobody else is told.
    listed = _people_listed(here)
    here.run()
    assert friend.number not in _access(here, child.number)
    assert _people_listed(here) == listed
    child.protection, child.home_grading = None, "ugradert"
    here.run()
    assert friend.number not in _access(here, child.number)
    assert _people_listed(here) == listed
    graded = {item.kind for item in _people_listed(here, graded=True) if item not in listed}
    assert ("sas_guardian_without_basis" in graded) is in_the_school_system


def _people_listed(here: Installation, *, graded: bool = False) -> list[work_list.Item]:
    listed = work_list.items(here.kommune, here.environment, LOOKING, graded=graded)
    return [item for item in _compared(here, listed) if item.kind != "file_same"]


def _compared(here: Installation, listed: list[work_list.Item]) -> list[work_list.Item]:
    return [one for one in listed if one.kind != "guardian_not_reached" or one.whom not in here.not_compared]


@pytest.mark.long
def test_a_tables_size_tells_another_kommune_nothing(installation: Installation) -> None:
    """Protection changes no table's number of rows, and another kommune's role may not estimate the number."""
    here = installation
    here.run()
    people = list(here.registers.world.persons.values())
    before = _sizes(here)
    asked = here.query("select number from golden.person where to_run is null and answered and number is not null")
    known = {number for (number,) in asked}
    graded = [one for one in people if one.number in known and not one.protection and not one.cases][:5]
    for one in graded:
        one.protection, one.home = "strengtFortrolig", None
    here.run()
    after = _sizes(here)
    tables = ("staging_haugesund.freg_adressebeskyttelse", "staging_haugesund.freg_bostedsadresse")
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
    standing = "select count(*) from {} where to_run is null"
    (persons,) = here.query("select count(distinct person_id) from golden.person_link where to_run is null")[0]
    assert here.query(standing.format("golden.protection"))[0][0] == persons
    (documents,) = here.query(standing.format("history.freg_person"))[0]
    assert here.query(standing.format("history.freg_adressebeskyttelse"))[0][0] == documents


def _sizes(here: Installation) -> dict[str, int]:
    url = make_url(here.admin_url).set(database=make_url(here.warehouse_url).database)
    with psycopg.connect(_libpq(url)) as connection:
        found = connection.execute(
            "select n.nspname || '.' || c.relname, c.reltuples::bigint from pg_class c "
            "join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'staging_haugesund' and c.relkind = 'r'"
        )
        return dict(found.fetchall())


@pytest.mark.parametrize(
    "question",
    [
        "select reltuples from pg_class",
        "select relpages from pg_class",
        "select * from pg_class",
        "select n_live_tup from pg_stat_all_tables",
        "select n_tup_ins from pg_stat_user_tables",
        "select idx_tup_read from pg_stat_all_indexes",
        "select heap_blks_read from pg_statio_all_tables",
        "select tup_inserted from pg_stat_database",
        "select pg_stat_get_tuples_inserted(oid) from pg_class",
        "select pg_relation_size(oid) from pg_class",
        "select pg_relation_size(oid, 'main') from pg_class",
        "select pg_total_relation_size(oid) from pg_class",
        "select pg_table_size(oid) from pg_class",
        "select pg_indexes_size(oid) from pg_class",
        "select pg_database_size(current_database())",
    ],
)
def test_a_kommunes_role_cannot_ask_how_large_tables_are(installation: Installation, question: str) -> None:
    url = make_url(installation.warehouse_url).set(username="kommune_bergen")
    with (
        psycopg.connect(_libpq(url)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(question).fetchall()


@pytest.mark.after_first_run
def test_the_numbers_of_a_kommunes_vetoes_have_no_gaps_that_count_anothers(installation: Installation) -> None:
    here = installation
    (between,) = here.query("select count(*) from control.veto where owner = 'haugesund'")[0]
    assert between, "the first run has written some"
    url = make_url(here.warehouse_url).set(username="kommune_bergen")
    inserted = (
        "insert into control.veto (owner, kind, person_id, cause, run, learned_at) "
        "values ('bergen', 'death', gen_random_uuid(), 'register', 1, now()) returning veto"
    )
    with psycopg.connect(_libpq(url)) as connection:
        assert [connection.execute(inserted).fetchone() for _ in range(2)] == [(1,), (2,)]


@pytest.mark.long
def test_a_child_without_a_dwelling_is_protected_as_its_fortrolige_guardian_and_as_a_sibling_who_has_left(
    installation: Installation,
) -> None:
    here = installation
    world = here.registers.world
    plain = _plain_pupils(here)
    lost, elder, younger = _person(plain[0]), plain[1], _person(plain[2])
    # Two pupils with the same guardians; one of them leaves the school.
    younger.responsibility[:] = [type(r)(r.ansvar, r.ansvarlig) for r in _person(elder).responsibility]
    _person(elder).protection, _person(elder).home = "strengtFortrolig", None
    here.registers.write()
    here.run()
    assert _level(here, younger) == 3
    _leave(here, elder)
    here.registers.write()
    here.run()
    assert _level(here, younger) == 3
    assert younger.number not in here.ldif()

    guardian = world.persons[lost.responsibility[0].ansvarlig or ""]
    guardian.protection, lost.home = "fortrolig", None
    here.run()
    assert _level(here, lost) == 2


def _level(here: Installation, person: Person) -> int:
    sql = (
        "select x.level from golden.protection x join golden.person_link l using (person_id) where x.to_run is null "
        "and l.to_run is null and l.scheme = 'number' and l.value = :number"
    )
    return int(here.query(sql, number=person.number)[0][0])
