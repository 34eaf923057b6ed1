"""When numbers change, each person stays the same person, the plan tells, and two people are never taken for one."""

import pytest

from dataflyt.run.open_plan import open_plan
from simulator.model import Person, Pupil
from tests.installation.fixtures import LOOKING, Installation
from tests.installation.test_run import _access
from tests.warehouse.test_rules import _come_back, _leave, _link, _new_number, _person, _plain_pupils, _unused_number


@pytest.mark.long
def test_a_person_keeps_id_and_user_name_through_a_new_number_and_becoming_one_or_two(
    installation: Installation,
) -> None:
    world = installation.registers.world
    renumbered, kept, twin, whole, part = _plain_pupils(installation)[:5]
    # FREG says that the number of a person outside our schools is an ended number of this pupil.
    shared = _unused_number(installation, _person(whole).number)
    _person(whole).old_number, world.by_any_number[shared] = shared, _person(whole)
    _leave(installation, part)
    installation.registers.write()
    installation.run()
    before = {
        pupil.sas.person_id: _link(installation, _person(pupil).number) for pupil in (renumbered, kept, twin, whole)
    }
    names = dict(installation.query("select person_id, uid from golden.account where to_run is null"))
    assert _link(installation, shared) == before[whole.sas.person_id]

    # A D-number becomes a fødselsnummer: the old one is opphoert. FREG knows at once, and the school with it.
    _new_number(installation, _person(renumbered), renumbered)
    # A dublett: the twin's number and the other number are one person, and the school has one of the two.
    ended = _person(twin).number
    _person(kept).former_numbers.append((ended, "foedselsnummer", world.day))
    world.by_any_number[ended] = _person(kept)
    _leave(installation, twin)
    # A splitting: the ended number was always another person's, who begins at the school now.
    _person(whole).old_number = None
    _becomes(installation, _person(part), shared)
    part.sas.number = shared
    _come_back(installation, part)
    installation.registers.write()
    job = installation.open()
    installation.run(job=job)

    assert installation.query("select asks from control.run where run = :run", run=job.run.number)[0][0] == "always"
    with open_plan(installation.kommune, installation.environment, None, LOOKING) as opened:
        plan = {(row.kind, row.subject, row.other) for row in opened.rows(graded=True)}
    ids = {sas_id: str(person_id) for sas_id, person_id in before.items()}
    assert ("number_changes", ids[renumbered.sas.person_id], "") in plan
    assert {row for row in plan if row[0] == "persons_join"} == {
        ("persons_join", ids[twin.sas.person_id], ids[kept.sas.person_id])
    }
    new = _link(installation, shared)
    assert {row for row in plan if row[0] == "person_splits"} == {("person_splits", ids[whole.sas.person_id], str(new))}
    after = dict(installation.query("select person_id, uid from golden.account where to_run is null"))
    for pupil in (renumbered, kept, whole):
        person_id = before[pupil.sas.person_id]
        assert _link(installation, _person(pupil).number) == person_id
        assert after[person_id] == names[person_id]
        assert _access(installation, _person(pupil).number) == _guardians(pupil)
    assert _link(installation, ended) == before[kept.sas.person_id]
    # After the split neither sees the other's child.
    assert new != before[whole.sas.person_id]
    assert _access(installation, shared) == _guardians(part)
    assert not _guardians(part) & _guardians(whole)
    assert after[new] not in names.values()

    # It stays so in the next run.
    report = installation.run()
    assert not any(report["changed"].values())
    assert _link(installation, shared) == new


def _guardians(pupil: Pupil) -> set[str | None]:
    return {record.ansvarlig for record in _person(pupil).responsibility}


def _becomes(installation: Installation, person: Person, number: str) -> None:
    """Let a person have this number and no other, ever."""
    world = installation.registers.world
    del world.persons[person.number], world.by_any_number[person.number]
    for adult in world.persons.values():
        adult.children[:] = [
            (number if child == person.number else child, *more)  # type: ignore[misc]
            for child, *more in adult.children
        ]
    person.number = number
    world.persons[number] = world.by_any_number[number] = person


@pytest.mark.after_first_run
def test_a_number_that_the_school_gave_a_pupil_stands_in_the_directory_as_the_school_wrote_it(
    installation: Installation,
) -> None:
    (pupil,) = [one for one in installation.registers.world.pupils if "pupil_without_number" in one.cases]
    given = pupil.sas.local_number
    assert given
    assert given.startswith("haugesund.kommune.no:localnin:")
    assert f"\nnorEduPersonLIN: {given}\n" not in installation.ldif(), "nobody has decided that they are published"
    installation.kommune = installation.kommune.model_copy(update={"pupils_without_number": "publish"})
    installation.run()
    assert f"\nnorEduPersonLIN: {given}\n" in installation.ldif()
