"""Connecting to the warehouse: transactions as the right role, with our settings, and errors in our words.

There are five kinds of role. ``dataflyt`` owns the tables and makes the roles. It is not a superuser, and it sees no
rows because row-level security is forced. ``kommune_<id>`` is a kommune's login and sees that kommune's rows alone.
``dataflyt_events`` reads FREG's event list for all kommuner, and sees only keyed hashes and their owners.
``dataflyt_reference`` writes the tables of schools and codes, which are open to all, and sees only those.
``dataflyt_web`` reads for the page of all kommuner which runs there were and what came of them, and sees nothing else.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, NullPool, create_engine, exc, make_url, text

from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, WarehouseError

# enable_nestloop: rows have no statistics before their transaction is committed, so PostgreSQL believes that their
# table is empty. With nested loops it would read a whole kommune for each row. Hash and merge joins are fast with wrong
# estimates too.
# default_statistics_target: our own ANALYZE reads 3 000 rows of a table, a tenth of the usual. Our plans need little
# more than the table's size, and a small sample is enough to estimate that.
# jit: PostgreSQL compiles queries that look costly. Our rules do, and compiling them takes longer than running them.
_PLANNING = (
    "set local enable_nestloop = off; set local work_mem = '64MB'; set local default_statistics_target = 10; "
    "set local jit = off"
)

MINIMUM = 16
"""The oldest PostgreSQL that has the functions in our SQL."""

# These replace the server's timeouts, which may be chosen for web pages. Merging a table of a large kommune takes
# minutes, a task may wait for the kommune's lock, and files are written while a transaction is open.
PATIENCE = {
    "statement_timeout": "1h",
    "idle_in_transaction_session_timeout": "1h",
    "lock_timeout": "0",
    "transaction_timeout": "0",
}
"""The timeouts of each transaction, as PostgreSQL shows them. ``transaction_timeout`` came with version 17."""

# Our SQL and psycopg depend on these settings, and a database or a role may have others. Read committed: a transaction
# that has waited for the kommune's lock must see commits from that wait, above all a veto.
_MEANING = (
    "set transaction isolation level read committed; set local datestyle = 'ISO'; set local row_security = on; "
    "set local standard_conforming_strings = on; set local transform_null_equals = off"
)

# Keepalives notice a vanished server after two minutes. Linux by itself waits two hours.
_CONNECT: dict[str, Any] = {
    "client_encoding": "utf8",
    "connect_timeout": 30,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}

EVENTS = "dataflyt_events"
"""The role that reads FREG's event list, and sees nothing else."""

REFERENCE = "dataflyt_reference"
"""The role that writes the tables of schools and codes, and sees nothing else."""

WEB = "dataflyt_web"
"""The role that reads how each kommune's runs went, and sees nothing else."""

OWN_KEY = "(select secret from control.owner where owner = :owner)"
"""SQL for the key of a kommune's hashes and ids. As a bound parameter the key would be in the server's log."""

_OWNER = re.compile(r"^[a-z][a-z0-9_]{1,40}$")


_kept: dict[str, Engine] = {}
_keep = 0
_keeping = Lock()


def keep_connections(addresses: int) -> None:
    """Keep a connection open in this process to each of the addresses that were asked for last, at most so many.

    For a process that answers people, and does not fork: to log in and to learn the tables anew takes as long as to
    read a page. A connection is replaced after five minutes, and when the server has closed it. Zero closes all.
    """
    global _keep
    with _keeping:
        _keep = addresses
        _close_beyond()


def _close_beyond() -> None:
    while len(_kept) > _keep:
        _kept.pop(next(iter(_kept))).dispose()


def engine(url: str, *, fresh: bool = False) -> Engine:
    """Return an engine whose errors never show parameters. It keeps no connection, unless ``keep_connections`` says so.

    Tasks are short and forked. ``fresh`` always logs in anew, as a test of the login must.

    The server may be behind a pooler that gives each transaction another session (pgbouncer). Therefore no statement is
    prepared, and no setting outlasts a transaction. Raises ConfigError for an address of the wrong form.
    """
    if fresh or not _keep:
        return _engine(url, poolclass=NullPool)
    with _keeping:
        pool = {"pool_size": 1, "max_overflow": -1, "pool_pre_ping": True, "pool_recycle": 300}
        found = _kept.pop(url, None) or _engine(url, **pool)
        _kept[url] = found  # the one asked for last is the last
        _close_beyond()
    return found


def _engine(url: str, **pool: Any) -> Engine:
    try:
        return create_engine(url, hide_parameters=True, connect_args=connect_args(url), **pool)
    except (exc.ArgumentError, ImportError):  # the text holds the address, perhaps with a password
        raise ConfigError(
            "Adressen til varehuset kan ikke brukes: skriv postgresql+psycopg://rolle@vert/database i tilkoblingen."
        ) from None


def connect_args(url: str) -> dict[str, Any]:
    """Return psycopg's arguments beside the address, without those that the address itself has."""
    said = make_url(url).query
    return {"prepare_threshold": None} | {name: value for name, value in _CONNECT.items() if name not in said}


def checked_owner(owner: str) -> str:
    """Return ``owner`` when it can be part of a role's or schema's name. Raises ConfigError."""
    if not _OWNER.match(owner):
        raise ConfigError("Kommunens id må være små bokstaver, tall og understrek, og begynne med en bokstav.")
    return owner


