"""Exports read the views ``now_shown_<what>`` and nothing else, so that no export goes past the rule by mistake."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dataflyt.exports
from dataflyt.exports import pifu
from dataflyt.warehouse import rules

# Publishing keeps its own records, of publications, of who was in which file, and of deliveries.
MODULES = [
    path
    for path in sorted(Path(dataflyt.exports.__file__).parent.glob("*.py"))
    if path.stem not in ("publishing", "disclosing", "delivery", "place")
]
_SQL = re.compile(r"\bselect\b.+\bfrom\b", re.DOTALL | re.IGNORECASE)
_RELATION = re.compile(
    r"""\b(?:from|join|into|update|table)\s+(?:lateral\s+|only\s+)*([\w."]+|\()((?:\s+(?:as\s+)?\w+)?\s*,)?""",
    re.IGNORECASE,
)
_OPEN = re.compile(r"(?:\bwith(?:\s+recursive)?|,)\s+(\w+)\s+as\s+(?:not\s+)?(?:materialized\s+)?\(", re.IGNORECASE)
MAY_IMPORT = ("config", "errors", "exports", "formats", "identity")
# The rules of a written file are declared as those of the sources are. A directory is trusted as a register is.
AND_MAY_IMPORT = {"read_back": "dataflyt.quality.", "directory": "dataflyt.registers.transport.trusted"}


def statements(path: Path) -> Iterator[str]:
    """Yield the SQL texts of a module. SQL built from pieces cannot be read here, and is not allowed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
            assert not [part for part in parts if re.search(r"\b(select|join|from now_)\b", str(part))], path
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            if _SQL.search(node.value):
                yield re.sub(r"--[^\n]*", "", node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("text", "exec_driver_sql"):
            assert isinstance(node.args[0], (ast.Name, ast.Constant)), ast.unparse(node)


def past_the_rule(sql: str) -> set[str]:
    """Return the relations that a statement reads, except its own parts and the views of what may be shown."""
    own = {name.lower() for name in _OPEN.findall(sql)}
    read = {(name.lower(), comma) for name, comma in _RELATION.findall(sql)}
    wrong = {name for name, _ in read if name != "(" and name not in own} | {"," for _, comma in read if comma}
    shown = {name for name in wrong if re.fullmatch(r"now_shown_(?!group_renamed)\w+", name)}
    return (wrong - shown) | set(re.findall(r"\b(?:golden|control|history|pg_temp|public)\.\w+", sql, re.IGNORECASE))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_an_export_reads_only_what_may_be_shown(path: Path) -> None:
    for sql in statements(path):
        assert past_the_rule(sql) == set()


def test_there_are_statements_to_look_at() -> None:
    assert sum(1 for path in MODULES for _ in statements(path)) >= 5


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 from now_person",
        "select 1 from now_shown_person p join now_protection x using (person_id)",
        "select 1 from golden.person",
        "with a as (select 1 from now_shown_person) select 1 from b",
        "select 1 from now_shown_person, now_person",
        "select 1 from now_shown_person p, now_person q",
        "select 1 from now_shown_person cross join lateral golden.f()",
        "select * from now_shown_group_renamed",
        "select (select control.as_date(x)) from now_shown_person",
    ],
)
def test_what_goes_past_the_rule_is_seen(sql: str) -> None:
    assert past_the_rule(sql)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_an_export_knows_nothing_of_the_warehouse(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        else:
            continue
        for name in names:
            if name.startswith("dataflyt."):
                assert name.split(".")[1] in MAY_IMPORT or name.startswith(AND_MAY_IMPORT[path.stem])


def test_the_kinds_of_groups_that_are_shown_are_those_that_pifu_can_write() -> None:
    shown = re.search(r"group_type in \(([^)]+)\)", rules.sql("exports/group_of_pupils"))
    assert shown
    assert set(re.findall(r"'(\w+)'", shown[1])) == set(pifu.KINDS)
