"""The code in ``docs/engineer/notebook.md`` runs, block by block, and finds what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest

from dataflyt.frames.tables import OPEN, TABLES
from tests.installation.fixtures import Installation
from tests.operations.test_work_list import operator as operator

PAGE = (Path(__file__).parents[2] / "docs" / "engineer" / "notebook.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.after_first_run
def test_the_notebook_s_code_runs_and_finds_what_the_page_says(operator: Installation) -> None:
    assert len(BLOCKS) == 5
    found: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"notebook block {number}", "exec"), found)
    assert found["by_level"].to_numpy().sum() > 100
    assert set(found["classes"]["group_type"]) <= {"basisgruppe"}
    assert found["by_kind"].sum() == len(found["plan"])
    assert (found["broken"].to_numpy() >= 0).all()
    assert 0 <= found["quarantined"].loc[1] < 1


def test_the_page_names_every_table_and_who_may_read_it() -> None:
    rows = re.findall(r"^\| (`\w+`.*?) \|.*?\| (`\w+`|none) \|", PAGE, re.MULTILINE)
    named = {name: right.strip("`") for names, right in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(named) == set(TABLES)
    assert {name for name, right in named.items() if right == "persons"} == {*OPEN, "plan"}
