"""Connections: where a source, the warehouse or a directory is, and with which key.

Named in a kommune file, defined outside it: in Airflow by a connection (environment, secrets backend or database),
elsewhere by the same environment variable that Airflow reads, ``AIRFLOW_CONN_<NAME>`` as JSON.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from dataflyt.errors import ConfigError


@dataclass(frozen=True)
class Connection:
    """``url`` is the whole address (https://…, file:///…, postgresql+psycopg://…), ``extra`` what a kind needs besides.

    HTTP registers: ``login`` is the Maskinporten client id, ``password`` the private key (PEM), ``extra`` holds
    ``token_endpoint``, ``issuer``, ``kid``, ``scope``.
    """

    name: str
    url: str
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)


Connect: TypeAlias = Callable[[str], Connection]
"""From a connection's name to the connection; raises ConfigError."""


def from_environment(name: str) -> Connection:
    """Read ``AIRFLOW_CONN_<NAME>`` (Airflow's JSON form, the address in ``host``)."""
    variable = f"AIRFLOW_CONN_{name.upper()}"
    text = os.environ.get(variable)
    if not text:
        raise ConfigError(f"The connection {name} is not defined: set the environment variable {variable}.")
    try:
        raw = orjson.loads(text)
        extra = raw.get("extra") or {}
        if isinstance(extra, str):
            extra = orjson.loads(extra)
        return Connection(name, raw["host"], raw.get("login"), raw.get("password"), extra)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigError(
            f'{variable} is not a JSON object with a "host": write {{"conn_type": "generic", "host": "https://…"}}.'
        ) from None