@contextmanager
def transaction(db: Engine, owner: str, *, lock: bool = True) -> Iterator[Connection]:
    """Open a transaction as the kommune's role, under the kommune's advisory lock unless ``lock`` is False.

    Raises ConfigError if the connection logs in as another role: another kommune's rows must be neither read nor
    written. For an error of the database it raises the error that ``said`` returns.
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
    """Open a transaction as the reader of the event list. Raises the errors of ``transaction``."""
    with _logged_in(db, EVENTS, "i tilkoblingen warehouse_events") as connection:
        yield connection


@contextmanager
def writing_reference(db: Engine) -> Iterator[Connection]:
    """Open a transaction as the writer of schools and codes, one at a time. Raises the errors of ``transaction``."""
    with _logged_in(db, REFERENCE, "i tilkoblingen warehouse_reference") as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtextextended('dataflyt reference', 0))"))
        yield connection


@contextmanager
def reading_runs(db: Engine) -> Iterator[Connection]:
    """Open a transaction as the reader of all kommuner's runs. Raises the errors of ``transaction``."""
    with _logged_in(db, WEB, "i tilkoblingen warehouse_web") as connection:
        yield connection


@contextmanager
def _logged_in(db: Engine, role: str, where: str, settings: str = "") -> Iterator[Connection]:
    with in_our_words(), db.begin() as connection:
        be_patient(connection, settings)
        if connection.scalar(text("select current_user")) != role:
            raise ConfigError(f"Tilkoblingen til varehuset logger ikke inn som {role}: rett brukernavnet {where}.")
        yield connection
        # A pooler gives this session to another transaction later, which must not see our temporary views.
        if connection.in_transaction():
            connection.execute(text("discard temp"))


def be_patient(connection: Connection, settings: str = "") -> None:
    """Set our timeouts and ``settings`` in a transaction, before its first query, in place of the role's own.

    All are set in one exchange with the server, because the step «check» begins hundreds of transactions. Raises
    ConfigError for a server that is too old and for a database that is not in UTF-8.
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
    """Raise our error in place of the database's, whose text may quote a row."""
    try:
        yield
    except (psycopg.Error, exc.DBAPIError, exc.PendingRollbackError) as error:  # COPY raises psycopg's own
        raise said(error) from None


def said(error: Exception) -> DataflytError:
    """Return our error for one of psycopg or SQLAlchemy, with PostgreSQL's SQLSTATE among its facts.

    SourceUnavailable if the error may pass by itself: a connection was refused or lost, a statement was cancelled or
    timed out, or the server cannot serve it now. ConfigError if the schema is of another version. WarehouseError
    otherwise. An error has no SQLSTATE if the connection was never made.
    """
    raw = error.orig if isinstance(error, exc.DBAPIError) else error
    sqlstate = getattr(raw, "sqlstate", None)
    if sqlstate is None and isinstance(raw, psycopg.OperationalError) and _NO_ROOM.search(str(raw)):
        sqlstate = "53300"  # psycopg gives no SQLSTATE for a refused connection
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
"""Norwegian sentences for errors that may pass by themselves, by SQLSTATE."""

_NO_ROOM = re.compile(r"too many (clients|connections)|remaining connection slots|no more connections allowed")


def _where(error: exc.DBAPIError) -> str:
    diagnosis = getattr(error.orig, "diag", None)
    parts = (getattr(diagnosis, name, None) for name in ("schema_name", "table_name", "column_name", "constraint_name"))
    # The statement is ours; its parameters are hidden.
    statement = " ".join((error.statement or "").split())[:80]
    return ", ".join([part for part in parts if part] + [statement])


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection below SQLAlchemy's, for COPY."""
    return connection.connection.driver_connection  # type: ignore[return-value]


def shows_sizes(connection: Connection) -> bool:
    """Tell whether every role can read the size of every table. That is so until deploy/hide_sizes.sql is run."""
    asked = (
        "select has_column_privilege('pg_class', 'reltuples', 'select') "
        "or has_function_privilege('pg_stat_get_live_tuples(oid)', 'execute') "
        "or has_function_privilege('pg_relation_size(regclass)', 'execute')"
    )
    return bool(connection.scalar(text(asked)))


def quotes_rows(connection: Connection) -> bool:
    """Tell whether the server's log quotes rows in its messages of errors. ``deploy.md`` tells how to prevent it."""
    asked = (
        "select current_setting('log_error_verbosity') <> 'terse' "
        "or current_setting('log_min_error_statement') not in ('fatal', 'panic')"
    )
    return bool(connection.scalar(text(asked)))


def copied(connection: Connection, table: str, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Make a temporary table with these rows, which lasts as long as the transaction.

    COPY is fast, and a server that logs statements with their parameters does not log copied rows.
    """
    connection.execute(text(f"drop table if exists pg_temp.{table}"))
    connection.execute(text(f"create temporary table {table} ({columns}) on commit drop"))
    with driver(connection).cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def must_serve(connection: Connection) -> None:
    """Try in a transaction everything that a run needs of the server, and of a pooler in front of it.

    Raises ConfigError for a read-only server, and for a timeout that a transaction cannot lengthen. An error of the
    database is not caught.
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
    """Tell whether there is a pooler in front of the server: its process number then differs from the session's."""
    return bool(connection.scalar(text("select pg_backend_pid()")) != driver(connection).info.backend_pid)
