"""One rule for everything that shows people: without the right ``graded``, nothing about a protected person.

Protected is fortrolig or stricter, or held back. The plan's counts are the one exception, and only for people who are
fortrolig: they are in the exports, and the plan counts them as everybody (docs/develop). Its rows name nobody.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.config.loading import find
from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.grant import Grant
from dataflyt.decisions.hold_back import HoldBack
from dataflyt.decisions.override import Override, RaiseProtection
from dataflyt.frames.tables import TABLES
from dataflyt.operations import work_list
from dataflyt.warehouse.audit import Visitor
from dataflyt.why.questions import QUESTIONS
from tests.decisions.test_undo import families
from tests.installation.fixtures import KOMMUNER, TODAY, Installation
from tests.installation.test_cli import connected as connected

PEOPLE = """
people:
  - {id: "101", name: "Anita Ingebretsen", may: [persons, graded, decide]}
  - {id: "102", name: "Bjørn Hansen", may: [persons, graded, decide]}
  - {id: "103", name: "Cato Lie", may: [persons, decide]}
"""
ANITA, BJORN, CATO = (
    Visitor(number, name, "test", "test") for number, name in (("101", "Anita"), ("102", "Bjørn"), ("103", "Cato"))
)
UNKNOWN = "13897200184"
"""A number that nobody has."""

LISTS = (
    *("plan --rows", "worklist show", "undo --run 2 --rows --dry-run"),
    *("block list", "grant list", "override list", "person list", "person list --links"),
    *("decide list", "decide suspension list", "decide publishable list", "decide hold-back list", "quality rows"),
)
ONE_BY_ONE = ("show person", "disclosed", "subject-access", "erase")
DECIDING = (
    *("block add", "consent withdraw", "grant add", "override add", "person add", "person link", "person unlink"),
    *("decide suspension keep", "decide suspension lift", "decide publishable add", "decide publishable end"),
    *("decide hold-back add", "decide hold-back end", "worklist take", "worklist release"),
)
FRAMES = ("frame",)
"""Writes files, and is walked table by table."""
WHY = tuple(f"why {question}" for question in QUESTIONS)
"""Walked in tests/why/test_leak.py."""


def _commands(command: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command that has the option --graded."""
    for name, one in getattr(command, "commands", {}).items():
        yield from _commands(one, (*path, name))
    if any(parameter.name == "graded" for parameter in getattr(command, "params", ())):
        yield " ".join(path)


def test_every_command_that_can_show_the_protected_is_walked_below() -> None:
    walked = {words.partition(" --")[0] for words in LISTS} | {*ONE_BY_ONE, *DECIDING, *FRAMES, *WHY}
    assert set(_commands(typer.main.get_command(app))) == walked


@pytest.fixture
def here(connected: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    folder = tmp_path / "kommuner"
    folder.mkdir()
    written = (KOMMUNER / "haugesund.yaml").read_text("utf-8").partition("\npeople:")[0]
    (folder / "haugesund.yaml").write_text(written + PEOPLE, "utf-8")
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder))
    return connected


def _said(words: str, *more: str, by: str) -> str:
    command, _, options = words.partition(" --")
    rest = f"--{options}".split() if options else []
    done = CliRunner().invoke(
        app,
        [*command.split(), "haugesund", *more, *rest, "--as", by, "--purpose", "3"],
        env={"COLUMNS": "300"},
    )
    assert "Traceback" not in done.output
    return done.output


def _decide(here: Installation, decision: Decision) -> int:
    made = deciding.decide(here.kommune, here.environment, decision, ANITA)
    if made.proposal is not None:
        made = deciding.answer(here.kommune, here.environment, made.proposal, "confirmed", BJORN)
    return int(made.number or 0)


