"""Chains of joins, splittings and new numbers: who keeps the id, the name, the grants and the lifts."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, text

from dataflyt.run.job import Job, open_job
from dataflyt.run.merge import merge
from dataflyt.run.withdraw import withdraw
from dataflyt.sources.sas import rows as sas
from dataflyt.warehouse import plan, runs, vetoed_views
from tests.installation.fixtures import Installation, approve_and_release, checked
from tests.warehouse.test_identity_worlds import Document, Read, Small, _stage

MOTHER, FATHER, AUNT = "20000000091", "20000000092", "20000000093"
ONE, TWO, THREE, FOUR = (f"2000000000{turn}" for turn in range(1, 5))


class School(Small):
    """A small school in which only the test makes things happen."""

    def __init__(self, here: Installation) -> None:
        self.here, self.rng, self.made, self.weeks = here, Random(0), 0, 0
        self.documents: list[Document] = []
        self.pupils: dict[str, str | None] = {}
        self.away: set[str] = set()
        self.planned: set[str] = set()
        self.job: Job
        for adult in (MOTHER, FATHER, AUNT):
            self.somebody(adult)

    def somebody(self, *numbers: str, adults: set[str] | None = None, home: str | None = None) -> Document:
        """Add a person to FREG with these numbers. The first is in use."""
        self.documents.append(Document(list(numbers), adults or set(), home=home))
        return self.documents[-1]

    def sas(self) -> Iterator[Any]:
        for row in super().sas():
            if not (isinstance(row, sas.Membership) and row.person_id in self.away):
                yield row

    def run(self, answer: str = "approved") -> str:
        """Do a run a day after the run before; return why it asked."""
        self.weeks += 1
        here, key, as_of = self.here, f"week-{self.weeks}", datetime(2026, 1, self.weeks, tzinfo=UTC)
        self.job = job = open_job(here.kommune, key, as_of, here.environment)
        for source, rows in {"sas": self.sas(), "freg": self.freg(), "hr": iter(()), "krr": iter(())}.items():
            _stage(job, source, rows)
        withdraw(job)
        checked(job)
        merge(job)
        with job.transaction() as connection:
            asks = runs.get(connection, job.owner, job.run.number).asks
            planned = plan.build(connection, job.owner, job.run.number, runs.released_before(connection, job.owner))
            self.planned = {row.kind for row in plan.rows(planned, graded=True)}
            if answer == "rejected":
                runs.undo(connection, job.owner, job.run.number, answer)
        if answer == "approved":
            approve_and_release(job)
        return asks or ""

    @contextlib.contextmanager
    def open_reading(self) -> Iterator[Connection]:
        job = self.job
        with job.transaction(lock=False) as connection:
            released = runs.released_before(connection, job.owner)
            vetoed_views.views(connection, job.owner, released, "now_", day=job.golden_inputs.today)
            yield connection

    def person(self, value: str, scheme: str = "number") -> str:
        return str(self._read()[scheme, value])

    def level(self, number: str) -> int:
        return self._read().level["number", number]

    def access(self, child: str) -> set[str]:
        """Return the numbers of the adults with access to a child."""
        return {adult for one, (_, adult) in self._read().access if one == ("number", child)}

    def uid(self, value: str, scheme: str = "number") -> str | None:
        person = self.person(value, scheme)
        with self.open_reading() as connection:
            found = text("select uid from now_account where person_id = :person and state = 'active'")
            return connection.scalar(found, {"person": person})

    def grant(self, child: str, adult: str) -> None:
        self.write(
            "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
            "decided_by, approved_by, from_run) "
            "values ('haugesund', :child, :adult, 'person', 'court_judgment', 'alt', '1', "
            "'anita', 'anita', 'birgitte', 1)",
            child=self.person(child),
            adult=self.person(adult),
        )

    def write(self, statement: str, **bound: object) -> None:
        with self.job.transaction() as connection:
            connection.execute(text(statement), bound)

    def _read(self) -> Read:
        return Read(self)  # type: ignore[arg-type]


@pytest.fixture
def school(installation: Installation) -> School:
    return School(installation)


def test_two_whom_freg_parts_a_second_time_are_two(school: School) -> None:
    both = school.somebody(ONE, TWO, adults={MOTHER})
    school.pupils["p1"] = ONE
    school.run()
    both.numbers.remove(TWO)
    parted = school.somebody(TWO, adults={FATHER})
    school.pupils["p2"] = TWO
    school.run()
    assert school.access(TWO) == {FATHER}

    # The new person's number changes. The old number then turns out to be a third person's.
    parted.numbers.insert(0, THREE)
    school.pupils["p2"] = THREE
    school.run()
    parted.numbers.remove(TWO)
    school.somebody(TWO, adults={AUNT})
    school.pupils["p3"] = TWO
    school.run()
    assert school.person(TWO) != school.person(THREE)
    assert school.access(THREE) == {FATHER}
    assert school.access(TWO) == {AUNT}


def test_a_former_number_that_turns_out_to_be_anothers_brings_them_no_name_and_no_grant(school: School) -> None:
    first = school.somebody(FOUR, TWO, adults={MOTHER})
    school.pupils["p1"] = FOUR
    school.run()
    second = school.somebody(ONE, adults={FATHER})
    school.pupils["p2"] = ONE
    school.run()
    names = (school.uid(FOUR), school.uid(ONE))
    school.grant(FOUR, FATHER)
    school.run()
    assert school.access(FOUR) == {MOTHER, FATHER}
    school.grant(FOUR, MOTHER)
    people = (school.person(FOUR), school.person(ONE))

    first.numbers.remove(TWO)
    second.numbers.append(TWO)
    assert "always" in school.run()
    assert (school.person(FOUR), school.person(ONE)) == people
    assert (school.uid(FOUR), school.uid(ONE)) == names
    assert school.access(ONE) == {FATHER}, "nor what people have granted for the other child"
    assert school.access(FOUR) == {MOTHER, FATHER}


def test_who_turns_out_to_be_somebody_else_has_the_access_also_when_freg_is_not_asked_about_the_other(
    school: School,
) -> None:
    father = school.documents[1]
    father.numbers.insert(0, THREE)
    child = school.somebody(ONE, adults={MOTHER, THREE})
    school.somebody(TWO, adults={AUNT})
    school.pupils |= {"p1": ONE, "p2": TWO}
    school.run()
    assert THREE in school.access(ONE)

    father.numbers.remove(FATHER)
    school.somebody(FATHER)
    child.adults = {MOTHER, FATHER}
    assert "always" in school.run(answer="rejected")
    assert school.access(ONE) == {MOTHER}, "what is lost does not wait for an answer"
    school.run()
    assert "always" in school.run(), "and comes when people have told the two apart"
    assert school.access(ONE) == {MOTHER, FATHER}


def test_a_local_id_that_comes_back_with_a_number_always_asks(school: School) -> None:
    """The school reuses a former pupil's id for another pupil, who would get the name and the grants."""
    school.somebody(ONE, adults={MOTHER})
    school.pupils |= {"p1": ONE, "p2": None}
    school.run()
    school.away.add("p2")
    school.run()
    school.away.clear()
    school.somebody(TWO, adults={FATHER})
    school.pupils["p2"] = TWO
    assert "always" in school.run(answer="rejected")
    assert "number_changes" in school.planned


