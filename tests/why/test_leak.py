"""Nothing leaks: the caller hears the same of a protected and of an unknown child, and so does who lacks «graded».

``DATAFLYT_LEAK=10000`` asks about so many pairs; the suite about fewer. With ``-s`` the figures are printed.
"""

import os
import time
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.warehouse.audit import Visitor
from dataflyt.why.answering import why
from dataflyt.why.check import Answer
from dataflyt.why.questions import QUESTIONS
from simulator.model import Person
from tests.decisions.guardians import employed_parents, protect_children, set_aside_in_krr
from tests.decisions.test_undo import families
from tests.installation.fixtures import Installation

ANITA = Visitor("101", "Anita", "saksbehandling", "test")
BJORN = Visitor("102", "Bjørn", "saksbehandling", "test")
CATO = Visitor("103", "Cato", "nysgjerrighet", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "decide")),
    CaseWorker(id="103", name="Cato", may=("decide",)),
)
UNKNOWN = "Ingen Nordmann 2015-01-01"
PAIRS = int(os.environ.get("DATAFLYT_LEAK", "100"))


@pytest.fixture
def here(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def ask(
    here: Installation, question: str, who: str, child: str | None, visitor: Visitor = BJORN, **more: Any
) -> Answer:
    return why(here.kommune, here.environment, question, visitor, who=who, child=child, **more)


def protected(here: Installation) -> list[Person]:
    """Return the pupils whom FREG protects, or who are protected for somebody at home."""
    hidden = {
        number
        for (number,) in here.query(
            "select p.number from golden.protection x join golden.person p using (person_id) "
            "join golden.enrolment e using (person_id) "
            "where x.to_run is null and p.to_run is null and e.to_run is null and (x.level >= 2 or x.held_back)"
        )
    }
    return [
        pupil.person
        for pupil in here.registers.world.pupils
        if pupil.person and pupil.person.number in hidden and "unknown_to_freg" not in pupil.cases
    ]


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_caller_hears_the_same_of_a_protected_and_an_unknown_child_in_the_same_time(here: Installation) -> None:
    """Random pairs of a caller and a protected child, each beside a child who does not exist.

    Among the callers are the children's own parents, and a part of the visitors may see everything: they read another
    chain, and the caller hears the same. A part of the pairs is timed, with visitors who may not. Of two answers the
    protected child's is the slower one as often as not: by the time of a call nobody can tell.
    """
    random = Random(1)
    world = here.registers.world
    children = protected(here)
    assert len(children) >= 8
    parents = sorted({record.ansvarlig for child in children for record in child.responsibility if record.ansvarlig})
    unlike = {*parents, *(child.number for child in children)}  # the same person twice is refused, whoever it is
    others = sorted(one.number for one in world.persons.values() if one.roles and one.number not in unlike)
    of_nobody: dict[tuple[str, str], str] = {}
    slower = []
    for count in range(PAIRS):
        caller, child = random.choice(random.choice((parents, others))), random.choice(children)
        question = random.choice(("access", "changed", "stepfather"))
        if count % 5:
            if (question, caller) not in of_nobody:
                of_nobody[question, caller] = ask(here, question, caller, UNKNOWN).caller
            graded = count % 5 < 4
            told = ask(here, question, caller, child.number, ANITA if graded else BJORN, graded=graded).caller
            assert told == of_nobody[question, caller], question
            continue
        born = date(2012, 1, 1) + timedelta(days=random.randrange(2000))
        number = world.maker.spare_number(born, "kvinne", random.randrange(400))  # type: ignore[attr-defined]
        named = (f"Ingen Nordmann {born}", f"{child.given} {child.family} {child.born}")
        nobody, hidden = random.choice(((number, child.number), named))
        took, said = {}, {}
        for one in random.sample((nobody, hidden), 2):
            began = time.perf_counter()
            said[one] = ask(here, question, caller, one).caller
            took[one] = time.perf_counter() - began
        assert said[hidden] == said[nobody], question
        slower.append(took[hidden] > took[nobody])
    share = sum(slower) / len(slower)
    print(f"{PAIRS} pairs; the protected child's answer was the slower one in {share:.1%} of {len(slower)} timed")
    # Four standard deviations of a coin, and a twentieth.
    assert abs(share - 0.5) < 0.05 + 2 / len(slower) ** 0.5


@pytest.mark.after_first_run
def test_without_graded_a_protected_person_is_answered_for_as_one_who_does_not_exist(here: Installation) -> None:
    world = here.registers.world
    child = protected(here)[0]
    father = here.registers.person("seed_father")
    baug = next(one.person for one in world.pupils if "seed_baug" in one.cases)
    assert baug
    for question, asks in QUESTIONS.items():
        word = "navn" if asks.about == "field" else ""
        if question == "group":
            continue
        other = father.number if asks.about == "child" else None
        for who, second in ((child.number, None), (other, child.number)) if other else ((child.number, None),):
            if asks.about == "child" and second is None:
                second = baug.number  # a protected person as the adult
            unknown = (UNKNOWN, second) if who == child.number else (who, UNKNOWN)
            hidden = ask(here, question, str(who), second, word=word)
            nobody = ask(here, question, str(unknown[0]), unknown[1], word=word)
            assert hidden == nobody, question
            # Who may see the person gets an answer about the person, and the caller the text of nobody.
            seen = ask(here, question, str(who), second, ANITA, graded=True, word=word)
            assert seen != nobody, question
            assert seen.caller == nobody.caller, question


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_suspension_that_stands_is_told_to_nobody_without_graded(here: Installation) -> None:
    """Only protection suspends: when it has ended, the suspension would tell that there was one."""
    child = next(families(here))
    father = next(record.ansvarlig for record in child.responsibility if record.ansvarlig)
    child.protection, child.home_grading = "fortrolig", "fortrolig"
    home, child.home = child.home, replace(child.home, bruksenhetsnummer="H0999") if child.home else None
    here.run()
    child.protection, child.home_grading, child.home = None, "ugradert", home
    here.run()
    ((level, state),) = here.query(
        "select x.level, g.state from golden.protection x join golden.guardian_access g on g.child_id = x.person_id "
        "join golden.person_link c on c.person_id = x.person_id and c.value = :child and c.to_run is null "
        "join golden.person_link a on a.person_id::text = g.adult and a.value = :father and a.to_run is null "
        "where x.to_run is null and g.to_run is null",
        child=child.number,
        father=father,
    )
    assert (level, state) == (0, "active")
    for question in ("access", "changed", "stepfather"):
        told = ask(here, question, str(father), child.number, ANITA, graded=True)
        assert question == "stepfather" or "stanset" in str(told)
        assert ask(here, question, str(father), child.number) == ask(here, question, str(father), UNKNOWN)
    for question in ("missing", "row", "resources"):
        assert ask(here, question, child.number, None) == ask(here, question, UNKNOWN, None)


@pytest.mark.after_first_run
def test_a_register_s_row_about_an_employee_does_not_tell_of_a_protected_child(here: Installation) -> None:
    ((parent, number),) = employed_parents(here)
    set_aside_in_krr(here, number)

    def rows(visitor: Visitor, *, graded: bool = False) -> set[str]:
        answer = ask(here, "row", number, None, visitor, graded=graded)
        return {step.value for step in answer.steps if step.check == "rows_set_aside"}

    assert "krr_contact.letters" in rows(BJORN), "an ordinary guardian's row is told of"
    protect_children(here, parent)
    assert "krr_contact.letters" not in rows(BJORN)
    assert ask(here, "row", number, None).about, "the employee is found all the same"
    assert "krr_contact.letters" in rows(ANITA, graded=True)


@pytest.mark.after_first_run
def test_each_question_is_a_look_with_a_right_and_a_row_in_the_audit(here: Installation) -> None:
    father = here.registers.person("seed_father")
    baug = next(one.person for one in here.registers.world.pupils if "seed_baug" in one.cases)
    assert baug
    with pytest.raises(NotAllowed, match="persons"):
        ask(here, "access", father.number, baug.number, CATO)
    with pytest.raises(NotAllowed, match="graded"):
        ask(here, "access", father.number, baug.number, BJORN, graded=True)
    for question, child, said in (
        ("why-not", baug.number, "finnes ikke"),
        ("access", None, "hvilket barn"),
        ("field", None, "feltet"),
    ):
        with pytest.raises(ConfigError, match=said):
            ask(here, question, father.number, child)
    refused = here.query("select user_id, action from control.audit")
    assert {tuple(row) for row in refused} == {(BJORN.id, "denied why"), (CATO.id, "denied why")}
    ask(here, "access", father.number, baug.number)
    ids = dict(here.query("select value, person_id from golden.person_link where to_run is null"))
    looked = here.query(
        "select user_id, action, person_id, detail, purpose from control.audit where action not like 'denied %'"
    )
    assert {tuple(row) for row in looked} == {
        ("102", "why", ids[father.number], "access, kjøring 1", "saksbehandling"),
        ("102", "why", ids[baug.number], "access, kjøring 1", "saksbehandling"),
    }
    # A look for somebody who is not found is a row about nobody in particular, a protected person or not.
    ask(here, "missing", UNKNOWN, None, replace(BJORN, purpose="ukjent"))
    ask(here, "missing", protected(here)[0].number, None, replace(BJORN, purpose="beskyttet"))
    rows = here.query("select purpose, person_id from control.audit where purpose in ('ukjent', 'beskyttet')")
    assert {tuple(row) for row in rows} == {("ukjent", None), ("beskyttet", None)}
    # Names beside the subjects are told to the audit as well.
    here.kommune = here.kommune.model_copy(update={"consent": True})
    ask(here, "stepfather", here.registers.person("stepfather").number, baug.number)
    named = here.query("select person_id from control.audit where action = 'named beside'")
    assert {row[0] for row in named} == {ids[father.number], ids[here.registers.person("seed_mother").number]}


@pytest.mark.after_first_run
def test_a_teacher_with_a_protected_child_is_answered_for_as_one_without_children(here: Installation) -> None:
    people_of = (
        "select l.person_id from golden.employment e join golden.person_link l using (person_id) "
        "join golden.protection x using (person_id) where x.level = 0 and l.scheme = 'number' and e.manual is null "
        "and (l.person_id::text in (select adult from golden.guardian_access where state = 'active')) = {} limit 1"
    )
    ((parent,),) = here.query(people_of.format("true"))
    ((other,),) = here.query(people_of.format("false"))
    here.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
        "select owner, 'protection', child_id, 2, 'own', 1, now() from golden.guardian_access where adult = :adult "
        "returning 1",
        adult=str(parent),
    )
    for question, word in (("envelope", ""), ("field", "e-post"), ("field", "telefon")):
        said = [
            [(one.status, one.sentence) for one in ask(here, question, str(who), None, word=word).steps]
            for who in (parent, other)
        ]
        assert said[0] == said[1], question
    assert ask(here, "envelope", str(parent), None, ANITA, graded=True).steps[2].status == "passed"


@pytest.mark.after_first_run
def test_a_caller_who_claims_to_be_a_teacher_does_not_hear_who_is_known_here(
    here: Installation,
) -> None:
    baug = next(one.person for one in here.registers.world.pupils if "seed_baug" in one.cases and one.person)
    father = here.registers.person("seed_father")
    claimed = [baug.number, father.number, protected(here)[0].number, UNKNOWN]
    assert len({ask(here, "teacher", one, None).caller for one in claimed}) == 1
    for field in ("e-post", "telefon", "navn", "stilling"):
        assert len({ask(here, "field", one, None, word=field).caller for one in claimed}) == 1


@pytest.mark.after_first_run
def test_the_same_number_twice_is_refused_alike_for_a_known_and_an_unknown_child(here: Installation) -> None:
    known = next(one.person.number for one in here.registers.world.pupils if one.person)
    said = set()
    for number in (known, UNKNOWN):
        for visitor, graded in ((ANITA, True), (BJORN, False)):
            with pytest.raises(ConfigError) as refused:
                ask(here, "access", number, number, visitor, graded=graded)
            said.add(str(refused.value))
    assert len(said) == 1
