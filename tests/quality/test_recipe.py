"""The check in ``docs/develop/add-a-check.md`` is a rule, and its own test passes."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dataflyt.quality import named, rules
from dataflyt.sources.hr import checks
from tests.sources import test_hr_checks

PAGE = (Path(__file__).parents[2] / "docs" / "develop" / "add-a-check.md").read_text(encoding="utf-8")
RULE, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_recipe_s_own_test_passes(check: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    declared: dict[str, Any] = {**vars(rules), **vars(checks)}
    exec(compile(RULE, "recipe", "exec"), declared)
    ((table, added),) = declared["RULES"].items()
    monkeypatch.setitem(checks.RULES, table, (*checks.RULES[table], *added))  # type: ignore[arg-type]
    found = ModuleType("recipe")
    vars(found).update(vars(test_hr_checks))
    exec(compile(TEST, "recipe", "exec"), vars(found))
    found.test_a_main_position_of_no_percent_is_noted(check)


def test_the_recipe_names_every_class_and_the_function_that_declares_it() -> None:
    classes = {name for name in vars(named) if name.startswith("Expect")}
    classes -= {"ExpectOneRowOfCounts", "ExpectNoFaultyRow"}
    assert classes == set(re.findall(r"`(Expect\w+)`", PAGE))
    functions = {
        name for line in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    }
    assert all(callable(getattr(rules, name)) for name in functions)
