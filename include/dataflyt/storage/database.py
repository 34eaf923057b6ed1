"""Connecting to the warehouse.

Four kinds of role: ``dataflyt`` owns the tables and makes the roles (it is no superuser and, row-level security being
forced, sees no rows); ``kommune_<id>`` is a kommune's login and sees its own rows alone; ``dataflyt_events`` reads
FREG's event list for all of them, and sees hashes and whose they are; ``dataflyt_reference`` writes what is open to all
about schools and codes, and sees that alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, NullPool, create_engine, exc, make_url, text

from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, WarehouseError

# What a run has just written has no statistics before it is committed, and PostgreSQL then takes it for empty: it would
# loop over a whole kommune for each of its rows. Joined by hash or merge it is fast whatever is believed.
# Of what we analyze ourselves little more than the size has to be known: a tenth of the usual sample.
# Rules of many steps look costly enough to be compiled, which takes longer than to run them.
_PLANNING = (
    "set local enable_nestloop = off; set local work_mem = '64MB'; set local default_statistics_target = 10; "
    "set local jit = off"
)

MINIMUM = 16
"""The oldest PostgreSQL that has what the schema and the checks are written in."""

# A transaction of ours is bounded by this and not by what the server has for web pages: a table of a large kommune is
# merged in minutes, a kommune waits for the one that holds its lock, and files are written while a transaction is open.
PATIENCE = {
    "statement_timeout": "1h",
    "idle_in_transaction_session_timeout": "1h",
    "lock_timeout": "0",
    "transaction_timeout": "0",
}
"""The timeouts of a transaction as PostgreSQL shows them, set anew in each; ``transaction_timeout`` is new in 17."""

# What our SQL and psycopg take for granted, and a database or a role may have set otherwise. A transaction that has
# waited for the kommune's lock must see what was committed meanwhile, a veto above all: repeatable read would hide it.
_MEANING = (
    "set transaction isolation level read committed; set local datestyle = 'ISO'; set local row_security = on; "
    "set local standard_conforming_strings = on; set local transform_null_equals = off"
)

# Of a server that is gone without a word we know after two minutes, not after those two hours that Linux waits.
_CONNECT: dict[str, Any] = {
    "client_encoding": "utf8",
    "connect_timeout": 30,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}

EVENTS = "dataflyt_events"
"""The role that reads the event list, and sees nothing else."""

REFERENCE = "dataflyt_reference"
"""The role that writes the tables of schools and codes, and sees nothing else."""

OWN_KEY = "(select secret from control.owner where owner = :owner)"
"""The key of a kommune's hashes and ids, as SQL: bound as a parameter it would stand in the server's log."""

_OWNER = re.compile(r"^[a-z][a-z0-9_]{1,40}$")


def engine(url: str) -> Engine:
    """Make an engine without a pool: tasks are short and forked. Parameters never show in errors.

    A pooler that gives each transaction another session (pgbouncer) may stand before the server: nothing is prepared or
    set beyond a transaction. Raises ConfigError for an address that is none.
    """
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=connect_args(url))
    except (exc.ArgumentError, ImportError):  # their text holds the address, and so perhaps a password
        raise ConfigError(
            "Adressen til varehuset kan ikke brukes: skriv postgresql+psycopg://rolle@vert/database i tilkoblingen."
        ) from None


def connect_args(url: str) -> dict[str, Any]:
    """Return what psycopg is told beside the address, which wins."""
    said = make_url(url).query
    return {"prepare_threshold": None} | {name: value for name, value in _CONNECT.items() if name not in said}


def checked_owner(owner: str) -> str:
    """Return ``owner`` if it is fit to stand in a role's or schema's name, else raise ConfigError."""
    if not _OWNER.match(owner):
        raise ConfigError("A kommune's id is lower-case letters, digits and underscores, starting with a letter.")
    return owner


@contextmanager
def transaction(db: Engine, owner: str, *, lock: bool = True) -> Iterator[Connection]:
    """One transaction, under the kommune's advisory lock unless ``lock`` is False.

    Raises SourceUnavailable, ConfigError or WarehouseError for what the database says, and ConfigError when the
    connection logs in as somebody else than the kommune: another one's rows must be neither read nor written.
    """
    role = f"kommune_{checked_owner(owner)}"
    where = f"i tilkoblingen warehouse_{owner}, eller den som kommunefilen navngir"
    with _logged_in(db, role, where, _PLANNING) as connection:
        if lock:
            connection.execute(
                text("select pg_advisory_xact_lock(hashtextextended('dataflyt:' || :owner, 0))"), {"owner": owner}
            )
        yield connection


@contextmanager
def reading_events(db: Engine) -> Iterator[Connection]:
    """One transaction as the reader of the event list; raises as ``transaction`` does."""
    with _logged_in(db, EVENTS, "i tilkoblingen warehouse_events") as connection:
        yield connection


@contextmanager
def writing_reference(db: Engine) -> Iterator[Connection]:
    """One transaction as the writer of schools and codes, one at a time; raises as ``transaction`` does."""
    with _logged_in(db, REFERENCE, "i tilkoblingen warehouse_reference") as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended('dataflyt reference', 0))"))
        yield connection


@contextmanager
def _logged_in(db: Engine, role: str, where: str, settings: str = "") -> Iterator[Connection]:
    with in_our_words(), db.begin() as connection:
        be_patient(connection, settings)
        if connection.scalar(text("select current_user")) != role:
            raise ConfigError(f"Tilkoblingen til varehuset logger ikke inn som {role}: rett brukernavnet {where}.")
        yield connection
        # A pooler lends the session to the next transaction, which must find none of our views.
        if connection.in_transaction():
            connection.execute(text("discard temp"))


def be_patient(connection: Connection, settings: str = "") -> None:
    """Begin a transaction of ours, before any query in it: its own timeouts and ``settings``, whatever the role's are.

    All is set in one exchange with the server: the checks of a run begin hundreds of transactions. Raises ConfigError
    unless the server is new enough and the database in UTF-8.
    """
    server = driver(connection).info
    version = server.server_version // 10_000
    if version < MINIMUM:
        raise ConfigError(
            f"Varehuset er PostgreSQL {version}, og Dataflyt trenger {MINIMUM} eller nyere: den som drifter "
            "databasen, må oppgradere den."
        )
    if (encoding := server.parameter_status("server_encoding")) != "UTF8":
        raise ConfigError(
            f"Varehusets database har tegnsettet {encoding}: den som drifter databasen, må lage den på nytt med UTF8."
        )
    known = [name for name in PATIENCE if name != "transaction_timeout" or version >= 17]
    patience = [f"set local {name} = '{PATIENCE[name]}'" for name in known]
    connection.exec_driver_sql("; ".join([_MEANING, *patience, *([settings] if settings else [])]))


@contextmanager
def in_our_words() -> Iterator[None]:
    """Turn a database error into one of ours: its own text may quote a row."""
    try:
        yield
    except (psycopg.Error, exc.DBAPIError, exc.PendingRollbackError) as error:  # of COPY psycopg's own
        raise said(error) from None


def said(error: Exception) -> DataflytError:
    """Return our error that stands for one of psycopg or SQLAlchemy: SourceUnavailable when it may pass by itself.

    That is a connection that was refused, lost, cancelled or timed out, and what a server does not do now. PostgreSQL's
    SQLSTATE is among its facts; a connection that was never made has none.
    """
    raw = error.orig if isinstance(error, exc.DBAPIError) else error
    sqlstate = getattr(raw, "sqlstate", None)
    if sqlstate is None and isinstance(raw, psycopg.OperationalError) and _NO_ROOM.search(str(raw)):
        sqlstate = "53300"  # psycopg does not tell the SQLSTATE of a connection that was refused
    if sqlstate in _PASSING:
        return SourceUnavailable(_PASSING[sqlstate], sqlstate=sqlstate)
    lost = isinstance(error, exc.PendingRollbackError) or getattr(error, "connection_invalidated", False)
    if lost or isinstance(raw, (psycopg.OperationalError, psycopg.InterfaceError)):
        return SourceUnavailable(
            "Varehuset svarer ikke, eller slipper ikke kommunen inn. Kjøringen kan prøves på nytt.", sqlstate=sqlstate
        )
    if sqlstate in ("42P01", "3F000", "42883"):  # no such table, schema or function
        return ConfigError("Varehuset er ikke satt opp for denne versjonen: kjør «dataflyt warehouse migrate».")
    where = _where(error) if isinstance(error, exc.DBAPIError) else "COPY"
    return WarehouseError(
        f"Varehuset avviste noe det skulle ha tatt imot (SQLSTATE {sqlstate}): si fra til en dataingeniør.", where=where
    )


_AGAIN = "Kjøringen kan så prøves på nytt."
_PASSING = {
    "53100": f"Disken til varehuset er full: den som drifter databasen, må gi den mer plass. {_AGAIN}",
    "53300": "Varehuset har ingen ledig tilkobling: den som drifter databasen, må heve grensen (max_connections, "
    f"eller CONNECTION LIMIT for rollen eller databasen), eller la færre oppgaver gå samtidig. {_AGAIN}",
    "57014": "Varehuset avbrøt en spørring før den var ferdig: den som drifter databasen, må se om noen avbrøt den, og "
    f"at ingen tidsgrense (statement_timeout, eller mellomtjenerens query_timeout) er kortere enn en time. {_AGAIN}",
    "25P03": "Varehuset brøt en tilkobling som ventet midt i en transaksjon: den som drifter databasen, må se at "
    f"idle_in_transaction_session_timeout ikke er kortere enn en time. {_AGAIN}",
    "25P04": "Varehuset brøt en transaksjon som varte for lenge: den som drifter databasen, må se at "
    f"transaction_timeout ikke gjelder for Dataflyts roller. {_AGAIN}",
    "55P03": f"Varehuset ventet ikke lenge nok på noe som var låst: se at lock_timeout er lang nok. {_AGAIN}",
    "25006": "Varehuset tar ikke imot noe nå, bare leses fra: adressen i tilkoblingen går til en kopi, eller databasen "
    "er satt til bare å leses. Den som drifter databasen, må rette det. " + _AGAIN,
    "08P01": "Mellomtjeneren foran varehuset (pgbouncer) avviste tilkoblingen eller brøt den: den må ha pool_mode "
    "transaction eller session, nok tilkoblinger til databasen, og ingen tidsgrense (query_timeout, "
    f"idle_transaction_timeout) under en time. {_AGAIN}",
}
"""What may pass and has a sentence of its own, by SQLSTATE."""

_NO_ROOM = re.compile(r"too many (clients|connections)|remaining connection slots|no more connections allowed")


def _where(error: exc.DBAPIError) -> str:
    diagnosis = getattr(error.orig, "diag", None)
    parts = (getattr(diagnosis, name, None) for name in ("schema_name", "table_name", "column_name", "constraint_name"))
    # The first words of the statement are ours; its parameters are hidden.
    statement = " ".join((error.statement or "").split())[:80]
    return ", ".join([part for part in parts if part] + [statement])


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection below, for COPY."""
    return connection.connection.driver_connection  # type: ignore[return-value]


