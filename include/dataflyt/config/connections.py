"""Connections: the address and the key of a source, the warehouse or a folder.

A kommune file names them. They are defined in Airflow (environment, secrets backend or database), or outside Airflow by
the environment variable that Airflow reads too: ``AIRFLOW_CONN_<NAME>``, as JSON.
"""

import os
from collections.abc import Callable, Mapping
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

    The form of the types that Dataflyt has in Airflow leaves empty fields in ``extra``: ``of_fields`` takes them away.
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


WAREHOUSE = "dataflyt_warehouse"
"""The type of a connection with the warehouse's address in fields: host, port, schema (database), login, password."""
_OF_LIBPQ = ("sslmode", "sslrootcert")
"""The fields of its ``extra``. libpq has others, such as ``host``, that would send the password elsewhere."""


def of_fields(name: str, kind: object, fields: Mapping[str, Any]) -> Connection:
    """Return the connection of Airflow's fields: ``host``, ``login``, ``password``, ``extra``, ``port``, ``schema``.

    ``kind`` is the connection's type. Only a warehouse's address may stand in several fields; it may also stand whole
    in ``host``, as every other address does.
    """
    host, login, password = str(fields["host"] or ""), fields.get("login"), fields.get("password")
    extra = {key: value for key, value in (fields.get("extra") or {}).items() if value not in (None, "", [])}
    if kind == WAREHOUSE and "://" not in host:
        from sqlalchemy import URL

        query = {key: str(extra[key]) for key in _OF_LIBPQ if key in extra}
        port, database = fields.get("port"), fields.get("schema")
        url = URL.create("postgresql+psycopg", login, password, host, int(port) if port else None, database, query)
        host = url.render_as_string(hide_password=False)
    return Connection(name, host, login, password, extra)


def fields_of_warehouse(url: str) -> dict[str, Any]:
    """Return Airflow's fields for a warehouse's address, with the password in the field that Airflow hides.

    An address that the fields have no room for, such as one by a unix socket, stands whole in ``host``.
    """
    from sqlalchemy import make_url

    parts = make_url(url)
    if not parts.host or parts.query.keys() - set(_OF_LIBPQ):
        return {"conn_type": WAREHOUSE, "host": url}
    fields = {"host": parts.host, "port": parts.port, "schema": parts.database, "login": parts.username}
    return {"conn_type": WAREHOUSE, **fields, "password": parts.password, "extra": dict(parts.query)}


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
        return of_fields(name, raw.get("conn_type"), {**raw, "extra": extra})
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigError(
            f'{variable} er ikke et JSON-objekt med «host»: skriv {{"conn_type": "generic", "host": "https://…"}}.'
        ) from None
