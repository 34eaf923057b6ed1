"""People who are neither pupils nor responsible any more, and whose protection still counts: until when, and why."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from dataflyt.run.open_plan import open_plan
from dataflyt.warehouse import runs, vetoed_views
from simulator.model import Address, Person, Pupil
from tests.installation.fixtures import Installation
from tests.installation.test_events import Lane, published
from tests.installation.test_run import _access
from tests.records.test_retention import person_id, retain
from tests.warehouse.test_rules import _grant, _leave, _person, _plain_pupils


def _level(here: Installation, person: Person) -> int:
    """Return a person's protection in the released record, under the vetoes."""
    with open_plan(here.kommune, here.environment, None) as opened:
        connection = opened.connection
        vetoed_views.views(connection, "haugesund", runs.released_before(connection, "haugesund"), "now_")
        found = connection.exec_driver_sql(
            "select p.level from now_protection p join now_person_link l using (person_id) "
            "where l.scheme = 'number' and l.value = %s",
            (person.number,),
        )
        return int(found.scalar_one())


def _siblings(here: Installation) -> tuple[Pupil, Pupil]:
    """Return two ordinary pupils of one family and one home."""
    seen: dict[tuple[object, ...], Pupil] = {}
    for pupil in here.registers.world.pupils:
        person = pupil.person
        if person and person.home and not person.cases and not pupil.cases:
            older = seen.setdefault((id(person.home), *(one.ansvarlig for one in person.responsibility)), pupil)
            if older is not pupil:
                return older, pupil
    raise AssertionError


def _adults(here: Installation, child: Person) -> list[Person]:
    return [here.registers.world.persons[one.ansvarlig or ""] for one in child.responsibility]


def _elsewhere(here: Installation, person: Person) -> Address:
    """Return the home of a family that the person does not belong to."""
    homes = (_person(pupil).home for pupil in _plain_pupils(here))
    return next(home for home in homes if home and home is not person.home)


def _asked(here: Installation, run: int) -> dict[str, set[str]]:
    """Return the numbers that FREG was asked about in a run, by phase."""
    found: dict[str, set[str]] = {}
    for page in (here.storage / f"landing/haugesund/{run:06d}/freg").glob("*.request.json"):
        (numbers,) = orjson.loads(page.read_bytes()).values()
        found.setdefault(page.name.rsplit("-", 1)[0], set()).update(numbers)
    return found


def _run(here: Installation, answer: str = "approved") -> dict[str, set[str]]:
    """Do a run; return whom it asked FREG about, by phase."""
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    asked = _asked(here, job.run.number)
    report = here.run(answer, job)
    assert report["outcome"] == ("released" if answer == "approved" else answer), report["sentences"]
    return asked


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_sibling_who_has_left_school_protects_a_pupil_until_freg_says_otherwise(installation: Installation) -> None:
    here = installation
    older, younger = _siblings(here)
    sister, brother = _person(older), _person(younger)
    sister.protection = "fortrolig"
    _run(here)
    assert _level(here, brother) == 2

    _leave(here, older)
    here.registers.write()
    assert _run(here)["3-siblings"] == {sister.number}
    assert _level(here, brother) == 2
    # The family moves: they still live together.
    home = _elsewhere(here, brother)
    for one in here.registers.world.persons.values():
        if one.home is sister.home and one is not sister:
            one.home = home
    sister.home = home
    _run(here)
    assert _level(here, brother) == 2

    sister.protection = None
    _run(here, "rejected")
    assert _level(here, brother) == 2
    _run(here)
    assert _level(here, brother) == 0
    assert _level(here, sister) == 0


