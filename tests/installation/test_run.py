"""The results of a kommune's run: the access, the publication, and what can never happen."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import orjson
import pytest

from dataflyt.config.kommune import PlanKind
from dataflyt.errors import CheckFailed, DataInDoubt, NotApproved
from dataflyt.exports import feide_ldif_check
from dataflyt.run.approve import question
from dataflyt.run.check import check
from dataflyt.run.close_run import close_run
from dataflyt.run.merge import merge
from dataflyt.run.open_plan import open_plan
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from dataflyt.run.withdraw import withdraw
from dataflyt.storage import database
from dataflyt.warehouse import guard
from simulator import registers as simulated
from simulator.manifest import people
from simulator.model import Person, Responsibility
from tests.installation.fixtures import PUPILS, TO_PLAN, Installation, approve_and_release

LEVELS = {None: 0, "ugradert": 0, "klientadresse": 1, "fortrolig": 2, "strengtFortrolig": 3}


def test_a_first_run_asks_and_then_publishes_a_directory_that_feide_would_accept(installation: Installation) -> None:
    job = installation.open()
    for name, step in TO_PLAN.items():
        counts = step(job)
        assert counts is not None, name
    asked = question(job)
    assert asked is not None
    assert "første kjøring" in asked.body
    assert re.search("- Elever som begynner: [0-9]+ av 0, grensen er 10\u202f% eller 40", asked.body)
    approve_and_release(job)
    publish(job)
    report = close_run(job, [])
    assert report["outcome"] == "released"
    exports = installation.storage / "exports" / "haugesund"
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    findings = [
        finding
        for finding in feide_ldif_check.check(exports / manifest["publication"] / "feide.ldif")
        if finding.blocks
    ]
    assert findings == []
    (sizes,) = installation.query("select sizes from control.publication")[0]
    assert sizes["feide.ldif"]["people"] > PUPILS


def test_every_received_row_is_accounted_for(installation: Installation) -> None:
    report = installation.run()
    for table in report["tables"]:
        assert table["received"] == sum(table[part] for part in ("staged", "quarantined", "held_over", "duplicates")), (
            table["table"]
        )
    totals = report["totals"]
    assert totals["received"] > 5000
    assert totals["received"] == sum(count for name, count in totals.items() if name != "received")


@pytest.mark.after_first_run
def test_a_second_run_changes_nothing_and_publishes_the_same_bytes(installation: Installation) -> None:
    first = installation.ldif()
    report = installation.run()
    assert report["outcome"] == "released"
    assert not any(report["changed"].values())
    assert "Ingenting er endret." in report["sentences"]
    assert installation.ldif() == first


@pytest.mark.after_first_run
def test_access_is_by_foreldreansvar_alone(installation: Installation) -> None:
    with_access = {
        (child, adult)
        for child, adult in installation.query(
            "select c.number, coalesce(p.number, a.adult) from golden.guardian_access a "
            "join golden.person c on c.person_id = a.child_id and c.to_run is null "
            "left join golden.person p on p.person_id::text = a.adult and p.to_run is null "
            "where a.to_run is null and a.state = 'active' and not exists (select from control.veto v "
            "where v.lifted_at is null and v.person_id = a.child_id and v.adult = a.adult)"
        )
        if not adult.startswith("uten:")
    }
    expected = {
        (person["number"], access["number"] or f"org:{access['organisation']}")
        for person in people(installation.registers.world)
        if "school" in person and person["number"] and not person["dead"]
        for access in person["access"]
        if access["access"] and (access["number"] or access["organisation"])
    }
    assert with_access == expected


@pytest.mark.after_first_run
def test_registers_are_asked_about_nobody_who_is_responsible_for_no_pupil(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = installation.registers.world
    parent = next(pupil.person for pupil in world.pupils if pupil.person and len(pupil.person.responsibility) == 2)
    stranger, its_child = (one.number for one in [*world.persons.values()][-2:])
    told = simulated._ELEMENTS["foreldreansvar"]

    def also_of_its_own_child(person: Person) -> Iterator[dict[str, object]]:
        yield from told(person)
        if person is parent:
            yield {"ansvar": "felles", "ansvarlig": stranger, "ansvarssubjekt": its_child, "erGjeldende": True}
            yield {"ansvar": "mor", "ansvarssubjekt": its_child, "erGjeldende": True}

    monkeypatch.setitem(simulated._ELEMENTS, "foreldreansvar", also_of_its_own_child)
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    named = "select count(*) from staging_haugesund.freg_foreldreansvar where ansvarlig = :number"
    assert installation.query(named, number=stranger) == [(1,)]
    asked = {
        register: [
            number
            for page in (job.landing(source).folder).glob(f"{pages}-*.request.json")
            for number in orjson.loads(page.read_bytes()).popitem()[1]
        ]
        for register, source, pages in (("freg", "freg", "2-guardians"), ("krr", "krr", "krr"))
    }
    assert {one.ansvarlig for one in parent.responsibility} <= {*asked["krr"]}
    assert stranger not in asked["freg"] + asked["krr"]
    # Nor is the pupil listed as one whom FREG names nobody responsible for.
    installation.run(job=job)
    listed = (
        "select l.value from golden.work_item w join golden.person_link l on l.person_id::text = w.subject "
        "where w.kind = 'responsible_not_named' and w.to_run is null and l.to_run is null and l.scheme = 'number'"
    )
    assert (parent.number,) not in installation.query(listed)


@pytest.mark.after_first_run
def test_protection_is_the_strictest_of_own_address_and_those_who_live_together(installation: Installation) -> None:
    found = dict(
        installation.query(
            "select p.number, x.level from golden.protection x join golden.person p using (person_id) "
            "where x.to_run is null and p.to_run is null and x.level > 0 and exists "
            "(select from golden.enrolment e where e.person_id = x.person_id and e.to_run is null)"
        )
    )
    expected = {
        person["number"]: LEVELS[person["protection"]["effective"]]
        for person in people(installation.registers.world)
        if "school" in person and LEVELS[person["protection"]["effective"]] and person["in_freg"]
    }
    assert found == expected


@pytest.mark.long
def test_nobody_at_a_secret_address_leaves_a_trace_outside_the_warehouse(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    installation.run()
    installation.run()
    written = {path: path.read_text(errors="replace") for path in _outside_landing(installation.storage)}
    texts = {**written, Path("log"): caplog.text}
    world = list(people(installation.registers.world))
    for person in world:
        level = person["protection"]["effective"]
        hidden = {
            where: word
            for where, word in person["canaries"].items()
            # fortrolig: name and account stay; everything that tells where the person is goes.
            if level == "strengtFortrolig" or (level == "fortrolig" and "navn" not in where)
        }
        for where, word in hidden.items():
            leaks = [str(path) for path, text in texts.items() if word.lower() in text.lower()]
            assert leaks == [], f"{where} of a person who is {level}"
    everybody = {person["number"] for person in world if person["number"]}
    for path, text in texts.items():
        numbers = set(re.findall(r"(?<!\d)\d{11}(?!\d)", text)) & everybody
        if path.suffix == ".ldif":
            guardians = {person["number"] for person in world if person["number"] and person["roles"] == ["guardian"]}
            assert numbers & guardians == set()
        elif path.name == "pifu.xml":  # goes to the school system, which has the numbers; hidden people's are not in it
            secret = {person["number"] for person in world if person["protection"]["effective"] == "strengtFortrolig"}
            assert numbers & secret == set()
        else:
            assert numbers == set(), path


def _outside_landing(storage: Path) -> list[Path]:
    return [path for path in storage.rglob("*") if path.is_file() and "landing" not in path.parts]


@pytest.mark.after_first_run
def test_a_check_that_stops_the_run_cannot_hold_back_a_raised_protection(installation: Installation) -> None:
    child = next(
        pupil for pupil in installation.registers.world.pupils if pupil.person and not pupil.person.cases
    ).person
    assert child is not None
    assert child.number in installation.ldif()
    child.protection, child.home = "strengtFortrolig", None
    # Half of the school's people are gone from its file: the check must stop the run.
    world = installation.registers.world
    kept = [pupil for pupil in world.pupils if pupil.person is child or pupil.sas.person_id[-1] in "13579"]
    world.pupils[:] = kept[: len(kept) // 2] if child in [p.person for p in kept[: len(kept) // 2]] else kept
    known = {pupil.sas.person_id for pupil in world.pupils}
    for group in world.groups:
        group.members[:] = [member for member in group.members if member.role != "01" or member.person_id in known]
    installation.registers.write()
    report = installation.run()
    assert report["outcome"] == "failed"
    assert report["failed"] == ["check"]
    assert child.number not in installation.ldif()
    kept_files = list((installation.storage / "exports").rglob("*.ldif"))
    assert all(child.number not in path.read_text() for path in kept_files)


@pytest.mark.after_first_run
def test_access_that_freg_ends_is_gone_even_when_the_run_is_rejected(installation: Installation) -> None:
    child, adult = _plain_pair(installation)
    child.responsibility[:] = [record for record in child.responsibility if record.ansvarlig != adult]
    child.responsibility.append(Responsibility("felles", _newcomer(installation, child.number)))
    before = installation.dump()
    report = installation.run(answer="rejected")
    assert report["outcome"] == "rejected"
    assert installation.dump() == before
    assert _access(installation, child.number) == {
        record.ansvarlig for record in child.responsibility if record.ansvarlig
    } - {_newcomer(installation, child.number)}


@pytest.mark.after_first_run
def test_a_new_guardian_in_place_of_an_old_one_is_asked_about(installation: Installation) -> None:
    child, adult = _plain_pair(installation)
    newcomer = _newcomer(installation, child.number)
    child.responsibility[:] = [record for record in child.responsibility if record.ansvarlig != adult]
    child.responsibility.append(Responsibility("felles", newcomer))
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    asked = question(job)
    assert asked is not None
    with pytest.raises(NotApproved, match="ikke godkjent"):
        release(job)
    approve_and_release(job)
    publish(job)
    assert newcomer in _access(installation, child.number)
    assert adult not in _access(installation, child.number)


@pytest.mark.after_first_run
def test_an_answer_without_foreldreansvar_takes_no_access_and_stops_the_run(installation: Installation) -> None:
    before = installation.query("select count(*) from golden.guardian_access where to_run is null and state = 'active'")
    for person in installation.registers.world.persons.values():
        person.responsibility.clear()
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    with pytest.raises(DataInDoubt):
        withdraw(job)
    assert close_run(job, ["withdraw"])["outcome"] == "failed"
    assert installation.query("select 1 from control.veto where kind = 'access_ended'") == []
    after = installation.query("select count(*) from golden.guardian_access where to_run is null and state = 'active'")
    assert after == before


@pytest.mark.long
def test_a_lowered_protection_is_asked_about_and_lifted_only_by_release(installation: Installation) -> None:
    child = next(
        pupil.person
        for pupil in installation.registers.world.pupils
        if pupil.person and not pupil.person.cases and not pupil.second_school
    )
    child.protection, home = "fortrolig", child.home
    child.home_grading = "fortrolig"
    installation.run()
    child.protection, child.home_grading = None, "ugradert"
    assert child.home is home
    level = (
        "select max(level) from control.veto v join golden.person p using (person_id) "
        "where v.kind = 'protection' and v.lifted_at is null and p.to_run is null and p.number = :number"
    )
    installation.run(answer="rejected")
    assert installation.query(level, number=child.number)[0][0] == 2
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    asked = question(job)
    assert asked is not None
    assert "beskytt" not in asked.body.lower()
    approve_and_release(job)
    assert installation.query(level, number=child.number)[0][0] is None


@pytest.mark.after_first_run
def test_a_row_in_quarantine_leaves_what_was_known(installation: Installation) -> None:
    before = installation.ldif()
    world = installation.registers.world
    group = next(group for group in world.groups if group.kind[1] == "basisgruppe" and len(group.members) > 5)
    pupil = next(member for member in group.members if member.role == "01")
    pupil.role = "17"  # no role that PIFU-IMS knows
    installation.registers.write()
    report = installation.run()
    assert [(row["table_name"], row["rule"]) for row in report["quarantine"] if row["table_name"] == "sas_membership"]
    assert not any(report["changed"].values())
    assert installation.ldif() == before


@pytest.mark.after_first_run
def test_limits_are_of_what_there_is_and_of_every_kind(installation: Installation) -> None:
    plain = [p.person for p in installation.registers.world.pupils if p.person and not p.person.cases and not p.cases]
    plain[0].family = "Nyttnavn"
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    assert question(job) is None  # one of many names, below 5 percent and 20
    for pupil in plain[:21]:
        pupil.family = "Nyttnavn"
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    asked = question(job)
    assert asked is not None
    assert "«Navn som endres» er over grensen" in asked.body
    assert {kind.split("_")[0] for kind in get_args(PlanKind)} - {"protection"} == set(guard._BASE)


def test_an_answer_about_somebody_else_gives_a_child_nobody_elses_guardians(installation: Installation) -> None:
    world = installation.registers.world
    child, other = [p.person for p in world.pupils if p.person and not p.person.cases and not p.cases][:2]
    world.by_any_number[child.number] = other
    report = installation.run()
    assert "freg_person.somebody_else" in {row["rule"] for row in report["quarantine"]}
    assert _access(installation, child.number) == set()
    assert child.number not in installation.ldif()
    world.by_any_number[child.number] = child
    installation.run()
    assert _access(installation, child.number) == {record.ansvarlig for record in child.responsibility}
    assert child.number in installation.ldif()


@pytest.mark.after_first_run
def test_another_kommune_sees_nothing(installation: Installation) -> None:
    url = installation.warehouse_url.replace("kommune_haugesund", "kommune_bergen")
    engine = database.engine(url)
    with database.transaction(engine, "bergen", lock=False) as connection:
        tables = list(
            connection.exec_driver_sql(
                "select schemaname || '.' || tablename from pg_tables "
                "where schemaname in ('control', 'history', 'golden')"
            ).scalars()
        )
        assert len(tables) > 40
        for table in tables:
            assert connection.exec_driver_sql(f"select count(*) from {table}").scalar() == 0, table
        assert not connection.exec_driver_sql("select has_schema_privilege('staging_haugesund', 'usage')").scalar()


def test_staging_that_a_crash_has_emptied_is_built_again(installation: Installation) -> None:
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    with database.transaction(job.db, job.owner) as connection:
        connection.exec_driver_sql("truncate staging_haugesund.freg_navn, staging_haugesund.sas_membership")
    check(job)
    merge(job)
    assert installation.query("select count(*) from history.freg_navn")[0][0] > 2 * PUPILS
    assert installation.query("select count(*) from history.sas_membership")[0][0] > 2 * PUPILS


def test_a_kommune_without_the_legal_basis_never_asks_for_foreldreansvar(installation: Installation) -> None:
    basis = installation.kommune.legal_basis.model_copy(update={"freg": "none"})
    installation.kommune = installation.kommune.model_copy(update={"legal_basis": basis})
    installation.run()
    assert installation.query("select 1 from history.freg_foreldreansvar") == []
    assert installation.query("select 1 from golden.guardian_access") == []


def test_publishing_what_is_not_released_is_refused(installation: Installation) -> None:
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    with pytest.raises(CheckFailed):
        publish(job)
    assert not (installation.storage / "exports").exists()


def _plain_pair(installation: Installation):  # type: ignore[no-untyped-def]
    """Return an ordinary pupil, and one of two guardians."""
    for pupil in installation.registers.world.pupils:
        person = pupil.person
        if person and not person.cases and not pupil.cases and len(person.responsibility) == 2:
            return person, person.responsibility[0].ansvarlig
    raise AssertionError("no plain pupil")


def _newcomer(installation: Installation, child: str) -> str:
    """Return a person in FREG who is no relative of the child."""
    return next(
        person.number
        for person in installation.registers.world.persons.values()
        if person.roles == ["guardian"]
        and not person.cases
        and not person.protection
        and child not in [number for number, *_ in person.children]
    )


def _access(installation: Installation, child: str) -> set[str]:
    """Return those with access to a child in the released record, under the vetoes."""
    with open_plan(installation.kommune, installation.environment, None) as opened:
        from dataflyt.warehouse import runs, vetoed_views

        connection = opened.connection
        vetoed_views.views(connection, "haugesund", runs.released_before(connection, "haugesund"), "now_")
        found = connection.exec_driver_sql(
            "select p.number from now_guardian_access a join now_person p on p.person_id::text = a.adult "
            "join now_person c on c.person_id = a.child_id where a.state = 'active' and c.number = %s",
            (child,),
        )
        return set(found.scalars())
