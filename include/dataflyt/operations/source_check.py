"""Check that a kommune's sources answer now, and that the rights used in asking are the kommune's own.

In: a kommune, and functions that look up connections and paths. Out: for each source a Norwegian sentence, and whether
all is well. No person is asked about: a register that must be asked about a number is given a number that nobody has.

A token is opaque to a client (Digdir), and only this check reads it. Where the token is a JWT, its ``consumer`` must be
the kommune. Where it is not, the sentence says that the rights are not checked.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import orjson

from dataflyt.config.connections import Connect, Connection
from dataflyt.config.kommune import HrSource, Kommune, SasSource
from dataflyt.errors import ConfigError, DataflytError
from dataflyt.formats.dates import OSLO
from dataflyt.registers import maskinporten
from dataflyt.registers.settings import Settings
from dataflyt.run.freg_parts import EMPLOYEE_PARTS, freg_parts
from dataflyt.sources.freg import client as freg
from dataflyt.sources.krr import client as krr
from dataflyt.storage.newest_file import newest

NOBODY = "31929999986"
"""A synthetic number (+80 months) that nobody has: born on the last day of a century."""
_HURRIED = Settings(connect_timeout=5.0, read_timeout=20.0, answer_timeout=30.0, attempts=2, longest_wait=5.0)


def ask_sources(
    kommune: Kommune, connect: Connect, path: Callable[[str], Any], now: datetime
) -> Iterator[tuple[str, bool, str]]:
    """Ask each source; yield its name, whether all is well, and a sentence that says so or says what to do."""
    sources = kommune.sources
    questions: dict[str, Callable[[], str]] = {
        "freg": lambda: ask_freg(kommune, connect(sources.freg.connection)),
        "krr": lambda: ask_krr(kommune, connect(sources.krr.connection)),
        "hr": lambda: newest_file(kommune, sources.hr, connect(sources.hr.connection), path, now),
        "sas": lambda: newest_file(kommune, sources.sas, connect(sources.sas.connection), path, now),
    }
    for name, ask in questions.items():
        try:
            yield name, True, ask()
        except DataflytError as error:
            yield name, False, error.sentence


def ask_freg(kommune: Kommune, connection: Connection) -> str:
    """Ask for the same parts as a run, which tries the right to each of them. Return the sentence; raise the error."""
    source = kommune.sources.freg
    questions = {source.route: freg_parts(kommune)}
    if source.employees:
        questions.setdefault(source.route_alone, EMPLOYEE_PARTS)
    for route, parts in questions.items():
        path, key, shape = freg.question(connection, route, source.rolle, parts)
        with freg.open_register(connection, route, _HURRIED) as register:
            register.post(path, orjson.dumps({key: [NOBODY]}), shape=shape)
    return f"{freg.WHO} svarer {rights(connection, kommune)}"


def ask_krr(kommune: Kommune, connection: Connection) -> str:
    """Ask for nobody. Return the sentence; raise the error."""
    source = kommune.sources.krr
    with krr.open_register(connection, source.route, _HURRIED) as register:
        if source.route == "fiks":
            # "Ingen treff" shows that the register answers.
            register.post(
                krr.person_path(connection, source.rolle), orjson.dumps({"fnr": NOBODY}), accept_status=(404,)
            )
        else:
            register.ask(
                krr.persons_path(source.version), orjson.dumps({"personidentifikatorer": [NOBODY]}), "personer"
            )
    return f"{krr.WHO} svarer {rights(connection, kommune)}"


def rights(connection: Connection, kommune: Kommune | None = None) -> str:
    """Return the holder of a token's rights, in words. Raises ConfigError when it is not the kommune."""
    scope = maskinporten.client_of(connection).scope
    claims = _claims(maskinporten.token(connection, settings=_HURRIED))
    consumer, supplier = _orgnr(claims.get("consumer")), _orgnr(claims.get("supplier"))
    if consumer is None:
        return f"med scope {scope}. Tokenet sier ikke hvem det gjelder, så det er ikke kontrollert."
    if kommune and consumer != kommune.orgnr:
        raise ConfigError(
            f"Tilkoblingen {connection.name} har rettighetene til {consumer} og ikke til kommunen ({kommune.orgnr}): "
            "skriv kommunens klient, eller kommunens organisasjonsnummer som consumer_org, i tilkoblingen."
        )
    fetched = f"hentet av {supplier}, " if supplier else ""
    return f"med rettighetene til {consumer} ({fetched}scope {scope})."


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a token, empty when it is not a JWT. Its signature is for its receiver to check."""
    middle = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _orgnr(party: object) -> str | None:
    """Return the number in ``{"authority": …, "ID": "0192:<orgnr>"}`` (ISO 6523)."""
    said = str(party.get("ID")) if isinstance(party, dict) else ""
    return said.removeprefix("0192:") if said.startswith("0192:") else None


def newest_file(
    kommune: Kommune, source: HrSource | SasSource, connection: Connection, path: Callable[[str], Any], now: datetime
) -> str:
    """Return the newest file's name, size and age in words. Raises ConfigError when it is too old."""
    name, length, delivered = newest(path(connection.url), source.files, source.newest)
    size = f"{length:,} byte".replace(",", " ")
    if delivered is None:
        return f"Nyeste fil er {name}: {size}, ukjent alder."
    hours = max(0, int((now.timestamp() - delivered) // 3600))
    old = f"{hours} {'time' if hours == 1 else 'timer'}" if hours < 48 else f"{hours // 24} døgn"
    most = kommune.max_age_days(source, now.astimezone(OSLO).date())
    if hours // 24 > most:
        raise ConfigError(
            f"Nyeste fil, {name}, er {old} gammel, og kommunen godtar {most} døgn: sjekk "
            "hvorfor systemet ikke har levert en ny, eller endre max_age_days i kommunefilen."
        )
    return f"Nyeste fil er {name}: {size}, {old} gammel."
