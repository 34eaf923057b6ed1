"""The table in ``config.exports`` and the modules of exports are the same; a kommune file takes each of them."""

import ast
import shutil
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

import dataflyt.exports
from dataflyt.cli.kommune import kommune_app
from dataflyt.config.exports import CHOICES, EXPORTS, ExportName
from dataflyt.config.loading import find
from dataflyt.exports import registry
from dataflyt.on_airflow import notices
from dataflyt.why import flow

MODULES = sorted(Path(dataflyt.exports.__file__).parent.glob("*.py"))
KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"


def names_that_a_module_sets(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_each_line_of_the_table_is_a_module_that_ends_with_its_export_and_each_such_module_has_a_line() -> None:
    with_an_export = [path.stem for path in MODULES if "EXPORT" in names_that_a_module_sets(path)]
    assert sorted(EXPORTS) == with_an_export
    for name, export in registry.EXPORTS.items():
        assert (export.name, export.title) == (name, EXPORTS[name])


def test_no_two_exports_write_the_same_file_or_have_the_same_title() -> None:
    assert len({export.file for export in registry.EXPORTS.values()}) == len(EXPORTS)
    assert len({export.title for export in registry.EXPORTS.values()}) == len(EXPORTS)


def test_an_answer_to_why_looks_in_the_files_that_are_written() -> None:
    for export, file in (flow.FEIDE | flow.PIFU).items():
        assert registry.EXPORTS[export].file == file
    assert list(flow.PIFU) == [name for name in EXPORTS if name.startswith("pifu")]


def test_a_kommune_file_takes_every_export_and_the_pages_give_its_title() -> None:
    assert get_args(ExportName) == tuple(EXPORTS)
    assert all(name in CHOICES for name in EXPORTS)
    kommune = find(KOMMUNER, "haugesund").model_copy(update={"exports": tuple(EXPORTS)})
    assert notices.page(kommune)["exports"] == ", ".join(EXPORTS.values())


def test_the_file_of_a_new_kommune_names_every_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(KOMMUNER / "haugesund.yaml", tmp_path)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(tmp_path))
    assert CliRunner().invoke(kommune_app, ["new", "1520", "--name", "Ørsta", "--id", "orsta"]).exit_code == 0
    (line,) = [
        line for line in (tmp_path / "orsta.yaml").read_text("utf-8").splitlines() if line.startswith("exports:")
    ]
    assert line.endswith(f"av {', '.join(EXPORTS)}")
