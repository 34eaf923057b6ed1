"""Undoing a released run: two people, newest first; it gives nothing back and lowers nothing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.undo import Undo
from dataflyt.decisions.undo_rows import undo_rows
from dataflyt.errors import CheckFailed, NotApproved
from dataflyt.records.show_person import show_person
from dataflyt.run import publish, release
from dataflyt.run.close_run import close_run
from dataflyt.run.execute import execute
from dataflyt.run.job import open_job
from dataflyt.run.republish import republish
from dataflyt.warehouse import shown as views
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound
from simulator.model import Person, Responsibility
from tests.installation.fixtures import TO_PLAN, TODAY, Installation, respond

ANITA = Visitor("101", "Anita", "feilretting", "test")
BJORN = Visitor("102", "Bjørn", "feilretting", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "decide")),
    CaseWorker(id="103", name="Cato", may=("persons",)),
)


@pytest.fixture
def decided(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def undo(here: Installation, run: int) -> None:
    """Undo a run by two people."""
    proposed = deciding.decide(here.kommune, here.environment, Undo(run=run), ANITA)
    assert proposed.proposal is not None
    deciding.answer(here.kommune, here.environment, proposed.proposal, "confirmed", BJORN)


def families(here: Installation) -> Iterator[Person]:
    """Yield plain pupils with two guardians, each of another family."""
    seen: set[str] = set()
    for pupil in here.registers.world.pupils:
        child = pupil.person
        if child is None or child.cases or child.protection or pupil.second_school:
            continue
        adults = {one.ansvarlig for one in child.responsibility if one.current and one.ansvarlig}
        parents = [here.registers.world.persons[number] for number in adults]
        family = {*adults, *(number for one in parents for number, *_ in one.children)}
        if len(adults) == 2 and not seen & family:
            seen |= family
            yield child


def access(here: Installation, number: str) -> set[str]:
    """Return the adults with access to a child now, as the decisions' views have it."""
    with deciding.moment(here.kommune, here.environment, lock=False) as at:
        found = at.connection.exec_driver_sql(
            "select a.number from now_guardian_access g join now_person c on c.person_id = g.child_id "
            "join now_person a on a.person_id::text = g.adult where g.state = 'active' and c.number = %s",
            (number,),
        )
        return set(found.scalars())


def level(here: Installation, number: str) -> int:
    with deciding.moment(here.kommune, here.environment, lock=False) as at:
        found = at.connection.exec_driver_sql(
            "select max(x.level) from now_protection x join now_person_link l using (person_id) where l.value = %s",
            (number,),
        )
        return int(found.scalar() or 0)


