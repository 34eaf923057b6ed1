"""The run-versioned merge, one for history and golden alike.

Every row carries ``from_run`` and ``to_run``. Merging a run closes the open rows that are gone or changed and inserts
the new ones: two statements, since one that does both breaks the unique index on open rows. Only ``to_run`` is ever
updated, so a run is undone by deleting what it opened and reopening what it closed.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from dataflyt.warehouse.database import checked_owner
from dataflyt.warehouse.tables import GOLDEN, SourceTable, source_tables


def undo(connection: Connection, owner: str, run: int) -> None:
    """Take back everything that a run wrote to history and golden. Harmless when it wrote nothing."""
    for table in _versioned():
        connection.execute(
            text(f"delete from {table} where owner = :owner and from_run = :run"), {"owner": owner, "run": run}
        )
        connection.execute(
            text(f"update {table} set to_run = null where owner = :owner and to_run = :run"),
            {"owner": owner, "run": run},
        )
    for table in ("control.lift", "control.account_name"):
        connection.execute(
            text(f"delete from {table} where owner = :owner and run = :run"), {"owner": owner, "run": run}
        )


def merge_history(connection: Connection, owner: str, run: int, secret: str) -> dict[str, tuple[int, int]]:
    """Merge the clean staged rows of a run into history; return rows opened and closed per table.

    Registers that are asked person by person: rows are closed only for subjects that were answered and not
    quarantined. Files: a row is closed when the file no longer has it, unless a row of its subject is in quarantine.
    What is quarantined or unanswered is thereby held over. Raises nothing of its own.
    """
    return {
        table.name: _merge_source_table(connection, owner, run, secret, table) for table in source_tables().values()
    }


def clean_views(connection: Connection, owner: str, run: int) -> None:
    """Make the temporary views ``clean_<table>``: staged rows less what this run has in quarantine; and two tables.

    For registers a quarantined row takes its subject's other rows of that table with it, and a quarantined
    ``freg_person`` all of its subject's rows. ``answered_freg`` has the numbers answered for (the one asked with, the
    one in use and those the person has had) and the subject whose ``answer`` it was; ``answered_krr`` likewise.
    """
    schema = f"staging_{checked_owner(owner)}"
    quarantine = f"from control.quarantine q where q.owner = '{owner}' and q.run = {run:d} and q.table_name"
    for table in source_tables().values():
        staged = f"{schema}.{table.name} s"
        bad = f"row_id in (select q.row_id {quarantine} = '{table.name}')"
        # The row's subject is held over for this table, or for all of FREG.
        names = ", ".join(f"'{name}'" for name in sorted({table.name, f"{table.source}_person"}))
        held = f"subject in (select q.subject {quarantine} in ({names}))" if table.answered else "false"
        for view, select in {
            f"held_{table.name}": f"select * from {staged} where not {bad} and {held}",
            f"unheld_{table.name}": f"select * from {staged} where not {bad} and not coalesce({held}, false)",
            f"clean_{table.name}": f"select distinct on (key) * from unheld_{table.name} order by key, row_id",
        }.items():
            connection.execute(text(f"create or replace temporary view {view} as {select}"))
    # Tables, not views: every table of a register is merged by them.
    for source, numbers in {
        "freg": "select subject, subject as answer from clean_freg_person "
        "union select oppslag, subject from clean_freg_person "
        "union select identifikasjonsnummer, subject from clean_freg_identifikasjonsnummer",
        "krr": "select subject, subject as answer from clean_krr_contact",
    }.items():
        connection.execute(text(f"drop table if exists pg_temp.answered_{source}"))
        connection.execute(text(f"create temporary table answered_{source} on commit drop as {numbers}"))
        connection.execute(text(f"analyze answered_{source}"))


def _merge_source_table(
    connection: Connection, owner: str, run: int, secret: str, table: SourceTable
) -> tuple[int, int]:
    columns = [f'"{name.lower()}"' for name in table.columns]
    values = [
        f"control.keyed_hash(:secret, {column})" if name in table.table.hashed else column
        for name, column in zip(table.columns, columns, strict=True)
    ]
    connection.execute(text("drop table if exists pg_temp.incoming"))
    connection.execute(
        text(
            f"create temporary table incoming on commit drop as select key, subject, "
            f"{', '.join(f'{v} as {c}' for v, c in zip(values, columns, strict=True))} from clean_{table.name}"
        ),
        {"secret": secret} if table.table.hashed else {},
    )
    connection.execute(text("analyze incoming"))
    if table.name == "freg_ubesvart":
        scope = "true"
    elif table.answered:
        # One "not exists" a number: PostgreSQL joins for these, and loops for one with both.
        held = (
            "not exists (select from control.quarantine q where q.owner = :owner and q.run = :run "
            f"and q.table_name = '{table.name}' and q.subject = a."
        )
        scope = f"h.subject in (select a.subject from answered_{table.source} a where {held}subject) and {held}answer))"
    else:
        scope = (
            "not exists (select from control.quarantine q where q.owner = :owner and q.run = :run "
            f"and q.table_name = '{table.name}' and q.subject = h.subject)"
        )
    return _close_and_open(
        connection, owner, run, f"history.{table.name}", ["key"], ["subject", *columns], "incoming", scope
    )


def merge_golden(connection: Connection, owner: str, run: int) -> dict[str, tuple[int, int]]:
    """Merge the temporary tables ``new_<table>`` that golden.compute left into the golden record."""
    return {
        name: _close_and_open(
            connection,
            owner,
            run,
            f"golden.{name}",
            [f'"{column}"' for column in table.key],
            [f'"{column}"' for column in table.columns if column not in table.key],
            f"new_{name}",
            "true",
        )
        for name, table in GOLDEN.items()
    }


def _close_and_open(
    connection: Connection,
    owner: str,
    run: int,
    target: str,
    key: Sequence[str],
    values: Sequence[str],
    incoming: str,
    scope: str,
) -> tuple[int, int]:
    same_key = " and ".join(f"i.{column} = h.{column}" for column in key)
    same_row = (
        f"({', '.join(f'i.{column}' for column in values)}) is not distinct from "
        f"({', '.join(f'h.{column}' for column in values)})"
        if values
        else "true"
    )
    bound = {"owner": owner, "run": run}
    closed = connection.execute(
        text(
            f"update {target} h set to_run = :run where h.owner = :owner and h.to_run is null and {scope} "
            f"and not exists (select from {incoming} i where {same_key} and {same_row})"
        ),
        bound,
    ).rowcount
    columns = ", ".join([*key, *values])
    opened = connection.execute(
        text(
            f"insert into {target} (owner, from_run, {columns}) select :owner, :run, {columns} from {incoming} i "
            f"where not exists (select from {target} h where h.owner = :owner and h.to_run is null and {same_key}) "
        ),
        bound,
    ).rowcount
    return opened, closed


def _versioned() -> list[str]:
    return [f"history.{name}" for name in source_tables()] + [f"golden.{name}" for name in GOLDEN]
