"""Unknown words and vanished gradings in FREG's answers, and how far they are believed."""

import pytest

from dataflyt.errors import DataInDoubt
from dataflyt.run.merge import merge
from dataflyt.run.open_plan import open_plan
from simulator.model import Responsibility
from tests.installation.fixtures import LOOKING, TO_PLAN, Installation
from tests.installation.test_events import Lane, lane, published
from tests.installation.test_run import _access, _newcomer
from tests.warehouse.test_rules import _block, _link, _person, _plain_pupils

__all__ = ["lane"]


@pytest.mark.after_first_run
def test_a_new_word_for_everybody_protects_nobody_and_stops_the_run_but_a_known_word_is_taken(
    installation: Installation,
) -> None:
    here = installation
    hidden, *_ = _plain_pupils(here)
    before = published(here)
    words = {person.number: person.protection for person in here.registers.world.persons.values()}
    for person in here.registers.world.persons.values():
        person.protection = person.protection or "nyGradering"
    _person(hidden).protection, _person(hidden).home = "strengtFortrolig", None
    report = here.run()
    assert report["failed"] == ["withdraw"]
    assert published(here) == before - {_person(hidden).number}
    assert here.query("select 1 from control.veto where unknown and run > 1") == []
    with open_plan(here.kommune, here.environment, None, LOOKING) as opened:
        (why,) = opened.doubts()
    assert "gradering" in why
    assert not any("gradering" in sentence or "beskyttelse" in sentence for sentence in report["sentences"])

    # When FREG is right again, nothing has to be mended by hand.
    for person in here.registers.world.persons.values():
        person.protection = words[person.number]
    here.run()
    assert published(here) == before
    assert here.query("select 1 from control.veto where kind = 'access_suspended' and unknown and run > 1") == []


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_new_word_for_a_few_protects_them_at_once_and_goes_with_a_clean_answer_that_is_asked_about(
    installation: Installation,
) -> None:
    here = installation
    unknown, both = (_person(pupil) for pupil in _plain_pupils(here)[:2])
    before = {child.number: _access(here, child.number) for child in (unknown, both)}
    home = both.home
    unknown.protection = "nyGradering"
    both.protection, both.home = "strengtFortrolig", None
    here.run()
    assert not {unknown.number, both.number} & published(here)
    assert not _access(here, unknown.number)
    says = dict(
        here.query(
            "select p.number, bool_and(v.unknown) from control.veto v join golden.person p using "
            "(person_id) where v.kind = 'access_suspended' and p.to_run is null and p.number in (:a, :b) group by 1",
            a=unknown.number,
            b=both.number,
        )
    )
    assert says == {unknown.number: True, both.number: False}

    unknown.protection, both.protection, both.home = None, None, home
    job = here.open()
    here.run(job=job, answer="rejected")
    assert here.query("select asks from control.run where run = :run", run=job.run.number) == [("always",)]
    assert unknown.number not in published(here)
    here.run()
    assert unknown.number in published(here)
    assert _access(here, unknown.number) == before[unknown.number]
    # A suspension by a known word waits for people's decisions, adult by adult.
    assert both.number in published(here)
    assert not _access(here, both.number)


@pytest.mark.after_first_run
def test_new_words_in_the_event_list_are_believed_up_to_the_same_bound(lane: Lane) -> None:
    here = lane.here
    few, known, *many = lane.children(40)
    few.protection = "nyGradering"
    lane.tell(few, "endringIAdressebeskyttelse")
    assert lane.run().trouble == []
    assert few.number not in published(here)
    for child in many:
        child.protection = "nyGradering"
        lane.tell(child, "endringIAdressebeskyttelse")
    lane.protect(known)
    before = published(here)
    (told,) = lane.run().trouble
    assert isinstance(told, DataInDoubt)
    assert "gradering" not in told.sentence
    assert published(here) == before - {known.number}
    with open_plan(here.kommune, here.environment, None, LOOKING) as opened:
        (why,) = opened.doubts()
    assert "gradering" in why


