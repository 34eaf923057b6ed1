"""Schools, subject codes and kommuner: what the national registers say exists, and what of a kommune is not among it.

In, weekly and open to all: NSR v4 (Udir's Nasjonalt skoleregister), Grep's subject codes (Udir) and Klass 131 (SSB).
Out: the tables ``reference.*``, one copy for all kommuner, in which a run sees what was known as of its own time. No
official description of NSR v4 was seen; its fields are those that public clients use. That Grep gives all subject codes
in one list is known from clients too, and so are Klass's ``code`` and ``name``.

An answer that is empty, much smaller than what is held, or not as we know it replaces nothing: a run goes on with what
is held, and says so when it has become too old. What is not in the registers is never more than a note in the run's
report and a row on its work list: the registers too can be late.

The connections ``nsr``, ``grep`` and ``klass`` are needed only where the registers are not asked at their public
addresses; ``warehouse_reference`` is the warehouse as the role ``dataflyt_reference``.
"""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Connection, text

from dataflyt.config import connections
from dataflyt.config.connections import Connect
from dataflyt.config.kommune import Kommune
from dataflyt.errors import DataInDoubt, SourceUnavailable, Unreadable
from dataflyt.formats.json_values import flag
from dataflyt.quality.running import Noted
from dataflyt.registers.answers import parsed
from dataflyt.registers.register import Register
from dataflyt.registers.settings import Settings
from dataflyt.storage import database

log = logging.getLogger(__name__)

WAREHOUSE = "warehouse_reference"
SETTINGS = Settings(longest_answer=32 * 1024 * 1024, max_concurrent=1, max_per_second=2.0)
"""Open to all, so asked slowly: SSB lets an address ask 30 times a minute, of the others nothing is said."""

MAX_DROP_PERCENT = 20
"""Fewer rows than this much less is no answer to trust. In 2020 the kommuner became 16 percent fewer."""
_STRANGE_PERCENT = 10
_FEW_MISSING_PERCENT = 1
_PER_PAGE = 1000
_MOST = 200_000
"""NSR has some 19 000 units, the others fewer entries."""
_NAMED = 5
"""So many are named in a sentence."""

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """A register: its name in sentences and its public address, the table it fills (key first) and how it is read.

    ``read`` yields None for an entry that is not as we know them. ``checks`` is what is checked by it, in words.
    """

    who: str
    address: str
    table: str
    columns: tuple[str, ...]
    read: Callable[[Register, date], Iterator[Row | None]]
    checks: str


# --- Reading ------------------------------------------------------------------------------------------------------


def _schools(nsr: Register, _: date) -> Iterator[Row | None]:
    """Read all units, once more when they are fewer than NSR says: what it says may be ahead of what it gives."""
    before = None
    for _again in range(2):
        rows, missing = _all_schools(nsr)
        if not missing or (missing == before and missing < len(rows) * _FEW_MISSING_PERCENT / 100):
            yield from rows
            return
        before = missing
    raise SourceUnavailable(f"{nsr.who} ga ikke alle enhetene: Dataflyt prøver igjen.", missing=before)


