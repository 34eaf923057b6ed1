"""``dataflyt feide``: one value as JSON, a directory's findings line by line, and the exit codes."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from dataflyt.cli.feide import feide_app
from tests.exports.test_feide_changes import HAUGESUND_SORTED
from tests.exports.test_feide_ldif import written
from tests.exports.test_feide_ldif_check import DIRECTORY, without
from tests.formats.test_feide import GROUP, GROUPID, RIGHT


def test_a_value_prints_one_json_object_and_tells_by_its_exit_code() -> None:
    right = CliRunner().invoke(feide_app, ["value", GROUP + ":".join(RIGHT)])
    assert right.exit_code == 0
    groupid = f"{GROUPID}u:NO974588145:6a-mat:2026-08-01:2027-07-31"
    assert json.loads(right.stdout) == {"kind": "group", "valid": True, "errors": [], "groupid": groupid} | {
        "warnings": []
    }
    wrong = CliRunner().invoke(feide_app, ["value", "tull"])
    assert wrong.exit_code == 1
    assert json.loads(wrong.stdout) | {"errors": None} == {
        "kind": "other",
        "warnings": [],
        "valid": False,
        "errors": None,
        "groupid": None,
    }


def test_check_lists_findings_then_the_sum(tmp_path: Path) -> None:
    path = tmp_path / "d.ldif"
    path.write_text(without("sn:").replace("6a:2026", "6A:2026"))
    found = CliRunner().invoke(feide_app, ["check", str(path)])
    assert found.exit_code == 1
    first, second, total = found.stdout.splitlines()
    assert first.startswith("Missing required attribute: linje ")
    assert second.startswith("Group ID not in canonical form: linje ")
    assert total == "2 funn av 2 slag."
    path.write_text(without("sn:").replace("cn: ", "xx: "))
    assert CliRunner().invoke(feide_app, ["check", str(path)]).stdout.splitlines()[-1].endswith("funn av 1 slag.")
    path.write_text(DIRECTORY)
    right = CliRunner().invoke(feide_app, ["check", str(path)])
    assert (right.exit_code, right.stdout) == (0, "Ingen funn.\n")


def test_a_file_that_is_not_ldif_gives_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ldif"
    broken.write_bytes(b"dn: dc=no\ncn:: !!\n")
    for path in (broken, tmp_path / "missing.ldif", tmp_path):
        result = CliRunner().invoke(feide_app, ["check", str(path)])
        assert result.exit_code == 2
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1


def test_the_changes_between_two_published_files_are_written_once_and_never_over_a_file(tmp_path: Path) -> None:
    before, now, out = tmp_path / "before.ldif", tmp_path / "now.ldif", tmp_path / "out.ldif"
    before.write_bytes(written(HAUGESUND_SORTED))
    now.write_bytes(written(replace(HAUGESUND_SORTED, people_=())))
    arguments = ["changes", str(before), str(now), str(out)]
    made = CliRunner().invoke(feide_app, arguments)
    assert (made.exit_code, made.output) == (0, "")
    assert out.read_text().count("changetype: delete") == 3
    assert out.read_text().splitlines()[0] == f"# from: {hashlib.sha256(before.read_bytes()).hexdigest()}"
    assert out.stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(feide_app, arguments)
    assert (again.exit_code, again.stdout, len(again.stderr.splitlines())) == (2, "", 1)
    now.write_text("dn: dc=no\n")
    for file in ("now.ldif", "missing.ldif"):
        refused = CliRunner().invoke(feide_app, ["changes", str(before), str(tmp_path / file), str(tmp_path / "other")])
        assert (refused.exit_code, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
        assert not (tmp_path / "other").exists()
