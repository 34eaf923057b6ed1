"""The lists of access: what stands in them, what their checks find, and that the published schema is true."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflyt.config.loading import find
from dataflyt.errors import ConfigError, Unreadable
from dataflyt.exports import guardians, guardians_check, guardians_csv
from dataflyt.exports.model import Access, Counts, Owner, School

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "guardians.schema.json").read_text("utf-8"))
CHILD, OTHER = "00000000-0000-5000-8000-000000000001", "00000000-0000-5000-8000-000000000002"
ADULT, SECOND = "10000000-0000-5000-8000-000000000001", "10000000-0000-5000-8000-000000000002"
FIRST = Access(CHILD, "13897200184", None, ADULT, "15898030056", "Kåre", "Å", "foreldreansvar", True, True, None)


@dataclass
class Kommune:
    rows: Iterable[Access]
    contact: bool = False

    def as_of(self) -> datetime:
        return datetime(2026, 11, 23, 3, tzinfo=UTC)

    def owner(self) -> Owner:
        return Owner("haugesund.kommune.no", "944073787", "Haugesund kommune")

    def schools(self) -> list[School]:
        return [School("974588145", "Skåredalen skole")]

    def extras(self, export: str) -> frozenset[str]:
        return frozenset(["contact"] if self.contact else [])

    def accesses(self, export: str) -> Iterable[Access]:
        return self.rows


class File:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, mode: str, /) -> BinaryIO:
        return io.BytesIO(self.content)


def written(*rows: Access, contact: bool = False) -> tuple[bytes, bytes]:
    """Return the two files."""
    both = []
    for module in (guardians, guardians_csv):
        out = io.BytesIO()
        module.write(Kommune(rows, contact), out)  # type: ignore[arg-type]
        both.append(out.getvalue())
    return both[0], both[1]


def found(content: bytes, check: Any = guardians_check.check) -> list[str]:
    return [finding.name for finding in check(File(content))]


def valid(content: bytes) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    said = json.loads(content)
    jsonschema.Draft202012Validator(SCHEMA).validate(said)
    return said


def test_a_row_says_child_guardian_basis_and_envelope_and_no_more() -> None:
    as_json, as_csv = written(FIRST)
    (row,) = valid(as_json)["access"]
    assert row == {
        "child": {"id": CHILD, "number": "13897200184", "local_number": None},
        "guardian": {"id": ADULT, "number": "15898030056", "given_names": "Kåre", "family_name": "Å"},
        "basis": "foreldreansvar",
        "envelope": {"message": True, "notice": True, "reason": None},
    }
    assert as_csv.decode("utf-8-sig").splitlines() == [
        "child_id;child_number;child_local_number;guardian_id;guardian_number;guardian_given_names;"
        "guardian_family_name;basis;message;notice;reason",
        f"{CHILD};13897200184;;{ADULT};15898030056;Kåre;Å;foreldreansvar;yes;yes;",
    ]
    assert as_csv.startswith(b"\xef\xbb\xbf")


def test_contact_is_there_only_where_the_kommune_says_so() -> None:
    row = FIRST._replace(mail="k@example.com", mobile="+4799999999")
    as_json, as_csv = written(row, contact=True)
    assert valid(as_json)["access"][0]["guardian"]["mobile"] == "+4799999999"
    assert as_csv.decode().endswith(";k@example.com;'+4799999999\r\n")
    assert found(as_json) == found(as_csv, guardians_check.check_csv) == []
    assert b"email" not in b"".join(written(FIRST))


def test_only_pupils_are_counted_and_an_empty_kommune_gives_empty_lists() -> None:
    rows = (FIRST, FIRST._replace(guardian_id=SECOND), FIRST._replace(child_id=OTHER))
    for module in (guardians, guardians_csv):
        assert module.write(Kommune(rows), io.BytesIO()) == Counts(1, 1, 2, 2, 0, 0, 0, 0)  # type: ignore[arg-type]
    as_json, as_csv = written()
    assert valid(as_json)["access"] == []
    assert found(as_json) == found(as_csv, guardians_check.check_csv) == []


def test_a_spreadsheet_shows_every_number_as_it_is_and_begins_no_formula_inside_a_cell() -> None:
    row = FIRST._replace(child_number="01890600111", child_local_number="1-2", guardian_number="02890600150")
    _, as_csv = written(row._replace(given_names="Ola, =1+1", family_name="a;+b"))
    assert found(as_csv, guardians_check.check_csv) == []
    (cells,) = list(csv.reader(io.StringIO(as_csv.decode("utf-8-sig")), delimiter=";"))[1:]
    assert cells[1:3] == ["'01890600111", "'1-2"]
    assert cells[4:7] == ["'02890600150", "Ola, '=1+1", "a;'+b"]
    for old, name in ((b"'0189", "CHANGED"), (b"'1-2", "CHANGED"), (b"'=1", "FORMULA"), (b"'+b", "FORMULA")):
        broken = as_csv.replace(old, old[1:])
        assert found(broken, guardians_check.check_csv) == [getattr(guardians_check, name)], old
    _, long = written(FIRST._replace(child_local_number="1234567890123456"))
    assert b";'1234567890123456;" in long


TEXT = st.text(max_size=12) | st.sampled_from(
    ["=1+1", "+47", "-x", "@a", 'a";"b', "\u202eOla", "a\r\nb", "\t=x", "0", "a, =1", "'x", ""]
)
ENVELOPES = st.sampled_from([(True, True, None), (False, False, "no_contact"), (True, False, "reserved")])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT, ENVELOPES), max_size=3), st.booleans())
def test_whatever_a_name_is_both_files_are_whole_and_pass_their_checks(
    people: list[tuple[str, str, str, tuple[bool, bool, str | None]]], contact: bool
) -> None:
    rows = [
        FIRST._replace(child_id=f"{CHILD[:-1]}{at}", given_names=given_, family_name=family, child_local_number=local)
        ._replace(message=envelope[0], notice=envelope[1], reason=envelope[2])
        ._replace(mail=local if contact else None)
        for at, (given_, family, local, envelope) in enumerate(people)
    ]
    as_json, as_csv = written(*rows, contact=contact)
    assert written(*rows, contact=contact) == (as_json, as_csv)
    assert found(as_json) == found(as_csv, guardians_check.check_csv) == []
    assert len(valid(as_json)["access"]) == len(rows)
    lines = list(csv.reader(io.StringIO(as_csv.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert {len(line) for line in lines} == {13 if contact else 11}
    assert len(lines) == len(rows) + 1
    assert not [cell for line in lines for cell in line if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


def changed(**parts: Any) -> bytes:
    """Return a list whose only row is changed."""
    content, _ = written(FIRST)
    head, row, end = content.splitlines(keepends=True)
    said = json.loads(row)
    for name, value in parts.items():
        part, _, field = name.partition("__")
        if field:
            said[part][field] = value
        else:
            said[name] = value
    return head + json.dumps(said).encode() + b"\n" + end


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"why_not": "blocked"}, guardians_check.FIELDS),
        ({"child__protection": 2}, guardians_check.FIELDS),
        ({"guardian": {}}, guardians_check.FIELDS),
        ({"guardian": None}, guardians_check.FIELDS),
        ({"basis": "grant:barnevern_decision"}, guardians_check.VALUE),
        ({"child__id": "1"}, guardians_check.VALUE),
        ({"guardian__number": None}, guardians_check.VALUE),
        ({"guardian__given_names": "a\u0007"}, guardians_check.VALUE),
        ({"envelope__message": "yes"}, guardians_check.VALUE),
        ({"envelope__reason": "fortrolig"}, guardians_check.VALUE),
        ({"envelope__reason": ["reserved"]}, guardians_check.VALUE),
        ({"envelope__reason": "reserved"}, guardians_check.ENVELOPE),
        ({"envelope__message": False}, guardians_check.ENVELOPE),
        ({"guardian__number": "15898030001"}, guardians_check.NUMBER),
    ],
)
def test_the_check_finds_what_must_not_be_there(parts: dict[str, Any], name: str) -> None:
    assert found(changed(**parts)) == [name]


def test_rows_stand_by_child_and_guardian_each_once() -> None:
    for rows in ((FIRST, FIRST), (FIRST._replace(guardian_id=SECOND), FIRST)):
        as_json, as_csv = written(*rows)
        assert found(as_json) == found(as_csv, guardians_check.check_csv) == [guardians_check.ORDER]


def test_a_spreadsheets_formula_and_a_row_too_short_are_found() -> None:
    _, content = written(FIRST)
    assert found(content.replace(b"K\xc3\xa5re", b"=1+1"), guardians_check.check_csv) == [guardians_check.FORMULA]
    assert found(content.replace(b";yes;yes;", b";yes"), guardians_check.check_csv) == [guardians_check.FIELDS]
    assert found(content.replace(b";yes;yes;", b";ja;yes;"), guardians_check.check_csv) == [guardians_check.VALUE]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"1.0"', b'"2.0"'),
        (b"]}", b"]"),
        (b"\n]}", b",\n]}"),
        (b"]}\n", b"]}\n]}\n"),
        (b'"basis"', b'"basis'),
        (b"+", b""),
    ],
)
def test_what_is_not_the_format_is_refused(old: bytes, new: bytes) -> None:
    content, _ = written(FIRST)
    assert old in content
    with pytest.raises(Unreadable):
        found(content.replace(old, new))


@pytest.mark.parametrize("content", [b"", b"\xff", b"a;b\r\n", b'"'])
def test_what_is_no_list_is_refused(content: bytes) -> None:
    for check in (guardians_check.check, guardians_check.check_csv):
        with pytest.raises(Unreadable):
            found(content, check)


def test_every_reason_of_the_schema_is_explained_to_operators() -> None:
    access = SCHEMA["properties"]["access"]["items"]["properties"]
    page = (ROOT / "docs" / "reference" / "guardians.md").read_text("utf-8")
    for reason in access["envelope"]["properties"]["reason"]["enum"][1:]:
        assert f"| `{reason}` |" in page
    assert all(f"`{basis}`" in page for basis in access["basis"]["enum"])


def test_the_kommune_file_gives_contact_to_the_exports_that_can_have_it(tmp_path: Path) -> None:
    text = (ROOT / "include" / "kommuner" / "haugesund.yaml").read_text("utf-8")
    path = tmp_path / "haugesund.yaml"
    assert find(ROOT / "include" / "kommuner", "haugesund").export_extras == {}
    path.write_text(text + "\nexport_extras:\n  guardians: [contact]\n", "utf-8")
    assert find(tmp_path, "haugesund").export_extras == {"guardians": ("contact",)}
    for wrong in ("guardians: [all]", "pifu: [contact]", "nothing: [contact]"):
        path.write_text(f"{text}\nexport_extras:\n  {wrong}\n", "utf-8")
        with pytest.raises(ConfigError):
            find(tmp_path, "haugesund")


def test_memory_does_not_grow_with_the_people() -> None:
    import tracemalloc

    def peak(count: int) -> int:
        rows = (FIRST._replace(child_id=f"00000000-0000-5000-8000-{at:012d}") for at in range(count))
        tracemalloc.start()
        try:
            guardians.write(Kommune(rows), Nowhere())  # type: ignore[arg-type]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8000) < 1_000_000, "the rows are 3 MB"


class Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)
