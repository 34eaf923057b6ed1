"""Staging: the rows of a run's landed pages, copied into unlogged tables of the kommune's own schema.

Each kommune has a schema (``staging_bergen``) that only its role may use. It has no row-level security, since
PostgreSQL refuses COPY under it. Rows are numbered in the order of the landed pages, so staging can be rebuilt from
landing and every row keeps its ``row_id``. ``page`` tells one document about a subject from another: the second
document on a page is ``<page>#2``. The counts are kept in a logged table, because a crash of the server empties
unlogged tables.
"""

import gc
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from dataflyt.errors import Unreadable
from dataflyt.sources import Reader
from dataflyt.sources.origin import with_origin
from dataflyt.storage.database import checked_owner, driver
from dataflyt.storage.landing import Landing
from dataflyt.warehouse import rules
from dataflyt.warehouse.tables import SourceTable, source_tables

_AT_A_TIME = 1_000
_WAITING_ROWS = 60_000


@dataclass
class _Target:
    """The table for rows of one type, the count copied so far, and the next rows to copy."""

    table: SourceTable
    copy: str
    count: int
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    labels: list[tuple[int, tuple[str]]] = field(default_factory=list)
    """Where in ``rows`` the rows of a document begin, and the name of its page."""
    whole: int = 0
    """The number of rows to copy next whose pages have been read to the end."""

    def label(self, label: tuple[str]) -> None:
        """Give the rows that come next this page's name. A page without rows of the table leaves none behind."""
        at = len(self.rows)
        if self.labels and self.labels[-1][0] == at:
            self.labels.pop()
        self.labels.append((at, label))


def prepare(connection: Connection, owner: str, source: str) -> None:
    """Empty the staging tables of one source; make tables that do not exist."""
    definitions = {f"staging_{checked_owner(owner)}.{table.name}": _definition(table) for table in _tables(source)}
    found = connection.execute(
        text("select name, obj_description(to_regclass(name), 'pg_class') from unnest(cast(:names as text[])) as name"),
        {"names": list(definitions)},
    ).all()
    kept = [name for name, made in found if made == definitions[name]]
    full = _asked(connection, kept, "select exists (select from {name})")
    statements = []
    for name, _ in found:
        # A table of an earlier version is made anew: all its rows come from the landed pages.
        if name in full:
            statements += [f"truncate {name}"] if full[name] else []
        else:
            statements += [
                f"drop table if exists {name}",
                f"create unlogged table {name} {definitions[name]}",
                f"comment on table {name} is {_literal(definitions[name])}",
            ]
    rules.script(connection, statements)
    connection.execute(
        text("delete from control.staged where owner = :owner and source = :source"),
        {"owner": owner, "source": source},
    )


def load(
    connection: Connection,
    owner: str,
    run: int,
    source: str,
    pages: Iterable[tuple[str, Reader]],
    landing: Landing,
    *,
    skip_unreadable: bool = False,
) -> dict[str, int]:
    """Copy the rows of landed pages into staging, after the rows there; return the rows per table in staging now.

    ``pages`` names each page and the reader of its format. Raises Unreadable, which names the page's origin, at the
    first unreadable page. With ``skip_unreadable`` such a page is left out: the vetoes use the pages that can be read.
    """
    schema = f"staging_{checked_owner(owner)}"
    targets: dict[type, _Target] = {}
    counted = _counted(connection, [f"{schema}.{table.name}" for table in _tables(source)])
    for table in _tables(source):
        name = f"{schema}.{table.name}"
        columns = ", ".join(f'"{column.lower()}"' for column in table.columns)
        targets[table.table.row] = _Target(table, f"copy {name} (page, {columns}) from stdin binary", counted[name])
    # A load that was rolled back has used numbers too.
    numbered = (
        f"setval(pg_get_serial_sequence('{name}', 'row_id'), {count + 1}, false)" for name, count in counted.items()
    )
    connection.execute(text(f"select {', '.join(numbered)}"))
    for page, reader in pages:
        try:
            _load_page(connection, targets, page, reader, landing)
        except Unreadable as error:
            if not skip_unreadable:
                raise with_origin(error, source, page, landing) from None
            for target in targets.values():
                del target.rows[target.whole :]
                target.labels = [(at, label) for at, label in target.labels if at < target.whole]
    for target in targets.values():
        _flush(connection, target)
    rows = {target.table.name: target.count for target in targets.values()}
    connection.execute(
        text(
            "insert into control.staged (owner, source, table_name, run, row_count) "
            "select :owner, :source, table_name, :run, row_count "
            "from unnest(cast(:tables as text[]), cast(:counts as bigint[])) as staged (table_name, row_count) "
            "on conflict (owner, source, table_name) do update set run = excluded.run, row_count = excluded.row_count"
        ),
        {"owner": owner, "source": source, "run": run, "tables": list(rows), "counts": list(rows.values())},
    )
    # Our plans need little more than the tables' sizes and the number of rows a subject has: see database.py.
    analyze = f"analyze {', '.join(f'{schema}.{name} (key, subject)' for name in rows)}"
    rules.script(connection, [analyze])
    return rows


