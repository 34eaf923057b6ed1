"""Feide's values, the check of a directory, and the two commands."""

import base64
import json
import unicodedata
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dataflyt.cli.feide import feide_app
from dataflyt.errors import Unreadable
from dataflyt.formats import feide, ldif
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


# --- the check --------------------------------------------------------------------------------------------------

OWNER = """\
dn: dc=skotthyll,dc=kommune,dc=no
objectClass: top
objectClass: organization
objectClass: eduOrg
objectClass: norEduOrg
o: Skotthyll kommune
eduOrgLegalName: Skotthyll kommune
norEduOrgNIN: NO944073787
norEduOrgSchemaVersion: 2.0
mail: post@skotthyll.kommune.no
"""
UNIT = """\
dn: ou=Hylla skole,dc=skotthyll,dc=kommune,dc=no
objectClass: organizationalUnit
objectClass: norEduOrgUnit
ou: Hylla skole
norEduOrgUnitUniqueIdentifier: NO974588145
mail: hylla@skotthyll.kommune.no
"""
PUPIL = """\
dn: uid=kari,ou=people,dc=skotthyll,dc=kommune,dc=no
objectClass: inetOrgPerson
objectClass: eduPerson
objectClass: norEduPerson
uid: kari
cn: Kari Nordmann
sn: Nordmann
givenName: Kari
displayName: Kari Nordmann
norEduPersonLegalName: Kari Nordmann
eduPersonPrincipalName: kari@skotthyll.kommune.no
eduPersonOrgDN: dc=skotthyll,dc=kommune,dc=no
eduPersonOrgUnitDN: OU=Hylla  Skole, dc=skotthyll, dc=kommune, dc=no
eduPersonPrimaryOrgUnitDN: ou=Hylla skole,dc=skotthyll,dc=kommune,dc=no
eduPersonAffiliation: student
eduPersonAffiliation: member
eduPersonEntitlement: urn:mace:feide.no:go:grep:http://psi.udir.no/laereplan/aarstrinn/aarstrinn6
eduPersonEntitlement: urn:mace:feide.no:go:group:b::NO974588145:6A:2026-08-01:2027-07-31:student:Klasse%206A
eduPersonEntitlement: urn:mace:feide.no:go:groupid:b:NO974588145:6a:2026-08-01:2027-07-31
eduPersonEntitlement: urn:mace:feide.no:go:group:u:MAT0006:NO974588145:6m:2026-08-01:2027-07-31:student:Matte
eduPersonEntitlement: urn:mace:feide.no:go:groupid:u:NO974588145:6m:2026-08-01:2027-07-31
"""
DIRECTORY = f"version: 1\n\n{OWNER}\n{UNIT}\n{PUPIL}"


def line_of(directory: str, beginning: str) -> int:
    return next(number for number, line in enumerate(directory.splitlines(), 1) if line.startswith(beginning))


def findings(tmp_path: Path, directory: str | bytes) -> list[feide.Finding]:
    path = tmp_path / "directory.ldif"
    path.write_bytes(directory if isinstance(directory, bytes) else directory.encode())
    return list(feide.check(path))


def named(tmp_path: Path, directory: str) -> set[str]:
    return {finding.name for finding in findings(tmp_path, directory)}


def without(beginning: str) -> str:
    return "".join(line for line in DIRECTORY.splitlines(keepends=True) if not line.startswith(beginning))


ENTITLEMENT = "eduPersonEntitlement: urn:mace:feide.no:go:"


def test_a_right_directory_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, DIRECTORY) == []


