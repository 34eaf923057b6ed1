"""The outcomes of the quality rules, kept per run (``control.check_result``), and people's word on quarantined rows.

Counts only, and none that tells how many are protected. Where the outcome itself would tell of protection, only the
rule is kept.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from dataflyt.quality.rules import Outcome
from dataflyt.storage.database import OWN_KEY, checked_owner, copied
from dataflyt.warehouse.tables import source_tables

HINTS = frozenset({"freg_adressebeskyttelse", "freg_bostedsadresse", "freg_annenAdresse", "hr_protection"})
"""Tables whose counts hint at how many people are protected, since FREG gives no address of these people."""

_COLUMNS = {
    "suite": "text",
    "rule": "text",
    "scope": "text",
    "reason": "text",
    "responsible": "text",
    "passed": "boolean",
    "checked": "bigint",
    "unexpected": "bigint",
    "percent": "double precision",
    "took": "double precision",
}


def keep(connection: Connection, owner: str, run: int, outcomes: Sequence[Outcome]) -> None:
    """Keep the outcomes of a run's suites, in place of those that the same suites had when the run was checked before.

    Three statements, however many the rules are.
    """
    copied(
        connection,
        "outcome",
        ", ".join(f"{column} {kind}" for column, kind in _COLUMNS.items()),
        map(_told, outcomes),
    )
    bound = {"owner": owner, "run": run}
    connection.execute(
        text(
            "delete from control.check_result "
            "where owner = :owner and run = :run and suite in (select suite from outcome)"
        ),
        bound,
    )
    names = ", ".join(_COLUMNS)
    connection.execute(
        text(f"insert into control.check_result (owner, run, {names}) select :owner, :run, {names} from outcome"),
        bound,
    )


def _told(outcome: Outcome) -> tuple[object, ...]:
    """Return an outcome's row, without what tells of protection."""
    about = (outcome.suite, outcome.rule, outcome.scope, outcome.reason, outcome.responsible)
    if outcome.scope == "file" or not outcome.counted or outcome.suite in HINTS:
        passed = outcome.passed if outcome.counted or outcome.scope == "table" else None
        return (*about, passed, None, None, None, None)
    percent = 100 * outcome.unexpected / outcome.checked if outcome.checked and outcome.unexpected is not None else None
    return (*about, outcome.passed, outcome.checked, outcome.unexpected, percent, outcome.took)


def quarantine(connection: Connection, owner: str, run: int, found: Iterable[Sequence[object]]) -> None:
    """Set the rows that were found aside, in place of those that the run had, except rows that people have released.

    A row of ``found`` has the table, the row's id, the rule, the reason and the one who corrects it.
    """
    bound = {"owner": owner, "run": run}
    connection.execute(text("delete from control.quarantine where owner = :owner and run = :run"), bound)
    columns = "table_name text, row_id bigint, rule text, reason text, responsible text"
    copied(connection, "found", columns, found)
    for table in connection.execute(text("select distinct table_name from found")).scalars().all():
        connection.execute(
            text(
                "insert into control.quarantine "
                "(owner, run, table_name, row_id, rule, reason, responsible, key, subject, row_hash) "
                "select :owner, :run, f.table_name, f.row_id, f.rule, f.reason, f.responsible, "
                "s.key, s.subject, h.hash "
                f"from found f join staging_{checked_owner(owner)}.{table} s on s.row_id = f.row_id "
                f"cross join lateral (select {_content(table)} as hash) h "
                f"where f.table_name = :table and not exists ({_RELEASED}) on conflict do nothing"
            ),
            {**bound, "table": table},
        )


_RELEASED = """
    select from control.row_decision d
    where d.owner = :owner and d.row_hash = h.hash and d.rule = f.rule and d.decision = 'released'
        and d.ended_at is null and d.from_run <= :run
"""


def _content(table: str) -> str:
    """Return SQL for the keyed hash of the content of a staged row ``s``: of its table and all of its fields."""
    fields = ", ".join(f's."{column.lower()}"' for column in source_tables()[table].columns)
    return f"control.keyed_hash({OWN_KEY}, '{table}' || row({fields})::text)"


NEWEST = """
    select q.table_name, q.rule, q.reason, q.responsible, q.subject, q.row_hash
    from control.quarantine q
    where q.owner = :owner and q.run = (select max(run) from control.check_result where owner = :owner)
        and q.row_hash is not null
"""
"""The rows that the newest checked run has in quarantine."""
LINKED = """
    l.value = h.subject and l.scheme = case
        when h.table_name in ('hr_employee', 'hr_employment') then 'hr'
        when h.table_name in ('sas_person', 'sas_membership', 'sas_guardian') then 'sas'
        when starts_with(h.table_name, 'freg_') or starts_with(h.table_name, 'krr_') then 'number'
    end
"""
"""The condition that a link ``l`` of a person is the subject of a row ``h`` in quarantine."""
