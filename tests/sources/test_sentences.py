"""Every error about an unreadable file or answer is a Norwegian sentence for an operator."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dataflyt

PACKAGE = Path(dataflyt.__file__).parent
MODULES = [
    *sorted((PACKAGE / "sources").rglob("*.py")),
    *sorted((PACKAGE / "formats").rglob("*.py")),
    *(PACKAGE / name for name in ("accounts/directory.py", "exports/pifu.py")),
]
RAISES = {"Unreadable", "NobodyNamed", "_fault", "_refuse", "records", "csv_rows", "refuse_other_formats"}
"""Calls that take a sentence, or the part of one that names the expected input."""
ENGLISH = re.compile(
    r"\b(the|is|are|was|were|not|no|of|has|have|holds|an|that|which|this|its|file|page|line|cannot|and|with|expected)\b",
    re.IGNORECASE,
)


def said(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each argument of an Unreadable in a module: a literal, a name, or a function's result.

    The function may be in another module of the package.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    given: dict[str, list[ast.expr]] = {}
    todo: list[ast.expr] = []
    for beside in sorted(path.parent.glob("*.py")):
        for node in ast.walk(ast.parse(beside.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and beside != path:
                returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
                given.setdefault(f"{node.name}()", []).extend(returned)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                given.setdefault(ast.unparse(target), []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
            given.setdefault(f"{node.name}()", []).extend(returned)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in RAISES:
            todo += node.args
    seen: set[str] = set()
    while todo:
        part = todo.pop()
        if isinstance(part, ast.JoinedStr):
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in part.values)
            yield part.lineno, text
            todo += [one.value for one in part.values if isinstance(one, ast.FormattedValue)]
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.lineno, part.value
        elif isinstance(part, ast.Name | ast.Call):
            name = part.id if isinstance(part, ast.Name) else f"{ast.unparse(part.func)}()"
            todo += given.get(name, []) if name not in seen else []
            seen.add(name)
        elif isinstance(part, ast.BoolOp | ast.IfExp):
            todo += part.values if isinstance(part, ast.BoolOp) else [part.body, part.orelse]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_reason_for_not_reading_is_in_norwegian(path: Path) -> None:
    for line, text in said(path):
        words = re.sub(r"<[^>]*>|«[^»]*»|\([^)]*\)", "", text)
        assert not ENGLISH.search(words), (line, text)


def test_the_sentences_are_found_and_go_on_after_a_colon() -> None:
    found = [text for path in MODULES for _, text in said(path)]
    sentences = [text for text in found if text.endswith(".") and text[0].isupper()]
    assert len(sentences) > 60
    for text in sentences:
        assert text[1].islower(), f"an abbreviation cannot begin with a small letter: {text}"
