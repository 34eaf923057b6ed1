"""The check of a FEIDE directory: the findings of Feide's own validator, by Feide's names."""

import base64
from pathlib import Path

import pytest

from dataflyt.errors import Unreadable
from dataflyt.exports import feide_ldif_check
from dataflyt.exports.feide_ldif_check import check
from dataflyt.exports.model import Finding
from dataflyt.formats import ldif

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


def findings(tmp_path: Path, directory: str | bytes) -> list[Finding]:
    path = tmp_path / "directory.ldif"
    path.write_bytes(directory if isinstance(directory, bytes) else directory.encode())
    return list(check(path))


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
        (DIRECTORY + "\n" + UNIT.replace("Hylla skole", "Leira skole"), {feide_ldif_check.DUPLICATE_IDENTIFIER}),
        (
            DIRECTORY.replace("groupid:b:NO974588145:6a", "groupid:b:NO974588145:6A"),
            {feide_ldif_check.GROUP_ID_NOT_CANONICAL},
        ),
        (without(ENTITLEMENT + "group:u"), {feide_ldif_check.GROUP_ID_WITHOUT_GROUP}),
        (DIRECTORY.replace("MAT0006", "MATTE"), {feide_ldif_check.INVALID_CODE}),
        (DIRECTORY.replace("group:b::", "group:b:MAT0006:"), {feide_ldif_check.INVALID_CODE}),
        (DIRECTORY.replace("MAT0006", ""), {feide_ldif_check.WITHOUT_CODE}),
        (without(ENTITLEMENT + "groupid:u"), {feide_ldif_check.GROUP_WITHOUT_ID}),
        (without(ENTITLEMENT + "grep"), {feide_ldif_check.MISSING_GREP}),
        (without(ENTITLEMENT + "groupid"), {feide_ldif_check.MISSING_GROUP_IDS, feide_ldif_check.GROUP_WITHOUT_ID}),
        (without(ENTITLEMENT + "group"), {feide_ldif_check.MISSING_GROUPS}),
        (
            DIRECTORY.replace("eduPersonOrgUnitDN: OU=Hylla", "eduPersonOrgUnitDN: ou=Leira"),
            {feide_ldif_check.MISSING_UNIT},
        ),
        (without("sn:"), {feide_ldif_check.MISSING_ATTRIBUTE}),
        (without("eduPersonOrgUnitDN"), {feide_ldif_check.MISSING_ATTRIBUTE}),
        (without("norEduOrgSchemaVersion"), {feide_ldif_check.MISSING_ATTRIBUTE}),
        (without("ou:"), {feide_ldif_check.MISSING_ATTRIBUTE}),
        (DIRECTORY.replace("cn: Kari Nordmann", "cn: Kari  Nordmann"), {feide_ldif_check.WHITESPACE}),
        (DIRECTORY.replace("cn: Kari Nordmann", "cn: Kari Nordmann "), {feide_ldif_check.WHITESPACE}),
        (DIRECTORY.replace("ou: Hylla skole", "ou: Hylla  skole"), {feide_ldif_check.WHITESPACE}),
        (DIRECTORY.replace("Klasse%206A", "Klasse 6A"), {feide_ldif_check.MALFORMED_GROUP}),
    ],
)
def test_each_error_is_found_by_feides_name(tmp_path: Path, directory: str, names: set[str]) -> None:
    assert named(tmp_path, directory) == names


def test_every_name_is_provoked_above() -> None:
    cases = test_each_error_is_found_by_feides_name.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert set().union(*(names for _, names in cases)) == set(feide_ldif_check.NAMES)


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


def test_folding_base64_comments_and_crlf_change_nothing(tmp_path: Path) -> None:
    lines = []
    for line in DIRECTORY.splitlines():
        name, _, value = line.partition(": ")
        if name in {"cn", "dn", "ou"}:
            line = f"{name}:: {base64.b64encode(value.encode()).decode()}"
        lines += [line[:20], *(f" {line[at : at + 7]}" for at in range(20, len(line), 7))] if line else [""]
        lines += ["# a comment", "  that goes on"] if line else []
    assert findings(tmp_path, "\r\n".join(lines)) == []


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


def test_a_directory_as_ldapsearch_and_ldifde_write_it_is_checked_like_any_other(tmp_path: Path) -> None:
    trailer = "# search reference\nref: ldap://a.no/dc=no\n\n# search result\nsearch: 2\nresult: 0 Success\n"
    added = "".join(
        f"{line}\nchangetype: add\n" if line.startswith("dn:") else f"{line}\n" for line in DIRECTORY.split("\n")
    )
    assert findings(tmp_path, f"# extended LDIF\n\n{added}\n{trailer}") == []