@pytest.mark.after_first_run
def test_a_sibling_who_has_left_school_and_gets_a_protection_protects_a_pupil_at_once(
    installation: Installation,
) -> None:
    here = installation
    older, younger = _siblings(here)
    sister, brother = _person(older), _person(younger)
    _leave(here, older)
    here.registers.write()
    assert _run(here)["3-siblings"] == {sister.number}
    sister.protection = "strengtFortrolig"
    assert brother.number in published(here)
    here.steps(here.open(), "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    assert brother.number not in published(here)
    assert _level(here, brother) == 3
    assert not _access(here, brother.number)


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_sibling_who_has_left_school_and_home_is_asked_about_once_more_and_then_no_longer(
    installation: Installation,
) -> None:
    here = installation
    older, younger = _siblings(here)
    sister, brother = _person(older), _person(younger)
    sister.protection = "fortrolig"
    _run(here)
    _leave(here, older)
    here.registers.write()
    assert brother.home
    sister.home = replace(brother.home, adressenavn="Ukjentveien", matrikkel_id="900000001")
    assert sister.number in _run(here)["3-siblings"]
    assert _level(here, brother) == 0
    assert "3-siblings" not in _run(here)


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("protection", [None, "fortrolig"])
def test_a_sibling_at_home_is_erased_after_the_last_pupil_there_has_left_protected_or_not(
    installation: Installation, protection: str | None
) -> None:
    here = installation
    older, younger = _siblings(here)
    _person(older).protection = protection
    _leave(here, older)
    here.registers.write()
    _run(here)
    retain(here)
    assert person_id(here, _person(older))
    world = here.registers.world
    numbers = {one.ansvarlig for one in _person(older).responsibility}
    for pupil in [
        one for one in world.pupils if one.person and numbers & {r.ansvarlig for r in one.person.responsibility}
    ]:
        _leave(here, pupil)
    here.registers.write()
    _run(here)
    retain(here)
    assert not person_id(here, _person(older))
    assert not person_id(here, _person(younger))


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_guardian_who_has_lost_foreldreansvar_no_longer_protects_the_child(installation: Installation) -> None:
    here = installation
    child = next(
        one for one in map(_person, _plain_pupils(here)) if any(adult.home is one.home for adult in _adults(here, one))
    )
    guardian = next(adult for adult in _adults(here, child) if adult.home is child.home)
    guardian.protection = "fortrolig"
    _run(here)
    assert _level(here, child) == 2
    child.responsibility[:] = [one for one in child.responsibility if one.ansvarlig != guardian.number]
    asked = _run(here, "rejected")
    assert guardian.number not in set().union(*asked.values())
    assert _level(here, child) == 2
    _run(here)
    assert _level(here, child) == 0


@pytest.mark.long
@pytest.mark.after_first_run
def test_freg_is_asked_about_an_adult_with_a_grant_and_tells_of_protection_and_its_end(
    installation: Installation,
) -> None:
    here = installation
    own, friends = _plain_pupils(here)[:2]
    friend, child = _adults(here, _person(own))[0], _person(friends)
    _leave(here, own)
    _grant(here, child.number, friend.number)
    here.registers.write()
    assert friend.number in _run(here)["2-guardians"]
    assert friend.number in _access(here, child.number)
    friend.protection = "strengtFortrolig"
    _run(here)
    assert _level(here, friend) == 3
    friend.protection = None
    _run(here)
    assert _level(here, friend) == 0
    # Whose grant has ended is asked about no more.
    here.query("update control.access_grant set withdrawn_at = now(), withdrawn_by = 'anita' returning 1")
    assert friend.number not in set().union(*_run(here).values())


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_sibling_who_has_left_school_and_gets_a_protection_hides_a_pupil_within_the_hour(
    installation: Installation,
) -> None:
    here, lane = installation, Lane(installation)
    older, younger = _siblings(here)
    sister, brother = _person(older), _person(younger)
    _leave(here, older)
    here.registers.write()
    _run(here)
    lane.run()  # the first time the list is read from its end
    lane.protect(sister, "fortrolig")
    lane.run()
    assert _level(here, brother) == 2
    lane.protect(sister)
    lane.run()
    assert brother.number not in published(here)
    assert _level(here, brother) == 3


@pytest.mark.long
@pytest.mark.after_first_run
def test_without_hjemmel_no_sibling_is_asked_about_and_nobody_for_foreldreansvar(installation: Installation) -> None:
    here = installation
    older, _ = _siblings(here)
    _leave(here, older)
    here.registers.write()
    basis = here.kommune.legal_basis.model_copy(update={"freg": "uten_hjemmel"})
    here.kommune = here.kommune.model_copy(update={"legal_basis": basis})
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg")
    assert "3-siblings" not in _asked(here, job.run.number)
    asked = [page.read_bytes() for page in (here.storage / "landing").rglob("*/freg/*.json")]
    assert asked
    assert not [page for page in asked if b"foreldreansvar" in page]


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_adult_whose_grant_has_run_out_no_longer_protects_the_child(installation: Installation) -> None:
    here = installation
    own, friends = _plain_pupils(here)[:2]
    friend, child = _adults(here, _person(own))[0], _person(friends)
    _leave(here, own)
    here.query(
        "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
        "decided_by, approved_by, from_run, until) values ('haugesund', :child, :adult, 'person', 'court_judgment', "
        "'alt', '2026/2', 'anita', 'anita', 'birgitte', 1, date '2026-11-24') returning 1",
        child=person_id(here, child),
        adult=str(person_id(here, friend)),
    )
    friend.home = child.home
    friend.protection = "fortrolig"
    here.registers.write()
    _run(here)
    assert _level(here, child) == 2
    here.clock = datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert friend.number not in set().union(*_run(here).values())
    assert _level(here, child) == 0


@pytest.mark.long
@pytest.mark.after_first_run
def test_two_siblings_who_have_left_school_do_not_keep_each_other_when_one_comes_back_as_an_employee(
    installation: Installation,
) -> None:
    here = installation
    older, younger = _siblings(here)
    sister, brother = _person(older), _person(younger)
    world = here.registers.world
    numbers = {one.ansvarlig for one in sister.responsibility}
    _leave(here, older)
    here.registers.write()
    _run(here)
    for pupil in [
        one for one in world.pupils if one.person and numbers & {r.ansvarlig for r in one.person.responsibility}
    ]:
        _leave(here, pupil)
    world.employees[0].person = brother
    here.registers.write()
    _run(here)
    retain(here)
    assert person_id(here, brother)
    assert not person_id(here, sister)
