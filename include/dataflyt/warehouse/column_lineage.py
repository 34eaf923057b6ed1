"""The columns that each column of the golden record is made from.

The headers of the SQL files say which relations a rule reads, and their columns (``rules``). OpenLineage's parser reads
the statements, and says which columns an expression names. Together they lead from a golden column through the steps on
the way to columns of the sources' tables, of ``control``, and of the golden record before the run. A word in a
statement, such as a basis or a kind, has no column that it comes from.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from dataflyt.warehouse import rules
from dataflyt.warehouse.rules import Rule
from dataflyt.warehouse.tables import GOLDEN, source_tables

_PARAMETER = re.compile(r"(?<![:\w]):[a-z]\w*")
_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r"'[^']*'")
_SUBSTR = re.compile(r"\bsubstr\(")


class Column(NamedTuple):
    """A column of a relation: ``freg_navn``, ``control.override`` or ``golden.account``."""

    relation: str
    name: str


Origins = Mapping[str, frozenset[Column]]
"""The columns that each column of a relation is made from."""


@cache
def of_golden() -> Mapping[str, Origins]:
    """Return the origins of every golden table's columns, by the table's name."""
    made: dict[str, Origins] = {}
    for rule in rules.folder("golden").values():
        made[str(rule.relation)] = {
            column: frozenset(_followed(origins, made)) for column, origins in _named(rule).items()
        }
    return {name: made[f"new_{name}"] for name in GOLDEN}


def _followed(origins: frozenset[Column], made: Mapping[str, Origins]) -> Iterator[Column]:
    """Yield the origins, and in place of a column that this run computes, that column's own."""
    for origin in origins:
        if origin.relation in made:
            yield from made[origin.relation].get(origin.name, ())
        else:
            yield origin


def _named(rule: Rule) -> dict[str, frozenset[Column]]:
    """Return the columns of the relations in the header that the expression of each column names."""
    from openlineage_sql import parse  # comes with Airflow's provider, and is needed only where lineage is on

    parsed = parse([f"create table made as {readable(rule.sql)}"], dialect="postgres")
    if parsed.errors:
        raise ValueError(f"golden/{rule.name}.sql was not understood: {parsed.errors[0].message}")
    found = {
        one.descendant.name.lower(): frozenset(
            column for origin in one.lineage for column in _in_header(rule, str(origin.origin), origin.name.lower())
        )
        for one in parsed.column_lineage
    }
    return {column: found.get(column, frozenset()) for column in rule.columns}


def _in_header(rule: Rule, relation: str, column: str) -> Iterator[Column]:
    """Yield a column that the parser has found, as the header names its relation.

    The parser may give the name of a part of the statement instead. Then it is every relation in the header that has
    such a column.
    """
    if relation in rule.needs:
        yield Column(relation, column)
        return
    known = {need: columns for need in rule.needs if (columns := _columns(need))}
    yield from (Column(need, column) for need, columns in known.items() if column in columns)


def _columns(relation: str) -> frozenset[str]:
    """Return the columns of a relation: a source's table's, or those in the header of the rule that makes it."""
    if table := source_tables().get(relation):
        return frozenset(column.lower() for column in table.columns)
    name = relation.removeprefix("new_").removeprefix("golden.")
    rule = rules.folder("golden").get(name)
    return frozenset(rule.columns) if rule else frozenset()


def readable(sql: str) -> str:
    """Return a statement in the words that the parser reads: it has no parameters, and ``substr`` of its own."""
    texts = _TEXT.sub(lambda found: found[0].replace(":", " "), _COMMENT.sub("", sql))
    return _SUBSTR.sub("substring_of(", _PARAMETER.sub("current_date", texts))
