"""The supervisor leaves nothing running, answers as the approver and says so, and prints a readable summary."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from dataflyt.cli import outside_run
from supervisor import demo as demonstration
from supervisor.__main__ import main
from supervisor.demo import Demo, summarise
from supervisor.processes import MARK, Processes, SupervisorError
from supervisor.weeks import Approver

REPOSITORY = Path(__file__).parents[2]
SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
# A child that starts a grandchild in a session of its own, prints its process id, and ends without it.
RUNAWAY = [
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], start_new_session=True).pid)\n"
    "sys.stdout.flush()\n"
    "time.sleep(300 if sys.argv[1] == 'stay' else 0)",
]


def wait_until(what, seconds=20.0):
    """Wait for ``what()`` to be true, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("child", ["stay", "go"])
def test_nothing_that_was_started_outlives_the_stop(tmp_path, child):
    processes = Processes(tmp_path)
    processes.start("runaway", [*RUNAWAY, child], os.environ)
    grandchild = int(wait_until(lambda: processes.tail("runaway")))
    assert alive(grandchild)
    processes.stop()
    wait_until(lambda: not alive(grandchild))


def test_what_a_killed_supervisor_left_is_ended_by_the_next_start(tmp_path):
    script = (
        "import os, sys, pathlib\n"
        "from supervisor.processes import Processes\n"
        f"processes = Processes(pathlib.Path({str(tmp_path)!r}))\n"
        f"processes.start('sleeper', {SLEEP!r}, os.environ)\n"
        "print(processes.running['sleeper'].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    left = int(killed.stdout)
    assert alive(left)
    Processes(tmp_path).stop()
    wait_until(lambda: not alive(left))


def test_two_supervisors_do_not_share_a_folder(tmp_path):
    first = Processes(tmp_path)
    with pytest.raises(SupervisorError, match="En annen make-kommando"):
        Processes(tmp_path)
    first.stop()
    Processes(tmp_path).stop()


def test_a_component_that_dies_is_noticed_and_its_last_words_are_shown(tmp_path):
    processes = Processes(tmp_path)
    processes.start("scheduler", [sys.executable, "-c", "raise SystemExit('no database')"], os.environ)
    with pytest.raises(SupervisorError, match=r"scheduler stoppet uventet(.|\n)*no database"):
        processes.wait_for("Airflow", lambda: False, timeout=20)
    processes.stop()


def test_a_failed_errand_stops_the_rest(tmp_path):
    processes = Processes(tmp_path)
    processes.start("migrate", [sys.executable, "-c", "raise SystemExit(3)"], os.environ, errand=True)
    with pytest.raises(SupervisorError, match="migrate feilet"):
        processes.finish("migrate")
    processes.stop()


def test_a_folder_that_cannot_be_written_gives_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    stopped = subprocess.run(
        [sys.executable, "-m", "supervisor", "demo"],
        env={**os.environ, "DATAFLYT_LOCAL": str(tmp_path / "file" / "local")},
        capture_output=True,
        text=True,
    )
    assert (stopped.returncode, stopped.stderr) == (1, "")
    assert stopped.stdout.count("\n") == 1
    assert stopped.stdout.startswith(str(tmp_path))
    assert "lov til å skrive" in stopped.stdout


def test_an_empty_kommune_is_answered_in_a_sentence():
    asked = subprocess.run(["make", "-n", "demo", "KOMMUNE="], cwd=REPOSITORY, capture_output=True, text=True)
    assert "--kommune='' demo" in asked.stdout


def test_a_signal_stops_the_database_the_registers_and_the_command(tmp_path):
    local = tmp_path / "local"
    code = (
        "import json, os, psycopg, time\n"
        "url = json.loads(os.environ['AIRFLOW_CONN_WAREHOUSE_HAUGESUND'])['host'].replace('+psycopg', '')\n"
        "with psycopg.connect(url) as connection:\n"
        "    print(connection.execute('select current_user').fetchone()[0], end=' ')\n"
        "print([name for name in os.environ if name.startswith('AIRFLOW_CONN')], flush=True)\n"
        "time.sleep(300)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor", "run", "--", sys.executable, "-c", code],
        env={**os.environ, "DATAFLYT_LOCAL": str(local)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert supervisor.stdout is not None
    connections = supervisor.stdout.readline()
    assert connections.startswith("kommune_haugesund ")
    for name in ("WAREHOUSE", "FREG_HAUGESUND", "KRR_HAUGESUND", "HR_HAUGESUND", "SAS_HAUGESUND"):
        assert f"AIRFLOW_CONN_{name}" in connections
    family = [process.pid for process in psutil.Process(supervisor.pid).children(recursive=True)]
    postgres = int((local / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    assert alive(postgres)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(60) == 128 + signal.SIGTERM
    assert not [pid for pid in [postgres, *family] if alive(pid)]
    assert not (local / "postgres" / "postmaster.pid").exists()
    for process in psutil.process_iter():
        try:
            assert process.environ().get(MARK) != str(local)
        except (psutil.Error, OSError):
            continue


def test_ctrl_c_leaves_a_command_the_time_to_say_that_it_was_interrupted(tmp_path):
    note = outside_run.announce(tmp_path, {"DATAFLYT_STORAGE": str(tmp_path)})
    code = (
        "import time\n"
        "try:\n"
        "    print('up', flush=True)\n"
        "    time.sleep(300)\n"
        "except KeyboardInterrupt:\n"
        "    time.sleep(0.5)\n"
        "    print('Avbrutt.', flush=True)\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor", "run", "--", sys.executable, "-c", code],
        env={**os.environ, "DATAFLYT_LOCAL": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == "up\n"
    os.killpg(supervisor.pid, signal.SIGINT)  # as a terminal does
    assert supervisor.communicate(timeout=60) == ("Avbrutt.\n", "")
    assert supervisor.returncode == 128 + signal.SIGINT
    outside_run.withdraw(tmp_path, note)


class FakeAirflow:
    """An Airflow whose run waits for an answer and then ends as told."""

    def __init__(self, end, states):
        self.end, self.states, self.answers, self.calls = end, states, [], []

    def active_runs(self, dag):
        return ["an old run"]

    def give_up(self, dag, run):
        self.calls.append(("give up", run))

    def trigger(self, dag, note):
        return "run-1"

    def pause(self, dag, paused):
        self.calls.append(("pause", paused))

    def run_state(self, dag, run):
        return self.end if self.answers else "running"

    def tasks(self, dag, run):
        state = self.states if self.answers else {"approve": "awaiting_input"}
        return [
            {
                "task_id": name,
                "task_display_name": name.capitalize(),
                "state": was,
                "start_date": "2026-11-01T00:00:00Z",
                "duration": 1.0,
                "try_number": 1,
            }
            for name, was in state.items()
        ]

    def question(self, dag, run, task):
        return {"subject": "Godkjenne kjøring 1?", "body": "- Elever som begynner: 400"}

    def answer(self, dag, run, task, option):
        self.answers.append((task, option))

    def failure(self, dag, run, task):
        return "Tabellen freg_person er tom."


def demo(airflow, tmp_path, monkeypatch):
    monkeypatch.setattr(demonstration, "PAUSE", 0.01)
    monkeypatch.setattr(demonstration, "THINKING", 0.02)
    monkeypatch.setattr(demonstration, "LONGEST_RETRY", 0.02)
    text = io.StringIO()
    processes = Processes(tmp_path)
    console = Console(file=text, width=200)
    run = Demo(airflow, lambda: airflow, "Anita Ingebretsen (anita)", "kommune_haugesund", console, processes)
    state = run.run()
    processes.stop()
    return state, text.getvalue()


def test_the_demo_answers_as_the_approver_and_says_so(tmp_path, monkeypatch):
    airflow = FakeAirflow("success", {"approve": "success"})
    state, text = demo(airflow, tmp_path, monkeypatch)
    assert state == "success"
    assert airflow.answers == [("approve", "Approve")]
    assert "Godkjenne kjøring 1?" in text
    assert "Elever som begynner: 400" in text
    assert re.search(r"godkjenner, Anita Ingebretsen \(anita\), svarer ja", text)


def test_the_demo_closes_a_run_that_was_cut_off_and_leaves_the_dag_paused(tmp_path, monkeypatch):
    airflow = FakeAirflow("success", {"approve": "success"})
    _, text = demo(airflow, tmp_path, monkeypatch)
    assert airflow.calls == [("give up", "an old run"), ("pause", False), ("pause", True)]
    assert "avbrutt" in text


def test_a_failed_run_shows_the_sentence_of_the_step_that_failed(tmp_path, monkeypatch):
    state, text = demo(FakeAirflow("failed", {"approve": "success", "check": "failed"}), tmp_path, monkeypatch)
    assert state == "failed"
    assert "Check: Tabellen freg_person er tom." in text


def test_the_demo_does_not_wait_for_a_long_retry(tmp_path, monkeypatch):
    airflow = FakeAirflow("running", {"approve": "success", "extract_krr": "up_for_retry"})
    state, text = demo(airflow, tmp_path, monkeypatch)
    assert state == "failed"
    assert "gir opp" in text
    assert ("give up", "run-1") in airflow.calls


def summary(report, exports=Path("/somewhere")):
    text = io.StringIO()
    summarise(report, exports, Console(file=text, width=200))
    return text.getvalue().replace("\N{NO-BREAK SPACE}", " ")


REPORT = {
    "outcome": "released",
    "tables": [
        {"table": "freg_person", "received": 1200, "quarantined": 2, "held_over": 1, "duplicates": 0, "staged": 1197},
        {"table": "hr_employee", "received": 60, "quarantined": 0, "held_over": 0, "duplicates": 1, "staged": 59},
    ],
    "merged": {"freg_person": {"opened": 1197, "closed": 3}, "hr_employee": {"opened": 59, "closed": 0}},
    "changed": {"pupil_starts": 400, "pupil_leaves": 0},
    "published": [],
    "sentences": ["Kjøringen er frigitt.", "Endret: Elever som begynner: 400."],
}


def test_the_summary_says_what_came_in_what_changed_and_where_the_files_are(tmp_path):
    (tmp_path / "000001-000024").mkdir()
    (tmp_path / "000001-000024" / "feide.ldif").write_bytes(bytes(2048))
    (tmp_path / "manifest.json").write_text('{"publication": "000001-000024"}')
    text = summary(REPORT | {"published": ["feide.ldif"]}, tmp_path)
    assert re.search(r"freg_person +1 200 +2 +1 +0 +1 197", text)
    assert re.search(r"i alt +1 260 +2 +1 +1 +1 256", text)
    assert "Flettet: 1 256 nye rader i historikken, 3 lukket" in text
    assert "Elever som begynner: 400" in text
    assert "Elever som slutter" not in text
    assert "feide.ldif: 2 048 byte" in text
    assert f"Filene ligger i: {tmp_path}/000001-000024" in text
    assert "Kjøringen er frigitt." in text


def test_a_second_run_says_that_nothing_changed():
    assert "Ingenting er endret." in summary(REPORT | {"changed": {}})


def test_a_run_that_stopped_early_has_a_summary_too():
    text = summary({"tables": [], "merged": None, "published": None, "sentences": ["Kjøringen stoppet."]})
    assert "Publisert: 0 filer" in text
    assert "Kjøringen stoppet." in text


@pytest.mark.parametrize(
    ("goals", "fails", "ran", "code"),
    [
        (["demo"], 0, ["demo"], 0),
        (["setup", "lint"], 0, ["check", "format", "mypy", "deptry"], 0),
        (["plan", "lint"], 0, ["plan", "check", "format", "mypy", "deptry"], 0),
        (["run", "plan"], 0, ["run", "plan"], 0),
        (["demo"], 1, ["demo"], 1),
        (["run", "plan"], 1, ["run"], 1),
        (["lint"], 1, ["check"], 2),
    ],
)
def test_make_does_each_of_its_goals_and_stops_at_the_first_that_fails(tmp_path, goals, fails, ran, code):
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("requirements.txt", "pyproject.toml", ".venv/.installed"):
        (tmp_path / name).touch()
    for name in ("python", "ruff", "mypy", "deptry"):
        (programs / name).write_text(f'#!/bin/sh\necho "ran: ${{0##*/}} $*"\nexit {fails}\n')
        (programs / name).chmod(0o700)
    ended = subprocess.run(["make", *goals], cwd=tmp_path, capture_output=True, text=True)
    found = re.findall(r"^ran: (.*)$", ended.stdout, re.MULTILINE)
    assert len(found) == len(ran)
    assert all(word in line.split() for word, line in zip(ran, found, strict=True)), found
    assert ended.returncode == code
    assert ("***" in ended.stderr) == (code == 2), "the goals that say themselves what is wrong"


def test_make_alone_lists_the_commands_and_their_variables():
    listed = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for command in (
        "setup",
        "demo",
        "up",
        "plan",
        "run",
        "doctor",
        "import",
        "backup",
        "restore",
        "test",
        "lint",
        "lock",
        "clean",
    ):
        assert re.search(rf"^make {command} +\w", listed, re.MULTILINE)
    for variable in ("KOMMUNE", "WEEKS", "START", "PORT", "RUN", "APPROVER", "FILE", "YES", "DATAFLYT_LOCAL"):
        assert re.search(rf"^  {variable}=.* +\w", listed, re.MULTILINE)
    assert not re.search(r"\b(the|which|with|run a|keep|default|file|where|folder)\b", listed)


def test_of_the_weeks_runs_that_ask_one_is_refused_and_one_never_answered():
    approver = Approver()
    asked = [approver.answer(first=first) for first in (True, True, True, False, False, False, False)]
    assert asked == [*["approved"] * 3, "rejected", "unanswered", "approved", "approved"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["demo", "--weeks", "many"], "WEEKS er ikke et antall uker"),
        (["demo", "--weeks", "4", "--start", "20.07.2026"], "START er ikke en dato"),
        (["up", "--port", "http"], "PORT er ikke et portnummer"),
        (["backup"], "ikke noe varehus"),
        (["restore"], "Hvilken fil"),
        (["restore", "--file", "none.dump"], "finnes ikke"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.setenv("DATAFLYT_LOCAL", str(tmp_path))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(words) == 1
    assert sentence in capsys.readouterr().out
