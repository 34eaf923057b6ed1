"""What the engineers have been told of already: one notice a cause, not one an hour.

The Airflow Variable ``dataflyt_told`` holds it: it outlasts a process, holds for every DAG, and is there when the
warehouse is down. A cause that is seen again within three hours is the same trouble; the morning's digest has it until
it is over. A cause that nobody could be told of is not kept. Without the variable (no right, a broken text) the
engineers are told every time. Two DAGs that fail at the same moment may both tell.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airflow.sdk import Variable

from dataflyt.operations.causes import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

log = logging.getLogger(__name__)

NAME: Final = "dataflyt_told"
SAME: Final = timedelta(hours=3)
"""The DAG that reads the events runs every hour: a cause that has not come for so long is over."""
COMMON: Final = 5
"""A cause that so many kommuner have met is common to all, such as a register that is down: no more are told of."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)


class Known(NamedTuple):
    """A cause with the kommuner that met it last, those that were told of, and when it was first and last seen."""

    cause: Cause
    told: frozenset[str]
    since: datetime
    last: datetime


def going_on(now: datetime | None = None) -> dict[str, Known]:
    """Return the causes that were seen within the last three hours, by their keys. Never raises."""
    now = now or datetime.now(UTC)
    try:
        known = [_read(one) for one in json.loads(Variable.get(NAME, default="[]"))]
        return {one.cause.key: one for one in known if now - SAME <= one.last <= now + CLOCKS_DIFFER}
    except Exception as error:  # another Airflow, no right, somebody has edited it
        log.warning("What has been told cannot be read: %s with the variable %s.", type(error).__name__, NAME)
        return {}


def untold(causes: Iterable[Cause], known: Mapping[str, Known]) -> list[Cause]:
    """Return what must be told: new causes, and the new kommuner of a cause that few have met."""
    found = []
    for cause in causes:
        before = known.get(cause.key)
        if before is None:
            found.append(cause)
        elif len(before.told) < COMMON and (more := [one for one in cause.kommuner if one not in before.told]):
            found.append(Cause(cause.sentence, tuple(more)))
    return found


def remember(seen: Iterable[Cause], told: Iterable[Cause], known: Mapping[str, Known]) -> None:
    """Keep which causes were ``seen`` now, and which of them have been ``told``, beside those ``known``. Never raises.

    A cause that was seen, and has never been told of, is not kept.
    """
    now, kept = datetime.now(UTC), dict(known)
    newly = {cause.key: frozenset(cause.kommuner) for cause in told}
    for cause in seen:
        before = known.get(cause.key)
        if before or cause.key in newly:
            whom = newly.get(cause.key, frozenset()) | (before.told if before else frozenset())
            kept[cause.key] = Known(cause, whom, before.since if before else now, now)
    try:
        rows = json.dumps([_row(one) for one in kept.values()], ensure_ascii=False)
        Variable.set(NAME, rows, description="Dataflyt: hva dataingeniørene har fått vite")
    except Exception as error:
        log.warning("What has been told cannot be kept: %s with the variable %s.", type(error).__name__, NAME)


def _row(known: Known) -> dict[str, Any]:
    return {
        "said": known.cause.sentence,
        "kommuner": known.cause.kommuner,
        "told": sorted(known.told),
        "since": known.since.isoformat(),
        "last": known.last.isoformat(),
    }


def _read(row: Mapping[str, Any]) -> Known:
    since, last = (datetime.fromisoformat(row[when]).astimezone(UTC) for when in ("since", "last"))
    return Known(Cause(row["said"], tuple(row["kommuner"])), frozenset(row["told"]), since, last)
