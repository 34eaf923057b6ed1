"""A written file, read back: what its receivers would meet, beside what the golden record shows."""

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflyt.errors import CheckFailed
from dataflyt.exports import read_back, registry
from dataflyt.exports.model import Counts, Export, ReadRow, Shown
from dataflyt.exports.read_back import Record
from dataflyt.quality import frames
from dataflyt.run.publish import publish
from tests.installation.fixtures import TO_PLAN, Installation, approve_and_release

MEMBER = st.builds(ReadRow, st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans(), st.sampled_from("mn"))
PERSON = st.builds(ReadRow, st.sampled_from("abcdef"), st.just(""), st.just(False), st.just(""))


def broken(rows: list[ReadRow], record: Record) -> set[str]:
    of_file = read_back.framed(iter(rows))._asdict()
    outcomes = frames.validate("feide.ldif", of_file, read_back.rules(record))
    assert {(one.checked, one.unexpected) for one in outcomes} == {(None, None)}
    return {one.rule.removeprefix("feide.ldif.") for one in outcomes if not one.passed}


@settings(deadline=None)  # pandas is imported in the first example
@given(st.lists(MEMBER | PERSON, max_size=40))
def test_frames_say_what_a_naive_reading_says(rows: list[ReadRow]) -> None:
    of_file = read_back.framed(iter(rows))
    members = [row for row in rows if row.group]
    groups = {row.group for row in members}
    assert len(of_file.people) == len(rows) - len(members)
    assert of_file.people["person"].is_unique is (len({r.person for r in rows if not r.group}) == len(of_file.people))
    counted = Counter((g, sum(r.pupil for r in members if r.group == g)) for g in groups)
    assert sorted(of_file.groups["pupils"]) == sorted(pupils for _, pupils in counted)
    meanings = sorted(min(2, len({r.meaning for r in members if r.group == g})) for g in groups)
    assert sorted(of_file.groups["meanings"]) == meanings
    both = [g for g in groups if len({r.pupil for r in members if r.group == g}) == 2]
    assert len(of_file.meeting) == len(both)


def test_a_file_is_the_same_read_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ReadRow(f"p{i % 7}", "" if i % 3 == 0 else f"g{i % 5}", i % 2 == 0, "m" if i % 11 else "n") for i in range(100)
    ]
    whole = read_back.framed(iter(rows))
    monkeypatch.setattr(read_back, "_CHUNK", 3)
    for one, other in zip(whole, read_back.framed(iter(rows)), strict=True):
        assert one.reset_index(drop=True).equals(other.reset_index(drop=True))


@pytest.mark.parametrize(
    ("rows", "record", "found"),
    [
        ([], Record(0, 0), set()),
        ([ReadRow("a", "", False, ""), ReadRow("a", "x", True, "m")], Record(1, 0), set()),
        ([ReadRow("a", "", False, ""), ReadRow("a", "", False, "")], Record(2, 0), {"unique_name"}),
        ([ReadRow("a", "", False, "")], Record(2, 0), {"people_as_record"}),
        ([ReadRow("a", "x", True, "m"), ReadRow("b", "x", True, "n")], Record(0, 0), {"one_group"}),
        ([ReadRow("a", "x", True, "m"), ReadRow("b", "y", False, "m")], Record(0, 1), {"meet_as_record"}),
        ([ReadRow("a", "x", True, "m"), ReadRow("b", "x", False, "m")], Record(0, 1), set()),
    ],
)
def test_each_rule_finds_its_fault_and_no_other(rows: list[ReadRow], record: Record, found: set[str]) -> None:
    assert broken(rows, record) == found


def _without_the_last_person(export: Export) -> Export:
    """Return an export that loses a person, as a fault of ours would."""

    def write(shown: Shown, out: BinaryIO) -> Counts:
        whole = io.BytesIO()
        counts = export.write(shown, whole)
        out.write(whole.getvalue().rstrip(b"\n").rpartition(b"\n\n")[0] + b"\n")
        return counts

    return replace(export, write=write)


@pytest.mark.after_first_run
def test_a_file_that_is_not_the_record_is_not_published_and_the_reason_is_kept(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = installation
    rules = {"format", "unique_name", "people_as_record", "one_group", "meet_as_record"}
    kept = "select suite, rule, passed from control.check_result where scope = 'file' and run = :run"
    first = here.query(kept, run=1)
    assert {(row.suite, row.rule) for row in first} == {
        (file, f"{file}.{rule}") for file in ("feide.ldif", "pifu.xml") for rule in rules
    }
    assert {row.passed for row in first} == {True}

    before = here.ldif()
    job = here.open()
    here.steps(job, *TO_PLAN)
    approve_and_release(job)
    monkeypatch.setitem(registry.EXPORTS, "feide_ldif", _without_the_last_person(registry.EXPORTS["feide_ldif"]))
    with pytest.raises(CheckFailed, match="ikke de samme personene"):
        publish(job)
    assert here.ldif() == before
    assert "feide.ldif.people_as_record" in {row.rule for row in here.query(kept, run=2) if not row.passed}
    monkeypatch.undo()
    publish(job)
    assert {row.passed for row in here.query(kept, run=2)} == {True}
    manifest = orjson.loads((Path(here.storage) / "exports/haugesund/manifest.json").read_bytes())
    assert manifest["run"] == 2
