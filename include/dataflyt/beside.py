"""How a command finds the installation that runs on this machine for trial: a note in the folder ``.local``.

``make up`` and ``make demo`` write it when the warehouse and the registers are there, readable by its owner only since
it holds keys, and remove it when they end. They hold a lock on it meanwhile, so that the note of one that was killed is
not believed. A command reads it when no variable says where things are; in production variables do.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from dataflyt.errors import ConfigError

NOTE = "environment.json"
SHARED = ("DATAFLYT_STORAGE", "DATAFLYT_KOMMUNER", "NO_PROXY", "no_proxy")
CONNECTION = "AIRFLOW_CONN_"


def folder() -> Path:
    """Give the folder ``.local`` of this checkout, or the one that DATAFLYT_LOCAL names."""
    return Path(os.environ.get("DATAFLYT_LOCAL") or Path(__file__).resolve().parents[2] / ".local").resolve()


def announce(local: Path, environment: Mapping[str, str]) -> TextIO:
    """Write the note, whole or not at all, and hold it: it counts until what is returned is closed. Raises OSError."""
    shared = {name: value for name, value in environment.items() if name in SHARED or name.startswith(CONNECTION)}
    unfinished = local / f"{NOTE}.part"
    unfinished.unlink(missing_ok=True)  # opening does not narrow the rights of a file that is there
    note = os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    fcntl.flock(note, fcntl.LOCK_EX)
    note.write(json.dumps(shared))
    note.flush()
    unfinished.rename(local / NOTE)
    return note


def withdraw(local: Path, note: TextIO) -> None:
    """Remove the note."""
    (local / NOTE).unlink(missing_ok=True)
    with suppress(OSError):
        note.close()


def running(local: Path) -> dict[str, str] | None:
    """Give the variables of what runs in the folder, None when nothing does. Raises ConfigError."""
    try:
        with (local / NOTE).open(encoding="utf-8") as note:
            try:
                fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                variables: dict[str, str] = json.load(note)
                return variables
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise ConfigError(
            f"{local / NOTE} kan ikke leses: bare den som har startet «make up», kan bruke det som kjører."
        ) from None
    return None


def use() -> None:
    """Take over the variables of what runs here, unless some say already where things are.

    Raises ConfigError when nothing runs.
    """
    if any(name == "DATAFLYT_STORAGE" or name.startswith(CONNECTION) for name in os.environ):
        return
    variables = running(folder())
    if variables is None:
        raise ConfigError(
            "Ingenting kjører her: skriv «make up» i et annet vindu først, eller sett miljøvariabelen "
            "DATAFLYT_STORAGE og tilkoblingene."
        )
    os.environ.update({name: value for name, value in variables.items() if name not in os.environ})
