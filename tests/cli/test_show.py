"""The commands that show people: they ask who and why, refuse without the right, and leave a trace."""

import json
import re

import psycopg
import pytest
from typer.testing import CliRunner, Result

from dataflyt.cli.main import app
from tests.decisions.test_undo import families
from tests.installation.fixtures import Installation

runner = CliRunner()
AS = ("--as", "101", "--purpose", "5")


@pytest.fixture
def here(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    connection = installation.environment.connect("warehouse_haugesund")
    written = json.dumps({"conn_type": "generic", "host": connection.url})
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", written)
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    return installation


def said(*words: str) -> Result:
    return runner.invoke(app, list(words), env={"COLUMNS": "250"})


def audited(here: Installation) -> list[tuple[str, str, str]]:
    found = here.query("select distinct user_id, action, purpose from control.audit order by 1, 2, 3")
    return [tuple(row) for row in found]


@pytest.mark.after_first_run
@pytest.mark.parametrize(
    ("command", "action"),
    [
        (("plan", "haugesund", "--rows"), "plan rows"),
        (("plan", "haugesund", "--graded"), "plan"),
        (("worklist", "haugesund", "--numbers"), "work list"),
        (("worklist", "haugesund", "--graded"), "work list"),
        (("show", "person", "haugesund", "NUMMER"), "show person"),
        (("audit", "haugesund"), "read audit"),
    ],
)
def test_who_sees_people_says_who_and_why_has_the_right_and_is_in_the_audit(
    here: Installation, command: tuple[str, ...], action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(families(here)).number
    words = [number if word == "NUMMER" else word for word in command]
    for missing, sentence in (
        ((), "--as"),
        (("--as", "101"), "--purpose"),
        (("--as", "7", "--purpose", "x"), "retten"),
        (("--as", "101", "--purpose", "9"), "noe formål 9: skriv et nummer fra 1 til 5, eller formålet med egne ord"),
        (("--as", "101", "--purpose", "0"), "noe formål 0"),
    ):
        refused = said(*words, *missing)
        assert (refused.exit_code, refused.stdout) == (2, ""), refused.output
        assert sentence in refused.stderr
    assert audited(here) == [("7", f"denied {action.removesuffix(' rows')}", "x")], "a refusal is kept too"
    shown = said(*words, *AS)
    assert shown.exit_code == 0, shown.output
    assert ("101", action, "Feilsøking") in audited(here)


@pytest.mark.after_first_run
def test_a_page_is_a_table_or_json_and_the_audit_a_table_or_csv(here: Installation) -> None:
    child = next(families(here))
    table = said("show", "person", "haugesund", child.number, *AS)
    assert table.exit_code == 0, table.output
    for part in ("Gjelder", "Folkeregisteret", "Foresatte", "har tilgang", child.given):
        assert part in table.output
    assert child.number not in table.output
    page = json.loads(said("show", "person", "haugesund", child.number, "--json", "--numbers", *AS).output)
    assert page["run"] == 1
    assert any(value["value"] == child.number and value["from_run"] == 1 for value in page["current"])
    both = said("show", "person", "haugesund", child.number, "--run", "1", "--at", "2026-11-23", *AS)
    assert "ikke begge" in both.stderr
    told = said("audit", "haugesund", "--person", child.number, "--csv", "--as", "101", "--purpose", "=cmd()")
    assert told.output.splitlines()[0].startswith("Tid;Hvem;Bruker;Gjorde")
    assert told.output.count("så alt om") == 2
    again = said("audit", "haugesund", "--csv", *AS)
    assert ";'=cmd();" in again.output
    assert "Innsynsloggen for Haugesund (1106)" in said("audit", "haugesund", *AS).output


@pytest.mark.after_first_run
def test_undo_shows_the_plan_first_and_waits_for_another(here: Installation) -> None:
    first = said("undo", "haugesund", "--run", "1", *AS)
    assert (first.exit_code, "første" in first.stderr) == (2, True)
    child = next(families(here))
    pupil = next(one for one in here.registers.world.pupils if one.person is child)
    here.registers.world.pupils.remove(pupil)
    for group in here.registers.world.groups:
        group.members[:] = [member for member in group.members if member.person_id != pupil.sas.person_id]
    here.registers.write()
    here.run()
    tried = said("undo", "haugesund", "--run", "2", "--dry-run", "--rows", "--graded", *AS)
    assert tried.exit_code == 0, tried.output
    assert "Prøve: ingenting er endret" in tried.output
    assert "pupil_starts\t" in tried.output
    assert here.query("select state from control.run where run = 2") == [("released",)]
    assert here.query("select 1 from control.proposal") == []
    proposed = said("undo", "haugesund", "--run", "2", *AS)
    assert re.search(r"Forslag \d+ venter på at en annen bekrefter det", proposed.output)
    assert "kjøring 1 gjelder igjen" in proposed.output
    with psycopg.connect(here.warehouse_url.replace("+psycopg", "")) as connection:
        state = connection.execute("select state from control.run where run = 2").fetchone()
    assert state == ("released",)
    assert {action for _, action, _ in audited(here)} == {"denied undo", "undo rows", "try undo", "propose undo"}
