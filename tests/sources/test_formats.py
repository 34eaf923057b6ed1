"""A format is one module and one line: the table of formats for kommune files and the modules agree."""

from importlib import import_module
from pathlib import Path

import pytest

from dataflyt.config import formats
from dataflyt.sources.hr.formats import FORMATS as HR
from dataflyt.sources.sas.formats import FORMATS as SAS

SOURCES = Path(formats.__file__).parents[1] / "sources"
HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("source", "chosen", "readers"),
    [("hr", {*formats.HR}, HR), ("sas", {*formats.SAS, *formats.TIMETABLES.values()}, SAS)],
)
def test_every_module_that_reads_a_file_stands_in_the_table(source: str, chosen: set[str], readers: object) -> None:
    modules = {path.stem for path in (SOURCES / source).glob("*.py")} - {"__init__", "checks"}
    reading = {name for name in modules if hasattr(import_module(f"dataflyt.sources.{source}.{name}"), "read")}
    assert reading == chosen == {*readers}  # type: ignore[misc]


@pytest.mark.parametrize("name", formats.HR)
def test_every_format_of_hr_has_a_test_file(name: str) -> None:
    assert (HERE / f"test_hr_{name}.py").is_file()
