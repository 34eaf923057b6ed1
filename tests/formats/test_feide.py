"""Feide's values, the check of a directory, and the two commands."""

import unicodedata
from datetime import date
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflyt.formats import feide
from dataflyt.formats.feide import Group, parse

GROUP = "urn:mace:feide.no:go:group:"
GROUPID = "urn:mace:feide.no:go:groupid:"
GREP = "urn:mace:feide.no:go:grep:"
SCHOOL = "974588145"

text = st.text(min_size=1).filter(str.strip)
dates = st.dates(date(1900, 1, 1))
groups = st.builds(
    lambda kind, first, second, local_id, role, name: Group(
        kind, "MAT0006" if kind == "u" else None, SCHOOL, local_id, min(first, second), max(first, second), role, name
    ),
    st.sampled_from(feide.TYPES),
    dates,
    dates,
    text,
    st.sampled_from(feide.ROLES),
    text,
)


# --- a kommune's own numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("21830212345", "haugesund.kommune.no:localnin:21830212345"),
        (" U 1001 ", "haugesund.kommune.no:localnin:U 1001"),
        ("haugesund.kommune.no:localnin:123", "haugesund.kommune.no:localnin:123"),
        ("Haugesund.Kommune.NO:LocalNIN: 123", "haugesund.kommune.no:localnin:123"),
        ("haugesund.kommune.no:localnin:haugesund.kommune.no:localnin:123", "haugesund.kommune.no:localnin:123"),
        ("feide.trondelagfylke.no:fin:51830299250", "feide.trondelagfylke.no:fin:51830299250"),
        ("haugesund.kommune.no:localnin:sveio.kommune.no:localnin:7", "sveio.kommune.no:localnin:7"),
        ("haugesund.kommune.no:employee:035016", "haugesund.kommune.no:employee:035016"),
        ("6A:12", "haugesund.kommune.no:localnin:6A:12"),
        ("", None),
        ("  ", None),
        ("haugesund.kommune.no:localnin:", None),
        ("haugesund.kommune.no:localnin: haugesund.kommune.no:localnin: ", None),
    ],
)
def test_a_number_that_the_kommune_gave_has_one_prefix_its_givers(number: str, value: str | None) -> None:
    assert feide.local_number("haugesund.kommune.no", "localnin", number) == value


_prefixes = st.builds(
    "{}{}:{}{}:{}".format,
    st.sampled_from(("haugesund.kommune.no", "Sveio.kommune.no", "måne.no")),
    st.sampled_from(("", " ")),
    st.sampled_from(("localnin", "employee", "fin", "LocalNIN")),
    st.sampled_from(("", " ")),
    st.sampled_from(("", " ")),
)


@given(st.lists(_prefixes, max_size=4), st.text(), st.sampled_from(("localnin", "employee")))
def test_a_number_is_written_once_and_writing_it_again_changes_nothing(
    prefixes: list[str], number: str, kind: Literal["localnin", "employee"]
) -> None:
    plain = feide.local_number("haugesund.kommune.no", kind, number)
    written = feide.local_number("haugesund.kommune.no", kind, "".join(prefixes) + number)
    assert (written is None) == (plain is None)
    if written and plain:
        assert feide.local_number("haugesund.kommune.no", kind, written) == written
        assert written.split(":", 2)[2] == plain.split(":", 2)[2]


# --- values -----------------------------------------------------------------------------------------------------


@given(groups)
def test_a_group_that_is_written_reads_back_as_the_same_group(group: Group) -> None:
    read = parse(group.value)
    assert read.valid
    assert read.group is not None
    assert read.group.local_id == unicodedata.normalize("NFC", group.local_id)
    assert read.group.name == unicodedata.normalize("NFC", group.name)
    same = (read.group.type, read.group.grep, read.group.orgnr, read.group.from_date, read.group.to_date)
    assert same == (group.type, group.grep, group.orgnr, group.from_date, group.to_date)
    assert read.groupid == group.groupid
    assert read.group.value == group.value


