"""Everything outside the program that a run uses: connections, folders, the clock. Nothing heavy is imported here."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from dataflyt.config.connections import Connect
from dataflyt.errors import ConfigError
from dataflyt.formats.dates import OSLO


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Environment:
    """A run's connections, folders and clock.

    ``connect`` gives connections by name, ``path`` turns an address into a path (pathlib's shape), ``storage`` is the
    address of the folder that holds landing/, exports/ and reports/, ``now`` is the clock.
    """

    connect: Connect
    path: Callable[[str], Any]
    storage: str
    now: Callable[[], datetime] = _now

    def day(self, as_of: datetime) -> date:
        """Return the day in Norway as of which a run is read: today, or the day of ``as_of`` when that is later."""
        return max(moment.astimezone(OSLO).date() for moment in (self.now(), as_of))

    def folder(self, name: str) -> Any:
        """Return one of the folders in the storage."""
        return self.path(self.storage) / name


class Installation(NamedTuple):
    """The installation that a command belongs to, also for commands that need no storage.

    ``airflow``: whether Airflow looks connections up.
    """

    connect: Connect
    path: Callable[[str], Any]
    airflow: bool = False

    def environment(self) -> Environment:
        """Return a run's environment. Raises ConfigError when DATAFLYT_STORAGE is not set."""
        storage = os.environ.get("DATAFLYT_STORAGE")
        if not storage:
            raise ConfigError(
                "Sett miljøvariabelen DATAFLYT_STORAGE til mappen for landing, eksport og rapporter, "
                "slik tilkoblingene er satt."
            )
        return Environment(self.connect, self.path, storage)
