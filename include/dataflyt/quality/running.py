"""Run suites on staged tables: find the rows to set aside, and decide whether the run may go on.

In: suites (``expectations.build``) and the kommune's staging schema. Out: row ids to quarantine, each with a reason for
the operator and the party that has to correct it; broken rules that stop the run; faults worth a note; and the outcome
of every rule.

Each table has a ValidationDefinition, and each source a Checkpoint of these. A result of Great Expectations holds
everything that an expectation asks for. Ours therefore ask only for counts and row ids (``named``), and nothing else of
a result is kept: no value, observed value or exception text is stored, logged or returned. When Great Expectations
itself fails, or its ids and counts disagree, the run is stopped with CheckFailed: an unanswered check is not a passed
one.

Great Expectations takes six seconds to import, so it is imported inside functions.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, ExceptionContext, PoolProxiedConnection, event, func, inspect, select, table

from dataflyt.errors import CheckFailed, DataflytError, SourceUnavailable
from dataflyt.quality.expectations import quiet
from dataflyt.quality.rules import Outcome
from dataflyt.storage import database

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

_RULE = re.compile(r"/\* ([a-z_]+\.\w+) \*/")
"""The comment in a rule's query that names the rule (``named.comment``)."""


class Quarantined(NamedTuple):
    """A row to set aside, and a rule that it breaks. A row that breaks several rules has several of these."""

    table: str
    row_id: int
    rule: str
    reason: str
    responsible: str


class BrokenRule(NamedTuple):
    """A broken rule of a whole table, which stops the run. ``count`` is None if the rule counts no rows."""

    table: str
    rule: str
    reason: str
    responsible: str
    unexpected_count: int | None


class Noted(NamedTuple):
    """A fault that ought to be corrected, but that neither quarantines a row nor stops the run."""

    table: str
    rule: str
    reason: str
    responsible: str
    unexpected_count: int | None


@dataclass
class Result:
    """The findings of the suites. ``checked`` is the number of rows in each table."""

    quarantined: list[Quarantined] = field(default_factory=list)
    broken: list[BrokenRule] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)


def run(url: str, schema: str, suites: "Sequence[ExpectationSuite]") -> Result:
    """Run the suites on the tables they are named after, in this schema of the database at ``url`` (SQLAlchemy's form).

    Raises CheckFailed if a rule could not be tried; it names only the table and the rule. Raises SourceUnavailable if
    the reason was a database that did not answer.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", schema):
        raise ValueError(f"not a schema name that needs no quoting: {schema!r}")
    result = Result()
    failure: DataflytError | None = None
    doing = [schema]  # the suite that is being tried
    # Great Expectations keeps only the text of most errors, so the database's own are caught where they arise.
    heard: list[DataflytError] = []
    try:
        with quiet(), _data_source(url, schema, [suite.name for suite in suites], heard) as (source, took):
            for name, of_source in groupby(suites, lambda suite: suite.name.partition("_")[0]):
                _run_checkpoint(source, name, list(of_source), took, result, doing)
    except CheckFailed as known:
        failure = known
    except Exception as error:  # its text may hold values, or the database's password
        failure = _failed(doing[0], error=type(error).__name__)
    if failure:  # raised here, so that neither its context nor its traceback holds results
        failure = next((error for error in heard if isinstance(error, SourceUnavailable)), failure)
        raise failure.with_traceback(None)
    for found in (result.broken, result.noted):
        found.sort(key=lambda one: (one.table, one.rule))
    return result


def _run_checkpoint(
    source: Any,
    name: str,
    suites: "Sequence[ExpectationSuite]",
    took: Mapping[str, float],
    result: Result,
    doing: list[str],
) -> None:
    """Run the suites of a source as one Checkpoint, and add what they find to the result."""
    from dataflyt.quality import named
    from dataflyt.quality.unstored import UnstoredCheckpoint, UnstoredDefinition

    definitions = []
    for suite in suites:
        doing[0] = suite.name
        (everything,) = source.get_asset(suite.name).batch_definitions
        definitions.append(UnstoredDefinition(name=suite.name, data=everything, suite=suite))
    checkpoint = UnstoredCheckpoint(name=name, validation_definitions=definitions, result_format="SUMMARY")
    with named.found() as ids:
        validated = list(checkpoint.run().run_results.values())
    with source.get_execution_engine().engine.connect() as connection:
        for suite, outcomes in zip(suites, validated, strict=True):
            doing[0] = suite.name
            count = select(func.count()).select_from(table(source.get_asset(suite.name).table_name))
            result.checked[suite.name] = connection.execute(count).scalar_one()
            if len(outcomes.results) != len(suite.expectations):
                raise _failed(suite.name)
            for outcome in outcomes.results:
                _sort(suite.name, outcome, ids, took, result)


def _sort(
    table_name: str, outcome: Any, found: Mapping[str, list[int]], took: Mapping[str, float], result: Result
) -> None:
    """Add an expectation's outcome to the result. Raises CheckFailed if it was not tried or contradicts itself."""
    meta = outcome.expectation_config.meta
    rule, scope = meta["rule"], meta["scope"]
    about = (meta["reason"], meta["responsible"])
    if _raised(outcome.exception_info):
        raise _failed(table_name, rule)
    of_rows = outcome.expectation_config.type != "expect_table_row_count_to_be_between"
    if of_rows and "unexpected_count" not in outcome.result:
        raise _failed(table_name, rule)
    count = outcome.result.get("unexpected_count")
    ids = found.get(rule, [])
    if outcome.success:
        if ids:
            raise _failed(table_name, rule)
    elif scope == "row":
        if not ids or len(set(ids)) != count:
            raise _failed(table_name, rule)
        result.quarantined += [Quarantined(table_name, row_id, rule, *about) for row_id in sorted(ids)]
    elif scope == "table":
        result.broken.append(BrokenRule(table_name, rule, *about, count))
    else:
        result.noted.append(Noted(table_name, rule, *about, count))
    checked = outcome.result.get("element_count")
    checked = result.checked[table_name] if checked is None else checked
    numbers = (checked, count if of_rows else None) if meta["counted"] else (None, None)
    told = (meta["counted"], *numbers, took.get(rule))
    result.outcomes.append(Outcome(table_name, rule, scope, *about, bool(outcome.success), *told))


