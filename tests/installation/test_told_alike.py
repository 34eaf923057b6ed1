"""Without ``graded`` one is told of guardians what the exports tell: details that are withheld are none, everywhere.

The exports show a guardian of a fortrolig child as one who has no contact details. Whatever else somebody may read
beside them, the plan, the work list, a person's page or a table, must not tell the two apart.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest

from dataflyt.config.kommune import Limit
from dataflyt.frames import reading
from dataflyt.frames.tables import OPEN
from dataflyt.operations import work_list
from dataflyt.records.show_person import show_person
from dataflyt.run.approve import question
from dataflyt.run.open_plan import open_plan
from dataflyt.run.publish import publish
from dataflyt.warehouse.people import NotFound
from simulator.model import Contact, Person
from tests.installation.fixtures import TO_PLAN, Installation, approve_and_release
from tests.installation.test_guardians import published
from tests.why.test_envelope import protect
from tests.why.test_leak import ANITA, BJORN, PEOPLE, ask

FRESH = date(2026, 10, 1)
KIND = "contact_changes"
Listed = dict[str, tuple[Any, ...]]


@pytest.fixture
def here(installation: Installation) -> Installation:
    exports = (*installation.kommune.exports, "guardians", "guardians_csv")
    installation.kommune = installation.kommune.model_copy(
        update={"people": PEOPLE, "exports": exports, "export_extras": {"guardians": ("contact",)}}
    )
    return installation


def details(random: Random, *, any_kind: bool = False) -> Contact | None:
    """Return fresh details, or none; with ``any_kind`` perhaps old or reserved ones too."""
    if random.random() < 0.4:
        return None
    mail = Contact(epost=f"a{random.randrange(1000)}@example.no", epost_oppdatert=FRESH, epost_verifisert=FRESH)
    if any_kind and random.random() < 0.6:
        old = date(2024, 1, 1)
        mail = replace(mail, reserved=FRESH) if random.random() < 0.5 else replace(mail, epost_oppdatert=old)
        mail = replace(mail, epost_verifisert=mail.epost_oppdatert)
    return mail


def families(here: Installation) -> dict[str, list[Person]]:
    """Return guardians of two pupils or more, who are neither employees nor pupils, with their children."""
    world = here.registers.world
    others = {one.person.number for one in world.employees} | {one.person.number for one in world.pupils if one.person}
    found: dict[str, list[Person]] = defaultdict(list)
    for pupil in world.pupils:
        if pupil.person and not pupil.cases and not pupil.person.cases and not pupil.person.protection:
            for record in pupil.person.responsibility:
                if record.current and record.ansvarlig in world.persons and record.ansvarlig not in others:
                    found[record.ansvarlig].append(pupil.person)
    return {adult: children for adult, children in found.items() if len(children) > 1}


def listed(here: Installation) -> Listed:
    """Return what the published list of access tells of each guardian's details."""
    return {
        adult: (row["guardian"].get("email"), row["guardian"].get("mobile"), row["envelope"]["message"])
        for (_, adult), row in published(here).rows.items()
    }


def changed(before: Listed, after: Listed) -> int:
    """Count the guardians whose details change in the exports: the plan's count, written a second time."""
    return sum(before.get(adult, (None, None, False)) != told for adult, told in after.items())


def a_run(here: Installation) -> dict[str, Any]:
    """Do a run, and return what it tells of its plan to those without ``graded``."""
    here.job = job = here.open()
    told: dict[str, Any] = {"merge": here.steps(job, *TO_PLAN)}
    asked = question(job)
    told["question"] = asked and asked.body.replace(asked.digest[:16], "")
    with open_plan(here.kommune, here.environment, None, BJORN) as opened:
        told |= {"plan": opened.changes(), "counts": opened.counts(), "rows": list(opened.rows())}
        told["named"] = opened.named(KIND, 1000)
    approve_and_release(job)
    publish(job)
    return told


