"""What the pages need of the installation: its kommune files, its connections and storage, and its DAGs in Airflow."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import BrokenFile, folder_of_kommuner, load_all
from dataflyt.errors import ConfigError
from dataflyt.on_airflow import environment as of_airflow
from dataflyt.run.environment import Environment


class Dag(NamedTuple):
    """A kommune's DAG in Airflow: whether it is paused, and when its next run is due (None: there is no next run)."""

    paused: bool
    next_run: datetime | None


@dataclass(frozen=True)
class Installation:
    """``environment`` and ``dags`` are asked anew for each page; a test may give others."""

    environment: Callable[[], Environment]
    dags: Callable[[], Mapping[str, Dag]]

    def kommuner(self) -> Mapping[str, Kommune | BrokenFile]:
        """Return the kommune files by id. They are read again when one changes."""
        folder = folder_of_kommuner()
        return _loaded(folder, _state(folder))


def environment() -> Environment:
    """Return the surroundings as a task of Airflow's has them. Raises ConfigError when DATAFLYT_STORAGE is not set."""
    storage = os.environ.get("DATAFLYT_STORAGE")
    if not storage:
        raise ConfigError("DATAFLYT_STORAGE er ikke satt for Airflows API-tjener: sett den som for oppgavene.")
    return Environment(connect=of_airflow.connection, path=of_airflow.storage_path, storage=storage)


def dags() -> dict[str, Dag]:
    """Return Airflow's DAGs by id."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        asked = select(DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
        return {row[0]: Dag(bool(row[1]), row[2]) for row in session.execute(asked.where(DagModel.is_stale.is_(False)))}


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return the names, times and sizes of the files in a folder. Raises ConfigError when it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return tuple(sorted((one.name, one.stat().st_mtime_ns, one.stat().st_size) for one in found))
    except OSError:
        raise ConfigError(f"Mappen {folder} kan ikke leses: sett DATAFLYT_KOMMUNER til den.") from None


@lru_cache(maxsize=2)
def _loaded(folder: Path, state: object) -> dict[str, Kommune | BrokenFile]:
    good, broken = load_all(folder)
    found: dict[str, Kommune | BrokenFile] = {one.id: one for one in good}
    return found | {one.id: one for one in broken}
