"""The rules of the warehouse: SQL files in ``sql/<folder>/<name>.sql``, each with a header.

A header is the comment that a file begins with. Its first lines are fields, ``-- <field>: <value>``; an indented line
continues the field above it. The text after the fields is prose.

- ``needs``: the relations that the statement reads, as it names them.
- ``grain``: the meaning of one row.
- ``columns``: the columns of the result, in order, each with its SQL type.
- ``key``: the columns by which a golden table is merged.
- ``index``: columns of the temporary table that each get an index, besides the key.
- ``makes``: the product of the statement:

  - ``golden``: the temporary table ``new_<name>``, merged into ``golden.<name>``;
  - ``table``, ``view``: a temporary table or view;
  - ``rows``: it writes rows to a table of ``control``;
  - ``answer``: a query that the code reads; ``question``: a query with one value, true or false;
  - ``part``: a text that is put into another rule.

The relation that a rule makes has the file's name, after ``new_`` in ``golden``, and after the prefix ``{p}`` in
``vetoed`` and ``exports``. The order of computation follows from ``needs``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

SQL: Final = Path(__file__).parent / "sql"

_FIELD = re.compile(r"-- (needs|grain|columns|key|index|makes): (.*)")
_PREFIXES = {"golden": "new_", "vetoed": "{p}", "exports": "{p}"}


@dataclass(frozen=True)
class Rule:
    """One SQL file: its header's fields, its ``prose``, and the statement without them."""

    folder: str
    name: str
    makes: str
    needs: tuple[str, ...]
    grain: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    index: tuple[str, ...]
    prose: str
    sql: str

    @property
    def relation(self) -> str | None:
        """The temporary table or view that it makes, as other rules name it; None if it makes none."""
        return _PREFIXES.get(self.folder, "") + self.name if self.makes in ("golden", "table", "view") else None

    def name_in(self, prefix: str) -> str:
        """Return the relation's name after a prefix of views."""
        return str(self.relation).format(p=prefix)

    @property
    def kind(self) -> str:
        """The relation's kind in SQL, ``table`` or ``view``."""
        return "view" if self.makes == "view" else "table"


@cache
def folder(name: str) -> Mapping[str, Rule]:
    """Return the rules of a folder by their names, each after the rules whose relations it needs.

    The order is the same every time. Raises ``graphlib.CycleError`` for rules that need each other.
    """
    found = {file.stem: _read(file) for file in sorted((SQL / name).glob("*.sql"))}
    makers = {rule.relation: rule.name for rule in found.values() if rule.relation}
    needs = {rule.name: [makers[need] for need in rule.needs if need in makers] for rule in found.values()}
    return {one: found[one] for one in TopologicalSorter(needs).static_order()}


def needed(name: str, by: Iterable[Rule]) -> list[Rule]:
    """Return the rules of a folder that the rules ``by`` need, directly or indirectly, in the order of computation."""
    wanted = {need for rule in by for need in rule.needs}
    found = []
    for rule in reversed(list(folder(name).values())):
        if rule.relation in wanted:
            wanted.update(rule.needs)
            found.append(rule)
    return found[::-1]


def sql(name: str) -> str:
    """Return the statement of the rule ``<folder>/<name>``."""
    where, _, which = name.partition("/")
    return folder(where)[which].sql


def make(connection: Connection, wanted: Iterable[Rule], bound: Mapping[str, object], **placed: str) -> None:
    """Make the temporary tables and views of rules in the order given, on top of the existing ones.

    ``bound`` are the values of a table's parameters, ``placed`` the texts to put into the rules.
    """
    wanted = list(wanted)
    script(connection, [f"drop {rule.kind} if exists pg_temp.{rule.relation} cascade" for rule in reversed(wanted)])
    for rule in wanted:
        if rule.kind == "view":
            script(connection, script_of(rule, **placed))
            continue
        select = rule.sql.format(**placed) if placed else rule.sql
        if rule.makes == "golden":
            columns = ", ".join(f'"{column}"' for column in rule.columns)
            select = f"select {columns} from ({select}) as rule"
        connection.execute(text(f"create temporary table {rule.relation} on commit drop as {select}"), bound)
        script(connection, _finish(rule, str(rule.relation)))


def drop(connection: Connection, names: Iterable[str]) -> None:
    """Drop the temporary tables and views of these names that exist, and the views on top of them."""
    there = connection.execute(
        text(
            "select case relkind when 'v' then 'view' else 'table' end, string_agg('pg_temp.' || relname, ', ') "
            "from pg_class where relnamespace = pg_my_temp_schema() and relname = any(:names) "
            "group by 1 order by 1 desc"
        ),
        {"names": list(names)},
    )
    # Views first: a table takes the views on top of it along.
    for kind, found in there.all():
        script(connection, [f"drop {kind} {found} cascade"])


def script(connection: Connection, statements: Iterable[str]) -> None:
    """Execute statements without parameters in one exchange with the server."""
    connection.exec_driver_sql(";\n".join(statements), execution_options={"no_parameters": True})


def script_of(rule: Rule, **placed: str) -> list[str]:
    """Return the statements that make the temporary table or view of a rule that has no parameters."""
    name, select = rule.name_in(placed.get("p", "")), rule.sql.format(**placed)
    if rule.kind == "view":
        return [f"create temporary view {name} as {select}"]
    return [f"create temporary table {name} on commit drop as {select}", *_finish(rule, name)]


def _finish(rule: Rule, name: str) -> list[str]:
    """Index and analyze a table that has been filled."""
    indexed = [", ".join(rule.key)] if rule.key else []
    return [*(f"create index on {name} ({columns})" for columns in (*indexed, *rule.index)), f"analyze {name}"]


def _read(file: Path) -> Rule:
    fields: dict[str, str] = {}
    prose: list[str] = []
    lines = file.read_text(encoding="utf-8").splitlines()
    body = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    field = None
    for line in lines[:body]:
        if not prose and (begun := _FIELD.fullmatch(line)):
            field = begun[1]
            fields[field] = begun[2]
        elif not prose and field and line.startswith("--   "):
            fields[field] += " " + line.removeprefix("--").strip()
        else:
            prose.append(line.removeprefix("--").strip())
    columns = [column.split(None, 1) for column in _listed(fields.get("columns", ""))]
    return Rule(
        folder=file.parent.name,
        name=file.stem,
        makes=fields["makes"],
        needs=_listed(fields.get("needs", "")),
        grain=fields.get("grain", ""),
        columns={name: kind for name, kind in columns},
        key=_listed(fields.get("key", "")),
        index=_listed(fields.get("index", "")),
        prose=" ".join(prose),
        sql="\n".join(lines[body:]),
    )


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
