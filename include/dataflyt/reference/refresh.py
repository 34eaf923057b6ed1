"""Reading the registers of schools, subjects and kommuner into the warehouse.

In, weekly and open to all: NSR, Grep and Klass 131 (a module each). Out: the tables ``reference.*``, one copy for all
kommuner. Their rows have ``known_from`` and ``known_to``, so that a run sees what was known at its own time.

An answer replaces nothing when it is empty, much smaller than the stored copy, or in an unknown form. Runs go on with
the stored copy, and say so when it is too old.

The connections ``nsr``, ``grep`` and ``klass`` are needed only where a register is not asked at its public address.
``warehouse_reference`` is the warehouse as the role ``dataflyt_reference``.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from dataflyt.config import connections
from dataflyt.config.connections import Connect
from dataflyt.errors import DataInDoubt, Unreadable
from dataflyt.reference import grep, klass, nsr
from dataflyt.reference.source import MOST_ROWS, Row, Source
from dataflyt.registers.register import Register
from dataflyt.registers.settings import Settings
from dataflyt.storage import database

WAREHOUSE = "warehouse_reference"
SETTINGS = Settings(longest_answer=32 * 1024 * 1024, max_concurrent=1, max_per_second=2.0)
"""SSB allows an address 30 requests a minute; Udir names no limit."""

MAX_DROP_PERCENT = 20
"""An answer that has shrunk this much is not trusted. In 2020 the number of kommuner fell by 16 percent."""
_STRANGE_PERCENT = 10
"""How many entries may have an unknown form."""

SOURCES = {"nsr": nsr.SOURCE, "grep": grep.SOURCE, "klass": klass.SOURCE}
"""The registers by the names of their connections."""


def refresh(name: str, connect: Connect, at: datetime, *, accept_smaller: bool = False) -> dict[str, int]:
    """Read a whole register, and let its rows hold from ``at``. Repeating it changes only the time of reading.

    Return how many rows there are, and how many were opened and closed. Raises DataInDoubt when the answer is empty, or
    much smaller than the stored copy (unless ``accept_smaller``); Unreadable when too many entries have an unknown
    form; and the errors of ``registers.http`` and the warehouse.
    """
    source = SOURCES[name]
    try:
        connection = connect(name)
    except connections.NotDefined:
        connection = connections.Connection(name, source.address)
    db = database.engine(connect(WAREHOUSE).url)
    rows: dict[str, Row] = {}
    received = strange = 0
    with Register(source.who, connection, None, SETTINGS) as register:
        for row in source.read(register, at.date()):
            received += 1
            if row is None:
                strange += 1
            else:
                rows[row[0]] = row
            if received > MOST_ROWS:
                raise _unknown(source, received=received)
    if strange > max(10, received * _STRANGE_PERCENT / 100):
        raise _unknown(source, received=received, strange=strange)
    with database.writing_reference(db) as warehouse:
        return _replace(warehouse, name, source, list(rows.values()), at, accept_smaller=accept_smaller)


def _unknown(source: Source, **facts: int) -> Unreadable:
    return Unreadable(
        f"{source.who} svarte i en annen form enn Dataflyt kjenner: det som er lest før, står. Meld fra til den som "
        "forvalter Dataflyt.",
        **facts,
    )


def _replace(
    connection: Connection, name: str, source: Source, rows: list[Row], at: datetime, *, accept_smaller: bool
) -> dict[str, int]:
    table, key, columns = f"reference.{source.table}", source.columns[0], ", ".join(source.columns)
    held = connection.scalar(text(f"select count(*) from {table} where known_to is null")) or 0
    if not rows or (len(rows) < held * (1 - MAX_DROP_PERCENT / 100) and not accept_smaller):
        accept = " Er det riktig, start reference_data med «Godta et mindre svar»." if rows else ""
        raise DataInDoubt(
            f"{source.who} svarte med {len(rows)} rader, og sist var det {held}: det som er lest før, står.{accept}",
            received=len(rows),
            held=held,
        )
    connection.execute(text(f"create temporary table fresh on commit drop as select {columns} from {table} limit 0"))
    with database.driver(connection).cursor() as cursor, cursor.copy(f"copy fresh ({columns}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    # A clock that was set back must not put this reading before the last one.
    at = connection.scalar(
        text(
            "insert into reference.reading select :name, greatest(:at, max(read_at) + interval '1 microsecond'), :rows "
            "from reference.reading where register = :name returning read_at"
        ),
        {"name": name, "at": at, "rows": len(rows)},
    )
    same = " and ".join(f"t.{column} is not distinct from f.{column}" for column in source.columns[1:])
    there = f"t.known_to is null and t.{key} = f.{key} and {same}"
    closed = connection.execute(
        text(
            f"update {table} t set known_to = :at where t.known_to is null and not exists "
            f"(select from fresh f where {there})"
        ),
        {"at": at},
    ).rowcount
    opened = connection.execute(
        text(
            f"insert into {table} ({columns}, known_from) select {columns}, :at from fresh f where not exists "
            f"(select from {table} t where {there})"
        ),
        {"at": at},
    ).rowcount
    return {"rows": len(rows), "opened": opened, "closed": closed}
