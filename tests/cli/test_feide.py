"""``dataflyt feide``: one value as JSON, a directory's findings line by line, and the exit codes."""

import json
from pathlib import Path

from typer.testing import CliRunner

from dataflyt.cli.feide import feide_app
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
