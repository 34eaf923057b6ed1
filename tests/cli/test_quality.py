"""``dataflyt quality``: rules over time, as a table and as files, the rows in quarantine, and the Data Docs."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.operations import quality
from tests.installation.fixtures import KOMMUNER, Installation

runner = CliRunner(env={"COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb"})
CANARY = "KanarifuglPrÃ¸ve"
RULE = "hr_employment.percentage"


@pytest.fixture
def operator(installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """The command line of an operator, whose kommune's file names two people who may see and decide."""
    kommuner = tmp_path / "kommuner"
    shutil.copytree(KOMMUNER, kommuner)
    file = kommuner / "haugesund.yaml"
    people = [{"id": one, "name": one, "may": ["persons", "decide"]} for one in ("101", "102")]
    file.write_text(
        yaml.safe_dump(yaml.safe_load(file.read_text("utf-8")) | {"people": people}, allow_unicode=True), "utf-8"
    )
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(kommuner))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    url = installation.environment.connect("warehouse_haugesund").url
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", json.dumps({"conn_type": "generic", "host": url}))
    return installation


def said(*words: str) -> str:
    done = runner.invoke(app, ["quality", *words])
    assert done.exit_code == 0, done.output
    return done.output


def _with_faults(here: Installation) -> str:
    """Check files with a wrong percentage and a name with broken letters; return the name, of a protected pupil."""
    world = here.registers.world
    employees = [one for one in world.employees if not one.cases and one.person.number]
    employees[0].positions[0].percentage = 250
    pupil = next(one for one in world.pupils if one.person and not one.person.cases and not one.person.protection)
    pupil.sas.given = CANARY
    pupil.person.protection, pupil.person.home = "strengtFortrolig", None
    here.registers.write()
    here.steps(here.open(), "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")
    return pupil.sas.family


@pytest.mark.after_first_run
def test_an_operator_sees_what_is_new_how_old_it_is_and_who_corrects_it(operator: Installation, tmp_path: Path) -> None:
    _with_faults(operator)
    shown = said("haugesund")
    assert shown == said("show", "haugesund")
    (line,) = (line for line in shown.splitlines() if line.strip().startswith(RULE))
    assert line.split()[-3:] == ["ny", "0", "1"]
    assert " HR " in line
    operator.run()
    (line,) = (line for line in said("haugesund", "--runs", "2").splitlines() if line.strip().startswith(RULE))
    assert line.split()[-3:] == ["24.11.2026", "1", "1"]
    assert "freg_adressebeskyttelse.grading" in said("haugesund", "--all")

    for name in ("kvalitet.csv", "kvalitet.xlsx"):
        said("haugesund", "--out", str(tmp_path / name))
    sheet = pd.read_excel(tmp_path / "kvalitet.xlsx").astype("object").fillna("")
    text = (
        pd.read_csv(tmp_path / "kvalitet.csv", sep=";", decimal=",", encoding="utf-8-sig").astype("object").fillna("")
    )
    assert list(sheet.columns) == list(text.columns)
    (row,) = sheet[sheet["Regel"] == "percentage"].to_dict("records")
    assert (row["Rettes av"], row["Fører til"], row["Dager"]) == ("HR", "raden i karantene", 1)
    assert len(sheet) == len(text) > 100
    in_files = sheet[sheet["Fører til"] == "filen publiseres ikke"]
    assert set(in_files[sheet.columns[-1]]) == {0}
    wrong = runner.invoke(app, ["quality", "haugesund", "--out", str(tmp_path / "kvalitet.txt")])
    assert wrong.exit_code == 2
    assert ".csv, .xlsx eller .parquet" in wrong.output


@pytest.mark.after_first_run
def test_data_docs_show_rules_owners_and_counts_and_nothing_tells_whom_a_fault_is_about(
    operator: Installation, tmp_path: Path
) -> None:
    family = _with_faults(operator)
    folder, book = tmp_path / "sider", tmp_path / "bok.xlsx"
    printed = said("docs", "haugesund", "--out", str(folder))
    assert "Begynn med" in printed
    front = (folder / "index.html").read_text("utf-8")
    assert '<html lang="nb">' in front
    assert "Stillingsprosenten er ikke mellom 0 og 200." in front
    (row,) = re.findall(rf"<tr[^>]*><td>{re.escape(RULE)}</td>.*?</tr>", front)
    assert row.startswith("<tr class=broken>")
    assert row.endswith('<td>HR</td><td class="number">1</td></tr>')
    assert '<td class="number"></td>' in front, "what tells of protection has no number"
    assert all((folder / link).exists() for link in re.findall('href="([^"]+)"', front))
    pages = [path.read_text("utf-8") for path in folder.rglob("*.html")]
    assert len(pages) > 30
    assert any("Et tall som er oppgitt, ligger innenfor grensene." in page for page in pages)
    for page in pages:
        assert not re.search(r"<script|<link|<img|<iframe|url\(", page, re.IGNORECASE)
        assert "Content-Security-Policy" in page
    refused = runner.invoke(app, ["quality", "docs", "haugesund", "--out", str(folder)])
    assert refused.exit_code == 2
    assert "ikke tom" in refused.output

    said("haugesund", "--out", str(book))
    printed += said("haugesund", "--all") + said("rows", "haugesund")
    with zipfile.ZipFile(book) as sheets:
        printed += "".join(sheets.read(name).decode("utf-8", "replace") for name in sheets.namelist())
    printed += "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())
    words = set(re.findall(r"\w+", printed))
    secrets = {CANARY, "Kanarifugl", family}
    secrets |= {number for (number,) in operator.query("select number from golden.person where number is not null")}
    secrets |= {one for (one,) in operator.query("select subject from control.quarantine where length(subject) > 5")}
    assert len(secrets) > 100
    assert not secrets & words
    assert "Kanarifugl" not in printed


@pytest.mark.after_first_run
def test_a_row_is_listed_and_released_by_its_name(operator: Installation) -> None:
    _with_faults(operator)
    (line,) = (line for line in said("rows", "haugesund").splitlines() if RULE in line)
    assert "[kan slippes ut]" in line
    about = ["--as", "101", "--purpose", "1"]
    named = next(line for line in said("rows", "haugesund", *about).splitlines() if RULE in line)
    assert re.search(r"\] +\w.* \([0-9a-f-]{36}\)$", named)
    words = ["haugesund", "--row", line.split()[0], "--rule", RULE, "--reason", "stemmer", *about]
    assert "Prøve" in said("release", *words, "--dry-run")
    assert "venter på at en annen bekrefter" in said("release", *words)
    assert re.search(r"nummer \d+\.", said("reject", *words))
    refused = runner.invoke(app, ["quality", "release", *words[:4], "freg_person.number", *words[5:]])
    assert refused.exit_code == 2
    assert "må rettes der den er" in refused.output


@pytest.mark.parametrize(
    ("found", "broken", "new"),
    [((), False, False), ((0,), False, False), ((3,), True, True), ((3, 3), True, False), ((0, -1), True, True)],
)
def test_new_is_what_the_run_before_did_not_have(found: tuple[int, ...], broken: bool, new: bool) -> None:
    seen = quality.Seen("hr_employee", "x", "row", "x", "HR", found, None, None, None)
    assert (seen.broken, seen.new) == (broken, new)