@given(groups)
def test_the_group_id_of_a_group_id_is_itself(group: Group) -> None:
    read = parse(group.groupid)
    assert read.kind == "groupid"
    assert read.valid
    assert read.groupid == group.groupid


@given(st.text())
def test_any_text_is_read_without_an_error(anything: str) -> None:
    for prefix in ("", GROUP, GROUPID, GREP, GROUP + "u:MAT0006:NO974588145:"):
        parse(prefix + anything)


@given(st.lists(st.text(), min_size=5, max_size=8))
def test_any_parts_are_read_without_an_error_and_a_group_id_given_out_is_valid(parts: list[str]) -> None:
    for prefix in (GROUP, GROUPID):
        groupid = parse(prefix + ":".join(parts)).groupid
        assert groupid is None or parse(groupid).groupid == groupid


def test_feides_own_example_gets_the_canonical_group_id() -> None:
    value = f"{GROUP}a::NO974588145:PRJ-%C3%85RBOK:2020-08-01:2021-06-15:student:Prosjekt%20%C3%A5rbok"
    read = parse(value)
    assert (read.kind, read.valid) == ("group", True)
    assert read.groupid == f"{GROUPID}a:NO974588145:prj-%C3%A5rbok:2020-08-01:2021-06-15"
    assert read.group is not None
    assert (read.group.local_id, read.group.name) == ("PRJ-ÅRBOK", "Prosjekt årbok")
    assert read.group.value == value


def test_a_slash_and_a_colon_in_a_local_id_are_encoded() -> None:
    group = Group("u", "saf0010", SCHOOL, "427383/SAF:1", date(2021, 7, 31), date(2022, 7, 30), "student", "Samfunn/1")
    assert group.value == (f"{GROUP}u:SAF0010:NO974588145:427383%2FSAF%3A1:2021-07-31:2022-07-30:student:Samfunn%2F1")
    assert group.groupid == f"{GROUPID}u:NO974588145:427383%2Fsaf%3A1:2021-07-31:2022-07-30"


RIGHT = ["u", "MAT0006", "NO974588145", "6a-mat", "2026-08-01", "2027-07-31", "student", "Matte%206A"]


def test_a_wrong_check_digit_of_an_organisation_is_a_warning_of_ours_and_no_error_of_feides() -> None:
    parts = RIGHT.copy()
    parts[2] = "NO974588146"
    for value in (parse(GROUP + ":".join(parts)), parse(parse(GROUP + ":".join(parts)).groupid or "")):
        assert value.valid
        assert value.warnings == (feide.CHECK_DIGIT,)
    assert parse(GROUP + ":".join(RIGHT)).warnings == ()


@pytest.mark.parametrize(
    ("part", "written", "error"),
    [
        (0, "x", "typen må være b, u eller a"),
        (0, "U", "typen må være b, u eller a"),
        (1, "", feide.NO_CODE),
        (1, "mat0006", feide.BAD_CODE),
        (1, "MAT006", feide.BAD_CODE),
        (1, "MAT000٦", feide.BAD_CODE),
        (2, "974588145", "organisasjonen må være NO og ni sifre"),
        (2, "NO 974588145", "organisasjonen må være NO og ni sifre"),
        (2, "no974588145", "organisasjonen må være NO og ni sifre"),
        (3, "", "den lokale id-en mangler"),
        (3, "%20", "den lokale id-en mangler"),
        (3, "6a/mat", "den lokale id-en har tegn som må prosentkodes"),
        (3, "6å", "den lokale id-en har tegn som må prosentkodes"),
        (3, "6a%2fmat", "den lokale id-en har prosentkoding med små bokstaver"),
        (3, "6a%2", "den lokale id-en har et % som ikke følges av to heksadesimale sifre"),
        (3, "6%E5", "den lokale id-en er ikke UTF-8 bak prosentkodingen"),
        (4, "2026-02-30", "den første datoen er ikke en dato (ÅÅÅÅ-MM-DD)"),
        (4, "20260801", "den første datoen er ikke en dato (ÅÅÅÅ-MM-DD)"),
        (4, "2028-08-01", "den første datoen er etter den siste"),
        (5, "", "den siste datoen er ikke en dato (ÅÅÅÅ-MM-DD)"),
        (6, "elev", "rollen må være en av student, faculty, member, employee, staff"),
        (7, "", "navnet mangler"),
        (7, "Matte 6A", "navnet har tegn som må prosentkodes"),
        (7, "Matte+6A", "navnet har tegn som må prosentkodes"),
    ],
)
def test_each_wrong_part_of_a_group_is_named(part: int, written: str, error: str) -> None:
    assert parse(GROUP + ":".join(RIGHT)).errors == ()
    parts = RIGHT.copy()
    parts[part] = written
    assert parse(GROUP + ":".join(parts)).errors == (error,)


