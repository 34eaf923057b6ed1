"""The export in ``docs/develop/add-an-export.md`` works as printed there, and so do its tests."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dataflyt.config import exports

RECIPE = Path(__file__).parents[2] / "docs" / "develop" / "add-an-export.md"
BLOCK = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def module(name: str, code: str) -> ModuleType:
    made = ModuleType(name)
    exec(compile(code, name, "exec"), made.__dict__)
    return made


def test_the_example_of_an_export_and_its_tests_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = dict(BLOCK.findall(RECIPE.read_text(encoding="utf-8")))
    names = ("include/dataflyt/exports/classes_csv.py", "include/dataflyt/config/exports.py")
    code, line, test = (blocks[name] for name in (*names, "tests/exports/test_classes_csv.py"))
    monkeypatch.setitem(sys.modules, "dataflyt.exports.classes_csv", module("dataflyt.exports.classes_csv", code))

    table = module("table", f"from typing import Final\n{line}").EXPORTS
    *there_already, _ = table.items()
    assert set(there_already) <= set(exports.EXPORTS.items())
    monkeypatch.setattr("dataflyt.exports.model.EXPORTS", table)
    tests = module("tests.exports.test_classes_csv", test)
    assert tests.EXPORT.title == table[tests.EXPORT.name]

    functions = [made for name, made in vars(tests).items() if name.startswith("test_")]
    assert len(functions) == 2
    for function in functions:
        function(*([tmp_path] if inspect.signature(function).parameters else []))
