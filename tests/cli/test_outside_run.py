"""Commands in a second window, while ``make up`` or ``make demo`` runs: real servers, real processes."""

import contextlib
import fcntl
import os
import pty
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from dataflyt.cli import outside_run
from dataflyt.cli.main import app
from dataflyt.cli.outside_run import airflow_is_here
from dataflyt.errors import ConfigError
from tests.forking import Forking

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).parents[2]
SERVICES = """
import signal, sys
from rich.console import Console
from dataflyt.cli import outside_run
from dataflyt.storage import private
from supervisor.__main__ import Supervisor, interrupted, local
signal.signal(signal.SIGTERM, interrupted)
private.close()
supervisor = Supervisor(Console(file=sys.stderr), local())
try:
    supervisor.start_services()
    supervisor.announced = outside_run.announce(supervisor.home.folder, supervisor.environment)
    print("up", flush=True)
    signal.pause()
finally:
    supervisor.stop()
"""
"""The work of ``make up``, without Airflow."""


def second_window(local: Path, **more: str) -> dict[str, str]:
    """Return the environment of a window without variables of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATAFLYT", "AIRFLOW"))}
    return {**kept, "DATAFLYT_LOCAL": str(local), **more}


def dataflyt(local: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Start a command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "dataflyt", *words],
        env=second_window(local, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


Dataflyt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def begun() -> Iterator[Dataflyt]:
    """``begun(local, "plan", "haugesund")`` runs a command in a process that has imported what commands begin with."""
    modules = ("dataflyt.cli.main", "dataflyt.config.loading", "dataflyt.storage.database", "dataflyt.warehouse.runs")
    with Forking(modules, second_window(Path("/nowhere"))) as python:

        def begun(local: Path, *words: str) -> subprocess.CompletedProcess[str]:
            return python.run("from dataflyt.__main__ import main; main()", *words, environment=second_window(local))

        yield begun


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("beside") / "local"
    servers = subprocess.Popen(
        [sys.executable, "-c", SERVICES], env=second_window(folder), stdout=subprocess.PIPE, text=True
    )
    assert servers.stdout is not None
    try:
        assert servers.stdout.readline() == "up\n"
        yield folder
    finally:
        servers.terminate()
        servers.wait(60)
    assert not (folder / outside_run.NOTE).exists()


@pytest.fixture(scope="module")
def released(local: Path) -> str:
    """The output of the kommune's first run."""
    run = dataflyt(local, "run", "haugesund", "--approve", "--approver", "101")
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_airflow_says_nothing_of_our_connection_types_in_a_terminal(tmp_path: Path) -> None:
    looked_up = (
        "from dataflyt.cli.outside_run import by_airflow; by_airflow(); "
        "from airflow.models.connection import Connection; "
        "Connection(conn_id='warehouse_x', conn_type='dataflyt_warehouse', host='h').get_uri()"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    done = subprocess.run(
        [sys.executable, "-c", looked_up],
        env={**kept, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "RFC3986" not in done.stdout + done.stderr


def test_a_whole_run_is_released_beside_what_runs(released: str) -> None:
    assert "Kjøringen er frigitt." in released


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("plan haugesund", 0, "Elever som begynner"),
        ("worklist haugesund", 0, "Haugesund (1106)"),
        ("doctor haugesund", 0, "OK haugesund"),
        ("publish", 0, "følger dagen"),
        ("publish haugesund", 0, "følger dagen"),
        ("reference", 0, "nye"),
        ("events", 0, "Hendelser lest"),
        ("doctor", 0, "OK haugesund"),
        ("kommune check haugesund --online", 0, "OK haugesund, freg"),
        ("account difference haugesund", 2, "ingen importert katalog"),
        ("warehouse migrate", 0, "Varehuset er oppgradert."),
    ],
)
def test_every_command_works_beside_what_runs(
    local: Path, released: str, begun: Dataflyt, line: str, code: int, said: str
) -> None:
    done = begun(local, *line.split())
    assert said in done.stdout + done.stderr, done.stdout + done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_present_directory_is_imported_beside_what_runs(
    local: Path, released: str, begun: Dataflyt, tmp_path: Path
) -> None:
    file = tmp_path / "katalog.csv"
    file.write_text("eduPersonPrincipalName;norEduPersonNIN\nola@haugesund.kommune.no;15831499815\n")
    done = begun(local, "account", "import", str(file), "--kommune", "haugesund", "--approve")
    assert "Katalogen er importert." in done.stdout, done.stdout + done.stderr
    assert "mot katalogen som ble importert" in begun(local, "account", "difference", "haugesund").stdout


def test_ctrl_c_stops_a_run_with_one_word_and_the_next_run_goes_on(local: Path, released: str, begun: Dataflyt) -> None:
    words = ["run", "haugesund", "--approve", "--approver", "101"]
    run = subprocess.Popen(
        [sys.executable, "-u", "-m", "dataflyt", *words],
        env=second_window(local),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert "kjøring" in run.stdout.readline()
    time.sleep(1)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said.strip()) == (130, "Avbrutt.")
    assert "Kjøringen er frigitt." in begun(local, *words).stdout


@pytest.mark.parametrize(
    ("key", "code", "said"), [("\x03", 130, "Avbrutt."), ("\x04", 1, "Avbrutt."), ("n\n", 0, "avvist")]
)
def test_a_question_in_a_terminal_can_be_left(
    local: Path, released: str, tmp_path: Path, key: str, code: int, said: str
) -> None:
    file = tmp_path / "katalog.csv"
    file.write_text("eduPersonPrincipalName;norEduPersonNIN\nola@haugesund.kommune.no;15831499815\n")
    here, there = pty.openpty()
    asking = subprocess.Popen(
        [sys.executable, "-m", "dataflyt", "account", "import", str(file), "--kommune", "haugesund"],
        env=second_window(local),
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # makes Ctrl-C there a signal
    )
    os.close(there)
    shown = b""
    while b"Godkjenne? [j/N]: " not in shown:
        shown += os.read(here, 1024)
    # A Ctrl-C between the question and Python's waiting for the answer is seen only at the next key: press it again.
    for _ in range(10):
        os.write(here, key.encode())
        with contextlib.suppress(subprocess.TimeoutExpired):
            asking.wait(6)
            break
    assert asking.wait(1) == code
    with contextlib.suppress(OSError):  # Linux's error for a closed terminal
        while more := os.read(here, 1024):
            shown += more
    os.close(here)
    assert said in shown.decode()
    assert "Traceback" not in shown.decode()


def test_a_disk_that_takes_no_more_stops_a_run_with_sentences(local: Path, released: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "dataflyt", "run", "bergen", "--approve", "--approver", "x"],
        env=second_window(local),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        check=False,
    )
    assert run.returncode == 2
    assert "extract_sas: stoppet: " in run.stderr
    assert "filen blir større enn maskinen tillater" in run.stderr
    assert "Kjøringen stoppet." in run.stdout
    assert "Traceback" not in run.stderr


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run make with the tests' Python in place of .venv."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    for name in ("python", "dataflyt"):
        script = venv / "bin" / name
        program = sys.executable if name == "python" else f"{sys.executable} -m dataflyt"
        script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        script.chmod(0o755)
    (venv / ".installed").touch()

    def run(local: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", f"VENV={venv}", *words],
            cwd=REPOSITORY,
            env=second_window(local, **more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


Make = Callable[..., subprocess.CompletedProcess[str]]


def test_make_uses_what_runs(local: Path, released: str, make: Make) -> None:
    assert "Elever som begynner" in make(local, "plan", "RUN=1").stdout
    assert "OK haugesund" in make(local, "doctor").stdout
    asked = make(local, "import")
    assert asked.returncode != 0
    assert asked.stdout == "Hvilken fil? Skriv: make import FILE=katalog.ldif\n"
    assert "Haugesund (1106), kjøring" in make(local, "plan", "KOMMUNE=1106").stdout


def test_make_starts_what_is_needed_where_nothing_runs(tmp_path: Path, make: Make) -> None:
    folder = tmp_path / "local"
    file = tmp_path / "katalog.csv"
    file.write_text("eduPersonPrincipalName;norEduPersonNIN\nola@haugesund.kommune.no;15831499815\n")
    (tmp_path / "kommuner").mkdir()  # each start makes the people of every kommune anew: one is enough here
    shutil.copy(REPOSITORY / "include" / "kommuner" / "haugesund.yaml", tmp_path / "kommuner")
    one = {"DATAFLYT_KOMMUNER": str(tmp_path / "kommuner")}
    imported = make(folder, "import", f"FILE={file}", "YES=1", **one)
    assert "Katalogen er importert." in imported.stdout, imported.stdout + imported.stderr
    run = make(folder, "run", "YES=1", "APPROVER=101", **one)
    assert "Kjøringen er frigitt." in run.stdout, run.stdout + run.stderr
    assert "Elever som begynner" in make(folder, "plan", **one).stdout
    assert not (folder / "postgres" / "postmaster.pid").exists()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "line",
    [
        *("plan haugesund", "worklist haugesund", "run haugesund", "doctor", "events", "publish", "reference"),
        *("kommune check --online", "account import x.csv", "account difference haugesund"),
        *("warehouse migrate", "warehouse login haugesund", "warehouse restored"),
    ],
)
def test_where_nothing_runs_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(os, "environ", {"DATAFLYT_LOCAL": str(tmp_path), "HOME": str(tmp_path)})
    done = CliRunner().invoke(app, line.split(), prog_name="dataflyt")
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"Ingenting kjører her: skriv «make up» .*\n", done.stderr)


