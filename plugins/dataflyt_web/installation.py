"""What the pages need of the installation: its kommune files, its connections and storage, and its DAGs in Airflow."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import BrokenFile, folder_of_kommuner, load_all
from dataflyt.errors import ConfigError
from dataflyt.on_airflow import environment as of_airflow
from dataflyt.on_airflow.rights import dag_of
from dataflyt.operations.overview import Line
from dataflyt.run.environment import Environment


class Dag(NamedTuple):
    """A kommune's DAG in Airflow: whether it is paused, and when its next run is due (None: there is no next run)."""

    paused: bool
    next_run: datetime | None


DagRunId: TypeAlias = tuple[str, str]
"""A run in Airflow: the DAG's id and the run's."""


def _none(runs: Collection[DagRunId]) -> set[DagRunId]:
    return set()


@dataclass(frozen=True)
class Installation:
    """``environment``, ``dags`` and ``ended`` are asked anew for each page; a test may give others.

    ``ended`` returns those of some runs that have ended in Airflow.
    """

    environment: Callable[[], Environment]
    dags: Callable[[], Mapping[str, Dag]]
    ended: Callable[[Collection[DagRunId]], set[DagRunId]] = _none

    def kommuner(self) -> Mapping[str, Kommune | BrokenFile]:
        """Return the kommune files by id. They are read again when one changes."""
        folder = folder_of_kommuner()
        return _loaded(folder, _state(folder))

    def as_airflow_knows(self, lines: Mapping[str, Line]) -> dict[str, Line]:
        """Return the lines with the outcome ``not_closed`` for newest runs that have ended only in Airflow."""
        under_way = {
            owner: (dag_of(owner), line.last.key)
            for owner, line in lines.items()
            if line.last and line.last.outcome in ("running", "waiting")
        }
        ended = self.ended(under_way.values()) if under_way else set()
        found = dict(lines)
        for owner, run in under_way.items():
            if run in ended:
                last, *older = lines[owner].runs
                runs = (replace(last, outcome="not_closed"), *older)
                found[owner] = replace(lines[owner], runs=runs)
        return found


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


def ended(runs: Collection[DagRunId]) -> set[DagRunId]:
    """Return those of these runs that have succeeded or failed in Airflow."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        asked = select(DagRun.dag_id, DagRun.run_id).where(
            DagRun.run_id.in_({key for _, key in runs}), DagRun.state.in_(("success", "failed"))
        )
        return {(row[0], row[1]) for row in session.execute(asked)} & set(runs)


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
