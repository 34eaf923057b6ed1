"""Checks of what is staged, by Great Expectations: which rows to set aside, and whether the run may go on.

In: rules, as data, from ``sources/<source>/checks.py``, and the kommune's staging schema. Out: row ids to quarantine,
each with a reason for the operator and who has to correct it; tables that stop the run; things worth a note.

A result of Great Expectations holds whatever a check asks for, so checks ask for counts and row ids alone, and nothing
else is kept of a result: no value, observed value or exception text is stored, logged or returned. When Great
Expectations itself fails, or its ids and counts disagree, the run is stopped with CheckFailed: an unanswered check is
not a passed one.

Great Expectations takes six seconds to import, so it is imported inside functions.
"""

import logging
import math
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

from dataflyt.errors import CheckFailed, DataflytError, SourceUnavailable
from dataflyt.formats.letters import GARBLED
from dataflyt.formats.reading import EARLIEST, LATEST

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

Scope: TypeAlias = Literal["row", "table", "note"]
"""What breaking a rule leads to: the row is quarantined, the run is stopped, or it is counted and nothing more."""

_SEVERITY: dict[Scope, str] = {"row": "warning", "table": "critical", "note": "info"}


# --- What comes out ---------------------------------------------------------------------------------------------------


class Quarantined(NamedTuple):
    """A row to set aside, and one rule that it breaks. A row that breaks several rules stands once for each."""

    table: str
    row_id: int
    rule: str
    reason: str
    responsible: str


class Broken(NamedTuple):
    """A rule for a whole table that is broken: the run must stop. No count where the rule counts no rows."""

    table: str
    rule: str
    reason: str
    responsible: str
    unexpected_count: int | None


class Noted(NamedTuple):
    """Something that somebody ought to correct, and that neither quarantines a row nor stops the run."""

    table: str
    rule: str
    reason: str
    responsible: str
    unexpected_count: int | None


@dataclass
class Result:
    """What the checks found. ``checked`` is the number of rows per table."""

    quarantined: list[Quarantined] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


# --- Rules as data ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """What rules need to know besides the rows.

    ``previous`` are the rows per table, or those that ``kept`` counts, of the last released run (empty on the first),
    ``max_drop_percent`` how many percent fewer there may be now. ``pupils`` are those of each school (by organisation
    number) in that run.
    ``beside`` are rows per table now that ``previous`` has no counterpart of: they make up for none that is missing.
    """

    previous: Mapping[str, int]
    max_drop_percent: float
    pupils: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """An expectation by its class name in Great Expectations, and its arguments."""

    expectation: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rule of one table. ``reason`` is a sentence for the operator, ``responsible`` who has to correct it."""

    scope: Scope
    name: str
    check: Check
    responsible: str
    reason: str


Rules: TypeAlias = Mapping[str, Sequence[Rule]]
"""Rules per table, by its name in the warehouse."""


def row(name: str, check: Check, responsible: str, reason: str) -> Rule:
    """Declare a rule whose breach quarantines the row."""
    return Rule("row", name, check, responsible, reason)


def table(name: str, check: Check, responsible: str, reason: str) -> Rule:
    """Declare a rule whose breach stops the run."""
    return Rule("table", name, check, responsible, reason)


def note(name: str, check: Check, responsible: str, reason: str) -> Rule:
    """Declare a rule whose breach is counted, and nothing more."""
    return Rule("note", name, check, responsible, reason)


# --- Checks -----------------------------------------------------------------------------------------------------------

# In SQL, because the core expectations for columns answer with values, take twice the processor's time, and see one
# column only. The table is ``t``; a colon or a brace means something else to Great Expectations.

NUMBER = r"^\d{11}$"
"""Fødselsnummer or D-number as far as a pattern can tell."""

_ROWS = "(select * from {batch}) as t"

_QUERY = "UnexpectedRowsExpectation"
"""The expectation that most checks are: a query of ours that finds nothing."""


def never(fault: str) -> Check:
    """Expect that no row has this fault (an SQL condition)."""
    return Check(
        _QUERY,
        {
            # One row with all ids: Great Expectations fetches no more than 200 rows of such a query.
            "unexpected_rows_query": "select count(*) as found, array_agg(row_id) as row_ids "
            f"from {_ROWS} where {fault} having count(*) > 0"
        },
    )


def never_any(fault: str) -> Check:
    """Expect that no row has this fault, where nobody may be told how many have."""
    return Check(
        _QUERY,
        {"unexpected_rows_query": f"select 1 as found from {_ROWS} where {fault} limit 1"},
    )


def matches(column: str, pattern: str) -> Check:
    """Expect that a value, where the column has one, matches the pattern."""
    return never(f"t.{column.lower()} !~ {_literal(pattern)}")


