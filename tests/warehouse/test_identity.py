"""Protection follows the person when two become one, one becomes two, or a person without a number gets one."""

from pathlib import Path

import orjson
import pytest
from lxml import etree

from dataflyt.run.job import Job, open_job
from dataflyt.run.open_plan import open_plan
from dataflyt.warehouse import plan
from simulator.model import Person, Pupil
from tests.installation.fixtures import Installation
from tests.installation.test_numbers import _becomes
from tests.warehouse.test_rules import _block, _leave, _link, _person, _plain_pupils, _unused_number, _write


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_blocked_adult_who_becomes_one_with_an_older_person_is_blocked_and_so_is_each_after_a_splitting(
    installation: Installation,
) -> None:
    here = installation
    child, elder = _plain_pupils(here)[:2]
    blocked, stays = (here.registers.world.persons[r.ansvarlig or ""] for r in _person(child).responsibility)
    older = here.registers.world.persons[_person(elder).responsibility[0].ansvarlig or ""]
    _block(here, _person(child).number, blocked.number)
    here.run()
    assert blocked.number not in _guardians(here, _person(child).number)

    ended = blocked.number
    _join(here, blocked, older)
    _person(child).responsibility[0].ansvarlig = older.number
    job = here.open()
    here.run(job=job)
    assert _asks(here, job) == "always"
    assert {"persons_join", "identity_block"} <= {row.kind for row in _plan(here)}
    assert _guardians(here, _person(child).number) == {stays.number}
    assert older.number in _guardians(here, _person(elder).number), "nothing is taken from the other child"

    # It was a mistake: the number is another person's. Each keeps the child's protections.
    older.former_numbers.clear()
    _becomes(here, blocked, ended)
    here.registers.world.by_any_number[ended] = blocked
    for number in (ended, older.number):
        _person(child).responsibility[0].ansvarlig = number
        here.run()
        assert _guardians(here, _person(child).number) == {stays.number}, number


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_child_whom_people_protect_is_published_by_neither_number_when_it_becomes_one_with_another(
    installation: Installation,
) -> None:
    here = installation
    hidden, other, plain = _plain_pupils(here)[:3]
    _protect(here, _person(hidden).number)
    here.run()
    assert _person(hidden).number not in here.ldif()

    _join(here, _person(hidden), _person(other))
    _leave(here, hidden)
    here.registers.write()
    job = here.open()
    here.run(job=job)
    assert _asks(here, job) == "always"
    rows = _plan(here, graded=True)
    assert {"identity_protection", "protection_raised"} <= {row.kind for row in rows}
    assert not any(row.kind == "identity_protection" for row in _plan(here))
    assert _person(other).number not in here.ldif()
    assert not _kept(here, _person(other).number)
    assert not _guardians(here, _person(other).number)
    # FREG now says ungradert about them: no run lowers the protection without a row and an answer.
    here.run(answer="rejected")
    assert _person(other).number not in here.ldif()
    assert _person(plain).number in here.ldif()


@pytest.mark.long
@pytest.mark.after_first_run
def test_suspended_adults_stay_suspended_when_child_or_adult_becomes_another(installation: Installation) -> None:
    here = installation
    child, other = _plain_pupils(here)[:2]
    person, home = _person(child), _person(child).home
    suspended = [here.registers.world.persons[r.ansvarlig or ""] for r in person.responsibility]
    person.protection = person.home_grading = "fortrolig"
    for adult in suspended:
        adult.home = None
    here.run()
    assert not _guardians(here, person.number)
    person.protection, person.home_grading = None, "ugradert"
    person.home = home
    older = here.registers.world.persons[_person(other).responsibility[0].ansvarlig or ""]
    _join(here, suspended[0], older)
    person.responsibility[0].ansvarlig = older.number
    here.run()
    assert not _guardians(here, person.number)
    assert older.number in _guardians(here, _person(other).number)


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_pupil_without_a_number_keeps_protection_and_user_name_when_the_number_comes(
    installation: Installation,
) -> None:
    here = installation
    hidden, plain = _plain_pupils(here)[:2]
    for pupil in (hidden, plain):
        _starts_without_number(here, pupil)
    here.run()
    by_id = {pupil.sas.person_id: _by_local_id(here, pupil) for pupil in (hidden, plain)}
    uid = here.query("select uid from control.account_name where person_id = :id", id=by_id[plain.sas.person_id])[0][0]
    _write(
        here,
        "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
        "from_run) values ('haugesund', :id, 'adressebeskyttelse', 'strengtFortrolig', 'x', '1', 'anita', 'berit', 1)",
        id=by_id[hidden.sas.person_id],
    )
    here.run()
    for pupil in (hidden, plain):
        pupil.sas.number = _person(pupil).number
    here.registers.write()
    job = here.open()
    here.run(job=job)
    assert _asks(here, job) == "always"
    assert _person(hidden).number not in here.ldif()
    assert not _guardians(here, _person(hidden).number)
    assert _link(here, _person(plain).number) == by_id[plain.sas.person_id]
    assert f"uid: {uid}\n" in here.ldif()
    assert _person(plain).number in here.ldif()


