"""Files of tables: new, private, safe to open, and as long as the table."""

import io
import os
import stat
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.errors import ConfigError
from dataflyt.formats import sheets
from dataflyt.frames import writing
from tests.installation.fixtures import LOOKING, Installation
from tests.operations.test_work_list import operator as operator

HOSTILE = ["=1+1", "\t=1+1", "+4712345678", 'Ola;\n"Kari"', "\u202egnp.exe", "\x00\x07@SUM(A1)", None]
FRAME = pd.DataFrame(
    {
        "navn": pd.Series(HOSTILE, dtype="str"),
        "antall": pd.Series([1, None, 3, 4, 5, 6, 7], dtype="Int64"),
        "prosent": pd.Series([1.5] * 7, dtype="Float64"),
        "dag": pd.Series(["2026-08-01"] * 6 + [None], dtype="datetime64[s]"),
        "tid": pd.to_datetime(pd.Series(["2026-12-31T23:30:00Z"] * 6 + [None])).astype("datetime64[us, UTC]"),
    }
)


def written(ending: str, *frames: pd.DataFrame) -> tuple[int, bytes]:
    out = io.BytesIO()
    return sheets.stream(frames, out, ending, "person"), out.getvalue()


def test_a_streamed_csv_has_one_head_no_formula_and_only_letters_that_can_be_printed() -> None:
    rows, content = written(".csv", FRAME, FRAME)
    assert rows == 14
    text = content.decode("utf-8-sig")
    assert text.count("navn;antall") == 1
    read = pd.read_csv(io.StringIO(text), sep=";", decimal=",", dtype={"navn": str})
    assert list(read["navn"][:6]) == [
        *("'=1+1", "'=1+1", "'+4712345678", 'Ola; "Kari"', "gnp.exe", "'@SUM(A1)"),
    ]
    assert list(read.loc[0, ["antall", "prosent", "dag", "tid"]]) == [1, 1.5, "2026-08-01", "2027-01-01 00:30:00"]
    assert read.loc[6].isna().sum() == 3
    assert written(".csv", FRAME)[1] == written(".csv", FRAME)[1]


def test_a_streamed_sheet_has_one_head_and_no_formula() -> None:
    rows, content = written(".xlsx", FRAME.iloc[:0], FRAME, FRAME)
    assert rows == 14
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    lines = list(sheet.iter_rows())
    assert [cell.value for cell in lines[0]] == list(FRAME)
    assert len(lines) == 15
    assert {cell.data_type for line in lines for cell in line} <= {"s", "n", "d"}
    assert [str(cell.value) for cell in lines[1]] == ["=1+1", "1", "1.5", "2026-08-01 00:00:00", "2027-01-01 00:30:00"]
    assert lines[1][0].quotePrefix
    assert lines[7][0].value is None
    assert written(".xlsx", FRAME.iloc[:0])[0] == 0


def test_a_streamed_parquet_table_has_the_frame_s_own_types_texts_and_times() -> None:
    empty = FRAME.iloc[:0].astype(FRAME.dtypes)
    rows, content = written(".parquet", empty, FRAME, FRAME)
    assert rows == 14
    read = pd.read_parquet(io.BytesIO(content))
    days = {"dag": "datetime64[ms]"}  # Parquet has no whole seconds
    pd.testing.assert_frame_equal(read, pd.concat([FRAME, FRAME], ignore_index=True).astype(days))
    assert content == written(".parquet", empty, FRAME, FRAME)[1]


def test_a_table_too_long_for_a_sheet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST", 10)
    with pytest.raises(ConfigError, match=r"\.csv"):
        written(".xlsx", FRAME, FRAME)
    assert written(".csv", FRAME, FRAME)[0] == 14


@pytest.mark.after_first_run
def test_a_file_is_new_and_private_and_never_there_without_its_audit(
    operator: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = operator
    old = os.umask(0)
    try:
        file = tmp_path / "person.csv"
        rows = writing.write(here.kommune, here.environment, "person", LOOKING, file)
        again = tmp_path / "again.csv"
        writing.write(here.kommune, here.environment, "person", LOOKING, again)
    finally:
        os.umask(old)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(pd.read_csv(file, sep=";")) == rows > 100
    assert file.read_bytes() == again.read_bytes()

    audited = "select count(*) from control.audit where action = 'table'"
    before = here.query(audited)
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "elsewhere.csv")
    for name in ("person.csv", "link.csv", "person.feather", "person.txt", "nowhere/person.csv"):
        with pytest.raises(ConfigError):
            writing.write(here.kommune, here.environment, "person", LOOKING, tmp_path / name)
    assert here.query(audited) == before
    assert sorted(one.name for one in tmp_path.glob("*.*")) == ["again.csv", "link.csv", "person.csv"]

    def broken(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sheets, "stream", broken)
    with pytest.raises(ConfigError, match="kan ikke skrives"):
        writing.write(here.kommune, here.environment, "person", LOOKING, tmp_path / "full.csv")
    assert here.query(audited) == before
    assert not (tmp_path / "full.csv").exists()
    monkeypatch.undo()


@pytest.mark.after_first_run
def test_the_command_asks_who_and_why_for_people_and_nothing_for_counts(operator: Installation, tmp_path: Path) -> None:
    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["frame", "haugesund", *words])
        assert "Traceback" not in done.output
        return done.exit_code, done.output

    out = ("--out", str(tmp_path / "tabell.xlsx"))
    assert said("unit", *out)[0] == 2
    assert said("unit", *out, "--as", "101")[0] == 2
    assert said("person", *out, "--as", "nobody", "--purpose", "1")[0] == 2
    assert said("persons", *out) == (2, said("persons", *out)[1])
    assert "finnes ikke" in said("persons", *out)[1]
    assert not (tmp_path / "tabell.xlsx").exists()
    assert said("unit", *out, "--as", "101", "--purpose", "1") == (0, f"4 rader av unit er skrevet til {out[1]}.\n")
    assert "finnes fra før" in said("runs", *out)[1]
    assert said("runs", "--out", str(tmp_path / "runs.csv"))[0] == 0
    assert said("person", "--out", str(tmp_path / "person.parquet"), "--as", "101", "--purpose", "1")[0] == 0
    assert len(pd.read_parquet(tmp_path / "person.parquet")) > 100
    names = {parameter for parameter in app_help().replace(",", " ").replace(".", " ").split()}
    from dataflyt.frames.tables import TABLES

    assert set(TABLES) <= names


def app_help() -> str:
    return CliRunner(env={"COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb"}).invoke(app, ["frame", "--help"]).output


def test_a_table_of_which_nothing_comes_is_an_empty_sheet() -> None:
    out = io.BytesIO()
    assert sheets.stream(iter([]), out, ".xlsx", "person") == 0
    assert list(openpyxl.load_workbook(out).active.values) == []
