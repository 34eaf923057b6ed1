"""The envelope of an explanation and of a person's page is that of the list of access, and tells nothing more."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from dataflyt.records.show_person import show_person
from dataflyt.warehouse.audit import Visitor
from dataflyt.why.check import Answer
from simulator.model import Person
from tests.installation.fixtures import TO_PLAN, Installation
from tests.installation.test_guardians import published
from tests.warehouse.test_state import tonight
from tests.why.test_leak import ANITA, BJORN, PEOPLE, ask

pytestmark = pytest.mark.long

REASONS = {
    (): None,
    ("no_contact",): "no_contact",
    ("krr_not_answered",): "no_contact",
    ("krr_deleted",): "not_active",
    ("krr_reserved",): "reserved",
    ("krr_expired",): "expired",
    ("contact_of_employee",): None,
}
"""The reason in the list of access that stands for each verdict to a visitor without ``graded``."""


@pytest.fixture
def here(installation: Installation) -> Installation:
    exports = (*installation.kommune.exports, "guardians", "guardians_csv")
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE, "exports": exports})
    if installation.runs:
        installation.run()  # a new export is published by a run
    return installation


def grow_old(person: Person) -> None:
    """Let a person have confirmed nothing in KRR for more than 18 months."""
    assert person.contact
    old = date(2024, 1, 1)
    person.contact = replace(
        person.contact, epost_oppdatert=old, epost_verifisert=old, mobil_oppdatert=old, mobil_verifisert=old
    )


def protect(here: Installation, person: str, level: int = 2) -> None:
    """Let a person be fortrolig (or stricter) from now on, and nobody who lives there too."""
    here.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run) "
        "values ('haugesund', 'protection', cast(:person as uuid), :level, 'own', 1, now(), true) returning 1",
        person=person,
        level=level,
    )


def envelopes(here: Installation) -> dict[str, dict[str, Any]]:
    """Return the envelopes of the published list of access, by the guardians' numbers."""
    tonight(here)
    return {adult: row["envelope"] for (_, adult), row in published(here).rows.items()}


def told(here: Installation, who: str, visitor: Visitor = BJORN, *, graded: bool = False) -> tuple[Any, ...]:
    """Return what is said of a guardian's details, by ``why`` and by the person's page; not whom it is about."""
    answer = ask(here, "envelope", who, None, visitor, graded=graded)
    page = show_person(here.kommune, here.environment, who, visitor, graded=graded)
    shown = [one[:7] for one in (*page.current, *page.earlier) if one.section == "Kontakt"]
    return answer.verdict, answer.steps, shown, answer.caller


def sent(answer: Answer) -> bool:
    """Return whether an answer says that an ordinary message can be sent."""
    return "Vanlige meldinger kan sendes." in " ".join(step.sentence for step in answer.steps)


@pytest.mark.after_first_run
def test_an_ordinary_message_is_sent_to_old_details_and_a_formal_notice_is_not(here: Installation) -> None:
    father = here.registers.person("seed_father")
    grow_old(father)
    here.run()
    assert envelopes(here)[father.number] == {"message": True, "notice": False, "reason": "expired"}
    answer = ask(here, "envelope", father.number, None)
    assert answer.verdict.causes == ("krr_expired",)
    assert "Formelle varsler kan ikke sendes" in answer.verdict.sentence
    assert sent(answer)
    assert {step.check: step.status for step in answer.steps} | {"message_sent": "passed", "krr_fresh": "failed"} == {
        step.check: step.status for step in answer.steps
    }


@pytest.mark.after_first_run
def test_the_page_says_of_each_guardian_what_the_list_of_access_says(here: Installation) -> None:
    listed = envelopes(here)
    known = {
        number
        for (number,) in here.query(
            "select p.number from golden.person p join golden.protection x using (person_id) "
            "where p.to_run is null and x.to_run is null and x.level < 2"
        )
    }
    seen: Counter[str | None] = Counter()
    for number, envelope in sorted(listed.items()):
        if number in known and seen[envelope["reason"]] < 4:
            answer = ask(here, "envelope", number, None)
            if "not_a_guardian" in answer.verdict.causes or "person_unknown" in answer.verdict.causes:
                continue  # of protected children alone
            assert REASONS[answer.verdict.causes] == envelope["reason"]
            assert sent(answer) == envelope["message"]
            seen[envelope["reason"]] += 1
    assert seen.keys() >= {None, "no_contact", "reserved", "expired"}


@pytest.mark.after_first_run
def test_details_withheld_for_a_protected_child_are_told_of_as_those_of_somebody_who_has_none(
    here: Installation,
) -> None:
    """A guardian of one child who is protected and one who is not, beside a guardian without details."""
    ((number, child),) = here.query(
        "select p.number, min(g.child_id::text) from golden.guardian_access g "
        "join golden.person p on p.person_id::text = g.adult join golden.contact c on c.person_id = p.person_id "
        "join golden.protection x on x.person_id = g.child_id and x.level = 0 and not x.held_back "
        "join golden.protection y on y.person_id = p.person_id and y.level = 0 and not y.held_back "
        "where g.state = 'active' and c.email_fresh and not c.reserved and c.status = 'AKTIV' "
        "and p.person_id not in (select person_id from golden.employment) "
        "group by p.number having count(*) > 1 and count(distinct g.child_id) > 1 order by 1 limit 1"
    )
    assert ask(here, "envelope", number, None).verdict.status == "fine"
    protect(here, child)
    listed = envelopes(here)
    assert listed[number] == {"message": False, "notice": False, "reason": "no_contact"}
    nothing = {
        one
        for (one,) in here.query(
            "select p.number from golden.person p join golden.protection x using (person_id) "
            "join golden.contact c using (person_id) "
            "where x.level < 2 and not x.held_back and c.email_hash is null and c.mobile_hash is null"
        )
    }
    others = [one for one in sorted(nothing & listed.keys()) if told(here, one)[0].causes == ("no_contact",)]
    assert others, "the simulated kommune has a guardian without details"
    assert told(here, number) == told(here, others[0])
    assert ask(here, "envelope", number, None, ANITA, graded=True).verdict.causes == ("contact_withheld",)
    shown = told(here, number, ANITA, graded=True)[2]
    assert any("fersk" in str(one) for one in shown)

    # Nor does a run that waits tell of new details.
    guardian = here.registers.world.persons[number]
    fresh = guardian.contact
    grow_old(guardian)
    here.run()  # FREG says nothing of a protection: the release lifts it
    guardian.contact = fresh
    here.steps(here.open(), *TO_PLAN)
    assert told(here, number)[0].causes == ("waiting_for_approval",)
    protect(here, child)
    assert told(here, number)[0] == told(here, others[0])[0]
