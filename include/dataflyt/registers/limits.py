"""Limits on a register's questions at a time and per second, counted together for all threads of this process."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import urlsplit

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError
from dataflyt.registers.settings import Settings


class Limiter:
    """Limits how many of this process's threads ask a register at a time, and how many times a second."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asking = 0
        self._next = 0.0

    @contextlib.contextmanager
    def turn(self, max_concurrent: int, max_per_second: float) -> Iterator[None]:
        """Wait for a turn, and hold it. Each caller brings its own limits."""
        with self._changed:
            self._changed.wait_for(lambda: self._asking < max_concurrent)
            self._asking += 1
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + 1 / max_per_second
        try:
            time.sleep(at - now)
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify()


_limiters: defaultdict[str, Limiter] = defaultdict(Limiter)


def limiter_of(connection: Connection) -> Limiter:
    """Return the limiter that all connections to the same host share."""
    return _limiters[urlsplit(connection.url).netloc]


def limits_of(connection: Connection, settings: Settings) -> tuple[int, float]:
    """Return the most questions at a time and the most per second: the connection's limits, else the settings'.

    Raises ConfigError for a value that is not a number or is too small.
    """
    return (
        int(_number(connection, "max_concurrent", settings.max_concurrent, at_least=1)),
        _number(connection, "max_per_second", settings.max_per_second, at_least=0.01),
    )


def _number(connection: Connection, name: str, default: float, *, at_least: float) -> float:
    try:
        value = float(connection.extra.get(name, default))
    except (TypeError, ValueError):
        value = 0
    if not at_least <= value < float("inf"):
        raise ConfigError(f"Tilkoblingen {connection.name} har en {name} som ikke kan brukes: skriv et tall over null.")
    return value
