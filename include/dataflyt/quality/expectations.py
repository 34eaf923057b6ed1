"""Great Expectations' suites and classes for our rules: ``build`` makes a suite of each table's rules.

The library takes six seconds to import, so it is imported inside functions.
"""

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from dataflyt.quality.rules import KEPT, QUERY, Context, Rules, Scope, at_least, filled

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

_SEVERITY: dict[Scope, str] = {"row": "warning", "table": "critical", "note": "info"}


def build(rules: Rules, context: Context) -> "list[ExpectationSuite]":
    """Make a suite of each table's rules, named after the table."""
    with quiet():
        import great_expectations as gx
        import great_expectations.expectations as gxe

        suites = []
        for name, declared in rules.items():
            expectations = []
            for rule in declared:
                expected = rule.expectation
                if expected.name == KEPT:
                    if name not in context.previous:
                        continue
                    rows = math.ceil(context.previous[name] * (1 - context.max_drop_percent / 100))
                    expected = at_least(rows + context.beside.get(name, 0), expected.arguments["among"])
                elif expected == filled():
                    expected = at_least(1 + context.beside.get(name, 0))
                kind = _query() if expected.name == QUERY else getattr(gxe, expected.name)
                meta = {
                    "rule": f"{name}.{rule.name}",
                    "scope": rule.scope,
                    "reason": rule.reason,
                    "responsible": rule.responsible,
                }
                expectations.append(kind(**expected.arguments, severity=_SEVERITY[rule.scope], meta=meta))
            suites.append(gx.ExpectationSuite(name=name, expectations=expectations))
        return suites


@cache
def _query() -> Any:
    """Return Great Expectations' class for a query of ours, made cheaper in two places.

    The configuration is built once for each expectation; the library itself builds it anew each of the some twenty
    times it reads it. The query is run once; the library itself runs it again to count its rows, and our queries return
    one row at most.
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
