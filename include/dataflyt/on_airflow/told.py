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
    from collections.abc import Iterable

log = logging.getLogger(__name__)

NAME: Final = "dataflyt_told"
SAME: Final = timedelta(hours=3)
"""The DAG that reads the events runs every hour: a cause that has not come for so long is over."""


CLOCKS_DIFFER: Final = timedelta(minutes=5)


class Known(NamedTuple):
    """A cause that somebody was told of, when it was first seen, and when last."""

    cause: Cause
    since: datetime
    last: datetime


def going_on(now: datetime | None = None) -> dict[str, Known]:
    """Return the causes that were seen within the last three hours, by their keys. Never raises."""
    now = now or datetime.now(UTC)
    try:
        kept = json.loads(Variable.get(NAME, default="[]"))
        known = [
            Known(Cause(one["said"], tuple(one["kommuner"])), *map(_time, (one["since"], one["last"]))) for one in kept
        ]
        return {one.cause.key: one for one in known if now - SAME <= one.last <= now + CLOCKS_DIFFER}
    except Exception as error:  # another Airflow, no right, somebody has edited it
        log.warning("What has been told cannot be read: %s with the variable %s.", type(error).__name__, NAME)
        return {}


def remember(told: Iterable[Cause], known: dict[str, Known], now: datetime | None = None) -> None:
    """Keep that these causes have been told of, beside those ``known``. Never raises."""
    now = now or datetime.now(UTC)
    kept = dict(known)
    for cause in told:
        since = known[cause.key].since if cause.key in known else now
        kept[cause.key] = Known(cause, since, now)
    rows: list[dict[str, Any]] = [
        {"said": one.cause.sentence, "kommuner": one.cause.kommuner, "since": str(one.since), "last": str(one.last)}
        for one in kept.values()
    ]
    try:
        Variable.set(
            NAME, json.dumps(rows, ensure_ascii=False), description="Dataflyt: hva dataingeniørene har fått vite"
        )
    except Exception as error:
        log.warning("What has been told cannot be kept: %s with the variable %s.", type(error).__name__, NAME)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
