"""The named expectations: classes on Great Expectations' own, each with a description, that answer with counts only.

An expectation here asks the database for one row: ``found`` (the number of faulty rows), ``row_ids`` (their ids),
``total`` (the rows that were looked at, where these are not the whole table) and ``broken`` (where finding some is no
breach). The result that Great Expectations gets, keeps and shows holds counts and nothing else. The
ids go past it, to ``found``: no store and no page of the library ever has a row's id.

The library's own classes for columns are not used on staged rows: they fetch the values, and their results quote them
(tests/quality/test_named.py). Its class for a table's number of rows is used, since it reads no value.

Importing this module imports the library, which takes six seconds: import it inside functions.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.expectations import UnexpectedRowsExpectation
from great_expectations.expectations.expectation_configuration import parse_result_format
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

from dataflyt.quality import rules
from dataflyt.quality.rules import ROWS

_FOUND: ContextVar[dict[str, list[int]] | None] = ContextVar("found", default=None)


@contextmanager
def found() -> Iterator[dict[str, list[int]]]:
    """Collect the ids of the faulty rows by rule, while expectations are tried in this context."""
    ids: dict[str, list[int]] = {}
    token = _FOUND.set(ids)
    try:
        yield ids
    finally:
        _FOUND.reset(token)


class ExpectOneRowOfCounts(UnexpectedRowsExpectation):  # type: ignore[misc]
    """The common part: a query that returns one row of counts, made cheaper in three places.

    The configuration is built once for each expectation; the library itself builds it anew each of the some twenty
    times it reads it. The query is run once; the library itself runs it again to count its rows. The metric that is
    needed is named, not looked up.
    """

    unexpected_rows_query: str = ""
    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)
    _made: Any = pydantic.PrivateAttr(default=None)

    @classmethod
    def sql(cls, said: dict[str, Any]) -> str:
        """Return the query for the expectation's arguments; ``{batch}`` in it is the table."""
        raise NotImplementedError

    @pydantic.root_validator(pre=True, allow_reuse=True)  # type: ignore[untyped-decorator]
    @classmethod
    def _ask(cls, said: dict[str, Any]) -> dict[str, Any]:
        """Write the query, with the rule's name in a comment: for the measured time, and for the server's log."""
        rule = (said.get("meta") or {}).get("rule", "")
        return said | {"unexpected_rows_query": f"{comment(rule)}{cls.sql(said)}"}

    @property
    def configuration(self) -> Any:
        """The configuration, built once, with the class's description."""
        if self._made is None:
            self._made = super().configuration
            self._made.description = self.description
        return self._made

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: dict[str, Any] | None = None
    ) -> ValidationDependencies:
        """Return the one metric that is needed. The library finds the same by reading every field of the class."""
        said = self.configuration.kwargs
        (metric,) = self.metric_dependencies
        asked = MetricConfiguration(
            metric,
            metric_domain_kwargs={key: said.get(key) for key in self.domain_keys},
            metric_value_kwargs={key: said[key] for key in self.success_keys},
        )
        wanted = (runtime_configuration or {}).get("result_format") or said.get("result_format") or "BASIC"
        return ValidationDependencies({metric: asked}, parse_result_format(wanted))

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        answer: dict[str, Any] = next(iter(metrics["unexpected_rows_query.table"]), {})
        count, ids = answer.get("found"), answer.get("row_ids") or []
        broken = bool(answer.get("broken", count != 0 if answer else False))
        collecting = _FOUND.get()
        if collecting is not None and broken:
            collecting[(self.meta or {}).get("rule", "")] = ids
        said = {"element_count": answer.get("total"), "unexpected_count": count if answer else 0}
        return {"success": not broken, "result": said}


def comment(rule: str) -> str:
    """Return the comment that begins a rule's query."""
    return f"/* {rule} */ " if rule else ""


class ExpectNoFaultyRow(ExpectOneRowOfCounts):
    """The common part of expectations of every row: none has the fault that ``condition`` writes in SQL."""

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault that the expectation's arguments describe: an SQL condition on a row ``t``."""
        raise NotImplementedError

    @classmethod
    def sql(cls, said: dict[str, Any]) -> str:
        """Count the faulty rows. One row with all ids: the library fetches no more than 200 rows of such a query."""
        return f"select count(*) as found, array_agg(row_id) as row_ids from {ROWS} where {cls.condition(said)}"


class ExpectNoFault(ExpectNoFaultyRow):
    """Expect that no row has a fault, an SQL condition on a row ``t``."""

    fault: str
    description: str = "Ingen rad har feilen."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return str(said["fault"])


class ExpectNone(ExpectOneRowOfCounts):
    """Expect that no row has a fault, and do not count the rows: the number would tell how many are protected."""

    fault: str
    description: str = "Ingen rad har feilen. Hvor mange det gjelder, telles ikke."

    @classmethod
    def sql(cls, said: dict[str, Any]) -> str:
        """Ask whether there is such a row."""
        return f"select 1 as found from {ROWS} where {said['fault']} limit 1"


