"""The command line: a whole run without Airflow, and one sentence for each missing thing."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.run.approve import question
from tests.installation.fixtures import TO_PLAN, Installation

runner = CliRunner()


def commands(group: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List every command and group by its words."""
    found = [path]
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if isinstance(command, typer.core.TyperGroup) else [(*path, name)]
    return found


def test_every_command_has_help() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    every = commands(root)
    assert {("read",), ("id",), ("run",), ("plan",), ("feide", "check"), ("kommune", "list")} <= set(every)
    for words in every:
        shown = runner.invoke(app, [*words, "--help"])
        assert shown.exit_code == 0, words
        assert "Bruk:" in shown.output


@pytest.fixture
def connected(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Point the command line at the installation by variables, as an operator does."""
    for source in ("warehouse", "freg", "krr", "hr", "sas"):
        connection = installation.environment.connect(f"{source}_haugesund")
        text = json.dumps(
            {
                "conn_type": "generic",
                "host": connection.url,
                "login": connection.login,
                "password": connection.password,
                "extra": connection.extra,
            }
        )
        monkeypatch.setenv(f"AIRFLOW_CONN_{source.upper()}_HAUGESUND", text)
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    monkeypatch.setattr("dataflyt.sources.freg.client._READY_WAIT", 0.01)
    return installation


@pytest.mark.long
def test_a_kommune_is_run_and_its_plan_read_by_name_or_number(connected: Installation) -> None:
    unanswered = runner.invoke(app, ["run", "haugesund"])  # no terminal to ask in
    assert unanswered.exit_code == 0, unanswered.output
    assert "ingen å spørre" in unanswered.output
    assert "Kjøringen ble avvist" in unanswered.output
    rejected = runner.invoke(app, ["run", "haugesund", "--reject"])
    assert rejected.exit_code == 0, rejected.output
    assert "Kjøringen ble avvist" in rejected.output
    assert not (connected.storage / "exports").exists()
    stranger = runner.invoke(app, ["run", "haugesund", "--approve", "--approver", "anita"])
    assert (stranger.exit_code, stranger.stderr.count("ikke godkjenner")) == (2, 1)
    approved = runner.invoke(app, ["run", "1106", "--approve", "--approver", "101"])
    assert approved.exit_code == 0, approved.output
    assert "første kjøring" in approved.output
    assert "Kjøringen er frigitt." in approved.output
    assert "Konkurransedyktig" in connected.ldif()
    plan = runner.invoke(app, ["plan", "1106", "--rows", "--as", "101", "--purpose", "5"])
    assert plan.exit_code == 0
    assert "Elever som begynner" in plan.output
    assert "pupil_starts\t" in plan.output
    # Rows are by the warehouse's own ids.
    assert not any(number in plan.output for number in connected.registers.world.persons)
    assert "kanari" not in plan.output.lower()
    missing = runner.invoke(app, ["plan", "haugesund", "--run", "7"])
    assert missing.exit_code == 2
    assert "ingen kjøring 7" in missing.output


def test_a_run_that_stops_says_where_and_why_and_leaves_everything_as_it_was(connected: Installation) -> None:
    for path in (connected.registers.drop / "1106" / "sas").glob("pifu_*.xml"):
        path.write_bytes(path.read_bytes()[:50_000])
    stopped = runner.invoke(app, ["run", "haugesund", "--approve", "--approver", "101"])
    assert stopped.exit_code == 2
    assert "extract_sas: stoppet:" in stopped.output
    assert "Kjøringen stoppet." in stopped.output
    assert "Traceback" not in stopped.output
    assert connected.query("select 1 from history.sas_person") == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "DATAFLYT_STORAGE"),
        ({"DATAFLYT_STORAGE": "/tmp/x"}, "AIRFLOW_CONN_WAREHOUSE_HAUGESUND"),
        ({"DATAFLYT_STORAGE": "/tmp/x", "AIRFLOW_CONN_WAREHOUSE_HAUGESUND": "{"}, "AIRFLOW_CONN_WAREHOUSE_HAUGESUND"),
    ],
)
def test_what_is_not_set_is_named_in_one_sentence(
    variables: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATAFLYT_STORAGE", raising=False)
    monkeypatch.setenv("DATAFLYT_LOCAL", "/nowhere")  # where nothing runs
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for command in ("run", "plan"):
        said = runner.invoke(app, [command, "haugesund"])
        assert said.exit_code == 2
        assert sentence in said.output
        assert len(said.output.strip().splitlines()) == 1


def test_the_command_in_the_approval_question_works_where_airflow_has_the_connections(
    installation: Installation, tmp_path: Path
) -> None:
    job = installation.open()
    installation.steps(job, *TO_PLAN)
    asked = question(job)
    assert asked
    (hint,) = re.findall("`(dataflyt [^`]+)`", asked.body)
    secrets = tmp_path / "secrets.json"
    secrets.write_text(
        json.dumps({"warehouse_haugesund": {"conn_type": "generic", "host": installation.warehouse_url}})
    )
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(hint)],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(secrets)}),
            "DATAFLYT_STORAGE": str(installation.storage),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Haugesund (1106), kjøring 1" in done.stdout
    assert "Elever som begynner" in done.stdout
