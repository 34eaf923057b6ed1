"""The class lists: the report that a school leader takes away, and what its check finds."""

import csv
import io
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.exports import class_list, class_list_check
from dataflyt.exports.model import ClassMember, School
from dataflyt.formats import sheets

SKAAREDALEN, TESTSKOLE = "974588145", "994392328"
MOMENT = datetime(2023, 11, 23, 4, 0, 7, 250000, timezone(timedelta(hours=1)))
FIRST, LAST = date(2023, 8, 1), date(2024, 7, 31)
HEADS = ["Skoleår", "Trinn", "Gruppetype", "Fornavn", "Etternavn"]


def member(
    given_names: str, family: str, level: int | None = 3, school: str = SKAAREDALEN, **other: Any
) -> ClassMember:
    name = "Skåredalen skole" if school == SKAAREDALEN else "Testskole 1"
    known = ClassMember(
        school,
        name,
        f"{school}/{level}A",
        f"{level}A",
        level,
        FIRST,
        LAST,
        f"{given_names}-{family}",
        given_names,
        family,
    )
    return known._replace(**other)


URLIG, RASK = member("Urolig", "Kaie"), member("Rask", "Herre")
BALLSKO = member("Nøytral", "Ballsko", 10, TESTSKOLE)


@dataclass(frozen=True)
class Kommune:
    """A kommune that a test makes up."""

    members: tuple[ClassMember, ...] = (RASK, URLIG, BALLSKO)
    schools_: tuple[School, ...] = (School(SKAAREDALEN, "Skåredalen skole"), School(TESTSKOLE, "Testskole 1"))
    moment: datetime = MOMENT

    def as_of(self) -> datetime:
        return self.moment

    def schools(self) -> tuple[School, ...]:
        return self.schools_

    def class_members(self) -> Iterator[ClassMember]:
        return iter(self.members)


class InMemory:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, mode: str = "rb") -> io.BytesIO:
        return io.BytesIO(self.content)