def everything(here: Installation, adults: list[str]) -> dict[str, Any]:
    """Return all that is told to somebody without ``graded`` of a kommune and of some adults."""
    told: dict[str, Any] = {
        "work list": work_list.items(here.kommune, here.environment, BJORN),
        "counts": work_list.counts(here.kommune, here.environment),
        "mail": work_list.counts_by_owner(here.kommune, here.environment),
    }
    for table in (*OPEN, "plan"):
        told[table] = reading.read(here.kommune, here.environment, table, BJORN).to_csv()
    for adult in adults:
        try:
            page = show_person(here.kommune, here.environment, adult, BJORN)
            said = [one._replace(from_run=0, from_day=None) for one in (*page.current, *page.earlier)]
        except NotFound as error:
            said = [str(error)]
        answer = ask(here, "envelope", adult, None)
        told[adult] = (said, answer.verdict, [step.check for step in answer.steps if step.status != "passed"])
    return told


def of_kind(here: Installation, kind: str, *, graded: bool = False) -> list[work_list.Item]:
    """Return the items of a kind on the work list."""
    visitor, wanted = ANITA if graded else BJORN, work_list.Wanted(kind=kind)
    return work_list.items(here.kommune, here.environment, visitor, wanted, graded=graded)


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_withheld_is_told_as_none_in_the_plan_on_the_list_on_the_page_and_in_tables(
    here: Installation, seed: int
) -> None:
    random, world = Random(seed), here.registers.world
    of_adult = families(here)
    adults = random.sample(sorted(of_adult), 12)
    for adult in adults:
        world.persons[adult].contact = details(random)
        alone = of_adult[adult][0]  # one child lives elsewhere, and is not protected with the others
        assert alone.home
        alone.home = replace(alone.home, bruksenhetsnummer=f"H{random.randrange(1000):04}")
    here.run()
    before = listed(here)

    # Children are protected, and details change. The plan's count is that of the exports.
    for adult in adults:
        if random.random() < 0.6:
            for child in of_adult[adult][1:]:
                child.protection = child.home_grading = "fortrolig"
        world.persons[adult].contact = details(random)
    told, after = a_run(here), listed(here)
    assert told["counts"].get(KIND, 0) == changed(before, after) > 3
    assert {row[1:4] for row in told["named"]} == {(None, None, None)}
    assert sum(row.kind == KIND for row in told["rows"]) == len(told["named"]) == changed(before, after)
    red = {adult for adult, (_, _, message) in after.items() if not message}
    known = {}
    for adult in after:
        try:
            show_person(here.kommune, here.environment, adult, BJORN)
        except NotFound:
            continue
        ((person,),) = here.query(
            "select person_id::text from golden.person_link where to_run is null and current and scheme = 'number' "
            "and value = :number",
            number=adult,
        )
        known[person] = adult
    unreached = {
        known[item.subject]
        for item in work_list.items(
            here.kommune, here.environment, BJORN, work_list.Wanted(kind="guardian_not_reached")
        )
    }
    withheld = {
        number
        for (number,) in here.query(
            "select distinct p.number from golden.guardian_access a "
            "join golden.protection x on x.person_id = a.child_id and x.to_run is null and x.level = 2 "
            "join golden.person p on p.person_id::text = a.adult and p.to_run is null "
            "join golden.contact c on c.person_id = p.person_id and c.to_run is null and c.email_fresh "
            "where a.to_run is null and a.state = 'active'"
        )
    }
    assert len(withheld & red & unreached) >= 2, "their details are fresh, and the list has them as it has others"
    employed = {number for (number,) in here.query("select number from golden.person where local_number is not null")}
    assert red & set(known.values()) - employed <= unreached

    # Nothing more changes: a second run, to compare with.
    a_run(here)
    unchanged, pages = a_run(here), everything(here, adults)
    assert KIND not in unchanged["counts"]
    assert any(item.since for item in pages["work list"])

    # KRR has other details of those whose details are withheld. Nobody without graded is told.
    several = [adult for adult in adults if adult in withheld]
    for adult in several:
        now = world.persons[adult].contact
        while world.persons[adult].contact == now:
            world.persons[adult].contact = details(random, any_kind=True)
    again = a_run(here)
    with open_plan(here.kommune, here.environment, None, ANITA) as opened:
        assert opened.counts(graded=True)[KIND] == len(several)
    assert listed(here) == after
    assert again == unchanged
    for about, now_told in everything(here, adults).items():
        assert now_told == pages[about], about

    # The protection ends, and the details are told again.
    for adult in adults:
        for child in of_adult[adult]:
            child.protection, child.home_grading = None, "ugradert"
    told, shown = a_run(here), listed(here)
    assert told["counts"].get(KIND, 0) == changed(after, shown)


