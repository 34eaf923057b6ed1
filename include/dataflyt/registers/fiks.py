"""The fields that KS Fiks needs besides a token from Maskinporten, for every register behind it.

``IntegrasjonId`` and ``IntegrasjonPassord`` come from the connection's extra (``integrasjon_id``,
``integrasjon_passord``). The ``rolleId`` is a part of every address; it comes from the kommune file or the connection's
extra (``rolle_id``). The rolle decides the legal basis, the purpose and the data that may be asked for.

Source: KS, developers.fiks.ks.no, "Folkeregister" and the OpenAPI files of oppvekst and register KRR; the scope is
``ks:fiks``.
"""

import re
from functools import partial

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError
from dataflyt.registers import maskinporten
from dataflyt.registers.register import Register
from dataflyt.registers.settings import Settings

UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def open_register(who: str, connection: Connection, settings: Settings) -> Register:
    """Open a register at KS Fiks. Raises ConfigError if the connection lacks the integration's id or password."""
    connection.require("integrasjon_id", "integrasjon_passord")
    names = {"IntegrasjonId": "integrasjon_id", "IntegrasjonPassord": "integrasjon_passord"}
    headers = {header: str(connection.extra[name]) for header, name in names.items()}
    if not all(value.isascii() and value.isprintable() for value in headers.values()):
        raise ConfigError(
            f"Integrasjonens id eller passord i tilkoblingen {connection.name} har tegn som ikke kan sendes: skriv dem "
            "på nytt, uten linjeskift."
        )
    token = partial(maskinporten.token, connection, settings=settings)
    # It is not known whether Fiks passes on FREG's Retry-After in milliseconds. Read as seconds, the wait is longer.
    return Register(who, connection, token, settings, headers=headers)


def role(connection: Connection, rolle: str | None) -> str:
    """Return the ``rolleId`` for the questions: the kommune file's, else the connection's. Raises ConfigError."""
    found = rolle or str(connection.extra.get("rolle_id") or "")
    if not re.fullmatch(UUID, found):
        raise ConfigError(
            f"Tilkoblingen {connection.name} går til KS Fiks og trenger en rolle: skriv rolleId fra Fiks som «rolle» i "
            "kommunefilen eller «rolle_id» i tilkoblingen."
        )
    return found