@pytest.mark.long
@pytest.mark.after_first_run
def test_nobody_without_graded_is_told_anything_about_a_protected_person(here: Installation, tmp_path: Path) -> None:
    here.kommune = find(Path(os.environ["DATAFLYT_KOMMUNER"]), "haugesund")
    pupils = families(here)
    people = {name: next(pupils) for name in ("fortrolig", "strengtFortrolig", "held back", "plain")}
    ids = {name: _id(here, person.number) for name, person in people.items()}
    stranger = str(_id(here, next(record.ansvarlig or "" for record in next(pupils).responsibility)))
    # Everything is decided about them while they are like everybody; the plain one proves that the lists are not empty.
    for number, (name, person) in enumerate(people.items()):
        child, adult = ids[name], str(_id(here, person.responsibility[0].ansvarlig or ""))
        _decide(here, Block(child=child, adult=adult, basis="other", case_number="2026/1", review_on=TODAY))
        said = {"person": child, "reason": "Ønske", "case_number": "2026/2"}
        _decide(here, Override(field="display_name", value=f"Visning{number}", **said))
        scope = {"scope": "alt", "case_number": "2026/3", "seen_by": "Anita", "basis": "court_judgment"}
        _decide(here, Grant(child=child, adult=stranger, **scope))
        waits = Override(field="fornavn", value=f"Ny{number}", **said)
        deciding.decide(here.kommune, here.environment, waits, ANITA)
        pupil = next(one for one in here.registers.world.pupils if one.person is person)
        for group in here.registers.world.groups:
            group.members[:] = [one for one in group.members if one.person_id != pupil.sas.person_id]
    here.registers.write()
    here.run()
    for name in ("fortrolig", "strengtFortrolig"):
        said = {"reason": "Trussel", "case_number": "2026/5", "review_on": TODAY}
        _decide(here, RaiseProtection(person=ids[name], value=name, **said))
    _decide(here, HoldBack(person=ids["held back"], reason="Uavklart", review_on=TODAY))

    secrets = {
        name: {str(ids[name]), person.number, f"{person.given} {person.family}", f"Visning{number}", f"Ny{number}"}
        for number, (name, person) in enumerate(people.items())
    }
    tell_of_plain = set()
    for command in LISTS:
        seen, all_of_it = _said(command, by="103"), _said(f"{command} --graded", by="101")
        for name, words in secrets.items():
            told = {word for word in words if word in seen}
            if name == "plain":
                tell_of_plain |= {command} if told else set()
            else:
                assert not told, f"«{command}» tells of somebody who is {name}"
            if command in ("block list", "grant list", "override list", "decide list", "worklist show"):
                assert any(word in all_of_it for word in words), f"«{command} --graded» leaves out who is {name}"
    assert {"block list", "grant list", "override list", "decide list", "worklist show"} <= tell_of_plain

    told = {name: set() for name in secrets}  # type: dict[str, set[str]]
    for table in TABLES:
        files = {graded: tmp_path / f"{table}{len(graded)}.csv" for graded in ("", " --graded")}
        for (graded, file), by in zip(files.items(), ("103", "101"), strict=True):
            _said(f"frame --out {file}{graded}", table, by=by)
        seen, all_of_it = (file.read_text("utf-8") if file.exists() else "" for file in files.values())
        for name, words in secrets.items():
            assert name == "plain" or not any(word in seen for word in words), f"«{table}» tells of who is {name}"
            told[name] |= {table} if any(word in all_of_it for word in words) else set()
    assert all({"person", "protection", "guardian_access", "person_link"} <= tables for tables in told.values())

    for command in ("show person", "disclosed", "subject-access"):
        nobody = _said(command, UNKNOWN, by="103")
        for name, person in people.items():
            answer = _said(command, person.number, by="103")
            # The plain one has a decision, so a person must answer there too.
            assert (answer == nobody) == (name != "plain" or command == "subject-access"), (command, name)
    # What is counted for everybody is what is listed for everybody.
    counted = work_list.counts(here.kommune, here.environment)
    listed = Counter(one.kind for one in work_list.items(here.kommune, here.environment, CATO))
    assert counted == listed


@pytest.mark.after_first_run
def test_no_row_without_graded_has_an_id_that_a_look_up_could_refuse(here: Installation) -> None:
    """An ordinary person's id is found, so an id that is not found would be that of somebody protected."""
    ids = {str(person) for (person,) in here.query("select person_id from golden.person")}
    units = {str(unit) for (unit,) in here.query("select unit_id from golden.unit")}
    rows, graded_rows = (
        [line.split("\t") for line in _said(command, by=by).splitlines() if "\t" in line]
        for command, by in (("plan --rows", "103"), ("plan --rows --graded", "101"))
    )
    assert {row[1] for row in graded_rows} & ids
    assert not {word for row in rows for word in row} & ids
    # Each row is there all the same, and tells a school only where it is about a group.
    assert len(rows) > 100
    assert {row[3] for row in rows if row[0] == "group_appears"} & units
    assert not {word for row in rows if row[0] != "group_appears" for word in row} & units


def _id(here: Installation, number: str) -> UUID:
    ((found,),) = here.query(
        "select person_id from golden.person_link where scheme = 'number' and value = :value and to_run is null",
        value=number,
    )
    return UUID(str(found))