@pytest.mark.long
@pytest.mark.after_first_run
def test_undoing_takes_back_what_the_run_gave_and_gives_nothing_back(decided: Installation) -> None:
    here, world = decided, decided.registers.world
    pupils = families(here)
    lowered, raised, bereft, gains, renamed, gone, same = (next(pupils) for _ in range(7))
    lowered.protection, lowered.home_grading = "fortrolig", "fortrolig"
    here.run()
    assert level(here, lowered.number) == 2

    # The run that is undone lowers, raises, takes from one and gives to another, renames, and loses a pupil.
    lowered.protection, lowered.home_grading = None, "ugradert"
    raised.protection, raised.home = "strengtFortrolig", None
    lost = next(one.ansvarlig for one in bereft.responsibility if one.ansvarlig)
    bereft.responsibility[:] = [one for one in bereft.responsibility if one.ansvarlig != lost]
    stranger = next(one.ansvarlig for one in same.responsibility if one.ansvarlig)
    gains.responsibility.append(Responsibility("andre", stranger))
    renamed.former_name, renamed.given = (renamed.given, renamed.family), "Nynavn"
    # The file forgets one pupil; FREG still knows.
    forgotten = next(one for one in world.pupils if one.person is gone)
    world.pupils.remove(forgotten)
    taken_out = [(group, member) for group in world.groups for member in group.members]
    taken_out = [(group, member) for group, member in taken_out if member.person_id == forgotten.sas.person_id]
    for group, member in taken_out:
        group.members.remove(member)
    here.registers.write()
    # A block that two people lift comes to an end with the run, and is in force again when that is undone.
    block = Block(child=_id(here, same.number), adult=str(_id(here, stranger)), basis="other", case_number="1")
    number = deciding.decide(here.kommune, here.environment, block, ANITA).number
    lifting = deciding.decide(here.kommune, here.environment, LiftBlock(block=number or 0), ANITA).proposal
    deciding.answer(here.kommune, here.environment, lifting or 0, "confirmed", BJORN)
    before = here.dump()
    assert here.run()["outcome"] == "released"
    assert level(here, lowered.number) == 0
    assert stranger in access(here, same.number)
    assert stranger in access(here, gains.number)
    assert gone.number not in here.ldif()
    names = set(here.query("select uid, person_id from control.account_name"))
    vetoes = here.query("select veto from control.veto where lifted_at is null")
    assert here.query("select 1 from control.veto where lifted_run = 3")

    # The dry run tells who leaves the exports: the one who is renamed, not the one who is protected again.
    told = deciding.decide(here.kommune, here.environment, Undo(run=3), ANITA, dry_run=True).effect.later
    assert "Elever og ansatte som går ut av eksportene: 1." in told
    rows = {
        graded: {
            (row.kind, row.subject)
            for row in undo_rows(here.kommune, here.environment, Undo(run=3), ANITA, graded=graded)
            if row.kind in ("leaves_exports", "block_again", "identity_block")
        }
        for graded in (False, True)
    }
    leaves, again = ("leaves_exports", str(_id(here, renamed.number))), ("block_again", str(_id(here, same.number)))
    assert rows[True] == {leaves, again}
    assert rows[False] == {("leaves_exports", ""), ("block_again", "")}
    undo(here, 3)
    after = here.dump()
    for table in before:
        if table.startswith(("golden.", "history.")):
            assert after[table] == before[table], table
    assert names <= set(here.query("select uid, person_id from control.account_name"))
    assert here.query("select state from control.run where run = 3") == [("undone",)]
    # What it gave is gone, also a lowering; what it took is not given back, and what it raised stays.
    assert stranger not in access(here, gains.number)
    assert level(here, lowered.number) == 2
    assert level(here, raised.number) == 3
    assert lost not in access(here, bereft.number)
    assert set(vetoes) <= set(here.query("select veto from control.veto where lifted_at is null"))
    ldif = here.ldif()
    assert same.number in ldif
    for absent in (raised, gone, renamed):
        assert absent.number not in ldif
    assert not access(here, gone.number)
    assert stranger not in access(here, same.number)
    # Everybody who may see people finds a person whom only the undoing holds back. A former name is not shown.
    found = show_person(here.kommune, here.environment, gone.number, BJORN, run=2)
    assert found.name == f"{gone.given} {gone.family}"
    with pytest.raises(NotFound):
        show_person(here.kommune, here.environment, renamed.number, BJORN, run=2)
    for path in (here.storage / "exports").rglob("*.ldif"):
        assert raised.number not in path.read_text()
        assert gone.number not in path.read_text()

    # Undone is undone: not twice, not resumed, not released or published by a repeated task.
    with pytest.raises(NotAllowed, match="angret"):
        undo(here, 3)
    job = open_job(here.kommune, "run-3", here.clock, here.environment)
    assert job.run.state == "undone"
    for step in TO_PLAN.values():
        with pytest.raises(NotApproved):
            step(job)
    with pytest.raises(NotApproved):
        release.release(job)
    with pytest.raises(CheckFailed):
        publish.publish(job)
    assert close_run(job, ["release"])["outcome"] == "undone"
    assert here.query("select state from control.run where run = 3") == [("undone",)]
    assert execute(job).closed["outcome"] == "undone"

    # Time does not run backwards, and the next run gives again what the registers still say.
    with pytest.raises(NotApproved, match="tiden"):
        open_job(
            here.kommune, "earlier", here.query("select as_of from control.run where run = 2")[0][0], here.environment
        )
    world.pupils.append(forgotten)
    for group, member in taken_out:
        group.members.append(member)
    here.registers.write()
    assert here.run()["outcome"] == "released"
    ldif = here.ldif()
    assert gone.number in ldif
    assert renamed.number in ldif
    assert "Nynavn" in ldif
    assert raised.number not in ldif
    assert access(here, gone.number)
    assert stranger in access(here, gains.number)
    assert level(here, lowered.number) == 0