def present(column: str) -> Check:
    """Expect that the column has a value."""
    return never(f"t.{column.lower()} is null")


def one_of(column: str, *values: str) -> Check:
    """Expect that a value, where the column has one, is one of these."""
    return never(f"t.{column.lower()} not in ({', '.join(map(_literal, values))})")


def between(column: str, low: float, high: float) -> Check:
    """Expect that a value, where the column has one, lies from ``low`` to ``high``."""
    return never(f"t.{column.lower()} not between {low} and {high}")


def filled() -> Check:
    """Expect that the table has rows."""
    return Check("ExpectTableRowCountToBeBetween", {"min_value": 1})


def kept(among: str | None = None) -> Check:
    """Expect that the table has not lost more rows since the last released run than the kommune allows.

    ``among`` (an SQL condition) says which rows count; ``Context.previous`` and ``beside`` have counted the same.
    """
    return Check(_KEPT, {"among": among})


_KEPT = "kept"
"""Becomes an expectation when the number of rows that there must be is known."""


def _at_least(rows: int, among: str | None = None) -> Check:
    if among is None:
        return Check("ExpectTableRowCountToBeBetween", {"min_value": rows})
    return Check(
        _QUERY,
        {"unexpected_rows_query": f"select 1 as found from {_ROWS} where {among} having count(*) < {rows}"},
    )


def seldom(*faults: str, percent: float, among: str = "true", few: int = 10) -> Check:
    """Expect these faults in at most ``percent`` of the rows ``among`` (an SQL condition), or in at most ``few``."""
    # A union, and not "or": PostgreSQL joins for one "not exists", and loops for two of them with an "or" between.
    faulty = " union ".join(f"select row_id from {_ROWS} where {among} and ({fault})" for fault in faults)
    return Check(
        _QUERY,
        {
            "unexpected_rows_query": f"select found from (select (select count(*) from ({faulty}) as faulty) as found, "
            f"(select count(*) from {_ROWS} where {among}) as total) as share "
            f"where found > greatest({few}, total * {percent:g} / 100)"
        },
    )


def _literal(value: str) -> str:
    """Write a text as SQL, with its braces doubled for Great Expectations."""
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def ambiguous(fields: Sequence[str]) -> Check:
    """Expect that rows of the same key agree in these fields: rows that do are one row, only repeated."""
    said = ", ".join(f't."{name.lower()}"' for name in fields)
    return never(f"t.key in (select t.key from {_ROWS} group by t.key having count(distinct row({said})) > 1)")


def absent(column: str, *elsewhere: str) -> str:
    """Write the fault that the column's value is in none of these, each written ``table.column``."""
    return " and ".join(
        f"not exists (select from {other.split('.')[0]} as other where other.{other.split('.')[1]} = t.{column})"
        for other in elsewhere
    )


def blank(*columns: str) -> str:
    """Write the fault that none of the columns has anything in it."""
    return f"btrim(concat({', '.join(columns)})) = ''"


def garbled(*columns: str) -> str:
    """Write the fault that the letters in one of the columns were written in one encoding and read in another."""
    return f"concat_ws(' ', {', '.join(columns)}) ~ {_literal(GARBLED)}"


def letters(*columns: str, responsible: str, supplier: str, file: str, what: str = "Navnet") -> tuple[Rule, Rule]:
    """Declare that rows with garbled letters are quarantined, and that the run stops above one percent of them.

    One such row is somebody's typing, and stops nothing. ``responsible`` corrects a row, ``supplier`` the file, which
    the sentence calls ``file``; ``what`` is what the columns are.
    """
    fault = garbled(*columns)
    return (
        row(
            "letters",
            never(fault),
            responsible,
            f"{what} har ødelagte bokstaver, som «PrÃ¸ve» for «Prøve»: skriv det på nytt der det er registrert.",
        ),
        table(
            "encoding",
            seldom(fault, percent=1, few=1),
            supplier,
            f"{file}: over én prosent av radene har ødelagte bokstaver, filen er lest med feil tegnsett. "
            "Be leverandøren levere den i UTF-8.",
        ),
    )


def not_digits(column: str, digits: int) -> str:
    """Write the fault that the column is not just so many digits."""
    return rf"({column} is null or length({column}) <> {digits} or {column} ~ '\D')"


def unreadable(*columns: str, placeholders: bool = False) -> str:
    """Write the fault that one of the columns has a value that does not begin with a date (ISO 8601) of our time.

    ``placeholders``: the years 1 and 9999, for "always" and "until further notice", are let through.
    """
    let_through = " and left({column}, 5) not in ('0001-', '9999-')" if placeholders else ""
    return " or ".join(
        rf"({column} is not null and ({column} !~ '^\d\d\d\d-\d\d-\d\d' "
        f"or not pg_input_is_valid(left({column}, 10), 'date') "
        f"or left({column}, 10) not between '{EARLIEST}' and '{LATEST}'{let_through.format(column=column)}))"
        for column in columns
    )