@pytest.mark.parametrize("kind", ["b", "a"])
def test_only_a_subject_group_has_a_code(kind: str) -> None:
    assert parse(GROUP + ":".join([kind, *RIGHT[1:]])).errors == (feide.CODE_NOT_ALLOWED,)
    assert parse(GROUP + ":".join([kind, "", *RIGHT[2:]])).valid


def test_a_group_with_too_few_or_too_many_parts_says_how_many() -> None:
    assert parse(GROUP + ":".join(RIGHT[:-1])).errors == ("en gruppe har 13 deler med kolon mellom, denne har 12",)
    assert parse(GROUP + ":".join([*RIGHT, "x"])).errors == ("en gruppe har 13 deler med kolon mellom, denne har 14",)
    assert parse(f"{GROUPID}b:NO974588145:6a").errors == ("en gruppe-id har 10 deler med kolon mellom, denne har 8",)


@pytest.mark.parametrize("local", ["10A", "10%C3%85", "%31%30a", "10a%2f", "a%CC%8A"])
def test_a_group_id_in_another_form_is_not_canonical_and_the_right_one_is_given(local: str) -> None:
    read = parse(f"{GROUPID}b:NO974588145:{local}:2026-08-01:2027-07-31")
    assert any(error.startswith(feide.NOT_CANONICAL) for error in read.errors)
    assert read.groupid is not None
    assert parse(read.groupid).valid


@pytest.mark.parametrize(
    ("code", "valid"),
    [
        ("http://psi.udir.no/laereplan/aarstrinn/aarstrinn10", True),
        ("http://psi.udir.no/laereplan/aarstrinn/vg3", True),
        ("http://psi.udir.no/ontologi/utdanningsprogram/studiespesialisering", True),
        ("uuid:5c682a18-585d-4a6b-bef9-bcd95c73714e", True),
        ("http://psi.udir.no/laereplan/aarstrinn/aarstrinn11", False),
        ("uuid:uuid:5c682a18-585d-4a6b-bef9-bcd95c73714e", False),
        (" uuid:5c682a18-585d-4a6b-bef9-bcd95c73714e", False),
        ("MAT0006", False),
        ("", False),
    ],
)
def test_grep_values_are_recognised(code: str, valid: bool) -> None:
    read = parse(GREP + code)
    assert (read.kind, read.valid, read.groupid) == ("grep", valid, None)


@pytest.mark.parametrize("value", ["", "x", "urn:mace:feide.no:go:", "urn:mace:feide.no:go:grupp:b", GROUP.upper()])
def test_what_is_none_of_these_is_other(value: str) -> None:
    read = parse(value)
    assert (read.kind, read.valid) == ("other", False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "x"},
        {"orgnr": "12"},
        {"local_id": " "},
        {"name": ""},
        {"role": "elev"},
        {"to_date": date(2020, 1, 1)},
    ],
)
def test_a_group_nobody_could_read_is_never_written(wrong: dict[str, object]) -> None:
    parts: dict[str, object] = {
        "type": "b",
        "grep": None,
        "orgnr": SCHOOL,
        "local_id": "6a",
        "from_date": date(2026, 8, 1),
        "to_date": date(2027, 7, 31),
        "role": "student",
        "name": "6A",
    }
    with pytest.raises(ValueError, match="cannot be written for Feide"):
        _ = Group(**(parts | wrong)).value  # type: ignore[arg-type]
