"""Bring every kommune's publication in line with the day: write it anew when its state has changed.

    for each kommune that has published: the state of its exports now -> is it what they were written from?
        -> no: write the published run anew (``run.republish``); then every kommune is delivered

Access can end because a day has passed: a pupil becomes 18, or a grant ends, and the kommune's next run may be a month
away. The DAG ``nightly`` calls ``run`` just after midnight in Norway, and the fast lane calls ``bring_in_line`` every
hour. A change that gives access waits for the kommune's next run. Repeating it does nothing.
"""

import logging
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, may_pass
from dataflyt.exports.delivery import shared_places
from dataflyt.exports.registry import EXPORTS
from dataflyt.run.deliver import deliver_published
from dataflyt.run.environment import Environment
from dataflyt.run.republish import write_anew

log = logging.getLogger(__name__)


class Standing(NamedTuple):
    """An export of a kommune that stands published, and the run it is of."""

    kommune: Kommune
    export: str
    run: int


@dataclass
class Outcome:
    """The outcome: counts that are safe to show, and the errors to report.

    ``read``: FREG's event list was read to its end.
    """

    counts: dict[str, int]
    trouble: list[DataflytError] = field(default_factory=list)
    read: bool = False


def run(kommuner: Iterable[Kommune], environment: Environment) -> Outcome:
    """Bring every kommune's publication in line with the day. Trouble in one kommune stops no other.

    A missing or broken file of a kommune that has published is trouble too: its exports no longer follow the day. So is
    a place that two kommuner deliver to. The
    number of kommuner written anew is not returned: it would tell of people's decisions.
    """
    by_id = {kommune.id: kommune for kommune in kommuner}
    exports = environment.folder("exports")
    owners = sorted(folder.name for folder in exports.iterdir()) if exports.exists() else []
    published = [owner for owner in owners if _has_published(owner, environment)]
    trouble = bring_in_line([by_id[owner] for owner in published if owner in by_id], environment, deliveries=True)
    trouble += [
        ConfigError(
            f"{owner}: kommunefilen mangler eller har feil, så det som er publisert, følger ikke med på dagen: kjør "
            "«dataflyt kommune check»."
        )
        for owner in published
        if owner not in by_id
    ]
    counts = {"kommuner": len(published) - len(trouble)}
    trouble += [
        ConfigError(f"{owner}: {' '.join(said)}") for owner, said in shared_places(by_id.values(), environment).items()
    ]
    for one in trouble:
        log.error("%s %s", one.sentence, one.facts or "")
    return Outcome(counts, trouble)


def bring_in_line(
    kommuner: Iterable[Kommune], environment: Environment, *, deliveries: bool = False
) -> list[DataflytError]:
    """Write a kommune's publication anew where its state has changed, and deliver it; return the errors.

    Every kommune is written before any is delivered: a recipient that is slow to answer holds up no other kommune's
    publication, and a server that has fallen silent is tried for no other kommune. A delivery that failed is among the
    errors with ``deliveries`` alone: somebody is told once a day, not every hour. So often each directory is compared
    with its file, too.
    """
    silent: set[str] = set()

    def write(kommune: Kommune) -> None:
        if _has_published(kommune.id, environment):  # others may not have a connection yet
            write_anew(kommune, environment)

    def deliver(kommune: Kommune) -> None:
        if not _has_published(kommune.id, environment):
            return
        told = deliver_published(kommune, environment, silent=silent, thorough=deliveries)
        failed = [one.trouble for one in told if one.trouble]
        if failed and deliveries:
            raise type(failed[0])(f"ikke levert: {' '.join(trouble.sentence for trouble in failed)}")

    kommuner = list(kommuner)
    written = [trouble_of(partial(write, kommune), kommune.id) for kommune in kommuner]
    tried = [
        trouble or trouble_of(partial(deliver, kommune), kommune.id)
        for kommune, trouble in zip(kommuner, written, strict=True)
    ]
    return [trouble for trouble in tried if trouble]


def standing(kommuner: Iterable[Kommune], environment: Environment) -> list[Standing]:
    """Return the exports that stand published, as the manifests say.

    A manifest that cannot be read is a line in the log, and takes no other kommune's exports away.
    """
    found: list[Standing] = []

    def read(kommune: Kommune) -> None:
        if _has_published(kommune.id, environment):
            manifest = orjson.loads((environment.folder("exports") / kommune.id / "manifest.json").read_bytes())
            files = {file["file"] for file in manifest["files"]}
            found.extend(
                Standing(kommune, export, manifest["run"])
                for export in kommune.exports
                if EXPORTS[export].file in files
            )

    for kommune in kommuner:
        if trouble := trouble_of(partial(read, kommune), kommune.id):
            log.error("%s %s", trouble.sentence, trouble.facts or "")
    return found


def trouble_of(work: Callable[[], None], what: str) -> DataflytError | None:
    """Do the work; return its error, as one of ours with a sentence that begins with ``what``."""
    try:
        work()
    except DataflytError as error:
        return type(error)(f"{what}: {error.sentence}", **error.facts)
    except Exception as error:  # its text may hold a row
        frame = traceback.extract_tb(error.__traceback__)[-1]
        if may_pass(error):
            return SourceUnavailable(
                f"{what}: forbindelsen ble brutt ({type(error).__name__}). Dataflyt prøver igjen.",
                where=f"{Path(frame.filename).name}:{frame.lineno}",
            )
        said = f"{what}: uventet feil ({type(error).__name__}), si fra til en dataingeniør."
        return DataflytError(said, where=f"{Path(frame.filename).name}:{frame.lineno}")
    return None


def _has_published(owner: str, environment: Environment) -> bool:
    return bool((environment.folder("exports") / owner / "manifest.json").exists())