def test_a_user_name_from_before_the_number_came_is_kept_when_another_is_parted_from_its_bearer(school: School) -> None:
    pupil = school.somebody(ONE, adults={MOTHER})
    school.somebody(FOUR, adults={FATHER, ONE})  # the pupil's number is known before the school has it
    school.pupils |= {"p1": FOUR, "p2": None}
    school.run()
    uid = school.uid("p2", scheme="sas")
    school.pupils["p2"] = ONE
    school.run()
    assert school.uid("p2", scheme="sas") == uid

    pupil.numbers.append(TWO)
    school.run()
    pupil.numbers.remove(TWO)
    school.somebody(TWO, adults={FATHER})
    school.pupils["p3"] = TWO
    school.run()
    assert school.uid("p2", scheme="sas") == uid
    assert school.uid("p3", scheme="sas") not in (uid, None)


def test_what_people_have_lifted_for_an_adult_is_not_lifted_for_somebody_parted_from_that_adult(school: School) -> None:
    mother = school.documents[0]
    mother.numbers.append(THREE)
    child = school.somebody(ONE, adults={MOTHER}, home="secret")
    child.grading = "fortrolig"
    school.somebody(TWO, adults={FATHER})
    school.pupils |= {"p1": ONE, "p2": TWO}
    school.run()
    assert school.access(ONE) == set()
    school.write(
        "update control.veto set lifted_at = now(), lifted_by = 'a', lifted_by_second = 'b' "
        "where kind = 'access_suspended'"
    )
    school.run()
    assert MOTHER in school.access(ONE)

    mother.numbers.remove(THREE)
    school.somebody(THREE)
    child.adults.add(THREE)
    school.run()
    assert THREE not in school.access(ONE)


def test_who_lives_with_a_protected_adult_by_a_grant_stays_protected_when_that_adult_becomes_another(
    school: School,
) -> None:
    older, _, aunt = school.documents
    child = school.somebody(ONE, adults={MOTHER, FATHER}, home="secret")
    other = school.somebody(TWO, adults={AUNT})
    aunt.grading, aunt.home = "strengtFortrolig", "secret"
    school.pupils |= {"p1": ONE, "p2": TWO}
    school.run()
    school.grant(ONE, AUNT)
    school.run()
    assert school.level(ONE) == 3

    school.documents.remove(aunt)
    older.numbers.append(AUNT)
    older.grading, older.home = "strengtFortrolig", "secret"
    other.adults, child.adults = {MOTHER}, {FATHER}
    for _ in range(2):
        school.run()
        assert "protection_lowered" not in school.planned
        assert school.level(ONE) == 3


def test_a_child_protected_for_its_guardians_sake_stays_so_when_the_guardian_is_parted_in_two(school: School) -> None:
    mother = school.documents[0]
    mother.numbers.append(THREE)
    mother.grading, mother.home = "strengtFortrolig", "secret"
    school.somebody(ONE, adults={MOTHER}, home="secret")
    other = school.somebody(TWO, adults={AUNT})
    school.pupils |= {"p1": ONE, "p2": TWO}
    school.run()

    mother.numbers.remove(THREE)
    mother.grading = "ugradert"
    school.somebody(THREE, home="secret").grading = "strengtFortrolig"
    other.adults = {THREE}
    school.run()
    assert "protection_lowered" not in school.planned
    assert school.level(ONE) == 3
