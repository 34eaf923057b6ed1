"""How a command finds the installation it belongs to.

- Where Airflow is configured, connections are found as Airflow's tasks find them: in its secrets backends, variables
  and database, in Airflow's order.
- While ``make up`` or ``make demo`` runs, a note in the folder ``.local`` holds the variables. It is written when the
  warehouse and the registers are up, and removed at the end. Only its owner may read it, since it holds keys. The
  writer keeps a lock on it, so that a note left by a killed process does not count. It is read when neither
  DATAFLYT_STORAGE nor a connection is among the environment variables.
- Elsewhere the environment variables alone are used.
"""

import fcntl
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from dataflyt.config.connections import from_environment, path_of
from dataflyt.errors import ConfigError, DataflytError
from dataflyt.run.environment import Installation

NOTE = "environment.json"
SHARED = ("DATAFLYT_STORAGE", "DATAFLYT_KOMMUNER", "NO_PROXY", "no_proxy")
CONNECTION = "AIRFLOW_CONN_"


def folder() -> Path:
    """Return the folder ``.local`` of this checkout, or the one that DATAFLYT_LOCAL names."""
    return Path(os.environ.get("DATAFLYT_LOCAL") or Path(__file__).resolve().parents[3] / ".local").resolve()


def announce(local: Path, environment: Mapping[str, str]) -> TextIO:
    """Write the note, whole or not at all, and lock it: it counts until the returned file is closed. Raises OSError."""
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
    """Return the variables in the note of a running demo or ``make up``, None when nothing runs. Raises ConfigError."""
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


def airflow_is_here() -> bool:
    """Return whether an Airflow is configured on this machine: by variables, or in the folder it uses without them."""
    return (
        any(name in ("AIRFLOW_HOME", "AIRFLOW_CONFIG") or name.startswith("AIRFLOW__") for name in os.environ)
        or (Path.home() / "airflow" / "airflow.cfg").exists()
    )


def by_airflow() -> Installation:
    """Return the installation as Airflow finds it. Raises ConfigError when its settings keep it from starting."""
    # Airflow's own command line sets this. Without it the task SDK does not look in Airflow's database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # Airflow warns of each connection type with an underscore, its own too.
    os.environ.setdefault("AIRFLOW__LOGGING__NAMESPACE_LEVELS", "airflow.models.connection=ERROR")
    try:
        from dataflyt.on_airflow.environment import connection_of_installation, storage_path
    except DataflytError:
        raise
    except Exception as error:  # a missing driver, a secrets backend that does not exist; the text may hold a password
        raise ConfigError(
            f"Airflow kan ikke startes med innstillingene her ({type(error).__name__}): kjør «airflow config list», "
            "og rett det den klager på, i airflow.cfg eller AIRFLOW__-variablene."
        ) from None
    logging.getLogger().setLevel(logging.WARNING)  # Airflow lets every library log to the terminal
    return Installation(connection_of_installation, storage_path, airflow=True)


def use() -> Installation:
    """Find the installation, and take over the variables of a trial that runs here.

    Raises ConfigError when there is none.
    """
    told = any(name == "DATAFLYT_STORAGE" or name.startswith(CONNECTION) for name in os.environ)
    if not told and (variables := running(folder())) is not None:
        os.environ.update({name: value for name, value in variables.items() if name not in os.environ})
        return Installation(from_environment, path_of)
    if airflow_is_here():
        return by_airflow()
    if not told:
        raise ConfigError(
            "Ingenting kjører her: skriv «make up» i et annet vindu først, eller sett miljøvariabelen "
            "DATAFLYT_STORAGE og tilkoblingene, eller AIRFLOW_HOME der Airflow har dem."
        )
    return Installation(from_environment, path_of)