def _all_schools(nsr: Register) -> tuple[list[Row | None], int]:
    """Return the units, and how many were in no answer: the list may change while it is read, and move some."""
    number, pages, total = 1, 1, 0
    rows: list[Row | None] = []
    while number <= min(pages, _MOST // _PER_PAGE):
        page = _asked(
            nsr,
            f"/v4/enheter?sidenummer={number}&antallperside={_PER_PAGE}",
            lambda body, number=number: (  # type: ignore[misc]
                isinstance(body, dict)
                and body.get("Sidenummer") == number
                and isinstance(body.get("EnhetListe"), list)
                and isinstance(body.get("AntallSider"), int)
                and isinstance(body.get("TotaltAntallEnheter"), int)
            ),
        )
        pages, total = page["AntallSider"], max(total, page["TotaltAntallEnheter"])
        rows += map(_school, page["EnhetListe"])
        if len(rows) > _MOST:
            break
        number += 1
    return rows, max(total - len({row[0] for row in rows if row}) - rows.count(None), 0)


def _school(entry: Any) -> Row | None:
    given = entry if isinstance(entry, dict) else {}
    orgnr, active = _digits(given.get("Organisasjonsnummer"), 9), flag(given, "ErAktiv")
    if not _is(r"[0-9]{9}", orgnr) or active is None:
        return None
    return orgnr, _name(given.get("Navn")), _name(_digits(given.get("Kommunenummer"), 4)), active


def _subjects(grep: Register, _: date) -> Iterator[Row | None]:
    for entry in _asked(grep, "/fagkoder", lambda body: isinstance(body, list)):
        given = entry if isinstance(entry, dict) else {}
        code, status = given.get("kode"), given.get("status")
        yield (code, not str(status).endswith("status_utgaatt")) if _is(r"\S{1,40}", code) else None


def _kommuner(klass: Register, day: date) -> Iterator[Row | None]:
    answer = _asked(
        klass,
        f"/classifications/131/codesAt?date={day}&language=nb",
        lambda body: isinstance(body, dict) and isinstance(body.get("codes"), list),
    )
    for entry in answer["codes"]:
        given = entry if isinstance(entry, dict) else {}
        number = _digits(given.get("code"), 4)
        if number != "9999":  # «Uoppgitt»
            yield (number, _name(given.get("name"))) if _is("[0-9]{4}", number) else None


def _asked(register: Register, path: str, shape: Callable[[Any], bool]) -> Any:
    return orjson.loads(register.get(path, shape=parsed(shape)).content.removeprefix(b"\xef\xbb\xbf"))


def _digits(value: object, length: int) -> object:
    """Give a number that stands as a JSON number as the text that it is, with its leading zeros."""
    return str(value).zfill(length) if isinstance(value, int) and not isinstance(value, bool) else value


def _is(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _name(value: object) -> str | None:
    """Give a text as the warehouse can hold it: no NUL, and blanks where they belong."""
    return " ".join(value.replace("\0", " ").split())[:200] if isinstance(value, str) else None


SOURCES = {
    "nsr": Source(
        "Nasjonalt skoleregister (NSR)",
        "https://data-nsr.udir.no",
        "school",
        ("orgnr", "name", "kommunenummer", "active"),
        _schools,
        "skolenes organisasjonsnumre",
    ),
    "grep": Source(
        "Grep",
        "https://data.udir.no/kl06/v201906",
        "subject",
        ("code", "active"),
        _subjects,
        "gruppenes fagkoder",
    ),
    "klass": Source(
        "SSBs kommuneliste (Klass 131)",
        "https://data.ssb.no/api/klass/v1",
        "kommune",
        ("kommunenummer", "name"),
        _kommuner,
        "kommunenummeret",
    ),
}
"""The registers by the names of their connections."""


def refresh(name: str, connect: Connect, at: datetime, *, accept_smaller: bool = False) -> dict[str, int]:
    """Read a register whole, and let what it says hold from ``at``. Repeating it changes nothing but when it was read.

    Returns how many rows there are, and how many were opened and closed. Raises DataInDoubt when the answer is empty,
    or much smaller than what is held unless that is accepted; Unreadable when its entries are not as we know them; and
    what ``http`` and the warehouse raise.
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
            if received > _MOST:
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
    # Never before the reading before it, whatever clocks say.
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


# --- What of a run is not in the registers ------------------------------------------------------------------------

_THEN = "known_from <= :as_of and coalesce(known_to > :as_of, true)"
_SCHOOLS = f"""
select distinct on (u.name, u.unit_id) u.name, u.unit_id, s.orgnr
from new_work_item w
join new_unit u on u.unit_id = w.unit_id
left join reference.school s
    on lower(s.name) = lower(u.name) and s.kommunenummer = any(:numbers) and s.active and {_THEN}
where w.kind = 'school_not_in_nsr'
order by u.name, u.unit_id, s.orgnr
"""
_CODES = """
select other, count(*) from new_work_item where kind = 'group_not_in_grep' group by other order by other
"""
_KOMMUNER = f"select name from reference.kommune where kommunenummer = any(:numbers) and {_THEN} order by name"


def notes(connection: Connection, kommune: Kommune, as_of: datetime) -> list[Noted]:
    """Say what a kommune has that the registers did not have at ``as_of``, and which of them could not be asked.

    Rests on the golden record's ``new_work_item``. A kommune may keep numbers it has had: one that holds is enough.
    """
    bound = {"as_of": as_of, "numbers": list(kommune.kommunenummer)}
    found = []
    for name, source in SOURCES.items():
        fresh, read_at = connection.execute(
            text(
                "select reference.fresh(:name, :as_of), max(read_at) from reference.reading "
                "where register = :name and read_at <= :as_of"
            ),
            {"name": name, "as_of": as_of},
        ).one()
        if not fresh:
            when = f"ble sist lest {read_at:%d.%m.%Y}" if read_at else "er ikke lest ennå"
            reason = f"{source.who} {when}, så {source.checks} er ikke kontrollert: se DAG-en reference_data."
            found.append(Noted(source.table, f"reference.{name}", reason, "dataingeniør", None))
            continue
        if name == "nsr" and (schools := connection.execute(text(_SCHOOLS), bound).all()):
            named = _listed([f"{school or 'uten navn'} ({orgnr}{_hint(hint)})" for school, orgnr, hint in schools])
            reason = (
                f"Ikke blant de aktive i {source.who}: {named}. Rett organisasjonsnummeret i skolesystemet, eller meld "
                "skolen til NSR."
            )
            found.append(Noted("sas_school", "sas_school.nsr", reason, "systemansvarlig", len(schools)))
        if name == "grep" and (codes := connection.execute(text(_CODES)).all()):
            reason = (
                f"Fagkoder som ikke er i bruk i Grep: {_listed([code for code, _ in codes])}. "
                "Rett fagkoden på gruppene i skolesystemet."
            )
            found.append(Noted("sas_group", "sas_group.grep", reason, "skolen", sum(count for _, count in codes)))
        if name == "klass" and (wrong := wrong_number(connection, kommune, as_of)):
            found.append(Noted("kommune", "kommune.klass", wrong, "dataingeniør", None))
    return found


def wrong_number(connection: Connection, kommune: Kommune, as_of: datetime) -> str | None:
    """Say what is wrong with a kommune's numbers by what Klass had at ``as_of``; None too when that is not known."""
    bound = {"as_of": as_of, "numbers": list(kommune.kommunenummer)}
    if not connection.scalar(text("select reference.fresh('klass', :as_of)"), bound):
        return None
    names = [name or "" for name in connection.execute(text(_KOMMUNER), bound).scalars()]
    numbers = ", ".join(kommune.kommunenummer)
    if not names:
        return f"Kommunenummer {numbers} er ikke i bruk hos SSB (Klass 131): rett kommunenummer i kommunefilen."
    # Klass has all the names a kommune has: «Oslo - Oslove».
    if not any(part in kommune.name.casefold() for name in names for part in name.casefold().split(" - ")):
        return f"Kommunenummer {numbers} er {', '.join(names)} hos SSB: rett kommunenummer eller name i kommunefilen."
    return None


def _hint(orgnr: str | None) -> str:
    return f"; NSR har en med samme navn: {orgnr}" if orgnr else ""


def _listed(names: list[str]) -> str:
    more = f" og {len(names) - _NAMED} til" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