def shows_sizes(connection: Connection) -> bool:
    """Tell whether every role may read how large everybody's tables are: deploy/hide_sizes.sql has not been run."""
    asked = (
        "select has_column_privilege('pg_class', 'reltuples', 'select') "
        "or has_function_privilege('pg_stat_get_live_tuples(oid)', 'execute') "
        "or has_function_privilege('pg_relation_size(regclass)', 'execute')"
    )
    return bool(connection.scalar(text(asked)))


def quotes_rows(connection: Connection) -> bool:
    """Tell whether the server's log quotes rows, in what it says of an error: README says how it is set."""
    asked = (
        "select current_setting('log_error_verbosity') <> 'terse' "
        "or current_setting('log_min_error_statement') not in ('fatal', 'panic')"
    )
    return bool(connection.scalar(text(asked)))


def copied(connection: Connection, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Make a temporary table of rows from here, until the transaction ends.

    By COPY: it is fast, and a server that logs statements with their parameters does not log what is copied.
    """
    connection.execute(text(f"drop table if exists pg_temp.{table}"))
    connection.execute(text(f"create temporary table {table} ({columns}) on commit drop"))
    with driver(connection).cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def must_serve(connection: Connection) -> None:
    """Try in a transaction what every run needs of the server, and of a pooler before it.

    Raises ConfigError for a server that is only read from and for timeouts that a transaction cannot lengthen, and lets
    the database's own error through where one breaks the transaction.
    """
    if connection.scalar(text("select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean")):
        raise ConfigError(
            "Varehuset kan bare leses: adressen i tilkoblingen går til en kopi, eller databasen eller rollen er satt "
            "til default_transaction_read_only. Den som drifter databasen, må rette det."
        )
    for name, wanted in PATIENCE.items():
        kept = connection.scalar(text("select current_setting(:name, true)"), {"name": name})
        if kept not in (None, wanted):
            raise ConfigError(
                f"Varehuset lar ikke Dataflyt sette {name}, som er {kept} og må kunne være {wanted}: den som drifter "
                "databasen, må tillate det."
            )


def behind_pooler(connection: Connection) -> bool:
    """Tell whether something stands between us and the server: it gives us another number than the session has."""
    return bool(connection.scalar(text("select pg_backend_pid()")) != driver(connection).info.backend_pid)