@pytest.mark.long
@pytest.mark.after_first_run
def test_undoing_takes_two_people_and_the_newest_run_and_never_the_first(decided: Installation) -> None:
    here, kommune, environment = decided, decided.kommune, decided.environment
    with pytest.raises(NotAllowed, match="første"):
        deciding.decide(kommune, environment, Undo(run=1), ANITA)
    with pytest.raises(NotAllowed, match="ingen kjøring 7"):
        deciding.decide(kommune, environment, Undo(run=7), ANITA)
    with pytest.raises(NotAllowed, match="retten"):
        deciding.decide(kommune, environment, Undo(run=1), Visitor("103", "Cato", "x", "test"))
    here.run()
    with pytest.raises(NotAllowed, match="kjøring 2"):
        deciding.decide(kommune, environment, Undo(run=1), ANITA)
    before = (here.dump(), here.ldif())
    dry = deciding.decide(kommune, environment, Undo(run=2), ANITA, dry_run=True)
    assert "kjøring 1 gjelder igjen" in " ".join(dry.effect.sentences())
    assert (here.dump(), here.ldif()) == before
    proposed = deciding.decide(kommune, environment, Undo(run=2), ANITA)
    assert proposed.proposal is not None
    with pytest.raises(NotAllowed, match="eget forslag"):
        deciding.answer(kommune, environment, proposed.proposal, "confirmed", ANITA)
    assert here.query("select state from control.run where run = 2") == [("released",)]

    for forged in FORGED:
        with (
            psycopg.connect(here.warehouse_url.replace("+psycopg", "")) as connection,
            pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.InsufficientPrivilege)),
        ):
            connection.execute(forged)
    # A run that waits for an answer is superseded, and its approval is worth nothing then.
    child = next(families(here))
    child.responsibility.append(
        Responsibility("andre", next(reversed(list(families(here)))).responsibility[0].ansvarlig)
    )
    waiting = here.open()
    here.steps(waiting, *TO_PLAN)
    assert respond(waiting) in (None, "approved")
    deciding.answer(kommune, environment, proposed.proposal, "confirmed", BJORN)
    assert here.query("select run, state from control.run order by run") == [
        (1, "released"),
        (2, "undone"),
        (3, "superseded"),
    ]
    with pytest.raises(NotApproved):
        release.release(waiting)
    assert close_run(waiting, [])["outcome"] == "superseded"
    with psycopg.connect(here.warehouse_url.replace("+psycopg", "")) as connection:
        for state in ("open", "merged", "released", "failed"):
            with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                connection.execute("update control.run set state = %s where run = 2", (state,))
    assert here.query("select user_id, action, detail from control.audit order by at") == [
        *[("101", "denied undo", "")] * 2,
        ("103", "denied undo", ""),
        ("101", "denied undo", ""),
        ("101", "try undo", ""),
        ("101", "propose undo", ""),
        ("101", "denied confirmed proposal", ""),
        ("102", "undo", "nr. 2"),
    ]
    # A killed publication is made good by whatever publishes next.
    republish(kommune, environment)
    assert here.query("select run from control.publication where withdrawn_at is null") == [(1,)]


