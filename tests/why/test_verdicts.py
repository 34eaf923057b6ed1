"""Verdicts that an injector of faults from outside has found wrong: each fault is one of a kind."""

from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dataflyt.errors import ConfigError
from dataflyt.warehouse.people import NotFound
from dataflyt.why.check import Answer
from simulator.model import Member
from tests.installation.fixtures import LOOKING, TO_PLAN, Installation
from tests.installation.test_delivery import PRIVATE, Places
from tests.why.test_envelope import envelopes
from tests.why.test_envelope import here as here  # a fixture
from tests.why.test_leak import ANITA, ask, protected
from tests.why.test_seed import cause

CLASS_WITHOUT_TIMETABLE = ("group_without_timetable", "school_leader")


def verdict(here: Installation, question: str, who: str, child: str | None = None, word: str = "") -> tuple[str, str]:
    return cause(ask(here, question, who, child, ANITA, graded=True, word=word))


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_waiting_run_that_does_not_mend_what_is_broken_is_not_blamed(here: Installation) -> None:
    """Of two pupils in no class, the run that waits puts one into the class and the other into the pupils' council."""
    world = here.registers.world
    council = next(group for group in world.groups if group.kind[1] == "elevråd")
    mended, still = [
        pupil
        for pupil in world.pupils
        if pupil.person and not pupil.cases and not pupil.person.cases and pupil.school is council.school
    ][:2]
    ids = {mended.sas.person_id, still.sas.person_id}
    for group in world.groups:
        if group.kind[1] == "basisgruppe":
            group.members[:] = [one for one in group.members if one.person_id not in ids]
    here.registers.write()
    here.run()
    numbers = [one.person.number for one in (mended, still) if one.person]
    without_class = ("pupil_without_class", "school_office")
    assert [verdict(here, "resources", one) for one in numbers] == [without_class, without_class]

    label = f"{mended.level}{mended.letter}"
    home = next(
        one
        for one in world.groups
        if one.kind[1] == "basisgruppe" and one.school is mended.school and one.klass == label
    )
    home.members.append(Member(mended.sas.person_id, "01"))
    council.members.append(Member(still.sas.person_id, "01"))
    here.registers.write()
    here.steps(here.open(), *TO_PLAN)
    waits = ("waiting_for_approval", "approver")
    assert [verdict(here, "resources", one) for one in numbers] == [waits, without_class]


@pytest.mark.long
@pytest.mark.after_first_run
def test_an_unknown_status_and_a_malformed_address_in_krr_are_no_green_envelope(here: Installation) -> None:
    father, mother = here.registers.person("seed_father"), here.registers.person("seed_mother")
    assert father.contact
    assert mother.contact
    today = date(2026, 11, 23)
    father.contact = replace(father.contact, status="PENSJONERT")
    mother.contact = replace(
        mother.contact, epost="anita(at)example.com", epost_oppdatert=today, epost_verifisert=today, mobil=None
    )
    here.run()
    listed = envelopes(here)
    assert listed[father.number] == {"message": True, "notice": False, "reason": "not_active"}
    assert verdict(here, "envelope", father.number) == ("krr_status_unknown", "engineer")
    assert listed[mother.number] == {"message": False, "notice": False, "reason": "no_contact"}
    assert verdict(here, "envelope", mother.number) == ("krr_empty", "guardian_krr")


@pytest.mark.after_first_run
def test_the_file_is_not_said_to_have_an_access_that_there_is_not(here: Installation) -> None:
    """Both are in the file, the child for its parents' sake and the adult for another child's."""
    baug = next(one.person for one in here.registers.world.pupils if "seed_baug" in one.cases)
    assert baug
    near = {record.ansvarlig for record in baug.responsibility}
    other = next(
        one
        for one in here.registers.world.persons.values()
        if one.children and one.number not in near and one.roles == ["guardian"] and not one.cases
    )
    answer = ask(here, "access", other.number, baug.number, LOOKING, graded=True)
    assert cause(answer) == ("no_foreldreansvar", "guardian_freg")
    assert "in_pifu_file" not in {step.check for step in answer.steps}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_file_that_is_published_and_not_delivered_is_not_in_order(here: Installation, tmp_path: Path) -> None:
    father = here.registers.person("seed_father").number
    places = Places(here, tmp_path)
    child, one = next(
        (pupil.person.number, record.ansvarlig)
        for pupil in here.registers.world.pupils
        if pupil.person and not pupil.cases and not pupil.person.cases
        for record in pupil.person.responsibility
        if record.ansvarlig and record.ansvarlig != father
    )
    assert verdict(here, "access", one, child) == ("", "")
    places.to(pifu=(PRIVATE,))
    assert verdict(here, "access", one, child) == ("delivery_waits", "nobody")
    here.run()
    assert verdict(here, "access", one, child) == ("", "")
    address = places.addresses.pop("deliver_a")
    here.run()
    assert verdict(here, "access", one, child) == ("not_delivered", "engineer")
    assert verdict(here, "missing", child) == ("", ""), "the recipient has the directory by another way"
    places.addresses["deliver_a"] = address
    here.run()
    assert verdict(here, "access", one, child) == ("", "")


