"""The format in ``docs/develop/add-a-format.md`` reads its file, and its own tests pass."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dataflyt.config import formats
from dataflyt.sources import hr, readers

PAGE = Path(__file__).parents[2] / "docs" / "develop" / "add-a-format.md"
READER, TABLE, TESTS, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def module_of(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
    return module


@pytest.fixture
def lonnsliste(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = module_of("dataflyt.sources.hr.lonnsliste", READER)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(hr, "lonnsliste", module, raising=False)
    return module


def test_the_recipe_s_own_tests_pass(lonnsliste: ModuleType) -> None:
    tests = [test for name, test in vars(module_of("recipe", TESTS)).items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_the_recipe_s_line_makes_the_module_a_format_beside_those_that_there_are(lonnsliste: ModuleType) -> None:
    line = module_of("table", f"from typing import Final\n{TABLE}").HR
    assert line == {"lonnsliste": "csv"}
    found = readers(hr.__name__, formats.HR | line)
    assert found.pop("lonnsliste") is lonnsliste.read
    assert found.keys() == formats.HR.keys()
