"""A new kommune: a file to fill in, and a check that names one gap after another."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from dataflyt.cli.kommune import kommune_app
from dataflyt.config import loading
from dataflyt.errors import ConfigError

SHIPPED = Path(loading.__file__).parents[2] / "kommuner"
FILLED_IN = {
    "orgnr": '"939760946"',
    "freg": "med_hjemmel",
    "text": '"Skoleeier"',
    "units": '{"100": "311060015"}',
    "realm": "orsta.kommune.no",
    "approvers": '[{id: kari, name: "Kari"}]',
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(SHIPPED / "haugesund.yaml", tmp_path)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(tmp_path))
    return tmp_path


def new(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(kommune_app, ["new", *words])
    return result.exit_code, result.output


def complaint(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        loading.load(path)
    return raised.value.sentence


def test_a_new_file_is_filled_in_field_by_field_as_the_check_says(folder: Path) -> None:
    code, said = new("1520", "--name", "Ørsta")
    assert code == 0, said
    for step in ("dataflyt kommune check oersta", "warehouse migrate", "account import", "account difference oersta"):
        assert step in said
    path = folder / "oersta.yaml"
    assert path.read_text(encoding="utf-8").count("fyll ut:") == len(FILLED_IN) + 1  # and feide.mail, which may wait
    for field, value in FILLED_IN.items():
        sentence = complaint(path)
        assert re.match(rf"oersta\.yaml, linje \d+: «([a-z_.]+\.)?{field}» er tom: ", sentence), sentence
        line = int(sentence.split("linje ")[1].split(":")[0])
        lines = path.read_text(encoding="utf-8").splitlines()
        assert "fyll ut" in lines[line - 1]
        lines[line - 1] = re.sub(r":\s.*", f": {value}", lines[line - 1], count=1)
        path.write_text("\n".join(lines), encoding="utf-8")
    found = loading.find(folder, "1520")
    assert (found.id, found.name, found.display_name) == ("oersta", "Ørsta", "Ørsta (1520)")
    assert found.trial
    assert found.accounts == "dataflyt"
    assert found.warehouse == "warehouse_oersta"
    assert found.schedule.in_words == "hver søndag kl. 03.00"
    # The commented-out examples are valid too.
    text = path.read_text(encoding="utf-8")
    for wanted in ("done_by", "timetable", "guard", "limits", "pupil_leaves", "august", "pupil_starts", "mail: {to"):
        text = re.sub(rf"^( *)# ( *{wanted})", r"\1\2", text, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    found = loading.load(path)
    assert found.guard.august["pupil_starts"].percent == 25
    assert found.mail
    assert found.schedule.done_by == "07:00"


def test_what_is_there_is_never_written_over_and_no_number_stands_twice(folder: Path) -> None:
    assert new("1520", "--name", "Ørsta")[0] == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for words, sentence in (
        (("1106", "--name", "Ny"), "haugesund.yaml har kommunenummer 1106 fra før"),
        # The same holds for a file that is not filled in yet.
        (("1520", "--name", "Ny"), "oersta.yaml har kommunenummer 1520 fra før"),
        (("1521", "--name", "Haugesund"), "haugesund.yaml finnes fra før og blir ikke skrevet over"),
        (("1521", "--name", "X", "--id", "oersta"), "oersta.yaml finnes fra før"),
        (("152", "--name", "Ny"), "har fire sifre"),
        (("15201", "--name", "Ny"), "har fire sifre"),
        (("Ørsta", "--name", "Ny"), "har fire sifre"),
        (("1521",), "Dataflyt har ingen liste over kommuner å slå opp i"),
        (("1521", "--name", " "), "Skriv kommunens navn med --name"),
        (("1521", "--name", "x" * 101), "høyst 100 tegn"),
        (("1521", "--name", "Ny", "--id", "../ny"), "Skriv en id med --id"),
        (("1521", "--name", "Ny", "--id", "_ny"), "Skriv en id med --id"),
        (("1521", "--name", "東京"), "Skriv en id med --id"),
    ):
        code, said = new(*words)
        assert code == 2, words
        assert sentence in said, words
        assert len(said.strip().splitlines()) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_read_or_written_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder / "borte"))
    code, said = new("1520", "--name", "Ørsta")
    assert (code, "kan ikke leses" in said) == (2, True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=100))
@example("Å \"sitat\" \\ : # {x} [y] 'z'")
@example("{0}")
@example("- x")
def test_any_name_that_is_taken_stands_in_the_file_as_it_was_written(folder: Path, name: str) -> None:
    path = folder / "ny.yaml"
    path.unlink(missing_ok=True)
    code, _ = new("1521", "--name", name, "--id", "ny")
    if code == 0:
        assert "«orgnr» er tom" in complaint(path)
        path.write_text(path.read_text(encoding="utf-8").replace("orgnr: #", 'orgnr: "939760946" #'), encoding="utf-8")
        assert "«legal_basis.freg» er tom" in complaint(path)
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == " ".join(name.split())
    else:
        assert not path.exists()


def test_a_folder_without_defaults_of_its_own_has_dataflyts_limits(folder: Path) -> None:
    limits = loading.find(folder, "1106").guard.limits
    assert limits["number_changes"].percent == 2
    own = Path(loading.__file__).with_name("_defaults.yaml").read_text("utf-8")
    (folder / "_defaults.yaml").write_text(
        own.replace("number_changes: {percent: 2", "number_changes: {percent: 1"), "utf-8"
    )
    assert loading.find(folder, "1106").guard.limits["number_changes"].percent == 1


def test_airflow_can_read_a_file_that_somebody_with_a_strict_umask_has_made(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        assert new("1520", "--name", "Ørsta")[0] == 0
    finally:
        os.umask(before)
    assert (folder / "oersta.yaml").stat().st_mode & 0o777 == 0o644