@pytest.mark.after_first_run
def test_a_group_is_asked_about_by_its_id_or_by_the_name_of_a_class(here: Installation) -> None:
    def asked(word: str, *, graded: bool = False) -> Answer:
        return ask(here, "group", "", None, ANITA, graded=graded, word=word)

    names = Counter(group.short for group in here.registers.world.groups if group.kind[1] == "basisgruppe")
    once, several = (next(name for name in names if (names[name] == 1) is alone) for alone in (True, False))
    assert asked(once).verdict.status == asked(once.lower()).verdict.status == "fine"
    with pytest.raises(NotFound, match=f"{names[several]} grupper heter {several}.*Skriv id-en: .*/{several}/2026"):
        asked(several, graded=True)
    with pytest.raises(NotFound, match=f"{names[several]} grupper heter {several}") as refused:
        asked(several)
    assert "/2026" not in str(refused.value)  # an id is free text too, and may hold somebody's name
    subject = next(one for one in here.registers.world.groups if one.group_id == "SKA/NOR-6A/2026")
    assert cause(asked("ska/nor-6a/2026")) == cause(asked(subject.group_id)) == CLASS_WITHOUT_TIMETABLE
    # Other names may hold a person's: they are found with «graded» alone.
    assert cause(asked(subject.long)) == cause(asked("99Z")) == ("group_unknown", "school_office")
    assert "navnet på klassen, som 7B" in asked("99Z").verdict.settles


@pytest.mark.after_first_run
def test_nobody_is_blamed_for_a_question_about_the_wrong_person(here: Installation) -> None:
    baug = next(one.person.number for one in here.registers.world.pupils if "seed_baug" in one.cases and one.person)
    father = here.registers.person("seed_father").number
    lilly = next(one.person.number for one in here.registers.world.employees if one.person.given == "Lilly")

    assert verdict(here, "access", baug, father) == ("not_a_pupil", "nobody")  # the other way round
    assert verdict(here, "resources", lilly) == ("not_a_pupil", "nobody")
    assert verdict(here, "teacher", baug) == ("not_an_employee", "nobody")
    assert verdict(here, "missing", father) == ("guardian_alone", "nobody")
    assert verdict(here, "resources", baug, word="SKA/6A/2026") == ("not_a_subject_group", "nobody")
    with pytest.raises(ConfigError, match="samme person"):
        ask(here, "access", baug, baug, ANITA)
    # Where all is well it is said of what was asked.
    fine = {kind: ask(here, kind, who, child, ANITA).verdict.sentence for kind, who, child in (
        ("row", baug, None), ("envelope", here.registers.person("seed_mother").number, None), ("changed", father, baug),
    )}  # fmt: skip
    assert fine["row"] == "Ingen rader om personen er lagt til side."
    assert "ingen grunn til at konvolutten er rød" in fine["envelope"]
    assert fine["changed"].startswith("Tilgangen gjelder nå.")


@pytest.mark.after_first_run
def test_consent_is_not_to_be_switched_on_for_a_protected_child(here: Installation) -> None:
    new_man, child = here.registers.person("stepfather"), protected(here)[0]
    assert not here.kommune.consent
    answer = ask(here, "stepfather", new_man.number, child.number, ANITA, graded=True)
    assert cause(answer) == ("child_protected", "nobody")
    unseen = ask(here, "stepfather", new_man.number, child.number, ANITA)
    assert cause(unseen) == ("child_unknown", "school_office")
    assert unseen.caller == answer.caller


@pytest.mark.after_first_run
def test_the_envelope_of_a_guardian_whose_access_is_suspended_is_not_mended_at_the_register(here: Installation) -> None:
    child = next(
        one for one in protected(here) if one.protection == "strengtFortrolig" and len(one.responsibility) == 2
    )
    adult = child.responsibility[0].ansvarlig or ""
    assert verdict(here, "access", adult, child.number) == ("access_suspended", "system_owner")
    assert verdict(here, "envelope", adult) == ("not_a_guardian", "system_owner")


@pytest.mark.after_first_run
def test_what_begins_on_a_day_is_said_to_show_from_that_day(here: Installation) -> None:
    coming = next(one.person for one in here.registers.world.employees if "future_starter" in one.cases)
    answer = ask(here, "teacher", coming.number, None, ANITA, graded=True)
    assert cause(answer) == ("position_not_begun", "nobody")
    begins = answer.verdict.sentence.removeprefix("Stillingen i HR begynner ").removesuffix(".")
    assert answer.verdict.when == f"Ingenting skal rettes. Det vises ved den første kjøringen fra {begins}."
    assert answer.caller.startswith("Du får tilgang når stillingen din begynner.")
