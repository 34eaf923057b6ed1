"""Read a table as frames, in chunks: with the rights and the audit that every other look at people has.

In: a kommune, a table of ``tables.TABLES``, and who looks and why. Out: pandas frames whose columns have the same types
in every chunk. The audit has a row for each person in the table, written in the transaction that reads. Nothing may be
shown before that transaction has ended.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.frames import tables
from dataflyt.frames.tables import CHECKS, PLAN, RUNS, TABLES
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.looking import looking
from dataflyt.run.open_plan import open_plan
from dataflyt.storage import database
from dataflyt.warehouse import audit
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.group_names import open_code, open_name
from dataflyt.warehouse.refusals import refusals
from dataflyt.warehouse.tables import GOLDEN

if TYPE_CHECKING:
    import pandas as pd

CHUNK: Final = 10_000
"""The most rows of a frame that ``chunks`` yields."""

_DTYPES = {
    "uuid": "str",
    "text": "str",
    "boolean": "boolean",
    "integer": "Int64",
    "bigint": "Int64",
    "double precision": "Float64",
    "date": "datetime64[s]",
    "timestamp with time zone": "datetime64[us, UTC]",
}
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(\d{6})[ -]?\d{5}(?![0-9A-Za-z])")
_PLAN_COLUMNS = {"kind": "text", "title": "text", "unit_id": "text", "inferred": "boolean"}
_PLAN_IDS = {"subject": "text", "other": "text"}
_CHECK_COLUMNS = {
    **{"run": "bigint", "as_of": "timestamp with time zone", "suite": "text", "rule": "text", "scope": "text"},
    **{"reason": "text", "responsible": "text", "passed": "boolean", "checked": "bigint", "unexpected": "bigint"},
    **{"percent": "double precision", "took": "double precision"},
}
_FATES = ("received", "staged", "quarantined", "held_over", "duplicates")
_RUN_COLUMNS = {
    **{"run": "bigint", "as_of": "timestamp with time zone", "state": "text", "outcome": "text", "failed": "text"},
    **dict.fromkeys(_FATES, "bigint"),
    **{f"{source}_{fate}": "bigint" for source in ("freg", "krr", "hr", "sas") for fate in _FATES},
    **{"changes": "bigint", "published": "bigint"},
}

Values = Sequence[Any]


def read(
    kommune: Kommune,
    environment: Environment,
    table: str,
    visitor: Visitor | None = None,
    *,
    run: int | None = None,
    graded: bool = False,
    numbers: bool = False,
) -> "pd.DataFrame":
    """Return a table as one frame. The look is kept in the audit.

    ``table`` is one of ``tables.TABLES``. ``run`` is a released run for a golden table and any run for the plan; the
    newest when it is None. Of ``checks`` and ``runs`` None means every run that is kept. Identity numbers have their
    last five digits hidden without ``numbers``.

    Without ``graded`` a golden table has the rows and columns that ``tables`` describes, and a plan has no ids. A plan
    has no rows when its run was undone, nor without ``graded`` when its counts have changed since they were told.

    Raises NotAllowed without a visitor with the right ``persons``, or ``graded``; ``checks`` and ``runs`` need neither.
    Raises ConfigError for another table, for one that only ``graded`` may read, and for a run that is not there.
    """
    import pandas as pd

    with chunks(kommune, environment, table, visitor, run=run, graded=graded, numbers=numbers) as found:
        frames = list(found)
    return pd.concat(frames, ignore_index=True)


@contextmanager
def chunks(
    kommune: Kommune,
    environment: Environment,
    table: str,
    visitor: Visitor | None = None,
    *,
    run: int | None = None,
    graded: bool = False,
    numbers: bool = False,
) -> Iterator[Iterator["pd.DataFrame"]]:
    """Open a table for reading as frames of at most ``CHUNK`` rows, at least one, as ``read`` does.

    The caller must show none of them before the context has ended without an error: the audit is kept then.
    """
    if table not in TABLES:
        raise ConfigError(f"Tabellen «{table}» finnes ikke: skriv {', '.join(TABLES[:-1])} eller {TABLES[-1]}.")
    if table in (CHECKS, RUNS):
        with _counts(kommune, environment, table, run) as found:
            yield found
    elif visitor is None:
        raise NotAllowed("Tabellen vises bare til den som sier hvem hun er, og hvorfor.")
    elif table == PLAN:
        with _plan(kommune, environment, visitor, run, graded=graded) as found:
            yield found
    else:
        with _golden(kommune, environment, table, visitor, run, graded=graded, numbers=numbers) as found:
            yield found


@contextmanager
def _golden(
    kommune: Kommune,
    environment: Environment,
    table: str,
    visitor: Visitor,
    run: int | None,
    *,
    graded: bool,
    numbers: bool,
) -> Iterator[Iterator["pd.DataFrame"]]:
    with (
        refusals(kommune, environment.connect, visitor, "table"),
        looking(kommune, environment, run=run, whole=True) as here,
    ):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
        if not graded and table not in tables.OPEN:
            raise ConfigError(
                f"Tabellen «{table}» kan fortelle om beskyttelse, og vises bare med --graded (graded=True), til dem "
                "som har den retten i kommunefilen."
            )
        named = tables.columns(table, graded=graded)
        query, bound = tables.statement(here, table, graded=graded), {"owner": kommune.id}
        detail = f"{table}, kjøring {here.then.run}" + (", med fødselsnummer" if numbers else "")
        about = _people(here.connection, query, named, bound)
        audit.record(here.connection, kommune.id, visitor, "table", about, detail)
        order = ", ".join(GOLDEN[table].key)
        rows = here.connection.execute(
            text(f"select {', '.join(named)} from ({query}) as t order by {order}"),
            bound,
            execution_options={"yield_per": CHUNK},
        )
        cleaned = (_cleaned(row, list(named), table, graded=graded, numbers=numbers) for row in rows)
        yield _frames(cleaned, named)


def _people(connection: Connection, query: str, named: Iterable[str], bound: Mapping[str, object]) -> list[UUID]:
    """Return everybody who is in the rows of a query."""
    held = [told for column, told in tables.PEOPLE.items() if column in named]
    if not held:
        return []
    ids = " union ".join(f"select {told} as id from rows" for told in held)
    found = connection.execute(
        text(
            f"with rows as materialized ({query}) select cast(id as uuid) from ({ids}) as ids "
            "where pg_input_is_valid(id, 'uuid')"
        ),
        bound,
    )
    return list(found.scalars())


def _cleaned(row: Values, named: Sequence[str], table: str, *, graded: bool, numbers: bool) -> list[Any]:
    """Return a row's values with identity numbers masked, and without names of groups that may hold a person's.

    A group's id stays whole: two that begin alike would be one, and rows are joined by it.
    """
    values = []
    for column, value in zip(named, row, strict=True):
        told = value
        if table == "school_group" and not graded and column in ("name", "grep_code"):
            told = (open_name if column == "name" else open_code)(value)
        if isinstance(told, str) and not numbers and column != "group_id":
            told = _masked(told, whole=column == "local_number")
        values.append(told)
    return values


def _masked(value: str, *, whole: bool) -> str:
    """Return a text with the last five digits of an identity number hidden; a ``whole`` one that has no such form.

    >>> _masked("13897200184", whole=False), _masked("1389-72", whole=True), _masked("7B", whole=False)
    ('138972*****', '*****', '7B')
    """
    masked = _NUMBER.sub(r"\1*****", value)
    return "*****" if whole and masked == value else masked


@contextmanager
def _plan(
    kommune: Kommune, environment: Environment, visitor: Visitor, run: int | None, *, graded: bool
) -> Iterator[Iterator["pd.DataFrame"]]:
    with open_plan(kommune, environment, run, visitor) as opened:
        ids = _PLAN_IDS if graded else {}
        rows = (
            [row.kind, report.title(row.kind), row.unit_id, row.inferred, *((row.subject, row.other) if graded else ())]
            for row in opened.rows(graded=graded)
        )
        yield _frames(rows, _PLAN_COLUMNS | ids)


@contextmanager
def _counts(
    kommune: Kommune, environment: Environment, table: str, run: int | None
) -> Iterator[Iterator["pd.DataFrame"]]:
    """Open the outcomes of checks or the figures of runs, as they are kept: neither tells of protection."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        found = connection.execute(
            text(_CHECKS if table == CHECKS else _RUNS),
            {"owner": kommune.id, "run": run},
            execution_options={"yield_per": CHUNK},
        )
        if table == CHECKS:
            yield _frames(found, _CHECK_COLUMNS)
        else:
            yield _frames(map(_figures, found), _RUN_COLUMNS)


