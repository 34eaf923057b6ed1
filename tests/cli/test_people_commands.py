"""``dataflyt override`` and ``dataflyt person`` as a case worker uses them: what is typed stays in the warehouse."""

import json
import logging
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.decisions import deciding
from tests.decisions.test_block import ANITA, BJORN, PEOPLE
from tests.decisions.test_override import holders
from tests.installation.fixtures import KOMMUNER, Installation

runner = CliRunner()
WHO = ["--as", "101", "--purpose", "3"]
CANARIES = ("Kanarireason", "KANARI/1", "Kanarisponsor", "Kanarinavn", "Kanarifamilie")


@pytest.fixture
def connected(installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Installation:
    """Point the command line at the installation, with people in the kommune's file."""
    folder = tmp_path / "kommuner"
    folder.mkdir()
    (folder / "_defaults.yaml").write_bytes((KOMMUNER / "_defaults.yaml").read_bytes()) if (
        KOMMUNER / "_defaults.yaml"
    ).exists() else None
    people = "\npeople:\n" + "".join(
        f'  - {{id: "{one.id}", name: "{one.name}", may: [{", ".join(one.may)}]}}\n' for one in PEOPLE
    )
    file = folder / "haugesund.yaml"
    file.write_text(
        (KOMMUNER / "haugesund.yaml").read_text(encoding="utf-8").partition("\npeople:")[0] + people, encoding="utf-8"
    )
    warehouse = {"conn_type": "generic", "host": installation.environment.connect("warehouse").url}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", json.dumps(warehouse))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder))
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE})
    return installation


def told(*words: str, fails: bool = False) -> str:
    done = runner.invoke(app, [*words])
    assert done.exit_code == (2 if fails else 0), done.output
    return done.output


@pytest.mark.after_first_run
def test_what_a_case_worker_types_is_shown_to_those_who_may_see_it_and_kept_nowhere_else(
    connected: Installation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ((_, uid),) = holders(connected, "pupil", 1)
    reason, case, sponsor, name, family = CANARIES
    add = ["override", "add", "haugesund", "--person", uid, "--case", case, "--reason", reason, *WHO]
    output = told(*add, "--field", "fornavn", "--value", name, "--dry-run")
    assert "Prøve: ingenting er endret" in output
    assert "gjelder fra neste kjøring" in output
    output += told(*add, "--field", "fornavn", "--value", name)
    assert re.search(r"Forslag \d+ venter på at en annen bekrefter det", output)
    output += told(*add, "--field", "navn", "--value", name, fails=True)
    output += told(*add, "--field", "kjoenn", "--value", name, fails=True)
    output += told(*add, "--field", "adressebeskyttelse", "--value", "ugradert", fails=True)
    assert "se på --value" in output
    output += told(*add[:3], "--person", "finnes.ikke", *add[5:], "--field", "fornavn", "--value", name, fails=True)
    assert "Fant ingen i kommunen" in output

    file = tmp_path / "vikarer.csv"
    file.write_text(f"311060015;{family};{name};05851450027;;;;;2\n311060015;{family};{name};1;;;9Z;;2\n")
    until = ["--sponsor", sponsor, "--reason", reason, "--until", "2026-12-18", *WHO]
    output += told("person", "import", "haugesund", str(file), "--kind", "substitute", *until, fails=True)
    assert "Linje 2: fødselsnummeret er ikke riktig skrevet" in output
    assert "Ingen er registrert" in output
    assert not connected.query("select 1 from control.proposal where kind = 'manual_person'")
    file.write_text(f"311060015;{family};{name};05851450027;;;;;2\n")
    output += told("person", "import", "haugesund", str(file), "--kind", "substitute", *until)
    # A number is in the file: only somebody who may see protection confirms it.
    bjorn = PEOPLE[1].model_copy(update={"may": ("persons", "graded", "decide")})
    kommune = connected.kommune.model_copy(update={"people": (PEOPLE[0], bjorn)})
    for (proposal,) in connected.query("select proposal from control.proposal order by proposed_at"):
        deciding.answer(kommune, connected.environment, proposal, "confirmed", BJORN)
    connected.run()
    found = told("override", "list", "haugesund", *WHO)
    assert reason in found
    assert f"fornavn = {name} (registeret: " in found
    found = told("person", "list", "haugesund", *WHO)
    assert f"  {name} {family}: vikar (ansatt ved 311060015), til og med 18.12.2026" in found
    ((registered, overridden),) = connected.query(
        "select (select manual_person from control.manual_person), (select override from control.override)"
    )
    output += told("person", "list", "haugesund", "--links", *WHO)
    output += told("person", "end", "haugesund", str(registered), *WHO)
    assert "tas ut av eksportene straks" in output
    output += told("override", "end", "haugesund", str(overridden), *WHO)
    output += told("override", "list", "haugesund", "--as", "104", "--purpose", "x", fails=True)

    written = [output, caplog.text]
    for path in connected.storage.rglob("*"):
        if path.is_file() and "exports" not in path.parts:
            written.append(path.read_bytes().decode(errors="replace"))
    assert any("run-000002" in str(path) for path in (connected.storage / "reports").rglob("*.json"))
    for canary in CANARIES:
        assert not [place for place, text in enumerate(written) if canary in text], canary
    for path in (connected.storage / "exports").rglob("*"):
        if path.is_file():
            exported = path.read_bytes().decode(errors="replace")
            assert not [canary for canary in CANARIES[:3] if canary in exported]
    assert "05851450027" not in output + caplog.text
    assert connected.query("select count(*) from control.audit where user_id = :id", id=ANITA.id)[0][0] > 5