def _raised(exception_info: Any) -> bool:
    """Tell whether an expectation raised. ``exception_info`` is one record, or one per metric."""
    if not exception_info:
        return False
    if "raised_exception" in exception_info:
        return bool(exception_info["raised_exception"])
    return any(_raised(info) for info in exception_info.values())


def _failed(table_name: str, rule: str | None = None, **facts: object) -> CheckFailed:
    what = f"Regelen {rule}" if rule else f"Kontrollen av {table_name}"
    return CheckFailed(f"{what} kunne ikke prøves, så kjøringen er stoppet.", table=table_name, rule=rule, **facts)


@contextmanager
def _data_source(
    url: str, schema: str, tables: Sequence[str], heard: list[DataflytError]
) -> Iterator[tuple[Any, dict[str, float]]]:
    """Open a data source that sees these tables of this schema and cannot write; close its connections afterwards.

    Also returns the seconds that each rule's query has taken, as they are tried. Errors of the database are added to
    ``heard``.
    """
    import great_expectations as gx
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.datasource.fluent import SQLDatasource
    from great_expectations.datasource.fluent.sql_datasource import TableAsset

    def begin(connection: Connection) -> None:
        database.be_patient(connection, f"set transaction read only; set local search_path = {schema}")

    def begin_once(connection: Connection) -> None:
        """Begin one transaction and keep it open: Great Expectations would begin one for each of its statements."""
        if database.driver(connection).info.transaction_status == TransactionStatus.IDLE:
            begin(connection)
            for end in ("do_commit", "do_rollback"):
                setattr(connection.dialect, end, end_if_failed)

    def end_if_failed(connection: PoolProxiedConnection) -> None:
        driver: Any = connection.driver_connection
        if driver.info.transaction_status == TransactionStatus.INERROR:
            driver.rollback()

    def hear(failed: ExceptionContext) -> None:
        error = database.said(failed.sqlalchemy_exception or failed.original_exception)  # type: ignore[arg-type]
        if error.facts.get("sqlstate") != "25006":  # the read-only setting is our own
            heard.append(error)

    took: dict[str, float] = {}

    def ask(connection: Connection, *_: object) -> None:
        connection.info["asked_at"] = time.perf_counter()

    def answered(connection: Connection, _: object, statement: str, *__: object) -> None:
        if rule := _RULE.search(statement):
            took[rule[1]] = took.get(rule[1], 0) + time.perf_counter() - connection.info["asked_at"]

    def watched(engine: Engine, begins: Callable[[Connection], None]) -> Engine:
        event.listen(engine, "begin", begins)
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
    # All tables at once: the context writes its whole configuration again for each table that is added later.
    source = SQLDatasource(
        name=schema,
        connection_string=url,
        kwargs={"connect_args": database.connect_args(url), "hide_parameters": True},
        # PostgreSQL folds the case of names
        assets=[
            TableAsset(
                name=table,
                table_name=table.lower(),
                batch_definitions=[BatchDefinition(name="everything", id=str(uuid4()))],
            )
            for table in tables
        ],
    )
    try:
        # It ends its transaction: a pooler may have one session for us, and the checks need that.
        there = set(inspect(watched(source.get_engine(), begin)).get_table_names(schema=schema))
        for table in tables:  # Great Expectations names a missing table only in a text that may hold the password
            if table.lower() not in there:
                raise _failed(table)
        context.data_sources.add_sql(source)
        with closing(source.get_execution_engine()) as running:
            watched(running.engine, begin_once)
            event.listen(running.engine, "before_cursor_execute", ask)
            event.listen(running.engine, "after_cursor_execute", answered)
            yield source, took
    finally:
        source.get_engine().dispose()
