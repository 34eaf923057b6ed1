"""Delete every night what has had its time, in every kommune.

    landing 14 days -> staging of settled runs -> people who left everything ``retention.history_days`` days ago
        -> quarantine -> audit and decisions after five years -> files of older publications

The DAG ``nightly`` calls ``run`` after the publications follow the day. Days are Norway's. Counts only, and none of
protected people. Repeating it does nothing.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, DataflytError
from dataflyt.formats.dates import OSLO
from dataflyt.operations.nightly import Outcome, trouble_of
from dataflyt.run.environment import Environment
from dataflyt.run.erase import erase_files, erase_people, oldest_run_read, remember
from dataflyt.storage import database
from dataflyt.storage.files import remove
from dataflyt.storage.landing import forget_listing
from dataflyt.warehouse import erasure

log = logging.getLogger(__name__)

LANDING = timedelta(days=14)
"""How long raw answers and delivered files are kept, counted from the run that fetched them."""


def run(kommuner: Iterable[Kommune], environment: Environment) -> Outcome:
    """Delete what has had its time in every kommune that has run. Trouble in one kommune stops no other.

    A missing or broken file of a kommune that has run is trouble too: nothing is deleted there.
    """
    by_id = {kommune.id: kommune for kommune in kommuner}
    owners = sorted({name for kind in ("landing", "reports") for name in _folders(environment, kind)})
    counts = {"kommuner": 0, "landing": 0, "people": 0, "quarantine": 0, "audit": 0}
    trouble: list[DataflytError] = []
    for owner in owners:
        if owner not in by_id:
            trouble.append(
                ConfigError(
                    f"{owner}: kommunefilen mangler eller har feil, så det som skal slettes, blir stående: kjør "
                    "«dataflyt kommune check»."
                )
            )
            continue
        if failed := trouble_of(partial(_add, counts, by_id[owner], environment), owner):
            trouble.append(failed)
    for one in trouble:
        log.error("%s %s", one.sentence, one.facts or "")
    return Outcome(counts, trouble)


def _add(counts: dict[str, int], kommune: Kommune, environment: Environment) -> None:
    found = retain(kommune, environment)
    for name in counts:
        counts[name] += found.get(name, 1 if name == "kommuner" else 0)


def retain(kommune: Kommune, environment: Environment) -> dict[str, int]:
    """Delete what has had its time in one kommune; return rows, folders and people per kind."""
    owner, today = kommune.id, environment.now().astimezone(OSLO).date()
    db, days = database.engine(environment.connect(kommune.warehouse).url), kommune.retention.history_days
    with database.transaction(db, owner) as connection:
        before = remember(connection, kommune, environment)
        read = oldest_run_read(connection, owner)
        leaving = erasure.departed(connection, owner, read=read, today=today, days=days, before=before)
        people = erase_people(connection, owner, leaving) if leaving else 0
        counts = erasure.forget_old(connection, owner, days=days, today=today)
        erasure.empty_staging(connection, owner)
        oldest = environment.now() - LANDING
        newer = connection.execute(
            text("select run from control.run where owner = :owner and as_of > :oldest"),
            {"owner": owner, "oldest": oldest},
        )
        kept = {f"{number:06d}" for number in newer.scalars()}
    with database.transaction(db, owner) as connection:
        erase_files(connection, kommune, environment)
        landing = _purge(environment.folder("landing") / owner, kept)
    return counts | {"people": people, "landing": landing}


def _purge(folder: Any, kept: set[str]) -> int:
    """Delete the folders of runs but those that are ``kept``. Return how many."""
    forget_listing(folder)
    old = [run for run in folder.iterdir() if run.name.isdigit() and run.name not in kept] if folder.exists() else []
    for run in old:
        remove(run)
    return len(old)


def _folders(environment: Environment, kind: str) -> list[str]:
    root = environment.folder(kind)
    return [folder.name for folder in root.iterdir() if folder.is_dir()] if root.exists() else []