def reversed_dates(begin: str, end: str) -> str:
    """Write the fault that the end lies before the beginning, both readable (ISO 8601 sorts as text)."""
    return f"not ({unreadable(begin, end)}) and left({end}, 10) < left({begin}, 10)"


def checksum(column: str, *weights: int) -> str:
    """Write the weighted sum of the column's digits, modulo 11; null where it is not just so many digits."""
    digits = " + ".join(f"{weight} * substr({column}, {at}, 1)::int" for at, weight in enumerate(weights, 1))
    return f"case when not {not_digits(column, len(weights))} then mod({digits}, 11) end"


# --- From rules to suites ---------------------------------------------------------------------------------------------


def build(rules: Rules, context: Context) -> "list[ExpectationSuite]":
    """Make a suite of each table's rules, named after the table."""
    with _quiet():
        import great_expectations as gx
        import great_expectations.expectations as gxe

        suites = []
        for name, declared in rules.items():
            expectations = []
            for rule in declared:
                check = rule.check
                if check.expectation == _KEPT:
                    if name not in context.previous:
                        continue
                    rows = math.ceil(context.previous[name] * (1 - context.max_drop_percent / 100))
                    check = _at_least(rows + context.beside.get(name, 0), check.arguments["among"])
                elif check == filled():
                    check = _at_least(1 + context.beside.get(name, 0))
                expectation = _query() if check.expectation == _QUERY else getattr(gxe, check.expectation)
                meta = {
                    "rule": f"{name}.{rule.name}",
                    "scope": rule.scope,
                    "reason": rule.reason,
                    "responsible": rule.responsible,
                }
                expectations.append(expectation(**check.arguments, severity=_SEVERITY[rule.scope], meta=meta))
            suites.append(gx.ExpectationSuite(name=name, expectations=expectations))
        return suites


@cache
def _query() -> Any:
    """Return Great Expectations' class for a query of ours, made cheaper in two places.

    The configuration is built once: the library asks for it some twenty times a check. The query is run once: the
    library runs it again to count its rows, and ours gives one row at most.
    """
    from great_expectations.compatibility import pydantic
    from great_expectations.expectations import UnexpectedRowsExpectation

    class FaultyRowsExpectation(UnexpectedRowsExpectation):  # type: ignore[misc]
        _made: Any = pydantic.PrivateAttr(default=None)

        @property
        def configuration(self) -> Any:
            if self._made is None:
                self._made = super().configuration
            return self._made

        metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

        def _validate(self, metrics: dict[str, Any], *rest: Any, **named: Any) -> Any:
            counted = {"unexpected_rows_query.row_count": len(metrics["unexpected_rows_query.table"])}
            return super()._validate(metrics | counted, *rest, **named)

    return FaultyRowsExpectation


# --- Running ----------------------------------------------------------------------------------------------------------


def run(url: str, schema: str, suites: "Sequence[ExpectationSuite]") -> Result:
    """Run the suites on the tables they are named after, in this schema of the database at ``url`` (SQLAlchemy's form).

    Raises CheckFailed, naming table and rule and nothing more, when a check could not be carried out, and
    SourceUnavailable when that was for a database that did not answer.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
        raise ValueError(f"not a schema name that needs no quoting: {schema!r}")
    result = Result()
    failure: DataflytError | None = None
    name = schema
    # Great Expectations keeps but the text of most errors: what the database said is heard where it was said.
    heard: list[DataflytError] = []
    try:
        with _quiet(), _data_source(url, schema, [suite.name for suite in suites], heard) as source:
            for suite in suites:
                name = suite.name
                _run_suite(source, suite, result)
    except CheckFailed as known:
        failure = known
    except Exception as error:  # its text may hold values, or the database's password
        failure = _failed(name, error=type(error).__name__)
    if failure:  # raised here and bare: neither another error as its context nor frames that hold results
        failure = next((error for error in heard if isinstance(error, SourceUnavailable)), failure)
        raise failure.with_traceback(None)
    for found in (result.broken, result.noted):
        found.sort(key=lambda one: (one.table, one.rule))
    return result


def _run_suite(source: Any, suite: "ExpectationSuite", result: Result) -> None:
    import sqlalchemy

    asset = source.get_asset(suite.name)
    batch = asset.get_batch(asset.build_batch_request())
    with source.get_execution_engine().engine.connect() as connection:
        count = sqlalchemy.select(sqlalchemy.func.count()).select_from(sqlalchemy.table(asset.table_name))
        result.checked[suite.name] = connection.execute(count).scalar_one()
    outcomes = batch.validate(suite, result_format="COMPLETE").results
    if len(outcomes) != len(suite.expectations):
        raise _failed(suite.name)
    for outcome in outcomes:
        _sort(suite.name, outcome, result)


def _sort(table_name: str, outcome: Any, result: Result) -> None:
    """Put one expectation's outcome where it belongs."""
    meta = outcome.expectation_config.meta
    rule = meta["rule"]
    about = (meta["reason"], meta["responsible"])
    if _raised(outcome.exception_info):
        raise _failed(table_name, rule)
    count, ids = _found(outcome.result)
    if count is None and outcome.expectation_config.type != "expect_table_row_count_to_be_between":
        raise _failed(table_name, rule)
    if outcome.success:
        if count:
            raise _failed(table_name, rule)
    elif meta["scope"] == "row":
        if not ids or len(set(ids)) != count:
            raise _failed(table_name, rule)
        result.quarantined += [Quarantined(table_name, row_id, rule, *about) for row_id in sorted(ids)]
    elif meta["scope"] == "table":
        result.broken.append(Broken(table_name, rule, *about, count))
    else:
        result.noted.append(Noted(table_name, rule, *about, count))


