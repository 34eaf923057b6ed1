"""Verdicts that an injector of faults from outside has found wrong: each fault is one of a kind."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from simulator.model import Member
from tests.installation.fixtures import LOOKING, TO_PLAN, Installation
from tests.installation.test_delivery import PRIVATE, Places
from tests.why.test_envelope import envelopes
from tests.why.test_envelope import here as here  # a fixture
from tests.why.test_leak import ANITA, ask
from tests.why.test_seed import cause


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