def _load_page(
    connection: Connection, targets: dict[type, _Target], page: str, reader: Reader, landing: Landing
) -> None:
    """Read a page's rows, and copy them when there are many: the server copies many at once in a third of the time."""
    begins = next((target.table for target in targets.values() if target.table.table.begins), None)
    first = begins.table.row if begins else None
    subject_at = list(begins.columns).index(begins.table.subject) if begins else 0
    add = {kind: target.rows.append for kind, target in targets.items()}
    seen: set[str] = set()
    again: dict[str, int] = {}
    label = plain = (page,)
    for target in targets.values():
        target.whole = len(target.rows)
        target.label(plain)
    with landing.open(page) as stream, _without_collector():
        rows = reader(stream)
        while some := list(itertools.islice(rows, _AT_A_TIME)):
            subjects = [row[subject_at] for row in some if type(row) is first]
            if label is plain and seen.isdisjoint(subjects) and len(set(subjects)) == len(subjects):
                seen.update(subjects)
                for row in some:
                    add[type(row)](row)
            else:
                for row in some:
                    kind = type(row)
                    if kind is first:
                        subject = row[subject_at]
                        if subject in seen:
                            again[subject] = document = again.get(subject, 1) + 1
                            label = (f"{page}#{document}",)
                        else:
                            seen.add(subject)
                            label = plain
                        for target in targets.values():
                            target.label(label)
                    add[kind](row)
            waiting = sum(len(target.rows) for target in targets.values())
            if waiting >= _WAITING_ROWS:
                for target in targets.values():
                    if len(target.rows) * len(targets) >= waiting:  # at least as many as the average
                        _flush(connection, target)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Turn the garbage collector off: its search for reference cycles among the rows takes a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _flush(connection: Connection, target: _Target) -> None:
    if target.rows:
        with driver(connection).cursor() as cursor, cursor.copy(target.copy) as copy:
            copy.set_types(["text", *target.table.columns.values()])
            for (start, label), (end, _) in itertools.pairwise([*target.labels, (len(target.rows), ("",))]):
                for row in target.rows[start:end]:
                    copy.write_row(label + row)
        target.count += len(target.rows)
        target.rows.clear()
        target.labels = [(0, target.labels[-1][1])]
        target.whole = 0


def _definition(table: SourceTable) -> str:
    """Return columns and settings of a staging table. The server computes the first four but ``page``: it is faster."""
    columns = ", ".join(f'"{name.lower()}" {sql_type}' for name, sql_type in table.columns.items())
    return (
        # Numbers taken a thousand at a time, in the order of the rows all the same: load() begins with a setval.
        "(row_id bigint not null generated by default as identity (cache 1000), "
        "page text not null, "
        f"key text not null generated always as ({_key(table)}) stored, "
        f'subject text generated always as ("{table.table.subject.lower()}") stored, {columns}) '
        # load() analyzes the table; a truncate would wait a second for an autovacuum to be cancelled.
        "with (autovacuum_enabled = false)"
    )


def _key(table: SourceTable) -> str:
    """Return the SQL of a row's key. Rows of history keep the key, so it must not change: a boolean is ``True``."""
    parts = [
        f'initcap("{name.lower()}"::text)' if table.columns[name] == "boolean" else f'"{name.lower()}"::text'
        for name in table.table.key
    ]
    return " || e'\\x1f' || ".join(f"coalesce({part}, '')" for part in parts)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def exists(connection: Connection, owner: str, source: str) -> bool:
    """Tell whether the source has ever been staged for this kommune."""
    names = [f"staging_{checked_owner(owner)}.{table.name}" for table in _tables(source)]
    found = text("select bool_and(to_regclass(name) is not null) from unnest(cast(:names as text[])) as name")
    return bool(connection.scalar(found, {"names": names}))


def pages(connection: Connection, owner: str, source: str) -> set[str]:
    """Return the names of the landed pages that have rows in staging."""
    schema = f"staging_{checked_owner(owner)}"
    found = " union ".join(f"select page from {schema}.{table.name}" for table in _tables(source))
    return {page.partition("#")[0] for page in connection.execute(text(found)).scalars()}


def intact(connection: Connection, owner: str, run: int, source: str) -> bool:
    """Tell whether staging holds exactly the rows that this run copied in: same run, same counts."""
    ledger = counts(connection, owner, run, source)
    if ledger.keys() != {table.name for table in _tables(source)} or not exists(connection, owner, source):
        return False
    schema = f"staging_{checked_owner(owner)}"
    counted = _counted(connection, [f"{schema}.{name}" for name in ledger])
    return {f"{schema}.{name}": count for name, count in ledger.items()} == counted


def _counted(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Count the rows of staging tables now."""
    return _asked(connection, names, "select count(*) from {name}")


def _asked(connection: Connection, names: Sequence[str], question: str) -> dict[str, int]:
    """Ask the same of each staging table."""
    if not names:
        return {}
    each = (f"({question.format(name=name)})" for name in names)
    return dict(zip(names, connection.execute(text(f"select {', '.join(each)}")).one(), strict=True))


def counts(connection: Connection, owner: str, run: int, source: str | None = None) -> dict[str, int]:
    """Return the rows per table that this run copied in, by the logged ledger."""
    found = connection.execute(
        text(
            "select table_name, row_count from control.staged where owner = :owner and run = :run "
            'and (cast(:source as text) is null or source = :source) order by table_name collate "C"'
        ),
        {"owner": owner, "run": run, "source": source},
    )
    return {name: rows for name, rows in found}


def _tables(source: str) -> list[SourceTable]:
    return [table for table in source_tables().values() if table.source == source]