def test_settings_that_airflow_cannot_start_with_are_said_in_a_sentence(tmp_path: Path) -> None:
    wrong = "postgresql+nosuch://airflow:hemmelig@127.0.0.1/airflow"
    done = dataflyt(
        tmp_path, "airflow", "prepare", AIRFLOW_HOME=str(tmp_path), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=wrong
    )
    assert done.returncode == 2
    assert "Airflow kan ikke startes med innstillingene her" in done.stderr.splitlines()[-1]
    assert "hemmelig" not in done.stderr + done.stdout


def test_nothing_of_what_runs_here_lies_open(local: Path, released: str) -> None:
    assert local.stat().st_mode & 0o066 == 0
    written = [path for path in local.rglob("*") if "postgres" not in path.relative_to(local).parts]
    assert {"feide.ldif", "manifest.json", "secrets.json", "simulator.log", "simulator-key.pem"} <= {
        path.name for path in written
    }
    assert [path for path in written if path.lstat().st_mode & 0o077] == []
    socket = Path(re.findall(r'host=([^"\\]+)', unquote((local / outside_run.NOTE).read_text()))[0])
    assert socket.stat().st_mode & 0o077 == 0, "the embedded server trusts whoever reaches its socket"


def test_the_note_holds_keys_and_is_for_its_owner_only(local: Path) -> None:
    note = local / outside_run.NOTE
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert "PRIVATE KEY" in note.read_text()
    assert "PATH" not in (outside_run.running(local) or {})


