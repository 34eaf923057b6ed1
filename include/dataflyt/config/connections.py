"""Connections: the address and the key of a source, the warehouse or a folder.

A kommune file names them. They are defined in Airflow (environment, secrets backend or database), or outside Airflow by
the environment variable that Airflow reads too: ``AIRFLOW_CONN_<NAME>``, as JSON.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

from dataflyt.config import known_hosts
from dataflyt.errors import ConfigError


@dataclass(frozen=True)
class Connection:
    """A connection. ``url`` is the whole address: https://…, file:///…, postgresql+psycopg://….

    A register's ``login``, ``password`` and most of ``extra`` describe a client of Maskinporten, as
    ``registers.maskinporten`` says. ``extra`` may also have ``contact``, the person whom the register may call, and the
    limits ``max_concurrent`` and ``max_per_second`` on one process's questions.
    """

    name: str
    url: str
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def require(self, *names: str) -> None:
        """Raise ConfigError unless these are filled in: ``login``, ``password``, or fields of ``extra``."""
        values = {**self.extra, "login": self.login, "password": self.password}
        if missing := [name for name in names if not values.get(name)]:
            raise ConfigError(f"Tilkoblingen {self.name} mangler {', '.join(missing)}: skriv det inn i tilkoblingen.")


class NotDefined(ConfigError):
    """No connection has that name."""


def path_of(address: str) -> Any:
    """Return the path of a folder's address: a Path on this machine, or fsspec's for another scheme."""
    from upath import UPath

    local = address.removeprefix("file://")
    scheme, has_scheme, _ = local.partition("://")
    return UPath(address, **known_hosts.options(scheme)) if has_scheme else Path(local)


Connect: TypeAlias = Callable[[str], Connection]
"""Return the connection of a name. Raises NotDefined when there is none, and ConfigError when it is wrong."""


class Outside(Protocol):
    """The way to find things outside the program: connections by name, and the folders of their addresses."""

    @property
    def connect(self) -> Connect:
        """Gives a connection by its name."""

    @property
    def path(self) -> Callable[[str], Any]:
        """Turns a folder's address into a path (pathlib's shape)."""


def from_environment(name: str) -> Connection:
    """Read ``AIRFLOW_CONN_<NAME>``: Airflow's JSON form, with the address in ``host``. Raises as ``Connect``."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    text = os.environ.get(variable)
    if not text:
        raise NotDefined(f"Tilkoblingen {name} finnes ikke: sett miljøvariabelen {variable}.")
    try:
        raw = orjson.loads(text)
        extra = raw.get("extra") or {}
        if isinstance(extra, str):
            extra = orjson.loads(extra)
        return Connection(name, raw["host"], raw.get("login"), raw.get("password"), extra)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigError(
            f'{variable} er ikke et JSON-objekt med «host»: skriv {{"conn_type": "generic", "host": "https://…"}}.'
        ) from None
