"""A kommune whose storage is an object store has its runs as one with a disk: every export is written and read back."""

from dataclasses import replace

import orjson
import pytest
from upath import UPath

from dataflyt.exports.registry import EXPORTS
from dataflyt.run.execute import Answer, execute
from dataflyt.warehouse.runs import User
from tests.exports.test_delivery import object_store
from tests.installation.fixtures import Installation

pytestmark = pytest.mark.long


def test_every_export_and_its_changes_are_published_in_an_object_store(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_store(monkeypatch) as bucket:
        installation.environment = replace(installation.environment, path=UPath, storage=f"{bucket}/dataflyt")
        for mail in ("feide@haugesund.kommune.no", "another@haugesund.kommune.no"):
            feide = installation.kommune.feide.model_copy(update={"mail": mail})
            changed = {"exports": tuple(EXPORTS), "feide": feide}
            installation.kommune = installation.kommune.model_copy(update=changed)
            job = installation.open()
            approver = job.kommune.approvers[0]
            yes = Answer("approved", User(approver.id, approver.name), "airflow")
            ended = execute(job, lambda _, yes=yes: yes)
            assert ended.error is None, ended.failed
        exports = installation.environment.folder("exports") / installation.kommune.id
        manifest = orjson.loads((exports / "manifest.json").read_bytes())
        there = {path.name for path in (exports / manifest["publication"]).iterdir()}
    assert manifest["run"] == 2
    assert {file["file"] for file in manifest["files"]} <= there
    assert "feide-changes.ldif" in there
