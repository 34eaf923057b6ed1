"""The run-versioned merge, one for history and golden alike.

Every row carries ``from_run`` and ``to_run``. Merging a run closes the open rows that are gone or changed and inserts
the new ones. These are two statements, since a single statement would break the unique index on open rows. Only
``to_run`` is ever updated, so a run is undone by deleting what it opened and reopening what it closed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from dataflyt.storage.database import OWN_KEY, checked_owner
from dataflyt.warehouse import rules
from dataflyt.warehouse.golden import Computed
from dataflyt.warehouse.tables import GOLDEN, SourceTable, source_tables


@dataclass(frozen=True)
class CleanRows:
    """The staged rows of a run without the rows in quarantine.

    ``unheld`` and ``held`` have for each source table a subquery of its rows. In registers a quarantined row takes its
    subject's other rows of that table with it, and a quarantined ``freg_person`` takes all of its subject's rows. These
    are ``held``, the rest ``unheld``.

    The temporary view ``answered_freg`` has the numbers answered for (the number asked with, the number in use and the
    former numbers) and the subject whose ``answer`` it was; ``answered_krr`` likewise.
    """

    connection: Connection
    owner: str
    run: int
    unheld: Mapping[str, str]
    held: Mapping[str, str]


def undo(connection: Connection, owner: str, run: int) -> None:
    """Take back everything that an unreleased run wrote to history and golden. Do nothing if it wrote nothing."""
    undo_released(connection, owner, run)
    for table in ("control.account_name", "control.identity_change"):
        connection.execute(
            text(f"delete from {table} where owner = :owner and run = :run"), {"owner": owner, "run": run}
        )


def undo_released(connection: Connection, owner: str, run: int) -> None:
    """Take back the rows of a run, and keep what holds beyond it once it has been released.

    A user name that was published is never given to another person, and protections follow a change of identity
    whatever becomes of the run that saw it.
    """
    for table in _versioned():
        connection.execute(
            text(f"delete from {table} where owner = :owner and from_run = :run"), {"owner": owner, "run": run}
        )
        connection.execute(
            text(f"update {table} set to_run = null where owner = :owner and to_run = :run"),
            {"owner": owner, "run": run},
        )
    connection.execute(
        text("delete from control.lift where owner = :owner and run = :run"), {"owner": owner, "run": run}
    )


def merge_history(clean: CleanRows) -> dict[str, tuple[int, int]]:
    """Merge the clean staged rows of a run into history; return rows opened and closed per table.

    In registers that are asked person by person, rows are closed only for subjects that were answered and not
    quarantined. In files, a row is closed when the file no longer has it, unless a row of its subject is in quarantine.
    Rows of quarantined or unanswered subjects are thereby held over.
    """
    used = _used(clean)
    # PostgreSQL believes that nearly every row differs. It would read with one process, since sending rows between
    # processes is dear by its estimate.
    clean.connection.execute(text("set local parallel_tuple_cost = 0.01"))
    merged = {
        table.name: _merge_source_table(clean, table) if used[table.name] else (0, 0)
        for table in source_tables().values()
    }
    clean.connection.execute(text("reset parallel_tuple_cost"))
    return merged


def _used(clean: CleanRows) -> dict[str, bool]:
    """Tell of each source table whether this run or history has rows of it: the others need no merge."""
    each = (
        f"exists (select from {rows} s) or exists (select from history.{name} where owner = :owner and to_run is null)"
        for name, rows in clean.unheld.items()
    )
    found = clean.connection.execute(text(f"select {', '.join(each)}"), {"owner": clean.owner}).one()
    return dict(zip(clean.unheld, found, strict=True))


def clean_rows(connection: Connection, owner: str, run: int) -> CleanRows:
    """Return the ``CleanRows`` of a run, and make their temporary views."""
    schema = f"staging_{checked_owner(owner)}"
    quarantined = _quarantined(connection, owner, run)
    quarantine = f"from control.quarantine q where q.owner = '{owner}' and q.run = {run:d} and q.table_name"
    held, unheld = {}, {}
    for table in source_tables().values():
        rows = f"select * from {schema}.{table.name}"
        if table.name in quarantined:
            rows += f" where row_id not in (select q.row_id {quarantine} = '{table.name}')"
        # The row's subject is held over for this table, or for all of FREG.
        holding = ", ".join(f"'{name}'" for name in sorted({table.name, f"{table.source}_person"} & quarantined))
        by = f"subject in (select q.subject {quarantine} in ({holding}))" if table.answered and holding else "false"
        held[table.name] = f"(select * from ({rows}) s where {by})"
        unheld[table.name] = f"(select * from ({rows}) s where not coalesce({by}, false))"
    # Nearly all are asked with the number in use: leaving out those is quicker than finding what is there twice.
    persons, ids = unheld["freg_person"], unheld["freg_identifikasjonsnummer"]
    answered = {
        "freg": f"select subject, subject as answer from {persons} p union all "
        f"select oppslag, subject from {persons} p where oppslag is distinct from subject union all "
        f"select identifikasjonsnummer, subject from {ids} i where identifikasjonsnummer is distinct from subject",
        "krr": f"select subject, subject as answer from {unheld['krr_contact']} c",
    }
    rules.script(
        connection,
        [f"create or replace temporary view answered_{source} as {rows}" for source, rows in answered.items()],
    )
    return CleanRows(connection, owner, run, unheld, held)


def _quarantined(connection: Connection, owner: str, run: int) -> set[str]:
    """Return the names of the tables that have rows in quarantine."""
    found = connection.execute(
        text("select distinct table_name from control.quarantine where owner = :owner and run = :run"),
        {"owner": owner, "run": run},
    )
    return set(found.scalars())


def _merge_source_table(clean: CleanRows, table: SourceTable) -> tuple[int, int]:
    columns = [f'"{name.lower()}"' for name in table.columns]
    values = {
        column: f"control.keyed_hash({OWN_KEY}, {column})" if name in table.table.hashed else column
        for name, column in zip(table.columns, columns, strict=True)
    }
    quarantined = (
        "exists (select from control.quarantine q where q.owner = :owner and q.run = :run "
        f"and q.table_name = '{table.name}' and q.subject = "
    )
    if table.answered:
        # One "not exists" for each number: PostgreSQL joins for these, and loops for a single one with both.
        held_over = (
            f"not exists (select from answered_{table.source} a where a.subject = d.was "
            f"and not {quarantined}a.subject) and not {quarantined}a.answer))"
        )
    else:
        held_over = f"{quarantined}d.was)"
    shown = ", ".join(f"{value} as {column}" for column, value in values.items())
    unheld = clean.unheld[table.name]
    return _merge(
        clean.connection,
        {"owner": clean.owner, "run": clean.run},
        f"history.{table.name}",
        ["key"],
        ["subject", *columns],
        f"select row_id, page, key, subject, {shown} from {unheld} s",
        order=["row_id", "page", "key", "subject", *columns],
        subject="subject",
        held_over=held_over,
        # The first of the rows with the same key is kept.
        repeated=f"exists (select from {unheld} e where e.key = d.key and e.row_id < d.row_id)",
    )


def merge_golden(computed: Computed) -> dict[str, tuple[int, int]]:
    """Merge a computed golden record into the tables of ``golden``; return rows opened and closed per table.

    The run's changes of identity are kept beside the tables: a person's protections follow them.
    """
    connection, inputs = computed.connection, computed.inputs
    bound: dict[str, object] = {"owner": inputs.owner, "run": inputs.run}
    connection.execute(
        text(
            "insert into control.identity_change (owner, run, person_id, became, joined) "
            "select :owner, :run, person_id, became, joined from new_identity_change"
        ),
        bound,
    )
    found = {}
    for name, table in GOLDEN.items():
        key = [f'"{column}"' for column in table.key]
        order = [f'"{column}"' for column in table.columns]
        values = [column for column in order if column not in key]
        incoming = f"select {', '.join(order)} from new_{name}"
        found[name] = _merge(connection, bound, f"golden.{name}", key, values, incoming, order=order)
    return found


def _merge(
    connection: Connection,
    bound: dict[str, object],
    target: str,
    key: Sequence[str],
    values: Sequence[str],
    incoming: str,
    *,
    order: Sequence[str] = (),
    subject: str = "null",
    held_over: str = "false",
    repeated: str = "false",
) -> tuple[int, int]:
    """Close and open rows of ``target`` until its open rows are ``incoming``; return rows opened and closed.

    The two are compared once, into the table ``differing``. It has the ``coming`` rows; a coming row that is ``known``
    replaces the open row ``at`` a place in the table. It also has the open rows that are gone; their subject is
    ``was``. An open row with ``held_over`` true stays open. A coming row with ``repeated`` true is passed over.

    ``order`` has every column of the table that ``incoming`` reads, as the table has them. The join then takes over
    each row as it is stored, and does not build it anew: a quarter of its time. A column ``row_id`` there gives the
    order in which rows are inserted.
    """
    columns = [*key, *values]
    order = order or columns
    taken = (f"coalesce(i.{column}, h.{column}) as {column}" if column in key else f"i.{column}" for column in order)
    connection.execute(text("drop table if exists pg_temp.differing"))
    differing = connection.execute(
        text(
            f"create temporary table differing on commit drop as select {', '.join(taken)}, "
            f"i.{key[0]} is not null as coming, h.{key[0]} is not null as known, h.at, h.was from ({incoming}) i "
            f"full join (select ctid as at, {', '.join(columns)}, {subject} as was from {target} "
            f"where owner = :owner and to_run is null) h "
            f"on {' and '.join(f'i.{column} = h.{column}' for column in key)} "
            f"where i.{key[0]} is null or h.{key[0]} is null"
            + "".join(f" or i.{column} is distinct from h.{column}" for column in values)
        ),
        bound,
    )
    if not differing.rowcount:
        return 0, 0
    connection.execute(text(f"analyze differing ({', '.join(key)})"))
    for rows, passed_over in (("not coming", held_over), ("coming", repeated)):
        there = text(f"select exists (select from differing where {rows})")  # what passes over reads a whole table
        if passed_over != "false" and connection.scalar(there):
            connection.execute(text(f"delete from differing d where {rows} and {passed_over}"), bound)
    closed = connection.execute(
        text(
            f"update {target} set to_run = :run where owner = :owner and to_run is null "
            "and ctid = any(array(select at from differing where known))"
        ),
        bound,
    ).rowcount
    sorted_ = " order by row_id" if "row_id" in order else ""
    opened = connection.execute(
        text(
            f"insert into {target} (owner, from_run, {', '.join(columns)}) "
            f"select :owner, :run, {', '.join(columns)} from differing where coming{sorted_}"
        ),
        bound,
    ).rowcount
    return opened, closed


def _versioned() -> list[str]:
    return [f"history.{name}" for name in source_tables()] + [f"golden.{name}" for name in GOLDEN]