def written(kommune: Kommune = Kommune()) -> bytes:
    out = io.BytesIO()
    class_list.write(kommune, out)  # type: ignore[arg-type]
    return out.getvalue()


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def lines(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def found(content: bytes) -> set[str]:
    return {finding.name for finding in class_list_check.check(InMemory(content))}


def test_the_report_has_the_columns_and_lines_of_the_school_systems_own() -> None:
    held = files(written())
    assert list(held) == [
        "alle-skoler.csv",
        "alle-skoler.xlsx",
        f"skoler/{SKAAREDALEN}-skaaredalen-skole.csv",
        f"skoler/{SKAAREDALEN}-skaaredalen-skole.xlsx",
        f"skoler/{TESTSKOLE}-testskole-1.csv",
        f"skoler/{TESTSKOLE}-testskole-1.xlsx",
    ]
    whole = lines(held["alle-skoler.csv"])
    assert [line[:5] for line in whole] == [
        HEADS,
        ["2023/2024", "3", "Klasse", "Rask", "Herre"],
        ["2023/2024", "3", "Klasse", "Urolig", "Kaie"],
        ["2023/2024", "10", "Klasse", "Nøytral", "Ballsko"],
    ]
    assert [line[5:] for line in whole[:2]] == [["Gruppe", "Skole"], ["3A", "Skåredalen skole"]]
    assert lines(held[f"skoler/{TESTSKOLE}-testskole-1.csv"]) == [whole[0], whole[3]]
    assert found(written()) == set()


def test_the_sheet_opens_with_its_heads_in_sight_a_filter_and_columns_that_are_wide_enough() -> None:
    book = openpyxl.load_workbook(io.BytesIO(files(written())["alle-skoler.xlsx"]))
    sheet = book.active
    assert (sheet.title, sheet.freeze_panes, sheet.auto_filter.ref) == ("Klasseliste", "A2", "A1:G4")
    assert [cell.value for cell in sheet[2]] == ["2023/2024", 3, "Klasse", "Rask", "Herre", "3A", "Skåredalen skole"]
    assert sheet["B2"].data_type == "n", "a year level is a number, which sorts as one"
    assert sheet["A1"].font.bold
    assert sheet.column_dimensions["G"].width >= len("Skåredalen skole")
    assert book.properties.modified.isoformat() == "2023-11-23T03:00:07"
    on_paper = (sheet.page_setup.orientation, sheet.page_setup.fitToHeight, sheet.print_title_rows)
    assert on_paper == ("landscape", 0, "$1:$1")
    assert sheet.sheet_properties.pageSetUpPr.fitToPage, "no column is on a page of its own"


def test_the_same_pupils_give_the_same_bytes_whenever_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    first = written()
    monkeypatch.setattr("time.localtime", lambda *_: (2030, 1, 1, 0, 0, 0, 0, 1, 0))
    monkeypatch.setattr("time.time", lambda: 1.9e9)
    assert written() == first
    monkeypatch.setattr(class_list, "_CHUNK", 1)
    assert written() == first, "and in chunks of any size"


@pytest.mark.parametrize(
    ("today", "dates", "year"),
    [
        (date(2024, 7, 31), (FIRST, LAST), "2023/2024"),
        (date(2024, 8, 1), (FIRST, LAST), "2023/2024"),  # a class that has ended keeps its year
        (date(2024, 7, 20), (date(2024, 8, 1), None), "2024/2025"),  # and one that has not begun has its own
        (date(2024, 8, 1), (None, None), "2024/2025"),
        (date(2025, 3, 1), (date(2020, 8, 1), date(2027, 7, 31)), "2024/2025"),
        (date(2025, 3, 1), (date(1, 1, 1), date(1, 1, 1)), "2024/2025"),  # a system's words for always
        (date(2025, 3, 1), (date(9999, 8, 1), date(9999, 12, 31)), "2024/2025"),
    ],
)
def test_the_school_year_turns_on_1_august(today: date, dates: tuple[date | None, date | None], year: str) -> None:
    moment = datetime(today.year, today.month, today.day, 4, tzinfo=MOMENT.tzinfo)
    pupil = URLIG._replace(from_date=dates[0], to_date=dates[1], year_level=99)
    one = replace(Kommune(), members=(pupil,), moment=moment)
    assert found(written(one)) == set(), "an impossible year level is left out, and stops nothing"
    assert lines(files(written(one))["alle-skoler.csv"])[1][0] == year


def test_schools_of_one_name_and_schools_without_classes_have_a_list_each() -> None:
    same = replace(Kommune(), members=(RASK,), schools_=(School(SKAAREDALEN, "../Å/Ø"), School(TESTSKOLE, "../Å/Ø")))
    held = files(written(same))
    assert [name for name in held if name.endswith(".csv")] == [
        "alle-skoler.csv",
        f"skoler/{SKAAREDALEN}-aa-oe.csv",
        f"skoler/{TESTSKOLE}-aa-oe.csv",
    ]
    assert len(lines(held[f"skoler/{TESTSKOLE}-aa-oe.csv"])) == 1
    empty = written(Kommune((), ()))
    assert list(files(empty)) == ["alle-skoler.csv", "alle-skoler.xlsx"]
    assert found(empty) == found(written(same)) == set()


def test_counts_are_of_pupils_and_a_pupil_in_two_classes_has_two_lines_and_is_one() -> None:
    twice = replace(Kommune(), members=(RASK, RASK._replace(group_id="x", group="3B"), BALLSKO))
    counts = class_list.write(twice, io.BytesIO())  # type: ignore[arg-type]
    assert (counts.people, counts.pupils, counts.groups, counts.memberships, counts.schools) == (2, 2, 3, 3, 2)


@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://x")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\uff1d1",
        "#N/A",
        "TRUE",
        "1e5",
        "'Ola",
        "'=1",
        'A;B"C',
        "A\nB",
        "A\x0b\u2028B",
        "Nytt @navn;=1",
        "Dans, -Musikk",
        "A;  \uff1d1, @x;'=1",
    ],
)
def test_a_name_is_text_whatever_it_looks_like(name: str) -> None:
    content = written(replace(Kommune(), members=(member(name, name),), schools_=(School(SKAAREDALEN, name),)))
    assert found(content) == set()
    (_, row) = openpyxl.load_workbook(io.BytesIO(files(content)["alle-skoler.xlsx"])).active.iter_rows()
    assert (row[3].data_type, row[3].value) == ("s", " ".join(name.split()))
    (_, line) = lines(files(content)["alle-skoler.csv"])
    assert line[3].startswith("'") or not line[3].startswith(sheets.FORMULA)


