"""The run-versioned merge, one for history and golden alike.

Every row carries ``from_run`` and ``to_run``. Merging a run closes the open rows that are gone or changed and inserts
the new ones. These are two statements, since a single statement would break the unique index on open rows. Only
``to_run`` is ever updated, so a run is undone by deleting what it opened and reopening what it closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from dataflyt.storage.database import OWN_KEY, checked_owner
from dataflyt.warehouse import rules
from dataflyt.warehouse.golden import Computed
from dataflyt.warehouse.tables import GOLDEN, SourceTable, source_tables


@dataclass(frozen=True)
class CleanRows:
    """The staged rows of a run without the rows in quarantine, in temporary views and tables.

    In registers a quarantined row takes its subject's other rows of that table with it, and a quarantined
    ``freg_person`` takes all of its subject's rows. These are in ``held_<table>``, the rest in ``unheld_<table>``.
    ``answered_freg`` has the numbers answered for (the number asked with, the number in use and the former numbers) and
    the subject whose ``answer`` it was; ``answered_krr`` likewise.
    """

    connection: Connection
    owner: str
    run: int


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
    return {
        table.name: _merge_source_table(clean, table) if used[table.name] else (0, 0)
        for table in source_tables().values()
    }


def _used(clean: CleanRows) -> dict[str, bool]:
    """Tell of each source table whether this run or history has rows of it: the others need no merge."""
    each = (
        f"exists (select from unheld_{name}) "
        f"or exists (select from history.{name} where owner = :owner and to_run is null)"
        for name in source_tables()
    )
    found = clean.connection.execute(text(f"select {', '.join(each)}"), {"owner": clean.owner}).one()
    return dict(zip(source_tables(), found, strict=True))


def clean_rows(connection: Connection, owner: str, run: int) -> CleanRows:
    """Make the temporary views and tables of ``CleanRows``."""
    schema = f"staging_{checked_owner(owner)}"
    quarantined = _quarantined(connection, owner, run)
    quarantine = f"from control.quarantine q where q.owner = '{owner}' and q.run = {run:d} and q.table_name"
    statements = []
    for table in source_tables().values():
        staged = f"{schema}.{table.name} s"
        bad = f"row_id in (select q.row_id {quarantine} = '{table.name}')" if table.name in quarantined else "false"
        # The row's subject is held over for this table, or for all of FREG.
        holding = ", ".join(f"'{name}'" for name in sorted({table.name, f"{table.source}_person"} & quarantined))
        held = f"subject in (select q.subject {quarantine} in ({holding}))" if table.answered and holding else "false"
        statements += [
            f"create or replace temporary view {view} as select * from {staged} where not {bad} and {which}"
            for view, which in {
                f"held_{table.name}": held,
                f"unheld_{table.name}": f"not coalesce({held}, false)",
            }.items()
        ]
    # Tables, not views: the merge of every table of a register reads them.
    # Nearly all are asked with the number in use: leaving out those is quicker than finding what is there twice.
    for source, numbers in {
        "freg": "select subject, subject as answer from unheld_freg_person union all "
        "select oppslag, subject from unheld_freg_person where oppslag is distinct from subject union all "
        "select identifikasjonsnummer, subject from unheld_freg_identifikasjonsnummer "
        "where identifikasjonsnummer is distinct from subject",
        "krr": "select subject, subject as answer from unheld_krr_contact",
    }.items():
        statements += [
            f"drop table if exists pg_temp.answered_{source}",
            f"create temporary table answered_{source} on commit drop as {numbers}",
            f"analyze answered_{source}",
        ]
    rules.script(connection, statements)
    return CleanRows(connection, owner, run)


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
    return _merge(
        clean.connection,
        {"owner": clean.owner, "run": clean.run},
        f"history.{table.name}",
        ["key"],
        ["subject", *columns],
        f"select row_id, key, subject, {shown} from unheld_{table.name}",
        subject="subject",
        held_over=held_over,
        # The first of the rows with the same key is kept.
        repeated=f"exists (select from unheld_{table.name} e where e.key = d.key and e.row_id < d.row_id)",
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
        values = [f'"{column}"' for column in table.columns if column not in table.key]
        incoming = f"select 0 as row_id, {', '.join([*key, *values])} from new_{name}"
        found[name] = _merge(connection, bound, f"golden.{name}", key, values, incoming)
    return found


def _merge(
    connection: Connection,
    bound: dict[str, object],
    target: str,
    key: Sequence[str],
    values: Sequence[str],
    incoming: str,
    *,
    subject: str = "null",
    held_over: str = "false",
    repeated: str = "false",
) -> tuple[int, int]:
    """Close and open rows of ``target`` until its open rows are ``incoming``; return rows opened and closed.

    The two are compared once, into the table ``differing``. It has the coming rows (``row_id`` is not null); a coming
    row that is ``known`` replaces an open row. It also has the open rows that are gone; their subject is ``was``. An
    open row with ``held_over`` true stays open. A coming row with ``repeated`` true is passed over.
    """
    columns = [*key, *values]
    connection.execute(text("drop table if exists pg_temp.differing"))
    differing = connection.execute(
        text(
            f"create temporary table differing on commit drop as select i.row_id, h.{key[0]} is not null as known, "
            f"h.was, {', '.join(f'coalesce(i.{column}, h.{column}) as {column}' for column in key)}"
            f"{''.join(f', i.{column}' for column in values)} from ({incoming}) i full join "
            f"(select {', '.join(columns)}, {subject} as was from {target} where owner = :owner and to_run is null) h "
            f"on {' and '.join(f'i.{column} = h.{column}' for column in key)} "
            f"where i.row_id is null or h.{key[0]} is null"
            + "".join(f" or i.{column} is distinct from h.{column}" for column in values)
        ),
        bound,
    )
    if not differing.rowcount:
        return 0, 0
    connection.execute(text("analyze differing"))
    for rows, passed_over in (("row_id is null", held_over), ("row_id is not null", repeated)):
        if passed_over != "false":
            connection.execute(text(f"delete from differing d where {rows} and {passed_over}"), bound)
    same_key = " and ".join(f"h.{column} = d.{column}" for column in key)
    closed = connection.execute(
        text(
            f"update {target} h set to_run = :run from differing d where h.owner = :owner and h.to_run is null "
            f"and {same_key} and d.known"
        ),
        bound,
    ).rowcount
    opened = connection.execute(
        text(
            f"insert into {target} (owner, from_run, {', '.join(columns)}) "
            f"select :owner, :run, {', '.join(columns)} from differing where row_id is not null order by row_id"
        ),
        bound,
    ).rowcount
    return opened, closed


def _versioned() -> list[str]:
    return [f"history.{name}" for name in source_tables()] + [f"golden.{name}" for name in GOLDEN]
