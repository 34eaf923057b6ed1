"""How a kommune stands: its line of runs, one run's way from the sources to the exports, and the files sent.

In: a kommune and a run's number. Out: what that run's report tells everybody, and the publications. Counts only, and
none that tells of protection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.operations.overview import Line, LineRun, read_lines
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import runs

SENT = 8
"""How many runs' publications are read."""


class SentFile(NamedTuple):
    """A published file. ``changed``: it differs from that of the run before; None when there was none."""

    name: str
    sha256: str
    changed: bool | None


@dataclass(frozen=True)
class Sent:
    """The files that a run has published first, and the time that the run is of.

    What is published anew between runs is not told, nor when: it would tell when somebody was protected.
    """

    run: int
    as_of: datetime
    files: tuple[SentFile, ...]


@dataclass(frozen=True)
class Standing:
    """A kommune's line, one of its runs with its report and figures, the run before that, and what was sent.

    ``figures`` are those of ``report.figures``, also of a run that is under way.
    """

    line: Line
    run: LineRun | None
    report: Mapping[str, Any]
    figures: Mapping[str, Any]
    before: LineRun | None
    sent: tuple[Sent, ...]


def standing(kommune: Kommune, environment: Environment, number: int | None = None, newest: int = 26) -> Standing:
    """Return how a kommune stands at a run, by default its newest; at no run when there is no such run."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        line = read_lines(connection, [kommune.id], newest)[kommune.id]
        known = [*line.runs, *([line.released] if line.released else [])]
        run = next((one for one in known if number in (None, one.number)), None)
        built: dict[str, Any] = {}
        figures: Mapping[str, Any] = {}
        before = None
        if run is not None:
            found = runs.get(connection, kommune.id, run.number)
            built = report.build(connection, kommune, found, run.failed)
            # A run that stopped before it was merged has no rows in the warehouse when a newer one has begun.
            figures = report.figures(built, {}) if built["tables"] else run.figures
            before = next((one for one in line.runs if one.number < run.number and one.figures.get("sources")), None)
        return Standing(line, run, built, figures, before, _sent(connection, kommune.id))


def number_of(kommune: Kommune, environment: Environment, key: str) -> int | None:
    """Return the number of the run that ``key``, an Airflow run's id, names; None when it has not begun here."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        found = text("select run from control.run where owner = :owner and key = :key")
        number: int | None = connection.scalar(found, {"owner": kommune.id, "key": key})
        return number


def _sent(connection: Connection, owner: str) -> tuple[Sent, ...]:
    """Return what the newest runs have sent, the newest first."""
    found = connection.execute(
        text(
            "select distinct on (p.run) p.run, r.as_of, p.manifest from control.publication p "
            "join control.run r on r.owner = p.owner and r.run = p.run "
            "where p.owner = :owner order by p.run desc, p.published_at limit :most"
        ),
        {"owner": owner, "most": SENT + 1},
    ).all()
    files = [{file["file"]: file["sha256"] for file in orjson.loads(row.manifest)["files"]} for row in found]
    older: list[dict[str, str] | None] = [*files[1:], None]
    return tuple(
        Sent(
            row.run,
            row.as_of,
            tuple(
                SentFile(name, sha256, None if before is None or name not in before else before[name] != sha256)
                for name, sha256 in now.items()
            ),
        )
        for row, now, before in zip(found, files, older, strict=False)
    )[:SENT]