@pytest.mark.after_first_run
def test_details_that_a_protection_withholds_between_two_runs_are_on_the_list_as_of_the_released_run(
    here: Installation,
) -> None:
    ((adult, child),) = here.query(
        "select g.adult, min(g.child_id::text) from golden.guardian_access g "
        "join golden.contact c on c.person_id::text = g.adult and c.email_fresh "
        "join golden.protection x on x.person_id = g.child_id and x.level = 0 and not x.held_back "
        "join golden.protection y on y.person_id::text = g.adult and y.level = 0 and not y.held_back "
        "where g.state = 'active' group by 1 having count(distinct g.child_id) > 1 order by 1 limit 1"
    )
    assert adult not in {item.subject for item in of_kind(here, "guardian_not_reached")}
    protect(here, child)
    (item,) = (item for item in of_kind(here, "guardian_not_reached") if item.subject == adult)
    (other, *_) = (item for item in of_kind(here, "guardian_not_reached") if item.subject != adult)
    assert (item.since, item.new, item.owner) == (other.since, other.new, other.owner)
    counted = work_list.counts(here.kommune, here.environment)["guardian_not_reached"]
    assert counted == len(of_kind(here, "guardian_not_reached"))
    # Whoever may see the protection is told the truth: there is nothing to correct.
    assert adult not in {item.subject for item in of_kind(here, "guardian_not_reached", graded=True)}
    taken = work_list.take(here.kommune, here.environment, item.id, BJORN)
    assert taken.taken_by == BJORN.id


@pytest.mark.after_first_run
def test_a_pupil_whose_guardians_are_all_in_no_export_is_on_the_list_as_one_who_has_none(here: Installation) -> None:
    ((child, adults),) = here.query(
        "select g.child_id::text, array_agg(g.adult) from golden.guardian_access g "
        "join golden.protection x on x.person_id = g.child_id and x.level = 0 and not x.held_back "
        "join golden.person p on p.person_id = g.child_id and p.birth_date > '2010-01-01' "
        "where g.state = 'active' group by 1 having bool_and(g.adult_kind = 'person') order by 1 limit 1"
    )
    for adult in adults:
        assert child not in {item.subject for item in of_kind(here, "pupil_without_guardian")}
        protect(here, adult, level=3)
    assert child in {item.subject for item in of_kind(here, "pupil_without_guardian")}
    assert child not in {item.subject for item in of_kind(here, "pupil_without_guardian", graded=True)}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_limit_that_withheld_details_alone_are_over_asks_and_is_not_named(here: Installation) -> None:
    guard = here.kommune.guard
    strict = guard.model_copy(update={"limits": {**guard.limits, KIND: Limit(count=0)}})
    here.kommune = here.kommune.model_copy(update={"guard": strict})
    adult, children = next(iter(sorted(families(here).items())))
    world = here.registers.world
    world.persons[adult].contact = details(Random(3))
    for child in children:
        child.protection = child.home_grading = "fortrolig"
    assert f"limit:{KIND}" in asks(here), "the exports' details change"
    world.persons[adult].contact = Contact(epost="ny@example.no", epost_oppdatert=FRESH, epost_verifisert=FRESH)
    assert asks(here) == "always"
    assert not asks(here)


def asks(here: Installation) -> str:
    """Do a run, and return why it asks."""
    here.job = job = here.open()
    here.steps(job, *TO_PLAN)
    with open_plan(here.kommune, here.environment, None, BJORN) as opened:
        found = opened.run.asks
    approve_and_release(job)
    publish(job)
    return found or ""
