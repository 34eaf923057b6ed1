"""The check of a PIFU file: it finds every fault, and tells the place without anything personal."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.exports import pifu_check
from dataflyt.exports.pifu_check import check
from tests.exports.test_pifu import (
    CLASS,
    FATHER,
    MATHS,
    MOTHER,
    PUPIL,
    SKAAREDALEN,
    TEACHER,
    TESTSKOLE,
    InMemory,
    found,
    written,
    xsd,
)


def test_a_file_of_ours_has_no_findings() -> None:
    assert list(check(InMemory(written()))) == []


OURS = "<sourcedid><source>dataflyt@944073787</source>"
PUPIL_MEMBER = f"<member>{OURS}<id>{PUPIL.person_id}</id>"
SCHOOL_ID = f"<id>skole:{SKAAREDALEN}</id>"
FAULTS = {
    "a guardian who is not in the file": (
        f"<person>{OURS}<id>{FATHER.person_id}",
        f"<person>{OURS}<id>x",
        pifu_check.UNRESOLVED,
        True,
    ),
    "a member who is not in the file": (PUPIL_MEMBER, PUPIL_MEMBER.replace("0001<", "9<"), pifu_check.UNRESOLVED, True),
    "a group of a school that is not there": (
        f"{SCHOOL_ID}</sourcedid><label>",
        "<id>skole:1</id></sourcedid><label>",
        pifu_check.UNRESOLVED,
        True,
    ),
    "et medlemskap i en gruppe som ikke finnes": (
        f"<membership>{OURS}<id>{MATHS.group_id}</id>",
        f"<membership>{OURS}<id>x</id>",
        pifu_check.UNRESOLVED,
        True,
    ),
    "two people with one id": (
        f"<id>{FATHER.person_id}</id>",
        f"<id>{MOTHER.person_id}</id>",
        pifu_check.DUPLICATE_ID,
        True,
    ),
    "two people with one number": (FATHER.number, MOTHER.number, pifu_check.DUPLICATE_ID, True),
    "two groups with one id": (
        f"<id>{MATHS.group_id}</id>",
        f"<id>{CLASS.group_id}</id>",
        pifu_check.DUPLICATE_ID,
        True,
    ),
    "a group with a school's id": (f"<id>{MATHS.group_id}</id>", SCHOOL_ID, pifu_check.DUPLICATE_ID, True),
    "a member twice": (f"<id>{TEACHER.person_id}</id>", f"<id>{PUPIL.person_id}</id>", pifu_check.DUPLICATE_ID, True),
    "a pupil who is its own guardian": (
        f'"guardian">{OURS}<id>{FATHER.person_id}</id>',
        f'"guardian">{OURS}<id>{PUPIL.person_id}</id>',
        pifu_check.DUPLICATE_ID,
        True,
    ),
    "a guardian who has no child left": (
        f'<pifu_hasContactPerson type="guardian">{OURS}<id>{FATHER.person_id}</id></sourcedid></pifu_hasContactPerson>',
        "",
        pifu_check.WITHOUT_PART,
        True,
    ),
    "an unknown role": ('roletype="06"', 'roletype="17"', pifu_check.NOT_VALID, True),
    "a relative of another kind": ('type="guardian"', 'type="nextOfKin"', pifu_check.NOT_VALID, True),
    "an unknown kind of group": (">basisgruppe<", ">kor<", pifu_check.NOT_VALID, True),
    "a level that is another kind's": (
        'level="2">undervisningsgruppe',
        'level="1">undervisningsgruppe',
        pifu_check.NOT_VALID,
        True,
    ),
    "no name": (re.compile("<name>.*?</name>"), "", pifu_check.NOT_VALID, True),
    "an empty name": ("<fn>Lang Sjø</fn>", "<fn></fn>", pifu_check.NOT_VALID, True),
    "a name that is too long": ("<fn>Lang Sjø</fn>", f"<fn>{'L' * 257}</fn>", pifu_check.NOT_VALID, True),
    "a day that is none": ("<bday>2013-05-13<", "<bday>2013-02-30<", pifu_check.NOT_VALID, True),
    "an e-mail address that is none": ("<email>suharto@example.com", "<email>suharto", pifu_check.NOT_VALID, True),
    "only changes": ("<type>full<", "<type>delta<", pifu_check.NOT_VALID, True),
    "an attribute too many": ("<person>", '<person recstatus="1">', pifu_check.NOT_VALID, True),
    "a password": ('useridtype="username"', 'useridtype="username" password="x"', pifu_check.NOT_VALID, True),
    "text between elements": ("</name><email>", "</name>Sjøgata 1<email>", pifu_check.NOT_VALID, True),
    "no organisation number": ('type="organizationNumber"', 'type="domainName"', pifu_check.NOT_VALID, True),
    "two school owners": ('level="2">skole<', 'level="1">skoleeier<', pifu_check.NOT_VALID, True),
    "a membership of nobody": (re.compile("<member>.*?</member>\n", re.DOTALL), "", pifu_check.NOT_VALID, True),
    "an address": (
        "<extension><pifu_email",
        "<adr><street>Sjøgata 1</street></adr><extension><pifu_email",
        pifu_check.NOT_HERE,
        True,
    ),
    "an entity": ("<fn>Lang Sjø</fn>", "<fn>Lang</fn><photo/>", pifu_check.NOT_HERE, True),
    "something beside people and groups": ("</enterprise>", "<timetable/></enterprise>", pifu_check.NOT_HERE, True),
    "a member outside a membership": ("</enterprise>", "<member/></enterprise>", pifu_check.NOT_HERE, True),
    "a person after the groups": (
        "</enterprise>",
        f"<person><sourcedid><source>s</source><id>{FATHER.person_id}5</id></sourcedid><name><fn>A</fn><n>"
        "<family>A</family><given>A</given></n></name></person></enterprise>",
        pifu_check.OUT_OF_ORDER,
        True,
    ),
    "no properties": (re.compile("<properties.*?</properties>\n"), "", pifu_check.OUT_OF_ORDER, True),
    "a wrong number": (FATHER.number, "28878731612", pifu_check.WRONG_NUMBER, False),
    "a wrong organisation number": (
        f"<pifu_value>{TESTSKOLE}<",
        "<pifu_value>994392329<",
        pifu_check.WRONG_ORGNR,
        False,
    ),
    "a group that ends before it begins": ("<end>2027-07-31<", "<end>2025-07-31<", pifu_check.REVERSED, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds(fault: str) -> None:
    old, new, name, blocks = FAULTS[fault]
    content = written().decode()
    broken = old.sub(new, content) if isinstance(old, re.Pattern) else content.replace(old or "", new or "")
    assert broken != content
    assert (name, blocks) in found(broken.encode())


def test_findings_tell_where_and_nothing_personal() -> None:
    personal = [*re.findall(r"\d{11}|Sjø|Bodil|Suharto|@example", written().decode())]
    for old, new, _, _ in FAULTS.values():
        content = written().decode()
        broken = old.sub(new, content) if isinstance(old, re.Pattern) else content.replace(old or "", new or "")
        for finding in check(InMemory(broken.encode())):
            assert re.fullmatch(r"linje \d+", finding.where)
            assert not [word for word in personal if word in str(finding)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version: 1\ndn: dc=no\n",
        b"{}",
        written()[:2000],
        written() + b"<more/>",
        written().replace(b"pifu-ims_sas-v1", b"pifu-ims_sas-1.2"),
        written().replace(b"\xc3\xb8", b"\xff"),
        written().replace(b"</person>\n", b"</person>Kari\n", 1),
        written().replace(b"</member>\n", b"</member>Kari\n"),
        written().replace(b"</enterprise>", b"Kari</enterprise>"),
        written().replace(b"<properties", b"Kari<properties"),
        b'<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "' + b"a" * 99 + b'">]>' + written().partition(b"?>")[2][:99],
    ],
)
def test_what_is_no_pifu_file_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        list(check(InMemory(content)))
    assert re.fullmatch(r"Filen [a-z0-9A-Z .,()-]+\.", str(refused.value))


def test_a_file_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"Filen kan ikke åpnes \(den finnes ikke\)\."):
        list(check(tmp_path / "nothing.xml"))


def test_entities_are_not_expanded() -> None:
    bomb = written().replace(b"<enterprise", b'<!DOCTYPE enterprise [<!ENTITY a "secret">]><enterprise', 1)
    assert found(bomb) == set()
    assert (pifu_check.NOT_HERE, True) in found(bomb.replace(b"Testskole 1", b"&a;")) or (
        pifu_check.NOT_VALID,
        True,
    ) in found(bomb.replace(b"Testskole 1", b"&a;"))


def _refused(content: bytes) -> bool:
    try:
        return any(finding.blocks for finding in check(InMemory(content)))
    except Unreadable:
        return True


def _elements(content: bytes) -> tuple[etree._Element, list[etree._Element]]:
    root = etree.fromstring(content)
    return root, [element for element in root.iter() if element is not root]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_pifus_own_schema_refuses_the_check_refuses_too(data: st.DataObject) -> None:
    schema = xsd()
    root, elements = _elements(written())
    for _ in range(data.draw(st.integers(1, 2))):
        one, other = data.draw(st.sampled_from(elements)), data.draw(st.sampled_from(elements))
        parent = one.getparent()
        if parent is None:
            continue
        match data.draw(st.sampled_from(["drop", "twice", "rename", "text", "attribute", "no attribute", "move"])):
            case "drop":
                parent.remove(one)
            case "twice":
                parent.insert(parent.index(one), etree.fromstring(etree.tostring(one)))
            case "rename":
                one.tag = other.tag
            case "text":
                one.text = data.draw(st.sampled_from([None, "", "x", "9", "2026-02-30", "L" * 300, other.text]))
            case "attribute":
                one.set("type", data.draw(st.sampled_from(["guardian", "x", ""])))
            case "no attribute":
                one.attrib.clear()
            case "move" if other.getparent() is not None and one not in other.iterancestors() and one is not other:
                other.addnext(one)
    content = etree.tostring(root)
    if not schema.validate(etree.fromstring(content)):
        assert _refused(content)


def test_a_finding_far_down_in_a_large_file_still_tells_its_line() -> None:
    content = written().replace(b"<membership>", b"\n" * 70_000 + b"<membership>", 1)
    content = content.replace(b'roletype="06"', b'roletype="09"')
    (finding,) = check(InMemory(content))
    assert finding.line == content[: content.index(b'roletype="09"')].count(b"\n") + 1 > 70_000
