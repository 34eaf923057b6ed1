"""Try one connection as it stands in a form: what the button Test in Airflow does.

In: a connection, its type, and a function for paths. Out: whether all is well, and a Norwegian sentence. The code is
that of ``dataflyt kommune check --online`` (``source_check``) and of ``dataflyt doctor``, and nothing more is sent than
they send. No person is asked about, and no sentence holds a secret.

``kommune`` in the connection's ``extra`` names the kommune file that says how the source is asked. Without it a
register is not asked: only the token is fetched. With it the token's rights must be the kommune's.

The person who presses the button may be one who cannot read the stored key: Airflow puts it in where the form has
``***``, unless the form has another host. So a grant is only sent to the host of its own ``issuer``: elsewhere it could
be used to get a token. Airflow's log of events does not have these tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dataflyt.config.loading import find, folder_of_kommuner
from dataflyt.errors import ConfigError, DataflytError
from dataflyt.exports.place import Silent, patiently
from dataflyt.operations import doctor, source_check
from dataflyt.registers import maskinporten
from dataflyt.registers.http import require_https
from dataflyt.sources.sas.client import links_of
from dataflyt.storage import database
from dataflyt.warehouse import schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from dataflyt.config.connections import Connection
    from dataflyt.config.kommune import Kommune

LONGEST: Final = 45.0
"""Seconds. A server that says nothing, or a disk that hangs, is given up then."""
NAME: Final = "i skjemaet"
"""The name of the tested connection in sentences: Airflow does not tell which one it is."""
_DATABASE_WAIT: Final = "10"
"""Seconds for libpq to connect."""
_OURS: Final = (database.EVENTS, database.REFERENCE, database.WEB, "dataflyt")


def check(
    kind: str, connection: Connection, path: Callable[[str], Any], now: datetime, *, longest: float = LONGEST
) -> tuple[bool, str]:
    """Try a connection of a type; return whether all is well, and a sentence. Never raises."""

    def work(_: object) -> str:
        return _CHECKS[kind](connection, path, now)

    try:
        return True, patiently(work, longest)
    except Silent:
        return False, f"Ingen svarte innen {longest:.0f} sekunder: rett adressen, eller åpne for den i brannmuren."
    except DataflytError as error:
        return False, error.sentence
    except Exception as error:  # its text may hold a key
        return False, f"Tilkoblingen kan ikke prøves ({type(error).__name__}): si fra til den som forvalter Dataflyt."


def _freg(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    return _register(connection, source_check.ask_freg)


def _krr(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    return _register(connection, source_check.ask_krr)


def _events(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    require_https(connection, connection.url)
    with _Token(connection):
        return f"Maskinporten gir et token {source_check.rights(connection)} Hendelsene leses ikke her."


def _register(connection: Connection, ask: Callable[[Kommune, Connection], str]) -> str:
    kommune = _kommune(connection)
    require_https(connection, connection.url)
    with _Token(connection):
        if kommune:
            return ask(kommune, connection)
        return (
            f"Maskinporten gir et token {source_check.rights(connection)} Registeret er ikke spurt: skriv kommunens id "
            "i feltet Kommune, så prøves det også."
        )


def _hr(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    return _files(connection, path, now, "hr")


def _sas(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    return _files(connection, path, now, "sas")


def _files(connection: Connection, path: Callable[[str], Any], now: datetime, source: str) -> str:
    kommune = _kommune(connection)
    _folder(connection, path)
    if kommune is None:
        return "Mappen kan leses. Skriv kommunens id i feltet Kommune, så ser Dataflyt etter den nyeste filen også."
    return source_check.newest_file(kommune, getattr(kommune.sources, source), connection, path, now)


def _folder(connection: Connection, path: Callable[[str], Any], *, to_write: bool = False) -> None:
    if doctor.is_in_our_storage(connection.url):
        raise ConfigError("Mappen er i Dataflyts eget lager: bruk en annen mappe.")
    doctor.must_reach_folder(connection, path, to_write=to_write)


def _recipient(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    _folder(connection, path, to_write=True)
    return "Mottakeren svarer. Ingenting er skrevet der."


def _calendars(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    links = links_of(connection)
    for link in links:
        require_https(connection, link)
    return f"{len(links)} lenker er skrevet riktig. De hentes ikke her: kalendere har navn i seg."


def _warehouse(connection: Connection, path: Callable[[str], Any], now: datetime) -> str:
    from sqlalchemy import make_url, text
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(connection.url)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        raise ConfigError("Adressen kan ikke brukes: skriv verten alene, eller postgresql+psycopg://rolle@vert/base.")
    hurried = url.update_query_dict({"connect_timeout": _DATABASE_WAIT}).render_as_string(hide_password=False)
    with database.in_our_words(), database.engine(hurried, fresh=True).begin() as session:
        database.be_patient(session)
        role = str(session.scalar(text("select current_user")))
        if role not in _OURS and not role.startswith("kommune_"):
            raise ConfigError(
                f"Varehuset slipper inn rollen {role}, som ikke er en av Dataflyts: bruk det som «dataflyt warehouse "
                "login» skriver ut."
            )
        if not schema.is_migrated(session):
            raise ConfigError("Varehuset er ikke oppdatert til denne versjonen: kjør «dataflyt warehouse migrate».")
        database.must_serve(session)
    return f"Varehuset svarer rollen {role}, og har tabellene til denne versjonen."


def _kommune(connection: Connection) -> Kommune | None:
    """Return the kommune that the connection names. Raises ConfigError when its file is not there or is broken."""
    named = str(connection.extra.get("kommune") or "").strip()
    return find(folder_of_kommuner(), named) if named else None


class _Token:
    """Fetch a new token inside, even if there is one in memory, and keep none afterwards."""

    def __init__(self, connection: Connection) -> None:
        client = maskinporten.client_of(connection)
        if _place(client.token_endpoint) != _place(client.issuer):
            raise ConfigError(
                "Test henter bare token på verten i issuer: ta bort token_endpoint, eller skriv samme vert der."
            )
        self._connection = connection

    def __enter__(self) -> None:
        maskinporten.forget(self._connection)

    def __exit__(self, *_: object) -> None:
        maskinporten.forget(self._connection)


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


_CHECKS: Final[dict[str, Callable[[Connection, Callable[[str], Any], datetime], str]]] = {
    "freg": _freg,
    "krr": _krr,
    "freg_events": _events,
    "hr_files": _hr,
    "sas_files": _sas,
    "sas_calendars": _calendars,
    "export_folder": _recipient,
    "dataflyt_warehouse": _warehouse,
}
"""What is tried of a connection, by its type."""
