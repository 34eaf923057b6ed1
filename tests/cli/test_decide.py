"""The commands that decide, as a user writes them: two people, a dry run, lists that name nobody who is hidden."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflyt.cli.main import app
from tests.installation.fixtures import KOMMUNER, Installation
from tests.installation.test_cli import connected as connected
from tests.warehouse.test_consent import _young
from tests.warehouse.test_rules import _link

runner = CliRunner()
PEOPLE = """
consent: true
people:
  - {id: "101", name: "Anita Ingebretsen", may: [persons, decide]}
  - {id: "102", name: "Bjørn Hansen", may: [persons, graded, decide]}
  - {id: "103", name: "Cato Lie", may: [persons, graded, decide]}
"""


@pytest.fixture
def here(connected: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    folder = tmp_path / "kommuner"
    folder.mkdir()
    written = (KOMMUNER / "haugesund.yaml").read_text("utf-8").partition("\npeople:")[0]
    (folder / "haugesund.yaml").write_text(written + PEOPLE, "utf-8")
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder))
    return connected


def said(*words: str, by: str = "101", code: int = 0) -> str:
    """Give a command as ``by``; return what it prints."""
    done = runner.invoke(app, [*words, "--as", by, "--purpose", "3"])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done.output


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_grant_is_tried_proposed_confirmed_listed_and_ended(here: Installation) -> None:
    child = _young(here, 0)
    mother, father = (record.ansvarlig or "" for record in child.responsibility)
    friend = next(record.ansvarlig or "" for record in _young(here, 1).responsibility)
    add = ["grant", "add", "haugesund", "--child", child.number, "--adult", friend, "--basis", "consent"]
    add += ["--scope", "alt", "--case", "2026/1", "--seen-by", "Anita", "--until", "2027-06-20"]
    add += ["--consent", f"{mother}; skjema; 2026-11-20"]
    assert "mangler samtykke" in said(*add, code=2)
    add += ["--consent", f"{father}; møte; 2026-11-21"]
    tried = said(*add, "--dry-run")
    assert "Prøve: ingenting er endret." in tried
    assert "neste kjøring som frigis. Siste dag er 20.06.2027." in tried
    number = re.search(r"Forslag (\d+) venter", said(*add))
    assert number
    waiting = said("decide", "list", "1106", by="102")
    assert number[1] in waiting
    assert "foreslått av Anita Ingebretsen" in waiting
    assert f"{child.given}" in waiting
    assert "eget forslag" in said("decide", "confirm", "haugesund", number[1], code=2)
    made = re.search(r"Bestemt, nummer (\d{6})\.", said("decide", "confirm", "haugesund", number[1], by="102"))
    assert made
    grant = made[1]
    assert "Ingen forslag venter." in said("decide", "list", "haugesund")
    assert re.search(
        rf"^{grant}  .*; samtykke; 2026/1; alt; fra neste kjøring; til 20.06.2027", said("grant", "list", "1106")
    )
    assert "Bestemt" in said("consent", "withdraw", "haugesund", grant, "--by", father)
    assert "gjelder ikke lenger" in said("grant", "list", "1106") or "fra neste" in said("grant", "list", "1106")
    assert "Bestemt" in said("grant", "end", "haugesund", grant)
    assert "Ingen tilganger." in said("grant", "list", "haugesund")
    assert "--basis" in said(*[word if word != "consent" else "gift" for word in add], code=2)
    assert "Skriv et samtykke slik" in said(*add, "--consent", "bare et navn", code=2)
    looks = here.query("select action from control.audit where place = 'dataflyt grant list'")
    assert ("list grants",) in looks


@pytest.mark.after_first_run
def test_a_block_a_suspension_and_holding_back_show_their_effect_and_hide_whom_they_are_about(
    here: Installation,
) -> None:
    child, other = _young(here, 0), _young(here, 1)
    adult = child.responsibility[0].ansvarlig or ""
    block = ["block", "add", "haugesund", "--child", child.number, "--adult", adult, "--basis", "contact_ban"]
    block += ["--case", "2026/2"]
    tried = said(*block, "--dry-run")
    assert "1 foresatt mister tilgang straks." in tried
    assert "Ny utgave publiseres." in tried
    number = re.search(r"Bestemt, nummer (\d+)\.", said(*block))
    assert number
    assert "besøksforbud eller kontaktforbud; 2026/2" in said("block", "list", "haugesund")

    hold = ["decide", "hold-back", "add", "haugesund", "--person", child.number, "--reason", "Saken er ikke avklart"]
    assert "1 foresatt mister tilgang straks." in said(*hold, "--dry-run")
    assert "Det gjelder til to personer avslutter det." in said(*hold, "--review", "2026-12-01")
    assert child.number not in here.ldif()
    # The child is now hidden from Anita, who decided it: the block too, and whatever she asks about them.
    assert "Ingen sperringer." in said("block", "list", "haugesund")
    assert "finnes ikke, eller er hevet" in said("block", "end", "haugesund", number[1], code=2)
    assert "finnes ikke, eller er hevet" in said("block", "end", "haugesund", "1", code=2)
    assert "Fant ingen i kommunen" in said(*block, code=2)
    assert "Ingen holdes tilbake." in said("decide", "hold-back", "list", "haugesund")
    assert number[1] in said("block", "list", "haugesund", "--graded", by="102")
    assert child.given in said("decide", "hold-back", "list", "haugesund", "--graded", by="102")
    assert "Ingen" in said("decide", "publishable", "list", "haugesund", "--graded", by="102")
    # The other guardian's suspension is kept; ending waits for another person.
    two = str(_link(here, child.responsibility[1].ansvarlig or ""))
    about = ["--child", str(_link(here, child.number)), "--adult", two, "--reason", "Vurdert", "--graded"]
    assert "ikke bestemt" in said("decide", "suspension", "list", "haugesund", "--graded", by="102")
    assert "Bestemt" in said("decide", "suspension", "keep", "haugesund", *about, by="102")
    assert "Bjørn Hansen" in said("decide", "suspension", "list", "haugesund", "--graded", by="102")
    lift = said("decide", "suspension", "lift", "haugesund", *about, "--case", "2026/3", by="102")
    proposal = re.search(r"Forslag (\d+)", lift)
    assert proposal
    assert "Ingen forslag venter." in said("decide", "list", "haugesund")
    assert "er trukket." in said("decide", "take-back", "haugesund", proposal[1], by="102")
    end = ["decide", "hold-back", "end", "haugesund", "--person", child.number, "--reason", "Avklart"]
    ending = re.search(r"Forslag (\d+)", said(*end, "--case", "2026/4", "--graded", by="102"))
    assert ending
    assert "er avslått." in said("decide", "refuse", "haugesund", ending[1], by="103")
    assert other.number in here.ldif()
