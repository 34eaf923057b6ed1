import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from dataflyt.cli.read import id_command, read_command

REFERENCE = os.environ.get("DATAFLYT_REFERENCE")
app = typer.Typer()
app.command("read")(read_command)
app.command("id")(id_command)


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def krr(tmp_path):
    file = tmp_path / "krr.json"
    file.write_text('{"personer": [{"personidentifikator": "02838639618", "spraak": "se"}]}')
    return file


def refused(*arguments):
    code, out, err = call(*arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return out, err


def test_what_is_read_is_printed_as_one_object_a_line(krr):
    code, out, err = call("read", "krr", "personer", krr)
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert list(row)[:2] == ["table", "personidentifikator"]
    assert (row["table"], row["spraak"], row["epostadresse"]) == ("contact", "se", None)


def test_names_with_garbled_letters_are_told_beside_the_rows(tmp_path):
    file = tmp_path / "hr.xml"
    resources = "".join(
        f"<Resource><ResourceId>{i}</ResourceId><Surname>{name}</Surname></Resource>"
        for i, name in enumerate(("PrÃ¸ve", "Prøve", "Pr&#155;ve"))
    )
    file.write_text(f"<ExportInfo><Resources>{resources}</Resources></ExportInfo>", encoding="utf-8")
    code, out, err = call("read", "hr", "stamdata3", file)
    assert (code, len(out.splitlines())) == (0, 3)
    assert err.startswith("hr.xml: 2 rader i employee har navn med ødelagte bokstaver")
    assert "UTF-8" in err


def test_a_truncated_file_gives_one_sentence_and_exit_code_2(tmp_path):
    file = tmp_path / "hr.xml"
    file.write_text("<ExportInfo><Resources><Resource><ResourceId>1</ResourceId></Resource><Resource>")
    out, err = refused("read", "hr", "stamdata3", file)
    assert "slutter for tidlig" in err
    assert json.loads(out)["table"] == "employee"


def test_what_cannot_be_read_is_said_in_one_sentence(krr, tmp_path):
    assert "freg, krr, hr eller sas" in refused("read", "x", "y", krr)[1]
    assert "stamdata3" in refused("read", "hr", "y", krr)[1]
    assert "mappe" in refused("read", "krr", "personer", tmp_path)[1]
    assert "finnes ikke" in refused("read", "krr", "personer", tmp_path / "none")[1]
    assert "KRR" in refused("read", "freg", "bulk", krr)[1]


def test_every_format_that_is_promised_is_there(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    for source, format in [
        ("freg", "bulk"),
        ("freg", "person"),
        ("krr", "personer"),
        ("hr", "stamdata3"),
        ("hr", "visma"),
        ("sas", "pifu"),
        ("sas", "timetable"),
        ("sas", "oneroster"),
        ("sas", "ical"),
    ]:
        assert "tom" in refused("read", source, format, empty)[1]


def test_numbers_are_explained_one_a_line():
    code, out, _ = call("id", "15831499815", "41810021827", "12345678901", "x")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert lines[0] == {
        "number": "15831499815",
        "meant": "number",
        "valid": True,
        "kind": "fodselsnummer",
        "synthetic": True,
        "rule": "1964",
        "birth_date": "2014-03-15",
    }
    assert [line["kind"] for line in lines] == ["fodselsnummer", "dnummer", None, None]
    assert [line["valid"] for line in lines] == [True, True, False, False]


def run(*arguments, **options):
    code = (
        "import typer; from dataflyt.cli.read import *; app = typer.Typer();"
        "app.command('read')(read_command); app.command('id')(id_command); app()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    file = tmp_path / "timetable.csv"
    file.write_text("group,weekday,start,end,room\n" + "g1,1,08:30,09:15,R\n" * 20_000)
    process = run("read", "sas", "timetable", file)
    assert process.stdout.readline().startswith(b'{"table":"timetable"')
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
@pytest.mark.parametrize(
    ("source", "format", "file", "tables"),
    [
        ("freg", "bulk", "freg/freg_bulkoppslag_response.json", {"person", "navn", "bostedsadresse", "foreldreansvar"}),
        ("freg", "person", "freg/freg_person_barn.json", {"person", "familierelasjon", "annenAdresse"}),
        ("krr", "personer", "krr/krr_personer_response.json", {"contact"}),
        ("hr", "stamdata3", "stamdata3/stamdata3_single.xml", {"employee", "employment", "org_unit"}),
        ("sas", "pifu", "pifu_ims/PIFU-IMS_SAS_eksempel.xml", {"school", "group", "person", "membership", "guardian"}),
    ],
)
def test_the_reference_files_are_printed(source, format, file, tables):
    code, out, _ = call("read", source, format, Path(REFERENCE) / file)
    assert code == 0
    assert {json.loads(line)["table"] for line in out.splitlines()} >= tables


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_not_called_an_unreadable_file(krr):
    command = [str(Path(sys.executable).with_name("dataflyt")), "read", "krr", "personer", str(krr)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"{krr} kunne ikke leses, eller radene kunne ikke skrives: det er ikke plass på disken."
    ]
