"""One person's page: every value with source, run and rule, what it was before; and everybody's looks in the audit."""

from dataclasses import replace
from datetime import date

import psycopg
import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.records.audited import looks
from dataflyt.records.show_person import SOURCES, Page, show_person
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound
from simulator.model import Person
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


@pytest.fixture
def here(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def page(here: Installation, who: str, visitor: Visitor = BJORN, **more: object) -> Page:
    return show_person(here.kommune, here.environment, who, visitor, **more)  # type: ignore[arg-type]


def said(shown: Page, *, earlier: bool = False) -> str:
    """Return everything that a page says, a line for each value."""
    values = shown.earlier if earlier else shown.current
    return "\n".join(f"{one.section}|{one.name}|{one.value}|{one.source}|{one.rule}|{one.from_run}" for one in values)


def parents(child: Person) -> list[str]:
    return [one.ansvarlig for one in child.responsibility if one.current and one.ansvarlig]


@pytest.mark.after_first_run
def test_a_page_has_every_value_with_its_source_its_run_and_its_rule_and_what_it_was_before(here: Installation) -> None:
    pupils = families(here)
    child, other = next(pupils), next(pupils)
    mother = here.registers.world.persons[parents(child)[0]]
    before = page(here, child.number)
    now = said(before)
    for part in ("Fornavn", "Fødselsdato", "Skole", "Grupper", "Foresatte", "FEIDE-konto", "Kildene sier"):
        assert part in now
    assert f"Person|Fornavn|{child.given}|Folkeregisteret|Folkeregisteret går foran" in now
    assert f"|{child.born}|Folkeregisteret|" in now
    assert child.number not in now
    assert f"{child.number[:6]}*****" in now
    assert mother.family in now
    assert not before.earlier
    assert child.number in said(page(here, child.number, numbers=True))
    assert "Kontakt|E-post" in said(page(here, mother.number)) or mother.contact is None
    assert f"Barn|{child.given}" in said(page(here, mother.number))

    child.family = "Giftesen"
    other.given = "Nygutt"
    here.run()
    after = page(here, child.number, ANITA, graded=True)
    assert "Person|Etternavn|Giftesen" in said(after)
    old = [one for one in after.earlier if one.name == "Etternavn"]
    assert [(one.from_run, one.to_run, one.value in before.name) for one in old] == [(1, 2, True)]
    assert old[0].to_day == date(2026, 11, 24)
    assert [
        one.value for one in page(here, child.number, ANITA, graded=True, run=1).current if one.name == "Etternavn"
    ] == [old[0].value]
    assert page(here, child.number, at=date(2026, 11, 23)).run == 1
    with pytest.raises(ConfigError, match="ingen frigitt kjøring 7"):
        page(here, child.number, run=7)
    with pytest.raises(ConfigError, match="den dagen"):
        page(here, child.number, at=date(2020, 1, 1))
    # A former name is for graded alone, at whatever run it is asked for.
    for shown in (
        page(here, child.number),
        page(here, child.number, run=1),
        page(here, child.number, at=date(2026, 11, 23)),
    ):
        assert "Giftesen" in said(shown)
        assert "Giftesen" in shown.name
        assert old[0].value not in said(shown).replace(mother.family, "") + said(shown, earlier=True)


@pytest.mark.after_first_run
def test_protection_is_as_of_now_whatever_is_asked_and_nobody_is_told_of_it(here: Installation) -> None:
    child = next(families(here))
    adult, second = parents(child)
    assert child.given in said(page(here, adult))
    child.protection, child.home = "strengtFortrolig", None
    here.run(answer="rejected")
    nobody = _refusal(here, "00000000-0000-0000-0000-000000000001")
    for who in (child.number, f"{child.given} {child.family} {child.born}"):
        assert _refusal(here, who) == nobody
        assert _refusal(here, who, run=1) == nobody
        assert _refusal(here, who, at=date(2026, 11, 23)) == nobody
    # The parents' pages do not tell either: whom the warehouse has only for this child is not found any more.
    for number in (adult, second):
        assert _refusal(here, number) == nobody
        assert _refusal(here, number, run=1) == nobody
        assert "strengt" not in said(page(here, number, ANITA, graded=True))
        assert "Barn|" in said(page(here, number, ANITA, graded=True))
    with pytest.raises(NotAllowed, match="graded"):
        page(here, child.number, graded=True)
    shown = page(here, child.number, ANITA, graded=True, run=1)
    assert "Beskyttelse|Gjelder nå|strengt fortrolig" in said(shown)
    assert "tilgangen er stanset" in said(shown)


@pytest.mark.after_first_run
def test_a_child_whose_adults_are_suspended_is_hidden_when_the_protection_has_ended_too(here: Installation) -> None:
    child = next(families(here))
    assert child.given in said(page(here, parents(child)[0]))
    here.query(
        "insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at) "
        "select owner, 'access_suspended', child_id, adult, 'child_protected', 1, now() from golden.guardian_access "
        "where child_id = (select person_id from golden.person_link where value = :one limit 1) returning 1",
        one=child.number,
    )
    nobody = _refusal(here, "00000000-0000-0000-0000-000000000001")
    for who in (child.number, f"{child.given} {child.family} {child.born}", *parents(child)):
        assert _refusal(here, who) == nobody
    assert "tilgangen er stanset" in said(page(here, child.number, ANITA, graded=True))


def _refusal(here: Installation, who: str, **more: object) -> str:
    with pytest.raises(NotFound) as refused:
        page(here, who, **more)
    return refused.value.sentence


@pytest.mark.after_first_run
def test_a_teacher_with_a_protected_child_is_shown_as_a_teacher_alone(here: Installation) -> None:
    world = here.registers.world
    numbers = {one.person.number for one in world.employees}
    taught = {adult for pupil in world.pupils if pupil.person for adult in parents(pupil.person)} & numbers
    assert taught, "the simulated kommune has a parent who works at a school"
    teacher = sorted(taught)[0]
    for pupil in world.pupils:
        if pupil.person and teacher in parents(pupil.person):
            pupil.person.protection, pupil.person.home_grading = "fortrolig", "fortrolig"
            pupil.person.home = replace(pupil.person.home, bruksenhetsnummer="H0999") if pupil.person.home else None
    before = page(here, teacher)
    here.run(answer="rejected")
    shown = page(here, teacher)
    everything = said(shown) + said(shown, earlier=True)
    # FREG is asked about employees only as guardians in this kommune.
    register = SOURCES["freg"]
    assert register in {one.source for one in before.current}
    assert register not in {one.source for one in (*shown.current, *shown.earlier)}
    assert "Kildene sier|Folkeregisteret" not in everything
    assert register in {one.source for one in page(here, teacher, ANITA, graded=True).current}
    assert "Stilling|" in everything
    assert "Barn|" not in everything
    assert "Kontakt|" not in everything


@pytest.mark.after_first_run
def test_every_look_is_in_the_audit_and_reading_it_is_a_look(here: Installation) -> None:
    child = next(families(here))
    ids = dict(here.query("select value, person_id from golden.person_link where to_run is null"))
    with pytest.raises(NotAllowed, match="persons"):
        page(here, child.number, CATO)
    with pytest.raises(NotFound):
        page(here, "Ingen Nordmann 2011-01-01")
    refused = here.query("select user_id, action, person_id from control.audit order by at")
    assert refused == [("103", "denied show person", ids[child.number]), ("102", "denied show person", None)]
    page(here, child.number, numbers=True)
    block = Block(child=ids[child.number], adult=ids[parents(child)[0]], basis="other", case_number="1")
    decided = deciding.decide(here.kommune, here.environment, block, ANITA)
    assert "sperret" in said(page(here, child.number, ANITA, graded=True))

    with pytest.raises(NotAllowed, match="graded"):
        looks(here.kommune, here.environment, BJORN)
    (denied,) = here.query("select user_id, purpose from control.audit where action = 'denied read audit'")
    assert denied == ("102", "saksbehandling")
    about = looks(here.kommune, here.environment, ANITA, who=child.number)
    assert [(one.user_id, one.action, one.detail) for one in about] == [
        ("103", "denied show person", ""),
        ("102", "show person", "kjøring 1, med fødselsnummer"),
        ("101", "block", f"nr. {decided.number}"),
        ("101", "show person", "kjøring 1"),
    ]
    assert [one.purpose for one in about] == ["nysgjerrighet", *["saksbehandling"] * 3]
    assert [one.action for one in looks(here.kommune, here.environment, ANITA, who=parents(child)[1])] == [
        "named beside",
        "named beside",
    ]
    mine = looks(here.kommune, here.environment, ANITA, user="101", since=date(2020, 1, 1))
    assert [one.action for one in mine] == [
        "block",
        "block",
        "show person",
        "named beside",
        "named beside",
        *["read audit"] * 2,
    ]
    assert looks(here.kommune, here.environment, ANITA, since=date(2999, 1, 1)) == []


@pytest.mark.after_first_run
def test_from_psql_the_audit_is_only_added_to(here: Installation) -> None:
    page(here, next(families(here)).number)
    url = here.warehouse_url.replace("+psycopg", "")
    for role in ("kommune_haugesund", "kommune_bergen", "dataflyt_events", "dataflyt_reference"):
        with psycopg.connect(url.replace("kommune_haugesund", role)) as connection:
            for statement in (
                "update control.audit set purpose = 'x'",
                "truncate control.audit",
                "delete from control.audit returning 1",
                "alter table control.audit disable row level security",
                "create trigger t before insert on control.audit for each row execute function control.answered_once()",
                "insert into control.audit (owner, user_id, user_name, login, action, detail, purpose, place) "
                "values ('orsta', 'x', 'x', 'x', 'x', 'x', 'x', 'x')",
            ):
                try:
                    with connection.transaction():
                        assert connection.execute(statement).rowcount == 0, (role, statement)
                except psycopg.errors.InsufficientPrivilege:
                    pass
            if role == "kommune_bergen":
                assert connection.execute("select count(*) from control.audit").fetchone() == (0,)
    assert here.query("select count(*) from control.audit")[0][0] > 0