@pytest.mark.after_first_run
def test_a_new_word_in_the_event_list_does_not_take_everybody_a_few_at_a_time(lane: Lane) -> None:
    children, before = lane.children(18), published(lane.here)
    for few in (children[:6], children[6:12], children[12:]):
        for child in few:
            child.protection = "nyGradering"
            lane.tell(child, "endringIAdressebeskyttelse")
        trouble = lane.run().trouble
    assert [type(told) for told in trouble] == [DataInDoubt]
    assert before - published(lane.here) == {child.number for child in children[:6]}

    # People with a known word again no longer count towards the bound, though they stay out until a run.
    for child in children[:6]:
        child.protection = None
        lane.tell(child, "endringIAdressebeskyttelse")
    for child in children[12:]:
        child.protection = "strengtFortrolig"
    assert lane.run().trouble == []
    assert before - published(lane.here) == {child.number for child in children}


@pytest.mark.long
def test_a_new_word_goes_with_a_clean_answer_where_nobody_else_is_protected(installation: Installation) -> None:
    here = installation
    for person in here.registers.world.persons.values():
        person.protection, person.home_grading, person.stay_grading = None, "ugradert", "ugradert"
    here.run()
    before, children = here.ldif(), [_person(pupil) for pupil in _plain_pupils(here)[:5]]
    for child in children:
        child.protection = "nyGradering"
    assert here.run()["outcome"] == "released"
    assert not {child.number for child in children} & published(here)
    for child in children:
        child.protection = None
    job = here.open()
    assert here.run(job=job)["outcome"] == "released"
    assert here.query("select asks from control.run where run = :run", run=job.run.number) == [("always",)]
    assert here.ldif() == before


def test_a_lowering_for_the_last_protected_family_is_asked_about(installation: Installation) -> None:
    here = installation
    for person in here.registers.world.persons.values():
        person.protection, person.home_grading, person.stay_grading = None, "ugradert", "ugradert"
    child = _person(_plain_pupils(here)[0])
    family = [child, *(here.registers.world.persons[r.ansvarlig or ""] for r in child.responsibility)]
    for person in family:
        person.protection = "fortrolig"
    here.run()
    for person in family:
        person.protection = None
    job = here.open()
    report = here.run(job=job)
    assert report["failed"] == []
    assert here.query("select asks from control.run where run = :run", run=job.run.number) == [("always",)]


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_new_adult_or_a_new_number_at_a_child_with_a_block_is_always_asked_about(installation: Installation) -> None:
    here = installation
    child, other = (_person(pupil) for pupil in _plain_pupils(here)[:2])
    blocked, stays = (record.ansvarlig or "" for record in child.responsibility)
    _block(here, child.number, blocked)
    here.run()
    child.responsibility.append(Responsibility("felles", _newcomer(here, child.number)))
    other.responsibility.append(Responsibility("felles", _newcomer(here, other.number)))
    job = here.open()
    here.run(job=job, answer="rejected")
    assert here.query("select asks from control.run where run = :run", run=job.run.number) == [("always",)]
    child.responsibility.pop()
    assert here.run()["outcome"] == "released"
    # The other guardian's number changes.
    world, adult = here.registers.world, here.registers.world.persons[stays]
    adult.former_numbers.append((stays, "foedselsnummer", world.day))
    adult.number = world.maker.spare_number(adult.born, adult.sex, 7)
    world.persons[adult.number] = world.by_any_number[adult.number] = adult
    child.responsibility[1].ansvarlig = adult.number
    job = here.open()
    here.run(job=job)
    assert here.query("select asks from control.run where run = :run", run=job.run.number) == [("always",)]
    assert _link(here, adult.number) == _link(here, stays)


@pytest.mark.after_first_run
def test_what_is_not_believed_first_when_it_is_merged_is_told_to_those_who_may_see_protection(
    installation: Installation,
) -> None:
    here = installation
    ids = [employee.employee_id for employee in here.registers.world.employees]
    for employee, other in zip(here.registers.world.employees, [*ids[1:], ids[0]], strict=True):
        employee.employee_id = other
    here.registers.write()
    job = here.open("the-run")
    for name, step in TO_PLAN.items():
        if name == "merge":
            break
        step(job)
    with pytest.raises(DataInDoubt):
        merge(job)
    with open_plan(here.kommune, here.environment, None, LOOKING) as opened:
        (why,) = opened.doubts()
    assert "id-er" in why
    assert not opened.stands
