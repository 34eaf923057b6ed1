"""Pupils about whom FREG cannot be asked are in no export before a decision, and are kept apart on the work list."""

import pytest

from dataflyt.config.kommune import WithoutNumber
from dataflyt.operations import work_list
from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from simulator.model import Member, Pupil
from tests.installation.fixtures import LOOKING, Installation
from tests.warehouse.test_consent import _young
from tests.warehouse.test_rules import _come_back, _leave, _plain_pupils, _write
from tests.warehouse.test_state import tonight

WRITTEN = {
    "pupil_without_number": None,
    "pupil_with_miswritten_number": "5,8E+09",
    "pupil_with_provisional_number": "058514123456",
    "pupil_with_duf_number": "201512345678",
}


def _newcomers(here: Installation, count: int) -> list[Pupil]:
    """Return new pupils, as a school system enters people it has not had before."""
    found = _plain_pupils(here)[:count]
    for at, pupil in enumerate(found):
        old, new = pupil.sas.person_id, f"ny-{at}"
        for group in here.registers.world.groups:
            for member in group.members:
                member.person_id = new if member.person_id == old else member.person_id
        pupil.sas.person_id = new
        pupil.sas.given, pupil.sas.family = f"Nykommer{at}", "Kanarinummer"
        pupil.sas.username = None
    return found


def _published(here: Installation) -> str:
    folder = here.storage / "exports" / "haugesund"
    return "".join(
        path.read_text("utf-8") for path in folder.glob("*/*") if path.parent.name.startswith(_current(here))
    )


def _current(here: Installation) -> str:
    (name,) = here.query(
        "select publication from control.publication where withdrawn_at is null order by published_at desc limit 1"
    )[0]
    return str(name)


def _person_of(here: Installation, pupil: Pupil) -> object:
    sql = "select person_id from golden.person_link where to_run is null and scheme = 'sas' and value = :id"
    return here.query(sql, id=pupil.sas.person_id)[0][0]


def _decide(here: Installation, *people: object) -> None:
    for person in people:
        _write(
            here,
            "insert into control.publishable (owner, person_id, decision, reason, decided_by, from_run) "
            "values ('haugesund', :person, '2026-11-24/1', 'venter på nummer', 'anita', 2)",
            person=person,
        )


def _kinds(here: Installation, person: object) -> set[str]:
    listed = work_list.items(here.kommune, here.environment, LOOKING)
    return {item.kind for item in listed if item.subject == str(person) and item.kind in work_list.UNASKED}


@pytest.mark.long
@pytest.mark.after_first_run
def test_each_is_held_back_whole_until_decided_and_keeps_name_and_account_when_the_number_comes(
    installation: Installation,
) -> None:
    here = installation
    pupils = dict(zip(WRITTEN, _newcomers(here, len(WRITTEN)), strict=True))
    numbers = {kind: pupil.sas.number for kind, pupil in pupils.items()}
    for kind, pupil in pupils.items():
        pupil.sas.number = WRITTEN[kind]
    here.registers.write()
    job = here.open()
    report = here.run(job=job)
    assert report["outcome"] == "released", report["sentences"]
    assert close_run(job, [])["held_pupils"] == len(pupils), "and they are told of by mail"
    assert "Kanarinummer" not in _published(here)
    people = {kind: _person_of(here, pupil) for kind, pupil in pupils.items()}
    assert {kind: _kinds(here, person) for kind, person in people.items()} == {kind: {kind} for kind in people}
    told = " ".join(str(note) for note in report["noted"])
    assert "er ikke et: rett det i skolesystemet" in told
    assert "DUF-nummer" in told
    for text in ("058514123456", "201512345678", "5,8E+09"):
        assert text not in str(report)

    # One decision for two of them. It takes effect with the next run, and its withdrawal at once.
    without, duf = people["pupil_without_number"], people["pupil_with_duf_number"]
    _decide(here, without, duf)
    here.run()
    shown = _published(here)
    assert {name for name in ("Nykommer0", "Nykommer1", "Nykommer2", "Nykommer3") if name in shown} == {
        pupils["pupil_without_number"].sas.given,
        pupils["pupil_with_duf_number"].sas.given,
    }
    assert "201512345678" not in shown
    assert _kinds(here, without) == set()
    names = dict(here.query("select person_id, uid from golden.account where to_run is null"))
    _write(here, "update control.publishable set ended_at = now(), ended_by = 'anita' where person_id = :p", p=duf)
    tonight(here)
    assert pupils["pupil_with_duf_number"].sas.given not in _published(here)
    assert pupils["pupil_without_number"].sas.given in _published(here)

    for kind, pupil in pupils.items():
        pupil.sas.number = numbers[kind]
    here.registers.write()
    here.run()
    for kind, pupil in pupils.items():
        assert numbers[kind] in here.ldif()
        assert _kinds(here, _person_of(here, pupil)) == set()
    after = dict(here.query("select person_id, uid from golden.account where to_run is null"))
    assert {after[person] for person in (without, duf)} == {names[person] for person in (without, duf)}
    assert after.keys() == names.keys()


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("written", [None, "0585145002O", "058514123456"])
def test_whose_number_is_lost_or_spoilt_in_the_file_is_asked_about_by_the_one_that_is_known(
    installation: Installation, written: str | None
) -> None:
    here, child = installation, _young(installation, 0)
    pupil = next(one for one in here.registers.world.pupils if one.person is child)
    pupil.sas.number = written
    here.registers.write()
    assert here.run()["outcome"] == "released"
    assert child.number in here.ldif()
    child.protection, child.home = "strengtFortrolig", None
    here.run()
    assert child.number not in here.ldif()