@pytest.mark.parametrize(
    ("directory", "names"),
    [
        (DIRECTORY + "\n" + UNIT.replace("Hylla skole", "Leira skole"), {feide.DUPLICATE_IDENTIFIER}),
        (DIRECTORY.replace("groupid:b:NO974588145:6a", "groupid:b:NO974588145:6A"), {feide.GROUP_ID_NOT_CANONICAL}),
        (without(ENTITLEMENT + "group:u"), {feide.GROUP_ID_WITHOUT_GROUP}),
        (DIRECTORY.replace("MAT0006", "MATTE"), {feide.INVALID_CODE}),
        (DIRECTORY.replace("group:b::", "group:b:MAT0006:"), {feide.INVALID_CODE}),
        (DIRECTORY.replace("MAT0006", ""), {feide.WITHOUT_CODE}),
        (without(ENTITLEMENT + "groupid:u"), {feide.GROUP_WITHOUT_ID}),
        (without(ENTITLEMENT + "grep"), {feide.MISSING_GREP}),
        (without(ENTITLEMENT + "groupid"), {feide.MISSING_GROUP_IDS, feide.GROUP_WITHOUT_ID}),
        (without(ENTITLEMENT + "group"), {feide.MISSING_GROUPS}),
        (DIRECTORY.replace("eduPersonOrgUnitDN: OU=Hylla", "eduPersonOrgUnitDN: ou=Leira"), {feide.MISSING_UNIT}),
        (without("sn:"), {feide.MISSING_ATTRIBUTE}),
        (without("eduPersonOrgUnitDN"), {feide.MISSING_ATTRIBUTE}),
        (without("norEduOrgSchemaVersion"), {feide.MISSING_ATTRIBUTE}),
        (without("ou:"), {feide.MISSING_ATTRIBUTE}),
        (DIRECTORY.replace("cn: Kari Nordmann", "cn: Kari  Nordmann"), {feide.WHITESPACE}),
        (DIRECTORY.replace("cn: Kari Nordmann", "cn: Kari Nordmann "), {feide.WHITESPACE}),
        (DIRECTORY.replace("ou: Hylla skole", "ou: Hylla  skole"), {feide.WHITESPACE}),
        (DIRECTORY.replace("Klasse%206A", "Klasse 6A"), {feide.MALFORMED_GROUP}),
    ],
)
def test_each_error_is_found_by_feides_name(tmp_path: Path, directory: str, names: set[str]) -> None:
    assert named(tmp_path, directory) == names


def test_every_name_is_provoked_above() -> None:
    cases = test_each_error_is_found_by_feides_name.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert set().union(*(names for _, names in cases)) == set(feide.NAMES)


def test_a_person_is_named_by_line_and_a_school_by_number(tmp_path: Path) -> None:
    directory = without("mail").replace("sn: Nordmann\n", "")
    found = findings(tmp_path, directory)
    assert [str(finding) for finding in found] == [
        "Missing required attribute: NO944073787: mail",
        "Missing required attribute: NO974588145: mail",
        f"Missing required attribute: linje {line_of(directory, 'dn: uid=kari')}: sn",
    ]
    assert [finding.blocks for finding in found] == [False, False, True]


def test_what_the_school_must_correct_does_not_block(tmp_path: Path) -> None:
    for directory in (without(ENTITLEMENT + "grep"), without(ENTITLEMENT + "group"), DIRECTORY.replace("MAT0006", "")):
        assert [finding.blocks for finding in findings(tmp_path, directory)] == [False]


def test_staff_outside_the_schools_need_no_school_groups_or_grep(tmp_path: Path) -> None:
    kept = [line for line in PUPIL.splitlines() if "OrgUnitDN" not in line and "Entitlement" not in line]
    employee = "\n".join(kept).replace("student", "employee") + "\n"
    assert findings(tmp_path, f"{OWNER}\n{employee}") == []


def test_no_finding_repeats_what_the_data_say(tmp_path: Path) -> None:
    secret = DIRECTORY.replace("6A:", "hemmelig/id:").replace("6a:", "Hemmelig:").replace("MAT0006", "hemmelig")
    secret = (
        secret.replace("Klasse%206A", "Hemmelig navn")
        .replace("Kari Nordmann", "Hemmelig  navn")
        .replace("kari", "hemmelig")
    )
    found = findings(tmp_path, secret)
    assert len(found) > 5
    assert not any("emmelig" in str(finding) for finding in found)


def test_schools_may_stand_after_their_people(tmp_path: Path) -> None:
    assert findings(tmp_path, f"{PUPIL}\n{UNIT}\n{OWNER}") == []


# --- reading LDIF -----------------------------------------------------------------------------------------------