@settings(deadline=None, max_examples=15, phases=(Phase.generate,))
@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9)), max_size=4))
def test_any_names_make_a_file_that_passes_its_check(names: list[tuple[str, str, str]]) -> None:
    members = tuple(member(f"x{a}", b, group=c) for a, b, c in names)
    assert found(written(replace(Kommune(), members=members))) == set()


@pytest.mark.parametrize("name", ["", "\u200b", "\ufffe", "x\uffff", "\ufffe=1", "a" * 40_000])
def test_a_name_that_is_none_or_that_no_sheet_holds_stops_nothing(name: str) -> None:
    members = (member(name, ""), member("Rask", name, group=name, group_id=f"a\t{name}"))
    assert found(written(replace(Kommune(), members=members))) == set()


def test_no_name_is_left_on_the_machine_when_the_writing_stops_midway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that is killed cleans up nothing: no file may have a name while the list is written."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @dataclass(frozen=True)
    class Stops(Kommune):
        def class_members(self) -> Iterator[ClassMember]:
            for at in range(class_list._CHUNK + 1):
                yield member("Rask", f"Herre{at}")
                assert list(tmp_path.iterdir()) == []
            if started:
                raise OSError
            started.append(True)

    started: list[bool] = []
    with pytest.raises(OSError):  # noqa: PT011
        written(Stops())
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_pupils() -> None:
    def peak(pupils: int) -> int:
        many = replace(
            Kommune(),
            members=tuple(
                member("Rask", f"Herre{at}", school=SKAAREDALEN if at < pupils // 2 else TESTSKOLE)
                for at in range(pupils)
            ),
        )
        tracemalloc.start()
        class_list.write(many, io.BytesIO())  # type: ignore[arg-type]
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    small, large = peak(100), peak(700)
    assert large - small < 2_500_000


def changed(change: Callable[[dict[str, bytes]], None]) -> bytes:
    held = files(written())
    change(held)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return out.getvalue()


def in_whole(old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def change(held: dict[str, bytes]) -> None:
        assert old.encode() in held["alle-skoler.csv"]
        held["alle-skoler.csv"] = held["alle-skoler.csv"].replace(old.encode(), new.encode())

    return change


def a_formula(held: dict[str, bytes]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(held["alle-skoler.xlsx"]))
    book.active["D2"] = "=1+1"
    out = io.BytesIO()
    book.save(out)
    held["alle-skoler.xlsx"] = out.getvalue()


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (in_whole(";Fornavn;", ";Navn;"), class_list_check.OTHER_HEADS),
        (in_whole(";Herre;", ";=1;"), class_list_check.FORMULA),
        (a_formula, class_list_check.FORMULA),
        (in_whole(";Herre;", ";Dame;"), class_list_check.NOT_THE_SAME),
        (in_whole("2023/2024;3", "2023/2025;3"), class_list_check.NOT_VALID),
        (in_whole(";Herre;", "\u202e;Herre;"), class_list_check.NOT_VALID),
        (in_whole(";10;", ";19;"), class_list_check.NOT_VALID),
        (lambda held: held.pop(f"skoler/{TESTSKOLE}-testskole-1.xlsx"), class_list_check.WITHOUT_TWIN),
        (lambda held: held.update({"../x.csv": b""}), class_list_check.NOT_A_LIST),
        (
            lambda held: [held.pop(f"skoler/{TESTSKOLE}-testskole-1.{kind}") for kind in ("csv", "xlsx")],
            class_list_check.NOT_THE_WHOLE,
        ),
    ],
)
def test_the_check_finds_what_is_wrong(change: Callable[[dict[str, bytes]], None], finding: str) -> None:
    content = changed(change)
    assert finding in found(content)
    said = " ".join(map(str, class_list_check.check(InMemory(content))))
    assert not [name for name in ("Rask", "Herre", "Kaie", "Ballsko", "Dame") if name in said]


def broken(content: bytes, part: int = 0) -> bytes:
    """Return a zip file with one of its files damaged within."""
    inside = zipfile.ZipFile(io.BytesIO(content)).infolist()[part]
    at = inside.header_offset + 36 + len(inside.filename)
    return content[:at] + bytes(letter ^ 0xFF for letter in content[at : at + 20]) + content[at + 20 :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        written()[:-40],
        broken(written()),
        broken(written(), 1),
        changed(lambda held: held.update({"alle-skoler.xlsx": b"x"})),
        changed(dict.clear),
    ],
)
def test_a_file_that_is_no_class_list_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable):
        found(content)