def _raised(exception_info: Any) -> bool:
    """Tell whether an expectation raised: one record, or one per metric."""
    if not exception_info:
        return False
    if "raised_exception" in exception_info:
        return bool(exception_info["raised_exception"])
    return any(_raised(info) for info in exception_info.values())


def _found(result: Mapping[str, Any]) -> tuple[int | None, list[int]]:
    """Faulty rows of a result: how many (None where it counts the table's), and their ids where it has them."""
    if "details" not in result:
        return None, []
    for answer in result["details"]["unexpected_rows"]:  # our SQL: one row that counts, and may hold ids
        return answer.get("found"), answer.get("row_ids") or []
    return 0, []


def _failed(table_name: str, rule: str | None = None, **facts: object) -> CheckFailed:
    what = f"Regelen {rule}" if rule else f"Kontrollen av {table_name}"
    return CheckFailed(f"{what} kunne ikke prøves, så kjøringen er stoppet.", table=table_name, rule=rule, **facts)


@contextmanager
def _data_source(url: str, schema: str, tables: Sequence[str], heard: list[DataflytError]) -> Iterator[Any]:
    """Open a data source that sees these tables of this schema and cannot write; close its connections afterwards.

    What the database refuses is added to ``heard``.
    """
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.datasource.fluent import SQLDatasource
    from great_expectations.datasource.fluent.sql_datasource import TableAsset
    from psycopg.pq import TransactionStatus
    from sqlalchemy import Connection, Engine, ExceptionContext, PoolProxiedConnection, event, inspect

    from dataflyt.storage import database

    def begin(connection: Connection) -> None:
        """Begin one transaction and let it stand: Great Expectations would begin one for each of its statements."""
        if database.driver(connection).info.transaction_status == TransactionStatus.IDLE:
            database.be_patient(connection, f"set transaction read only; set local search_path = {schema}")
            for end in ("do_commit", "do_rollback"):
                setattr(connection.dialect, end, end_if_failed)

    def end_if_failed(connection: PoolProxiedConnection) -> None:
        driver: Any = connection.driver_connection
        if driver.info.transaction_status == TransactionStatus.INERROR:
            driver.rollback()

    def hear(failed: ExceptionContext) -> None:
        error = database.said(failed.sqlalchemy_exception or failed.original_exception)  # type: ignore[arg-type]
        if error.facts.get("sqlstate") != "25006":  # that a check may not write is our own doing
            heard.append(error)

    def watched(engine: Engine) -> Engine:
        event.listen(engine, "begin", begin)
        event.listen(engine, "handle_error", hear)
        return engine

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars={"globally": False},
        ),
    )
    # With its tables, because the context writes down its whole configuration for each that is added later.
    source = SQLDatasource(
        name=schema,
        connection_string=url,
        kwargs={"connect_args": database.connect_args(url), "hide_parameters": True},
        # PostgreSQL folds the case of names
        assets=[TableAsset(name=table, table_name=table.lower()) for table in tables],
    )
    try:
        there = set(inspect(watched(source.get_engine())).get_table_names(schema=schema))
        for table in tables:  # Great Expectations names a missing one only in a text that may hold the password
            if table.lower() not in there:
                raise _failed(table)
        context.data_sources.add_sql(source)
        with closing(source.get_execution_engine()) as checking:
            watched(checking.engine)
            yield source
    finally:
        source.get_engine().dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Great Expectations from logging (its errors quote values), from warning, and from calling home."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    logger = logging.getLogger("great_expectations")
    before = logger.level, logger.propagate, logger.handlers
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before[0])
        logger.propagate, logger.handlers = before[1:]