# --- help -------------------------------------------------------------------------------------------------------------


def _join(here: Installation, ended: Person, stays: Person) -> None:
    """Let FREG say that the number of ``ended`` is an ended number of ``stays``."""
    stays.former_numbers.append((ended.number, "foedselsnummer", here.registers.world.day))
    here.registers.world.by_any_number[ended.number] = stays


def _protect(here: Installation, number: str) -> None:
    _write(
        here,
        "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
        "from_run) values ('haugesund', :id, 'adressebeskyttelse', 'strengtFortrolig', 'x', '1', 'anita', 'berit', 1)",
        id=_link(here, number),
    )


def _starts_without_number(here: Installation, pupil: Pupil) -> None:
    """Let a pupil begin at the school whom no run has asked FREG about, with another's number until now."""
    person, world = _person(pupil), here.registers.world
    pupil.sas.number, renamed = None, f"{pupil.sas.person_id}ny"
    for group in world.groups:
        for member in group.members:
            if member.person_id == pupil.sas.person_id:
                member.person_id = renamed
    pupil.sas.person_id = renamed
    del world.persons[person.number]
    person.number = _unused_number(here, person.number)
    world.persons[person.number] = world.by_any_number[person.number] = person
    here.registers.write()


def _by_local_id(here: Installation, pupil: Pupil) -> object:
    sql = "select person_id from golden.person_link where to_run is null and scheme = 'sas' and value = :id"
    return here.query(sql, id=pupil.sas.person_id)[0][0]


def _guardians(here: Installation, child: str) -> set[str]:
    """Return the numbers of a child's guardians in ``pifu.xml``, as a school system reads it."""
    exports = here.storage / "exports" / here.kommune.id
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    tree = etree.parse(exports / manifest["publication"] / "pifu.xml")
    people = {}
    for person in tree.iter("{*}person"):
        number = next((u.text for u in person.iter("{*}userid") if u.get("useridtype") == "personNIN"), None)
        people[person.findtext("{*}sourcedid/{*}id")] = (number, person)
    wanted = next((person for number, person in people.values() if number == child), None)
    if wanted is None:
        return set()
    return {people[i.text][0] for i in wanted.iter() if i.text in people and people[i.text][1] is not wanted}


def _kept(here: Installation, word: str) -> list[Path]:
    return [path for path in (here.storage / "exports").rglob("*.*") if path.is_file() and word in path.read_text()]


def _asks(here: Installation, job: Job) -> str:
    return str(here.query("select asks from control.run where run = :run", run=job.run.number)[0][0])


def _plan(here: Installation, *, graded: bool = False) -> list[plan.PlanRow]:
    with open_plan(here.kommune, here.environment, None) as opened:
        return list(plan.rows(opened.planned, graded=graded))


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_school_system_that_numbers_everybody_anew_stops_the_run_and_a_full_reload_keeps_who_is_who(
    installation: Installation,
) -> None:
    here = installation
    before = dict(
        here.query("select value, person_id from golden.person_link where to_run is null and scheme = 'number'")
    )
    pupils = [pupil for pupil in here.registers.world.pupils if pupil.sas.number]
    ids = {
        pupil.sas.person_id: after.sas.person_id for pupil, after in zip(pupils, [*pupils[1:], pupils[0]], strict=True)
    }
    for group in here.registers.world.groups:
        for member in group.members:
            member.person_id = ids.get(member.person_id, member.person_id)
    for pupil in pupils:
        pupil.sas.person_id = ids[pupil.sas.person_id]
    here.registers.write()
    assert here.run()["failed"] == ["withdraw"]
    as_of = here.open().run.as_of
    job = open_job(here.kommune, "reload", as_of, here.environment, full_reload=True)
    assert here.run(job=job)["outcome"] == "released"
    after = dict(
        here.query("select value, person_id from golden.person_link where to_run is null and scheme = 'number'")
    )
    assert after == before
    assert here.query("select 1 from control.identity_change") == []