def test_the_note_of_one_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    script = (
        "import os, pathlib; from dataflyt.cli import outside_run\n"
        f"note = outside_run.announce(pathlib.Path({str(tmp_path)!r}), {{'DATAFLYT_STORAGE': '/x'}})\n"
        f"assert outside_run.running(pathlib.Path({str(tmp_path)!r})) == {{'DATAFLYT_STORAGE': '/x'}}\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / outside_run.NOTE).exists()
    assert outside_run.running(tmp_path) is None


def test_airflow_is_known_by_its_variables_or_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    assert not airflow_is_here()
    for name in ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"):
        monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path), name: "x"})
        assert airflow_is_here()
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path), "AIRFLOW_CONN_X": "{}"})
    assert not airflow_is_here(), "a connection alone is no Airflow"
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "airflow.cfg").touch()
    assert airflow_is_here()


def test_variables_that_are_set_are_not_mixed_with_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"DATAFLYT_LOCAL": str(tmp_path)})
    with pytest.raises(ConfigError, match="Ingenting kjører"):
        outside_run.use()
    note = outside_run.announce(tmp_path, {"DATAFLYT_STORAGE": "/trial", "AIRFLOW_CONN_X": "{}", "HOME": "/root"})
    monkeypatch.setattr(os, "environ", {"DATAFLYT_LOCAL": str(tmp_path), "AIRFLOW_CONN_WAREHOUSE": "{}"})
    outside_run.use()
    assert "DATAFLYT_STORAGE" not in os.environ
    monkeypatch.setattr(os, "environ", {"DATAFLYT_LOCAL": str(tmp_path)})
    outside_run.use()
    assert os.environ == {"DATAFLYT_LOCAL": str(tmp_path), "DATAFLYT_STORAGE": "/trial", "AIRFLOW_CONN_X": "{}"}
    outside_run.withdraw(tmp_path, note)
    assert outside_run.running(tmp_path) is None
