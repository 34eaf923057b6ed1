"""``dataflyt pifu changes`` and ``oneroster changes``: a receiver that has missed publications ends at the newest."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.exports import pifu_changes
from tests.exports import test_oneroster, test_oneroster_changes, test_pifu_changes
from tests.exports.test_pifu import HAUGESUND, MOTHER, PUPIL, TEACHER, written

MOMENT = "2026-11-23T03:00:07.250000+00:00"
LATER = replace(
    HAUGESUND,
    people_=(TEACHER, MOTHER),
    parts=tuple(part for part in HAUGESUND.parts if part.person_id != PUPIL.person_id),
)


def changes(kind: str, *words: str | Path) -> Result:
    return CliRunner().invoke(app, [kind, "changes", *map(str, words)])


@pytest.mark.parametrize("version", ["1.3", "1.2", "1.1"])
def test_a_receiver_of_pifu_that_missed_publications_gets_to_the_newest(tmp_path: Path, version: str) -> None:
    before, now, out = (tmp_path / name for name in ("before.xml", "now.xml", "out.xml"))
    before.write_bytes(written(HAUGESUND, version))
    now.write_bytes(written(LATER, version))
    made = changes("pifu", before, now, out)
    assert (made.exit_code, made.output) == (0, "")
    assert out.stat().st_mode & 0o077 == 0
    assert hashlib.sha256(before.read_bytes()).hexdigest() in out.read_text().splitlines()[1]
    assert test_pifu_changes.findings(out.read_bytes(), version) == []
    receiver = test_pifu_changes.Receiver(before.read_bytes())
    assert receiver.apply(out.read_bytes()) == test_pifu_changes.Receiver(now.read_bytes())
    assert str(PUPIL.number) not in out.read_text()


def test_a_receiver_of_oneroster_that_missed_publications_gets_to_the_newest(tmp_path: Path) -> None:
    full = test_oneroster.FULL
    before, now, out = (tmp_path / name for name in ("before.zip", "now.zip", "out.zip"))
    before.write_bytes(test_oneroster.written(full))
    parts = tuple(part for part in full.parts if part.person_id != PUPIL.person_id)
    now.write_bytes(test_oneroster.written(replace(full, people_=(TEACHER, MOTHER), parts=parts)))
    made = changes("oneroster", before, now, out, "--as-of", MOMENT)
    assert (made.exit_code, made.output) == (0, "")
    assert out.stat().st_mode & 0o077 == 0
    assert test_oneroster_changes.findings(out.read_bytes()) == []
    receiver = test_oneroster_changes.Receiver(before.read_bytes())
    assert receiver.apply(out.read_bytes()).rows == test_oneroster_changes.Receiver(now.read_bytes()).rows
    users = test_oneroster.tables(out.read_bytes())["users"]
    assert {row["dateLastModified"] for row in users} == {"2026-11-23T03:00:07.250Z"}


@pytest.mark.parametrize("moment", ["i går", "2026-11-23T03:00:07", "0001-01-01T00:00:00+14:00", ""])
def test_a_moment_that_is_none_is_refused_in_a_sentence(tmp_path: Path, moment: str) -> None:
    refused = changes("oneroster", tmp_path / "a", tmp_path / "b", tmp_path / "c", "--as-of", moment)
    assert refused.exit_code != 0
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("kind", ["pifu", "oneroster"])
def test_what_cannot_be_done_is_one_sentence_and_leaves_no_file(tmp_path: Path, kind: str) -> None:
    more = ["--as-of", MOMENT] if kind == "oneroster" else []
    full = written(HAUGESUND) if kind == "pifu" else test_oneroster.written(test_oneroster.FULL)
    before, broken, out = tmp_path / "before", tmp_path / "broken", tmp_path / "out"
    before.write_bytes(full)
    broken.write_bytes(full[: len(full) // 2])
    for now in (broken, tmp_path / "missing", tmp_path):
        refused = changes(kind, before, now, out, *more)
        assert (refused.exit_code, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1), now
        assert not out.exists()
    out.write_bytes(b"mine")
    assert changes(kind, before, before, out, *more).exit_code == 2
    assert out.read_bytes() == b"mine"
    # A file of another version, or of another kind.
    out.unlink()
    other = tmp_path / "other"
    other.write_bytes(written(HAUGESUND, "1.2"))
    assert changes(kind, before, other, out, *more).exit_code == 2


def test_changes_that_a_receiver_could_not_read_are_never_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, now, out = (tmp_path / name for name in ("before.xml", "now.xml", "out.xml"))
    before.write_bytes(written(HAUGESUND))
    now.write_bytes(written(LATER))
    monkeypatch.setattr(pifu_changes, "_deleted", lambda *_: b'<person recstatus="3"/>\n')
    refused = changes("pifu", before, now, out)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "består ikke kontrollen" in refused.stderr
    assert not out.exists()