def _publish(here: Installation) -> None:
    decided = WithoutNumber(by="Kari Nordmann, oppvekstsjef", on="2026-08-01", protection_unknown=True)
    changed = {"pupils_without_number": "publish", "pupils_without_number_decided": decided}
    here.kommune = here.kommune.model_copy(update=changed)


def _ask(here: Installation) -> None:
    here.kommune = here.kommune.model_copy(update={"pupils_without_number": "ask"})


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_kommunes_file_may_say_that_they_are_published(installation: Installation) -> None:
    here = installation
    (pupil,) = _newcomers(here, 1)
    pupil.sas.number = None
    here.registers.write()
    for change, shown in ((_ask, False), (_publish, True), (_ask, False)):
        change(here)
        here.run()
        assert ("Kanarinummer" in _published(here)) is shown
    assert _kinds(here, _person_of(here, pupil)) == {"pupil_without_number"}


@pytest.mark.after_first_run
def test_publish_taken_back_takes_them_out_the_same_night(installation: Installation) -> None:
    here = installation
    (pupil,) = _newcomers(here, 1)
    pupil.sas.number = None
    here.registers.write()
    _publish(here)
    here.run()
    assert "Kanarinummer" in _published(here)
    _ask(here)
    tonight(here)
    assert "Kanarinummer" not in _published(here)


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_decision_is_not_the_next_ones_who_gets_the_local_id(installation: Installation) -> None:
    here = installation
    (pupil,) = _newcomers(here, 1)
    pupil.sas.number = None
    here.registers.write()
    here.run()
    _decide(here, _person_of(here, pupil))
    here.run()
    assert "Kanarinummer" in _published(here)
    groups = [
        group for group in here.registers.world.groups for m in group.members if m.person_id == pupil.sas.person_id
    ]
    _leave(here, pupil)
    here.registers.write()
    here.run()
    _come_back(here, pupil)
    for group in groups:
        group.members.append(Member(pupil.sas.person_id, "01"))
    pupil.sas.family = "Kanarinyesteelev"
    here.registers.write()
    here.run()
    assert "Kanarinyesteelev" not in _published(here)
    assert _kinds(here, _person_of(here, pupil)) == {"pupil_without_number"}


@pytest.mark.after_first_run
def test_who_comes_on_a_known_id_without_a_number_and_born_another_day_is_held_back(installation: Installation) -> None:
    here, child = installation, _young(installation, 0)
    pupil = next(one for one in here.registers.world.pupils if one.person is child)
    pupil.sas.number, pupil.sas.family = None, "Kanarinyesteelev"
    assert pupil.sas.born
    pupil.sas.born = pupil.sas.born.replace(year=pupil.sas.born.year - 1)
    here.registers.write()
    here.run()
    assert child.number not in _published(here)
    assert _kinds(here, _person_of(here, pupil)) == {"pupil_without_number"}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_decision_does_not_show_whom_something_protects(installation: Installation) -> None:
    here = installation
    (pupil,) = _newcomers(here, 1)
    pupil.sas.number = None
    here.registers.write()
    here.run()
    person = _person_of(here, pupil)
    _decide(here, person)
    _write(
        here,
        "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
        "from_run) values ('haugesund', :person, 'adressebeskyttelse', 'strengtFortrolig', 'x', '1', 'a', 'b', 2)",
        person=person,
    )
    here.run()
    assert "Kanarinummer" not in _published(here)


@pytest.mark.after_first_run
def test_a_file_in_which_all_numbers_are_encrypted_stops_and_says_what_to_order(installation: Installation) -> None:
    here = installation
    for pupil in here.registers.world.pupils:
        pupil.sas.number = "aGVtbWVsaWc="
    for employee in here.registers.world.employees:
        if employee.sas:
            employee.sas.number = "aGVtbWVsaWc="
    for guardian in here.registers.world.sas_guardians.values():
        guardian.number = "aGVtbWVsaWc="
    here.registers.write()
    report = here.run()
    assert report["failed"] == ["check"]
    assert any("kryptert" in sentence and "bestill" in sentence for sentence in report["sentences"])
    assert open_job(here.kommune, "x", here.clock, here.environment).run.number == 3