FORGED = (
    "update control.run set state = 'open' where run = 2",
    "update control.run set state = 'merged' where run = 2",
    "update control.run set state = 'undone' where run = 2",
    "update control.run set as_of = now() where run = 2",
    "delete from control.run where run = 2",
    "insert into control.run (owner, run, key, as_of, state, config_version) "
    "values ('haugesund', 3, 'x', now(), 'released', 'x')",
    "insert into control.undo (owner, run, decided_by, approved_by) values ('haugesund', 2, '101', '101')",
    "insert into control.undo (owner, run, decided_by, approved_by) values ('haugesund', 1, '101', '102')",
    "delete from control.undone_hold",
    "update control.undo set run = 1",
)


@pytest.mark.after_first_run
def test_a_protection_that_people_have_replaced_is_not_lowered_by_undoing(decided: Installation) -> None:
    """The veto is lifted by two people once the run itself says it; undoing the run must not lower the person."""
    here = decided
    child = next(families(here))
    child.protection, child.home_grading = "fortrolig", "fortrolig"
    here.run()
    with psycopg.connect(here.warehouse_url.replace("+psycopg", "")) as connection:
        connection.execute(
            "update control.veto set lifted_at = now(), lifted_by = '101', lifted_by_second = '102' "
            "where kind = 'protection'"
        )
    block = Block(child=_id(here, child.number), adult=_id(here, _adult(child)), basis="other", case_number="1")
    deciding.decide(here.kommune, here.environment, block, ANITA)
    assert level(here, child.number) == 2
    undo(here, 2)
    assert level(here, child.number) == 2
    assert _adult(child) not in access(here, child.number)


@pytest.mark.after_first_run
def test_after_weeks_of_anything_an_undoing_leaves_nobody_with_more_than_before(decided: Installation) -> None:
    """Whatever has happened: access and published people shrink, protection never falls. Said without the rules."""
    here = decided
    here.registers.advance(TODAY + timedelta(weeks=5))
    here.clock += timedelta(weeks=5)
    assert here.run()["outcome"] == "released"
    before = _told(here)
    undo(here, 2)
    after = _told(here)
    assert after.access <= before.access
    assert after.published <= before.published
    assert all(after.levels.get(who, 0) >= level for who, level in before.levels.items())
    assert after.dead >= before.dead
    assert after.access, "most stay"
    assert len(after.published) > len(before.published) / 2


class _Told(NamedTuple):
    """The access of each adult, the given name of each published person, everybody's level, and the dead."""

    access: set[tuple[str, str]]
    published: set[tuple[str, str]]
    levels: dict[str, int]
    dead: set[str]


def _told(here: Installation) -> _Told:
    """Tell what holds now, by the newest number of each person."""
    newest = here.registers.number
    with deciding.moment(here.kommune, here.environment, lock=False) as at:
        views.views(at.now)

        def rows(sql: str) -> list[Any]:
            return list(at.connection.exec_driver_sql(sql))

        number = {
            str(person): newest(value)
            for value, person in rows("select value, person_id from now_person_link where scheme = 'number'")
        }
        levels: dict[str, int] = {}
        for person, level in rows("select person_id::text, level from now_protection"):
            who = number.get(person, person)
            levels[who] = max(levels.get(who, 0), level)
        shown = rows("select person_id::text, fornavn from now_shown_person")
        return _Told(
            {
                (number.get(child, child), number.get(adult, adult))
                for child, adult in rows("select child_id::text, adult from now_guardian_access where state = 'active'")
            },
            {(number.get(person, person), name) for person, name in shown},
            levels,
            {number.get(person, person) for (person,) in rows("select person_id::text from now_person where dead")},
        )


def _adult(child: Person) -> str:
    return next(one.ansvarlig for one in child.responsibility if one.ansvarlig)


def _id(here: Installation, number: str) -> object:
    return here.query(
        "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number",
        number=number,
    )[0][0]
