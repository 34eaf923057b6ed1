"""The work list and ``why`` say the same, of everybody in a small kommune: the list is SQL of its own.

Each test asks ``why`` about everybody, finds among its links those that a kind of item is about, and compares them with
the list: an item that ``why`` does not know of is a fault, and so is a broken link without an item. ``DATAFLYT_SEED``
is another world. ``docs/develop/add-a-work-item.md`` says which kinds no question is about.
"""

from collections import defaultdict
from datetime import timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

import pytest

from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block
from dataflyt.operations import work_list
from dataflyt.why.answering import why
from dataflyt.why.check import Step
from tests.installation.fixtures import LOOKING, SEED, Installation
from tests.why import faults
from tests.why.faults import Field

NUMBERS = {
    *("pupil_without_number", "pupil_with_miswritten_number", "pupil_with_provisional_number"),
    *("pupil_with_duf_number", "pupil_with_encrypted_number"),
}
GROUPS = {"group_without_grep", "group_not_in_grep", "group_without_timetable"}
OF_PERSON = {*NUMBERS, "pupil_without_class", "user_disabled", "account_not_named", "resident_not_enrolled"}
"""Kinds that have the name of a cause."""
NO_POSITION = {
    *("employee_not_in_hr", "employee_left_hr", "without_position", "position_ended", "position_not_begun"),
    *("position_inactive", "position_not_at_school"),
}
NOT_REACHED = {"krr_missing", "krr_deleted", "krr_status_unknown", "krr_not_answered", "krr_empty", "krr_expired"}


class Pair(NamedTuple):
    """A child and an adult, and whether the school system has the adult as the child's guardian."""

    child: str
    adult: str
    by_hand: bool


class Everybody:
    """Asks ``why`` about everybody, and keeps the causes by kind of question."""

    def __init__(self, here: Installation) -> None:
        self.here = here
        self.ids = {
            str(person): who
            for person, who in here.query(
                "select person_id, (array_agg(value order by scheme = 'number' and current desc, scheme = 'sas' desc, "
                "value))[1] from golden.person_link where to_run is null group by person_id"
            )
        }
        self.listed: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for item in work_list.items(here.kommune, here.environment, LOOKING, graded=True):
            self.listed[item.kind].add((item.subject, item.other))

    def steps(self, question: str, who: str, child: str | None = None, word: str = "") -> dict[str, Step]:
        """Ask; return the chain by the names of its checks, the last of a name."""
        asked = self.ids.get(who, who), None if child is None else self.ids.get(child, child)
        answer = why(
            self.here.kommune, self.here.environment, question, LOOKING, who=asked[0], child=asked[1], word=word,
            graded=True,
        )  # fmt: skip
        return {one.check: one for one in answer.steps}

    def causes(self, question: str, who: str, child: str | None = None, word: str = "") -> set[str]:
        """Ask; return the causes of every link that does not hold."""
        return {one.cause for one in self.steps(question, who, child, word).values() if one.cause}

    def subjects(self, *kinds: str) -> set[tuple[str, str]]:
        """Return the kind and the subject of the items of some kinds."""
        return {(kind, subject) for kind in kinds for subject, _ in self.listed[kind]}

    def of(self, sql: str) -> set[str]:
        """Return the ids that a query reads."""
        return {str(one) for (one,) in self.here.query(sql) if str(one) in self.ids}


def weeks_later(here: Installation) -> None:
    """Let things break, people decide and two weeks pass, and make a run: the list has what the run has found."""
    field = Field(here, Random(SEED))
    here.kommune = here.kommune.model_copy(update={"consent": True})
    for _ in faults.broken(field, (*faults.BETWEEN, *faults.DECIDED)):
        pass
    here.registers.advance(here.registers.world.day + timedelta(days=14))
    here.run()


def people_and_groups(all_: Everybody) -> tuple[set[object], set[object]]:
    """Return what the list and what ``why`` say of pupils, employees and groups."""
    pupils = all_.of("select person_id from golden.enrolment where to_run is null")
    staff = all_.of(
        "select l.person_id from golden.person_link l join history.sas_membership m on m.subject = l.value "
        "where l.scheme = 'sas' and l.to_run is null and m.to_run is null and m.role <> '01' "
        f"and coalesce(control.as_date(m.begin_date), '-infinity') <= date '{all_.here.clock.date()}' "
        "union select person_id from golden.employment where to_run is null"
    )
    residents = {subject for subject, _ in all_.listed["resident_not_enrolled"]}
    others = all_.of(
        "select l.person_id from golden.person_link l join history.freg_resident r "
        "on r.foedselsellerdnummer = l.value where l.scheme = 'number' and l.to_run is null and r.to_run is null"
    )
    said: set[object] = set()
    for one in pupils | residents | others:
        said |= {(cause, one) for cause in all_.causes("missing", one) & OF_PERSON}
    for one in staff:
        causes = all_.causes("teacher", one)
        said |= {(cause, one) for cause in causes & OF_PERSON}
        if causes & NO_POSITION:
            said.add(("employee_without_school", one))
    for (group,) in all_.here.query("select group_id from golden.school_group where to_run is null"):
        said |= {(cause, group) for cause in all_.causes("group", "", word=group) & GROUPS}
    return {*all_.subjects(*OF_PERSON, *GROUPS, "employee_without_school")}, said