def test_folding_base64_comments_and_crlf_change_nothing(tmp_path: Path) -> None:
    lines = []
    for line in DIRECTORY.splitlines():
        name, _, value = line.partition(": ")
        if name in {"cn", "dn", "ou"}:
            line = f"{name}:: {base64.b64encode(value.encode()).decode()}"
        lines += [line[:20], *(f" {line[at : at + 7]}" for at in range(20, len(line), 7))] if line else [""]
        lines += ["# a comment", "  that goes on"] if line else []
    assert findings(tmp_path, "\r\n".join(lines)) == []


def test_letters_outside_ascii_may_stand_in_plain_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.ldif"
    path.write_text("\ufeffdn: ou=Grøn skole,dc=no\nou;lang-nb: Grøn skole\n", encoding="utf-8")
    with path.open("rb") as file:
        (entry,) = ldif.read(file)
    assert entry == ldif.Entry(1, "ou=Grøn skole,dc=no", {"ou": [ldif.Value(2, "Grøn skole")]})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version: 1\n",
        b"version: 2\n\ndn: dc=no\ndc: no\n",
        b"dn: dc=no\ncn:: ikke base64!\n",
        b"dn: dc=no\ncn:: YQ=\n",
        b"cn: Kari\n",
        b"dn: dc=no\ndc: no\n\ncn: Kari\n",
        b"dn: dc=no\ndc: no\ndn: ou=x,dc=no\n",
        b"dn: dc=no\nno colon here\n",
        b"dn: dc=no\nchangetype: delete\n",
        b"dn: dc=no\njpegPhoto:< file:///etc/passwd\n",
        b" dn: dc=no\n",
        b"dn: dc=no\ncn: K\xe5re\n",
        b"dn:: /w==\n",
        b"PK\x03\x04\x00\x00\x00",
        b"<html><body>Logg inn</body></html>",
        b'{"a": 1}',
        "dn: dc=no\ndc: no\n".encode("utf-16"),
        b"dn: dc=no\ncn: " + b"x" * (ldif.MAX_ENTRY + 1),
        b"dn: dc=no\n" + (b"cn: " + b"x" * 100_000 + b"\n") * 200,
        b"dn: dc=no\n" + b"cn:\n" + (b" " + b"x" * 100_000 + b"\n") * 200,
    ],
)
def test_what_is_not_ldif_gives_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        findings(tmp_path, content)
    sentence = caught.value.sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "Kari" not in sentence


@given(st.dictionaries(st.sampled_from(["cn", "ou", "description"]), st.lists(st.text(), min_size=1), min_size=1))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, list[str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "round.ldif"
    lines = [ldif.attribute(name, value) for name, texts in values.items() for value in texts]
    path.write_text("dn: dc=no\n" + "".join(lines), encoding="ascii", newline="")
    assert max(len(line) for line in path.read_text().splitlines()) <= 76
    with path.open("rb") as file:
        (entry,) = ldif.read(file)
    assert {name: [value.text for value in found] for name, found in entry.attributes.items()} == values


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Skåredalen skole", "Skåredalen skole"),
        ('Bø, "gamle" + <ny>; \\', 'Bø\\, \\"gamle\\" \\+ \\<ny\\>\\; \\\\'),
        ("#1", "\\#1"),
        (" to ", "\\ to\\ "),
        (" ", "\\ "),
        ("a\x00b", "a\\00b"),
    ],
)
def test_names_are_escaped_in_distinguished_names(value: str, escaped: str) -> None:
    assert ldif.escape(value) == escaped


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_names_stay_different_in_distinguished_names(one: str, other: str) -> None:
    def key(value: str) -> str:
        return " ".join(value.split()).casefold()

    same = ldif.normal_dn(f"ou={ldif.escape(one)},dc=no") == ldif.normal_dn(f"OU = {ldif.escape(other)} , DC=NO")
    assert same == (key(one) == key(other))


# --- the commands -----------------------------------------------------------------------------------------------


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


def test_a_directory_as_ldapsearch_and_ldifde_write_it_is_checked_like_any_other(tmp_path: Path) -> None:
    trailer = "# search reference\nref: ldap://a.no/dc=no\n\n# search result\nsearch: 2\nresult: 0 Success\n"
    added = "".join(
        f"{line}\nchangetype: add\n" if line.startswith("dn:") else f"{line}\n" for line in DIRECTORY.split("\n")
    )
    assert findings(tmp_path, f"# extended LDIF\n\n{added}\n{trailer}") == []
