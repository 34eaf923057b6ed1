"""The rules that can hurt people, under changed numbers, half answers, quarantine, killed runs and late runs."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from dataflyt.errors import NotApproved, SourceUnavailable
from dataflyt.identity import numbers
from dataflyt.run.close_run import close_run
from dataflyt.run.landed import stage
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.withdraw import withdraw
from dataflyt.sources.freg import client as freg_client
from dataflyt.storage import database
from simulator.model import Person, Pupil
from tests.installation.fixtures import Installation, approve_and_release
from tests.installation.test_run import _access, _newcomer


@pytest.mark.long
def test_access_that_ended_stays_ended_whatever_becomes_of_numbers_and_rows(installation: Installation) -> None:
    plain = _plain_pupils(installation)
    moved, held, renamed, granted, hidden, grown, away = plain[:7]
    secret = "Kanarihemmelig"
    _person(hidden).protection, _person(hidden).home = "strengtFortrolig", None
    _person(hidden).family = hidden.sas.family = secret
    installation.registers.write()
    installation.run()
    assert secret not in installation.ldif()

    # The number changes in the register and in the school's file at once, and a guardian is gone in the same answer.
    gone = _person(moved).responsibility.pop(0).ansvarlig
    stays = _person(moved).responsibility[0].ansvarlig
    _new_number(installation, _person(moved), moved)
    # A guardian is gone, and the remaining row has an unknown word: the row is quarantined, the old rows held over.
    ended = _person(held).responsibility.pop(0).ansvarlig
    _person(held).responsibility[0].ansvar = "framtidig"
    # A blocked guardian comes back under a number that the register does not answer for.
    blocked = _person(renamed).responsibility[0].ansvarlig
    assert blocked
    _block(installation, _person(renamed).number, blocked)
    unanswered = _unused_number(installation, blocked)
    _person(renamed).responsibility[0].ansvarlig = unanswered
    # The school takes the number of a protected pupil out of its file.
    hidden.sas.number = None
    # A pupil has become 18: it is for the pupil to say who may see.
    was_guardian = {record.ansvarlig for record in _person(grown).responsibility}
    _person(grown).born = _person(grown).born.replace(year=2007)
    # The pupil has said it: one parent may see, the other may not.
    consented = _person(grown).responsibility[0].ansvarlig or ""
    _grant(installation, _person(grown).number, consented)
    _write(
        installation,
        "insert into control.consent (owner, access_grant, given_by, how, given_at) "
        "select owner, access_grant, child_id, 'skjema', '2026-11-20' from control.access_grant",
    )
    # A pupil goes away for a while.
    _leave(installation, away)
    # A grant that is withdrawn does not wait for a run.
    friend = _newcomer(installation, _person(granted).number)
    _grant(installation, _person(granted).number, friend)
    installation.registers.write()

    installation.run()
    assert _access(installation, _person(moved).number) == {stays}
    assert _access(installation, _person(held).number) == set()  # the word may say that it is lost
    assert unanswered not in _access(installation, _person(renamed).number)
    assert blocked not in _access(installation, _person(renamed).number)
    assert was_guardian & _access(installation, _person(grown).number) == {consented}
    assert friend in _access(installation, _person(granted).number)
    assert secret not in installation.ldif()

    _write(installation, "update control.access_grant set withdrawn_at = now(), withdrawn_by = 'anita'")
    # The pupil is back, and the register does not answer: its old answer gives no access without a question.
    _come_back(installation, away)
    del installation.registers.world.by_any_number[_person(away).number]
    installation.registers.write()
    assert friend not in _access(installation, _person(granted).number)
    asked = installation.open()
    installation.run(job=asked, answer="rejected")
    assert installation.query("select asks from control.run where run = :run", run=asked.run.number) == [("always",)]
    installation.run()
    assert gone not in _access(installation, _person(moved).number)
    assert ended not in _access(installation, _person(held).number)
    assert secret not in installation.ldif()
    # When the register's answer is whole again, it counts.
    _person(held).responsibility[0].ansvar = "mor"
    installation.run()
    assert _access(installation, _person(held).number) == {_person(held).responsibility[0].ansvarlig}


@pytest.mark.long
def test_a_raised_protection_withdraws_every_kept_file_whatever_is_killed_or_late(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = installation.open()
    installation.run(job=first)
    child, sibling, later = (_person(pupil) for pupil in _plain_pupils(installation)[:3])
    assert child.number in installation.ldif()

    # FREG answers for all pupils and then for their guardians, and fails before the step ends.
    guardian = installation.registers.world.persons[child.responsibility[0].ansvarlig or ""]
    guardian.protection, guardian.home = "strengtFortrolig", None
    with monkeypatch.context() as patched:
        patched.setattr(freg_client, "extract", _failing_after(freg_client.extract, "2-guardians"))
        report = installation.run()
    assert report["failed"] == ["extract_freg", "withdraw"] or report["failed"] == ["extract_freg"]
    assert child.number not in installation.ldif()
    assert not _kept_with(installation, child.number)

    # Killed between the veto and the file.
    sibling.protection, sibling.home = "strengtFortrolig", None
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    with monkeypatch.context() as patched:
        patched.setattr("dataflyt.run.withdraw.republish", _dies)
        with pytest.raises(KeyboardInterrupt):
            withdraw(job)
    withdraw(job)
    assert not _kept_with(installation, sibling.number)

    # The run is released but its file does not pass: the older run is published afterwards, without the protected
    # person.
    installation.steps(job, "check", "merge")
    approve_and_release(job)
    later.protection, later.home = "strengtFortrolig", None
    late = installation.open()
    installation.steps(late, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    assert _manifest(installation)["run"] == first.run.number
    assert not _kept_with(installation, later.number)
    publish(job)
    assert _manifest(installation)["run"] == job.run.number

    # A run that a newer one has replaced can neither stage, merge nor publish.
    installation.steps(late, "check", "merge")
    approve_and_release(late)
    publish(late)
    newest = installation.open()
    installation.steps(newest, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")
    installation.runs += 1
    after = installation.open("after")
    before = installation.dump()
    with monkeypatch.context() as patched:
        patched.setattr("dataflyt.run.merge.is_released", lambda _: False)
        for refused in (lambda: stage(newest, "sas"), lambda: merge(newest), lambda: publish(first)):
            with pytest.raises(NotApproved):
                refused()
    assert installation.dump() == before
    installation.steps(after, "extract_sas")
    close_run(first, [])
    assert after.landing("sas").names()
    assert _manifest(installation)["run"] == late.run.number


def test_nothing_that_is_counted_or_named_tells_how_many_are_protected(
    installation: Installation,
) -> None:
    report = installation.run()
    assert report["merged"]
    assert not {table for table in report["merged"] if not table.startswith(("freg_", "krr_", "hr_", "sas_"))}
    assert "freg_adressebeskyttelse" not in report["merged"]
    newest = installation.query("select max(veto) from control.veto")[0][0]
    publication = _manifest(installation)["publication"]
    assert not any(part.isdecimal() and int(part) == newest for part in publication.split("-"))

    # An answer without a single address protection looks like a lost right. The run stops, and no approver is asked.
    for person in installation.registers.world.persons.values():
        person.protection = None
    assert installation.run()["failed"] == ["withdraw"]
    job = installation.open()

    def refused_by_the_server() -> None:
        with job.transaction() as connection, database.driver(connection).cursor() as cursor:
            connection.exec_driver_sql("create temporary table numbers (n int) on commit drop")
            with cursor.copy("copy numbers from stdin") as copy:
                copy.write_row(("Kanarinavn",))

    with pytest.raises(database.WarehouseError) as raised:
        refused_by_the_server()
    assert "Kanarinavn" not in f"{raised.value!r}{raised.value.__cause__!r}"
    assert raised.value.__suppress_context__


def _plain_pupils(installation: Installation) -> list[Pupil]:
    """Return ordinary pupils of different families, with two guardians each."""
    found, seen = [], set()
    for pupil in installation.registers.world.pupils:
        person = pupil.person
        if not person or person.cases or pupil.cases or len(person.responsibility) != 2 or pupil.second_school:
            continue
        family = {record.ansvarlig for record in person.responsibility}
        adults = [installation.registers.world.persons[number or ""] for number in family]
        if not family & seen and not any(adult.cases or len(adult.children) > 1 for adult in adults):
            seen |= family
            found.append(pupil)
    return found


def _person(pupil: Pupil) -> Person:
    assert pupil.person
    return pupil.person


def _unused_number(installation: Installation, like: str) -> str:
    """Return a number that nobody has."""
    return next(
        number
        for number in (f"{like[:6]}{tail:05d}" for tail in range(10000, 99999))
        if number not in installation.registers.world.by_any_number and numbers.parse(number).valid
    )


def _new_number(installation: Installation, person: Person, pupil: Pupil) -> None:
    world = installation.registers.world
    old, new = person.number, _unused_number(installation, person.number)
    person.old_number, person.number = old, new
    pupil.sas.number = new
    del world.persons[old]
    world.persons[new] = world.by_any_number[new] = world.by_any_number[old] = person
    for adult in world.persons.values():
        adult.children[:] = [(new if number == old else number, *more) for number, *more in adult.children]  # type: ignore[misc]


def _leave(installation: Installation, pupil: Pupil) -> None:
    world = installation.registers.world
    world.pupils.remove(pupil)
    for group in world.groups:
        group.members[:] = [member for member in group.members if member.person_id != pupil.sas.person_id]


def _come_back(installation: Installation, pupil: Pupil) -> None:
    installation.registers.world.pupils.append(pupil)


def _link(installation: Installation, number: str) -> Any:
    sql = "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number"
    return installation.query(sql, number=number)[0][0]


def _write(installation: Installation, sql: str, **bound: object) -> None:
    installation.query(f"{sql} returning 1", **bound)


def _block(installation: Installation, child: str, adult: str) -> None:
    _write(
        installation,
        "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
        "values ('haugesund', :child, :adult, 'besøksforbud', '2026/1', 'anita', now())",
        child=_link(installation, child),
        adult=str(_link(installation, adult)),
    )


def _grant(installation: Installation, child: str, adult: str) -> None:
    _write(
        installation,
        "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
        "decided_by, approved_by, from_run) "
        "values ('haugesund', :child, :adult, 'person', 'court_judgment', 'alt', '2026/2', "
        "'anita', 'anita', 'birgitte', 1)",
        child=_link(installation, child),
        adult=str(_link(installation, adult)),
    )


def _manifest(installation: Installation) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((installation.storage / "exports/haugesund/manifest.json").read_bytes())
    return found


def _kept_with(installation: Installation, word: str) -> list[str]:
    files = (installation.storage / "exports").rglob("*.ldif")
    return [str(path) for path in files if word in path.read_text(encoding="utf-8")]


def _failing_after(extract: Callable[..., None], phase: str) -> Callable[..., None]:
    """Land everything, and then fail in ``phase`` as if the register did not answer."""

    def failing(*arguments: Any, **more: Any) -> None:
        extract(*arguments, **more)
        if phase == more["phase"]:
            raise SourceUnavailable("Folkeregisteret svarte ikke.")

    return failing


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
