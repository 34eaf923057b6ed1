"""Great Expectations' suites and classes for our rules: ``build`` makes a suite of each table's rules.

The library takes six seconds to import, so it is imported inside functions.
"""

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dataflyt.quality.rules import KEPT, UNCOUNTED, Context, Expectation, Rule, Rules, Scope, at_least, filled

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

EFFECTS: dict[Scope, str] = {
    "row": "Raden settes i karantene.",
    "table": "Kjøringen stopper.",
    "note": "Det telles.",
    "file": "Filen publiseres ikke.",
}
"""The effect of a breach, in words."""

_SEVERITY: dict[Scope, str] = {"row": "warning", "table": "critical", "note": "info", "file": "critical"}


def build(rules: Rules, context: Context) -> "list[ExpectationSuite]":
    """Make a suite of each table's rules, named after the table."""
    with quiet():
        import great_expectations as gx

        return [
            gx.ExpectationSuite(
                name=table,
                expectations=[
                    made(rule, table, expected)
                    for rule in declared
                    if (expected := _expected(rule.expectation, table, context)) is not None
                ],
            )
            for table, declared in rules.items()
        ]


def made(rule: Rule, suite: str, expected: Expectation | None = None) -> Any:
    """Return a rule's expectation: a named class of ours, or the library's own."""
    import great_expectations.expectations as library

    from dataflyt.quality import named

    expected = expected or rule.expectation
    kind = getattr(named, expected.name, None) or getattr(library, expected.name)
    meta = {
        "rule": f"{suite}.{rule.name}",
        "scope": rule.scope,
        "reason": rule.reason,
        "responsible": rule.responsible,
        "counted": expected.name != UNCOUNTED,
    }
    notes = f"{rule.reason} {EFFECTS[rule.scope]} Rettes av: {rule.responsible}."
    # The library's own classes have no Norwegian description.
    described = {} if kind.__module__ == named.__name__ else {"description": rule.reason}
    return kind(**expected.arguments, **described, severity=_SEVERITY[rule.scope], meta=meta, notes=notes)


def _expected(expected: Expectation, table: str, context: Context) -> Expectation | None:
    """Return an expectation with its number of rows; None when there is no run to measure against."""
    beside = context.beside.get(table, 0)
    if expected.name == KEPT:
        if table not in context.previous:
            return None
        rows = math.ceil(context.previous[table] * (1 - context.max_drop_percent / 100))
        return at_least(rows + beside, expected.arguments["among"])
    return at_least(1 + beside) if expected == filled() else expected


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Great Expectations from logging (its errors quote values), from warning and from sending usage data."""
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
