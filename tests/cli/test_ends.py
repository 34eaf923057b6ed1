"""A command ends with a Norwegian sentence or silence when its disk, terminal or user fails it. Real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forking import Forking

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
ANNOUNCED = "from {module} import main; print('on', flush=True); main({arguments})"
"""Reports that Python is up. Until then Python itself answers Ctrl-C, in its own words."""

PROGRAM = "from dataflyt.__main__ import main; main()"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


@pytest.fixture
def window(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a window without variables of ours, where nothing runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATAFLYT", "AIRFLOW"))}
    return {**kept, "DATAFLYT_LOCAL": str(tmp_path / "local")}


@pytest.mark.parametrize("line", ["--help", "run --help", "kommune list", "kommune check", "plan haugesund", "plann"])
def test_a_terminal_that_only_knows_ascii_shows_what_it_can(line: str, window: dict[str, str]) -> None:
    window |= {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command("dataflyt", *line.split()), env=window, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode("ascii")
    assert said
    assert "Traceback" not in said
    assert "\\x" not in said
    assert done.returncode in (0, 2)


def test_norwegian_letters_are_spelt_out_where_there_are_none(window: dict[str, str]) -> None:
    window |= {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command("dataflyt", "plan", "haugesund"), env=window, capture_output=True, check=False)
    assert done.stderr.startswith(b'Ingenting kjorer her: skriv "make up" i et annet vindu')


@pytest.fixture(scope="module")
def begun() -> Iterator[Forking]:
    """A process that has imported the command line. As each command is started as a user does too, a fork may be it."""
    with Forking(["dataflyt.cli.main"], os.environ) as python:
        yield python


@needs_dev_full
@pytest.mark.parametrize(
    "line", ["--help", "kommune", "kommune list", "kommune check", "id 15831499815", "feide value x", "doctor --help"]
)
def test_output_that_there_is_no_room_for_is_said_in_one_sentence(
    line: str, window: dict[str, str], begun: Forking
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("dataflyt", *line.split()), env=window, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    begun.ask(PROGRAM, *line.split(), environment=window, streams=["/dev/null", "/dev/full", "/dev/full"])
    mute = begun.answer()["code"]
    assert done.stderr == "Noe kunne ikke skrives: det er ikke plass på disken.\n"
    assert (done.returncode, mute) == (2, 2)


@pytest.mark.parametrize("line", ["--help", "kommune list", "kommune check", "id 15831499815", "feide value x"])
def test_a_reader_that_goes_away_ends_it_silently(line: str, window: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command("dataflyt", *line.split()), env=window, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("delay", [0, 0.05, 0.1, 0.2, 0.4])
def test_ctrl_c_while_a_command_starts_is_silent(delay: float, window: dict[str, str]) -> None:
    script = ANNOUNCED.format(module="dataflyt.__main__", arguments="")
    started = subprocess.Popen(
        [sys.executable, "-c", script, "kommune", "check"],
        env=window,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "on\n"
    time.sleep(delay)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    # Until our first line is done, Python itself answers, with a traceback.
    first_line = "dataflyt" not in said or "signal.SIG_DFL" in said
    before_ours = "KeyboardInterrupt" in said and first_line and delay < 0.1
    assert before_ours or said.strip() in ("", "Avbrutt.")
    assert started.returncode in (-signal.SIGINT, 130, 0, 1)


def test_ctrl_c_that_a_destructor_swallows_ends_the_command_silently(window: dict[str, str]) -> None:
    script = """
import os, signal, time
from dataflyt import __main__
from dataflyt.cli import main

class Closed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

def app(prog_name):
    Closed()
    time.sleep(60)
    print("went on")

main.app = app
__main__.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=window, capture_output=True, text=True, check=False, timeout=45
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 130)


def test_a_signal_that_a_destructor_swallows_ends_make_s_program_too(window: dict[str, str]) -> None:
    script = """
import os, signal, time
from supervisor import __main__

class Closed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass

class Nothing:
    def __init__(self, console):
        pass

    def stop(self):
        print("stopped")

def work(supervisor):
    Closed()
    time.sleep(60)
    print("went on")
    return 0

__main__.task = lambda chosen: (Nothing, work)
__main__.main(["up"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=window, capture_output=True, text=True, check=False, timeout=45
    )
    assert (done.stdout, done.stderr, done.returncode) == ("stopped\n", "", 143)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_ctrl_c_while_make_up_starts_is_silent_and_leaves_nothing(delay: float, window: dict[str, str]) -> None:
    started = subprocess.Popen(
        command("supervisor", "up"), env=window, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    while "Starter PostgreSQL" not in (line := started.stdout.readline()):
        assert line
    time.sleep(delay)
    started.send_signal(signal.SIGINT)
    out, said = started.communicate(timeout=90)
    assert (out, said, started.returncode) == ("", "", 130)
    assert not (Path(window["DATAFLYT_LOCAL"]) / "postgres" / "postmaster.pid").exists()


@needs_dev_full
def test_make_says_once_that_there_is_no_room_for_what_it_would_say(window: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("supervisor", "up"), env=window, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == (
        "Maskinen sa nei (det er ikke plass på disken): se etter plass på disken og lov til å skrive.\n"
    )


def full_disk_of(megabytes: int, folder: Path) -> list[str]:
    """Return the beginning of a command that runs with a small disk in ``folder``; skip where we may not mount."""
    mount = f"mount -t tmpfs -o size={megabytes}m small '{folder}' && exec \"$@\""
    start = ["unshare", "-m", "sh", "-c", mount, "sh"]
    try:
        may = subprocess.run([*start, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        may = False
    if not may:
        pytest.skip("no right to mount a small disk")
    return start


def test_a_full_disk_stops_make_with_a_sentence(tmp_path: Path, window: dict[str, str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*full_disk_of(20, disk), *command("supervisor", "run", "--", "true")],
        env=window | {"DATAFLYT_LOCAL": str(disk / "local")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("PostgreSQL kan ikke starte i ")
    assert done.stdout.count("\n") == 2
    assert "rydd plass først" in done.stdout


def test_a_kommune_file_that_there_is_no_room_for_is_refused(tmp_path: Path, window: dict[str, str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    fill = f"head -c 2000000 /dev/zero > '{disk}/fill' 2> /dev/null; exec \"$@\""
    new = command("dataflyt", "kommune", "new", "4601", "--name", "Bergen")
    done = subprocess.run(
        [*full_disk_of(1, disk), "sh", "-c", fill, "sh", *new],
        env=window | {"DATAFLYT_KOMMUNER": str(disk)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