class ExpectIdentityNumber(ExpectNoFaultyRow):
    """Expect that a value, where the column has one, has the form of a fødselsnummer or D-number."""

    column: str
    description: str = "Et nummer som er oppgitt, har elleve siffer."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return f"t.{said['column'].lower()} !~ {rules.literal(rules.NUMBER)}"


class ExpectForm(ExpectNoFaultyRow):
    """Expect that a value, where the column has one, matches a pattern."""

    column: str
    pattern: str
    description: str = "En verdi som er oppgitt, har formen den skal ha."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return f"t.{said['column'].lower()} !~ {rules.literal(said['pattern'])}"


class ExpectValue(ExpectNoFaultyRow):
    """Expect that the column has a value."""

    column: str
    description: str = "Feltet har en verdi."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return f"t.{said['column'].lower()} is null"


class ExpectFilledIn(ExpectNoFaultyRow):
    """Expect that one of the columns, at least, is not blank."""

    columns: list[str]
    description: str = "Minst ett av feltene er fylt ut."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return rules.blank(*said["columns"])


class ExpectKnownWord(ExpectNoFaultyRow):
    """Expect that a value, where the column has one, is one of the words that we know."""

    column: str
    words: list[str]
    description: str = "Et kodeord som er oppgitt, er et vi kjenner."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return f"t.{said['column'].lower()} not in ({', '.join(map(rules.literal, said['words']))})"


class ExpectNumberBetween(ExpectNoFaultyRow):
    """Expect that a value, where the column has one, lies from ``low`` to ``high``."""

    column: str
    low: float
    high: float
    description: str = "Et tall som er oppgitt, ligger innenfor grensene."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return f"t.{said['column'].lower()} not between {said['low']:g} and {said['high']:g}"


class ExpectReadableDates(ExpectNoFaultyRow):
    """Expect that the columns' values begin with a date of our time."""

    columns: list[str]
    placeholders: bool = False
    description: str = "En dato som er oppgitt, kan leses, og årstallet kan stemme."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return rules.unreadable(*said["columns"], placeholders=said.get("placeholders", False))


class ExpectDatesInOrder(ExpectNoFaultyRow):
    """Expect that the end is not before the beginning."""

    begin: str
    end: str
    description: str = "Slutten er ikke før begynnelsen."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return rules.reversed_dates(said["begin"], said["end"])


class ExpectReferenceTo(ExpectNoFaultyRow):
    """Expect that the column's value is in one of the other columns, each written ``table.column``."""

    column: str
    elsewhere: list[str]
    description: str = "Det raden viser til, finnes."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return rules.absent(said["column"], *said["elsewhere"])


class ExpectWholeLetters(ExpectNoFaultyRow):
    """Expect that the columns were read in the encoding that they were written in."""

    columns: list[str]
    description: str = "Bokstavene er hele: teksten er lest med riktig tegnsett."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return rules.garbled(*said["columns"])


class ExpectOneAnswer(ExpectNoFaultyRow):
    """Expect that rows of the same key agree in these fields: such rows are one row, repeated."""

    agree_in: list[str]
    description: str = "Rader om det samme sier det samme."

    @classmethod
    def condition(cls, said: dict[str, Any]) -> str:
        """Return the fault."""
        return rules.disagreeing(said["agree_in"])


class ExpectSeldom(ExpectOneRowOfCounts):
    """Expect faults in at most so many percent of the rows ``among``, or in at most ``few``."""

    faults: list[str]
    percent: float
    among: str = "true"
    few: int = 10
    description: str = "Feilen er så sjelden at den ikke gjelder hele filen."

    @classmethod
    def sql(cls, said: dict[str, Any]) -> str:
        """Count the rows with one of the faults, and the rows that they are among."""
        among, few, percent = said.get("among", "true"), said.get("few", 10), said["percent"]
        # "union", not "or": PostgreSQL joins for one "not exists", but loops over the rows for two with "or" between.
        faulty = " union ".join(f"select row_id from {ROWS} where {among} and ({fault})" for fault in said["faults"])
        return (
            f"select found, total, found > greatest({few}, total * {percent:g} / 100) as broken from "
            f"(select (select count(*) from ({faulty}) as faulty) as found, "
            f"(select count(*) from {ROWS} where {among}) as total) as share"
        )


class ExpectRowsKept(ExpectOneRowOfCounts):
    """Expect at least so many rows ``among``: not many fewer than in the last released run."""

    rows: int
    among: str
    description: str = "Tabellen er ikke blitt mye mindre siden sist."

    @classmethod
    def sql(cls, said: dict[str, Any]) -> str:
        """Count the rows. No row is at fault, so none is counted as such."""
        return (
            f"select null as found, count(*) as total, count(*) < {said['rows']} as broken "
            f"from {ROWS} where {said['among']}"
        )


class ExpectNothingFound(ExpectOneRowOfCounts):
    """Expect that a query of the rule's own returns no row."""

    query: str
    description: str = "Spørringen finner ingenting."

    @classmethod
    def sql(cls, said: dict[str, Any]) -> str:
        """Return the query."""
        return str(said["query"])