def _figures(row: Any) -> list[Any]:
    """Return a run's row with the figures that its report told everybody; a run that is not closed has none."""
    told: dict[str, Any] = orjson.loads(row.figures) if row.figures else {}
    values = {"run": row.run, "as_of": row.as_of, "state": row.state, "outcome": row.outcome}
    values |= {"failed": ", ".join(told.get("failed", [])), **told.get("totals", {})}
    for source, fates in told.get("sources", {}).items():
        values |= {f"{source}_{fate}": count for fate, count in fates.items()}
    values |= {name: told.get(name) for name in ("changes", "published")}
    return [values.get(name) for name in _RUN_COLUMNS]


_CHECKS = f"""
select c.run, r.as_of, {", ".join(f"c.{name}" for name in list(_CHECK_COLUMNS)[2:])}
from control.check_result c join control.run r on r.owner = c.owner and r.run = c.run
where c.owner = :owner and (cast(:run as bigint) is null or c.run = :run)
order by c.run, c.suite, c.rule
"""
_RUNS = """
select run, as_of, state, outcome, figures from control.run
where owner = :owner and (cast(:run as bigint) is null or run = :run)
order by run
"""


def _frames(rows: Iterable[Values], named: Mapping[str, str]) -> Iterator["pd.DataFrame"]:
    """Yield rows as frames; one without rows when there are none."""
    left = iter(rows)
    first = True
    while part := list(islice(left, CHUNK)):
        yield _frame(part, named)
        first = False
    if first:
        yield _frame([], named)


def _frame(rows: Sequence[Values], named: Mapping[str, str]) -> "pd.DataFrame":
    import pandas as pd

    made = {}
    for place, (name, kind) in enumerate(named.items()):
        values = [row[place] for row in rows]
        if kind == "uuid":
            values = [None if value is None else str(value) for value in values]
        made[name] = pd.Series(values, dtype=_DTYPES[kind])
    return pd.DataFrame(made)
