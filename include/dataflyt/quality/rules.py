"""Quality rules as data: an expectation of a table's rows, the one who corrects faults, and the reason in Norwegian.

``sources/<source>/checks.py`` declares its rules with ``row``, ``table`` and ``note``, and an expectation in each:
``never`` (no row has this fault), ``seldom`` (at most so many percent have), ``kept`` (the table has not shrunk), and
others. A fault is an SQL condition on a row ``t`` of the table; the functions from ``absent`` on write some of these
conditions. ``named`` has the classes of the expectations, and ``expectations`` makes suites of them; nothing here
imports Great Expectations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from dataflyt.formats.dates import EARLIEST, LATEST
from dataflyt.formats.letters import GARBLED, SUSPECT

Scope: TypeAlias = Literal["row", "table", "note", "file"]
"""The effect of a breach: the row is quarantined, the run is stopped, the breach is only counted, or a written file is
not published."""


# --- Rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """The facts that rules need besides the rows.

    ``previous``: rows per table in the last released run, only the rows that ``kept`` counts; empty on the first run.
    ``max_drop_percent``: the largest permitted drop since that run, in percent. ``pupils``: pupils per school in that
    run, by organisation number. ``beside``: rows per table now of a kind that ``previous`` does not count. They are
    added to the expected minimum, so that they do not hide missing rows.
    """

    previous: Mapping[str, int]
    max_drop_percent: float
    pupils: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Expectation:
    """An expectation: the name of its class (in ``named``, or the library's own), and the arguments."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rule of one table. ``reason`` is a Norwegian sentence for the operator; ``responsible`` corrects the fault.

    ``releasable``: people may let a row in that breaks the rule. Only where the row alone breaks it, and where the row
    as it stands can give nobody access: never for an identity number, a protection, a reference or a foreldreansvar.
    """

    scope: Scope
    name: str
    expectation: Expectation
    responsible: str
    reason: str
    releasable: bool = False


class Outcome(NamedTuple):
    """The outcome of a rule in a run, by its ``suite``: a staged table's, or a published file's (scope ``file``).

    ``checked`` is the number of rows that the rule looked at, ``took`` the seconds that the database used. The numbers
    are None where they are not known, or where they must not be, and then ``counted`` is false (``never_any``).
    """

    suite: str
    rule: str
    scope: str
    reason: str
    responsible: str
    passed: bool
    counted: bool
    checked: int | None
    unexpected: int | None
    took: float | None


Rules: TypeAlias = Mapping[str, Sequence[Rule]]
"""Rules per table, by its name in the warehouse."""


def row(name: str, expectation: Expectation, responsible: str, reason: str, *, releasable: bool = False) -> Rule:
    """Declare a rule whose breach quarantines the row. ``releasable``: people may let the row in all the same."""
    return Rule("row", name, expectation, responsible, reason, releasable)


def table(name: str, expectation: Expectation, responsible: str, reason: str) -> Rule:
    """Declare a rule whose breach stops the run."""
    return Rule("table", name, expectation, responsible, reason)


def note(name: str, expectation: Expectation, responsible: str, reason: str) -> Rule:
    """Declare a rule whose breach is only counted."""
    return Rule("note", name, expectation, responsible, reason)


# --- Expectations -----------------------------------------------------------------------------------------------------

# Each function names a class and its arguments. Most of the classes are SQL queries of ours: Great Expectations' own
# classes for columns fetch the values, take twice the CPU time, and see one column only. In a query the table is ``t``.
# Colons and braces have a special meaning in Great Expectations' queries.

NUMBER = r"^\d{11}$"
"""The form of a fødselsnummer or D-number."""

ROWS = "(select * from {batch}) as t"
"""The table's rows, as a query names them."""

_ROW_COUNT = "ExpectTableRowCountToBeBetween"
"""The library's own class for a table's number of rows."""

UNCOUNTED = "ExpectNone"
"""The class of a rule whose number must not be known."""


def no_rows(query: str) -> Expectation:
    """Expect that an SQL query returns no row; ``{batch}`` in it is the table."""
    return Expectation("ExpectNothingFound", {"query": query})


def never(fault: str) -> Expectation:
    """Expect that no row has this fault (an SQL condition)."""
    return Expectation("ExpectNoFault", {"fault": fault})


def never_any(fault: str) -> Expectation:
    """Expect that no row has this fault, and do not count the rows: the number must not be known."""
    return Expectation(UNCOUNTED, {"fault": fault})


def identity_number(column: str) -> Expectation:
    """Expect that a value, where the column has one, has the form of a fødselsnummer or D-number."""
    return Expectation("ExpectIdentityNumber", {"column": column})


def matches(column: str, pattern: str) -> Expectation:
    """Expect that a value, where the column has one, matches the pattern."""
    return Expectation("ExpectForm", {"column": column, "pattern": pattern})


def present(column: str) -> Expectation:
    """Expect that the column has a value."""
    return Expectation("ExpectValue", {"column": column})


def filled_in(*columns: str) -> Expectation:
    """Expect that one of the columns, at least, is not blank."""
    return Expectation("ExpectFilledIn", {"columns": list(columns)})


def one_of(column: str, *values: str) -> Expectation:
    """Expect that a value, where the column has one, is one of these."""
    return Expectation("ExpectKnownWord", {"column": column, "words": list(values)})


def between(column: str, low: float, high: float) -> Expectation:
    """Expect that a value, where the column has one, lies from ``low`` to ``high``."""
    return Expectation("ExpectNumberBetween", {"column": column, "low": low, "high": high})


def readable_dates(*columns: str, placeholders: bool = False) -> Expectation:
    """Expect that the columns' values are dates (``unreadable``)."""
    return Expectation("ExpectReadableDates", {"columns": list(columns), "placeholders": placeholders})


def dates_in_order(begin: str, end: str) -> Expectation:
    """Expect that the end is not before the beginning (``reversed_dates``)."""
    return Expectation("ExpectDatesInOrder", {"begin": begin, "end": end})


def reference_to(column: str, *elsewhere: str) -> Expectation:
    """Expect that the column's value is in one of these columns, each written ``table.column``."""
    return Expectation("ExpectReferenceTo", {"column": column, "elsewhere": list(elsewhere)})


def whole_letters(*columns: str) -> Expectation:
    """Expect that the columns were read in the encoding that they were written in (``garbled``)."""
    return Expectation("ExpectWholeLetters", {"columns": list(columns)})


def ambiguous(fields: Sequence[str]) -> Expectation:
    """Expect that rows of the same key agree in these fields: such rows are one row, repeated."""
    return Expectation("ExpectOneAnswer", {"agree_in": list(fields)})


def filled() -> Expectation:
    """Expect that the table has rows."""
    return Expectation(_ROW_COUNT, {"min_value": 1})


def kept(among: str | None = None) -> Expectation:
    """Expect that the table has not lost more rows since the last released run than the kommune allows.

    ``among`` (an SQL condition) says which rows count; ``Context.previous`` and ``beside`` must count the same ones.
    """
    return Expectation(KEPT, {"among": among})


KEPT = "kept"
"""No class: ``expectations`` replaces it by ``at_least`` when the number of rows is known."""


def at_least(rows: int, among: str | None = None) -> Expectation:
    """Expect this many rows. Only rows ``among`` (an SQL condition) count, if it is given."""
    if among is None:
        return Expectation(_ROW_COUNT, {"min_value": rows})
    return Expectation("ExpectRowsKept", {"rows": rows, "among": among})


def seldom(*faults: str, percent: float, among: str = "true", few: int = 10) -> Expectation:
    """Expect these faults in at most ``percent`` of the rows ``among`` (an SQL condition), or in at most ``few``."""
    return Expectation("ExpectSeldom", {"faults": list(faults), "percent": percent, "among": among, "few": few})


# --- Faults, as SQL conditions ----------------------------------------------------------------------------------------


def literal(value: str) -> str:
    """Return a text as an SQL literal, with its braces doubled for Great Expectations."""
    return "'" + value.replace("'", "''").replace("{", "{{").replace("}", "}}") + "'"


def disagreeing(fields: Sequence[str]) -> str:
    """Return the fault that another row of the same key says otherwise in one of these fields."""
    said = ", ".join(f't."{name.lower()}"' for name in fields)
    return f"t.key in (select t.key from {ROWS} group by t.key having count(distinct row({said})) > 1)"


def absent(column: str, *elsewhere: str) -> str:
    """Return the fault that the column's value is in none of these columns, each written ``table.column``."""
    return " and ".join(
        f"not exists (select from {other.split('.')[0]} as other where other.{other.split('.')[1]} = t.{column})"
        for other in elsewhere
    )


def blank(*columns: str) -> str:
    """Return the fault that all the columns are empty."""
    return f"btrim(concat({', '.join(columns)})) = ''"


def garbled(*columns: str) -> str:
    """Return the fault that one of the columns was written in one encoding and read in another."""
    text = f"concat_ws(' ', {', '.join(columns)})"
    return f"({text} ~ {literal(SUSPECT)} and {text} ~ {literal(GARBLED)})"


def letters(
    *columns: str, responsible: str, supplier: str, file: str, what: str = "Navnet", of_people: bool = False
) -> tuple[Rule, Rule]:
    """Declare that rows with garbled letters are quarantined, and that the run stops above one percent of them.

    A single such row may be a typing error, and never stops the run. ``responsible`` corrects the row, ``supplier`` the
    file. In the sentences ``file`` is the file's name and ``what`` is the content of the columns. ``of_people``: a
    person's name may be released as it stands. A group's may not: a hidden person's name in it would not be known.
    """
    fault = garbled(*columns)
    return (
        row(
            "letters",
            whole_letters(*columns),
            responsible,
            f"{what} har ødelagte bokstaver, som «PrÃ¸ve» for «Prøve»: skriv det på nytt der det er registrert.",
            releasable=of_people,
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
    """Return the fault that the column is null or does not have exactly this number of digits."""
    return rf"({column} is null or length({column}) <> {digits} or {column} ~ '\D')"


def unreadable(*columns: str, placeholders: bool = False) -> str:
    """Return the fault that one of the columns has a value that does not begin with a date (ISO 8601) of our time.

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
    """Return the fault that the end is before the beginning, where both are readable (ISO 8601 sorts as text)."""
    return f"not ({unreadable(begin, end)}) and left({end}, 10) < left({begin}, 10)"


def checksum(column: str, *weights: int) -> str:
    """Return SQL for the weighted sum of a column's digits modulo 11; null unless each weight has one digit."""
    digits = " + ".join(f"{weight} * substr({column}, {at}, 1)::int" for at, weight in enumerate(weights, 1))
    return f"case when not {not_digits(column, len(weights))} then mod({digits}, 11) end"
