"""``make bench`` sets each figure beside its aim and the commit's before it, and marks what has been lost."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The module, with a folder of its own."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import kept

    monkeypatch.setattr(kept, "RESULTS", tmp_path / "results")
    yield kept
    for name in ("kept", "measuring"):
        sys.modules.pop(name, None)


def run(kept: Any, commit: str, *found: str, machine: str = "this") -> Any:
    figures = [
        kept.Figure("files parsed", found[0], "aim: at most 3 s", True),
        kept.Figure("read", found[1], "aim: 10 MB/s", True),
        kept.Figure("dlt takes", found[2], "aim: at least 8", False),
        kept.Figure("  Airflow itself", found[3]),
    ]
    return kept.Run(commit, "2026-11-30 12:00", machine, 0.5, tuple(figures))


def test_a_loss_is_marked_and_noise_and_gains_are_not(kept: Any) -> None:
    kept.keep("parsing", run(kept, "aaa", "1.00 s", "20.0 MB/s", "9.0 times", "2 s"))
    now = run(kept, "bbb", "1.21 s", "17.0 MB/s", "5.0 times", "9 s")
    header, parsed, read, times, airflow = kept.compared(now, kept.before("parsing", now))
    assert "aaa of 2026-11-30 12:00" in header
    assert parsed.split() == [
        "files",
        "parsed",
        "1.21",
        "s",
        "1.00",
        "s",
        "aim:",
        "at",
        "most",
        "3",
        "s",
        "ok",
        "WORSE",
    ]
    assert read.endswith("ok WORSE")
    assert times.endswith("OVER WORSE")
    assert airflow.split() == ["Airflow", "itself", "9", "s", "2", "s"]
    better = run(kept, "ccc", "0.50 s", "30.0 MB/s", "12.0 times", "2 s")
    nearly = run(kept, "ddd", "1.05 s", "19.0 MB/s", "8.9 times", "2 s")
    for one in (better, nearly):
        assert not any("WORSE" in line for line in kept.compared(one, kept.before("parsing", one)))


def test_the_commit_before_is_another_one_on_the_same_machine_and_is_kept_once(kept: Any) -> None:
    same = ("1 s", "1 MB/s", "1 times", "1 s")
    first = run(kept, "aaa", *same)
    assert kept.before("files", first) is None
    assert "nothing is kept" in kept.compared(first, None)[0]
    for one in (first, run(kept, "bbb", *same), run(kept, "ccc", *same, machine="another"), run(kept, "bbb", *same)):
        kept.keep("files", one)
    assert [(one.commit, one.machine) for one in kept.kept("files")] == [
        ("aaa", "this"),
        ("ccc", "another"),
        ("bbb", "this"),
    ]
    assert kept.before("files", run(kept, "bbb", *same)) == first
    kept.keep("files", run(kept, "bbb+", *same))
    assert len(kept.kept("files")) == 3, "a tree with changes is no commit"
    assert kept.before("files", run(kept, "bbb+", *same)).commit == "bbb"


def test_no_more_runs_are_kept_than_are_needed(kept: Any) -> None:
    for number in range(kept.MOST + 5):
        kept.keep("pages", run(kept, f"c{number}", "1 s", "1 MB/s", "1 times", "1 s"))
    assert [one.commit for one in kept.kept("pages")] == [f"c{number}" for number in range(5, kept.MOST + 5)]


def test_what_is_kept_in_the_repository_can_be_read(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "RESULTS", BENCHMARKS / "results")
    files = list(kept.RESULTS.glob("*.json"))
    assert files
    for file in files:
        assert all(one.figures for one in kept.kept(file.stem))