def pairs(all_: Everybody) -> list[Pair]:
    """Return every child at a school with each adult who has, had or is said to have something to do with it."""
    found = {
        (str(child), adult): bool(by_hand)
        for child, adult, by_hand in all_.here.query(
            "select child_id, adult, bool_or(by_hand) from ("
            "select child_id, adult, false as by_hand from golden.guardian_access where adult_kind = 'person' "
            "union all select c.person_id, a.person_id::text, true from history.sas_guardian g "
            "join golden.person_link c on c.scheme = 'sas' and c.value = g.child_id and c.to_run is null "
            "join golden.person_link a on a.scheme = 'sas' and a.value = g.guardian_id and a.to_run is null "
            "where g.to_run is null and g.contact_type = 'guardian') as x "
            "where exists (select from golden.enrolment e where e.person_id = child_id and e.to_run is null) "
            "group by 1, 2"
        )
    }
    return [Pair(child, adult, by_hand) for (child, adult), by_hand in found.items() if adult in all_.ids]


def access(all_: Everybody) -> tuple[set[object], set[object]]:
    """Return what the list and what ``why`` say of who has access to whom."""
    numbered = {str(one) for (one,) in all_.here.query("select person_id from golden.person where number is not null")}
    said: set[object] = set()
    taken: set[object] = set()
    for pair in pairs(all_):
        steps = all_.steps("access", pair.adult, pair.child)
        holds = {name for name, step in steps.items() if step.status == "passed"}
        basis = "responsible" in holds and not {"adult_answered", "of_age", "alive"} & (steps.keys() - holds)
        has = basis and not {"not_suspended", "not_blocked"} & (steps.keys() - holds)
        by_consent = "samtykke" in steps["responsible"].sentence if "responsible" in steps else False
        if basis and not has:  # listed if it was so in the run
            taken.add(("sas_guardian_without_basis", pair.child, pair.adult))
        if pair.by_hand and not basis:
            said.add(("sas_guardian_without_basis", pair.child, pair.adult))
        if has and not pair.by_hand and not by_consent and pair.adult in numbered:
            said.add(("sas_guardian_missing", pair.child, pair.adult))
        if any(one.cause == "adult_not_answered" for one in steps.values()):
            said.add(("responsible_unanswered", pair.child, pair.adult))
    kinds = ("sas_guardian_without_basis", "sas_guardian_missing", "responsible_unanswered")
    by_sas_id = dict(
        all_.here.query(
            "select 'sas:' || value, person_id::text from golden.person_link where scheme = 'sas' and to_run is null"
        )
    )
    listed = {(kind, child, by_sas_id.get(adult, adult)) for kind in kinds for child, adult in all_.listed[kind]}
    return listed - taken, said


def envelopes(all_: Everybody) -> tuple[set[object], set[object]]:
    """Return what the list and what ``why`` say of the guardians who cannot be reached."""
    adults = all_.of("select adult from golden.guardian_access where adult_kind = 'person' and to_run is null")
    causes = {one: all_.causes("envelope", one) for one in adults}
    said: set[object] = {("guardian_not_reached", one) for one in adults if causes[one] & NOT_REACHED}
    # A guardian who has lost every access since the run stays on the list until the next run.
    gone = {("guardian_not_reached", one) for one in adults if "not_a_guardian" in causes[one]}
    return {*all_.subjects("guardian_not_reached")} - gone, said


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("later", [False, True], ids=["new", "weeks later"])
def test_the_list_and_why_say_the_same_of_everybody(installation: Installation, later: bool) -> None:
    if later:
        weeks_later(installation)
    everybody, lines = Everybody(installation), []
    for about in (people_and_groups, access, envelopes):
        listed, said = about(everybody)
        assert listed
        lines += [f"listed, not said: {one}" for one in sorted(map(str, listed - said))]
        lines += [f"said, not listed: {one}" for one in sorted(map(str, said - listed))]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.mark.after_first_run
def test_nobody_is_told_to_enter_a_blocked_adult_in_the_school_system(installation: Installation) -> None:
    child, adult = min(Everybody(installation).listed["sas_guardian_missing"])
    block = Block(child=UUID(child), adult=adult, basis="contact_ban", case_number="2026/1")
    deciding.decide(installation.kommune, installation.environment, block, LOOKING)
    listed = Everybody(installation).listed["sas_guardian_missing"]
    assert listed
    assert (child, adult) not in listed
