"""The PIFU export: its contents, and that a school system's reader understands it."""

import io
import os
import re
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.exports import pifu_read
from dataflyt.exports.model import Counts, Group, Membership, Owner, Person, School
from dataflyt.exports.pifu import write
from dataflyt.exports.pifu_check import NAMESPACES, NOT_VALID, check
from dataflyt.identity.names import clean
from dataflyt.sources.sas import pifu as sas_pifu
from dataflyt.sources.sas import rows as sas
from dataflyt.sources.sas.values import SUBROLES

SKAAREDALEN, TESTSKOLE = "974588145", "994392328"
FIRST, LAST = date(2026, 8, 1), date(2027, 7, 31)
MOMENT = datetime(2026, 11, 23, 4, 0, 7, 250000, timezone(timedelta(hours=1)))

PUPIL = Person(
    "11111111-0000-0000-0000-000000000001",
    "Ánders  Øystein",
    'Mæhlá & "Đuŋŋe" <',
    'Ánders Øystein Mæhlá & "Đuŋŋe" <',
    is_pupil=True,
    number="13851367807",
    uid="andmae",
    birth_date=date(2013, 5, 13),
    guardians=("11111111-0000-0000-0000-000000000003", "11111111-0000-0000-0000-000000000004"),
)
TEACHER = Person(
    "11111111-0000-0000-0000-000000000002",
    "Bodil",
    "Tveit",
    "Bodil Tveit",
    is_employee=True,
    local_number="21830212345",
    uid="bodtve",
    mail="bodil.tveit@haugesund.kommune.no",
)
MOTHER = Person(
    "11111111-0000-0000-0000-000000000003",
    "",
    "Suharto",
    "Suharto",
    number="24878127125",
    private_mail="suharto@example.com",
    mobile="41 00 17 01",
)
FATHER = Person("11111111-0000-0000-0000-000000000004", "Lang", "Sjø", "Lang Sjø", number="28878731621")
CLASS = Group("SKA/7A/2026", SKAAREDALEN, "basisgruppe", "7A", None, 7, FIRST, LAST)
MATHS = Group("SKA/MAT-7A/2026", SKAAREDALEN, "undervisningsgruppe", "Matematikk 7A", "MAT0006", 7, FIRST, LAST)
YEAR = Group("SKA/trinn7", SKAAREDALEN, "trinn", "7. trinn", None, 7, FIRST, LAST)


@dataclass(frozen=True)
class Kommune:
    """A kommune that a test makes up."""

    people_: tuple[Person, ...] = (PUPIL, TEACHER, MOTHER, FATHER)
    schools_: tuple[School, ...] = (School(SKAAREDALEN, "Skåredalen skole"), School(TESTSKOLE, "Testskole 1"))
    groups_: tuple[Group, ...] = (CLASS, MATHS, YEAR)
    parts: tuple[Membership, ...] = (
        Membership(True, SKAAREDALEN, PUPIL.person_id, "01", True, FIRST, LAST),
        Membership(True, SKAAREDALEN, TEACHER.person_id, "02", True, date(2019, 8, 1), None),
        Membership(True, TESTSKOLE, TEACHER.person_id, "04", False),
        Membership(False, CLASS.group_id, PUPIL.person_id, "01"),
        Membership(False, CLASS.group_id, TEACHER.person_id, "02"),
        Membership(False, CLASS.group_id, TEACHER.person_id, "06"),
        Membership(False, MATHS.group_id, PUPIL.person_id, "01"),
        Membership(False, YEAR.group_id, PUPIL.person_id, "01"),
    )
    moment: datetime = MOMENT
    receivers_: tuple[str, ...] = ()

    def receivers(self, export: str) -> tuple[str, ...]:
        return self.receivers_

    def owner(self) -> Owner:
        return Owner("haugesund.kommune.no", "944073787", "Haugesund kommune")

    def as_of(self) -> datetime:
        return self.moment

    def schools(self) -> Iterable[School]:
        return self.schools_

    def people(self) -> Iterable[Person]:
        return self.people_

    def groups(self) -> Iterable[Group]:
        return self.groups_

    def memberships(self) -> Iterable[Membership]:
        return self.parts

    def school_memberships(self) -> Iterator[Membership]:
        return (part for part in self.memberships() if part.of_school)

    def group_memberships(self) -> Iterator[Membership]:
        return (part for part in self.memberships() if not part.of_school)


HAUGESUND = Kommune()


def written(kommune: object = HAUGESUND, version: str = "1.3") -> bytes:
    out = io.BytesIO()
    write(kommune, out, version)  # type: ignore[arg-type]
    return out.getvalue()


class InMemory:
    """A file that ``check`` can open."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, mode: str = "rb") -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self.content)


def found(content: bytes) -> set[tuple[str, bool]]:
    return {(finding.name, finding.blocks) for finding in check(InMemory(content))}


@cache
def xsd(version: str = "1.3") -> etree.XMLSchema:
    reference = os.environ.get("DATAFLYT_REFERENCE")
    name = {"1.1": "PIFU-IMS_SAS_1_1.xsd", "1.2": "PIFU-IMS_SAS_1_2.xsd", "1.3": "PIFU-IMS_SAS.xsd"}[version]
    path = Path(reference or "") / "pifu_ims" / name
    if not reference or not path.exists():
        pytest.skip(f"the XSD is not here: DATAFLYT_REFERENCE names no folder with pifu_ims/{name}")
    return etree.XMLSchema(etree.parse(path))


def read(content: bytes) -> dict[str, list[tuple[object, ...]]]:
    """Read a file as our own reader of school systems' files does."""
    tables: dict[str, list[tuple[object, ...]]] = {"School": [], "Group": [], "Person": [], "Membership": []}
    tables["Guardian"] = []
    for row in sas_pifu.read(io.BytesIO(content)):
        tables[type(row).__name__].append(tuple(row))
    return tables


# --- what stands in the file ------------------------------------------------------------------------------------------


VERSIONS = ("1.1", "1.2", "1.3")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_file_is_valid_by_pifus_own_schema(version: str) -> None:
    schema = xsd(version)
    assert schema.validate(etree.fromstring(written(version=version))), schema.error_log.last_error


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_an_older_version_has_the_same_people_groups_and_members_and_not_what_it_has_no_word_for(version: str) -> None:
    newest, older = written(), written(version=version)
    for table in ("School", "Membership", "Guardian"):
        assert read(older)[table] == read(newest)[table]
    assert list(pifu_read.read(InMemory(older))) == list(pifu_read.read(InMemory(newest)))
    told = {
        (one.getparent().tag.rpartition("}")[2], *one.attrib.values())
        for one in etree.fromstring(newest).iter("{*}userid", "{*}pifu_id")
    } - {
        (one.getparent().tag.rpartition("}")[2], *one.attrib.values())
        for one in etree.fromstring(older).iter("{*}userid", "{*}pifu_id")
    }
    ids = {("person", "feideID"), ("extension", "grepCodeGradeLevel")}
    assert told == ids | ({("person", "personLIN")} if version == "1.1" else set())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_check_takes_its_own_version_and_no_other(version: str) -> None:
    assert list(check(InMemory(written(version=version)), version)) == []
    for other in set(VERSIONS) - {version}:
        with pytest.raises(Unreadable, match=f"PIFU-IMS {other}"):
            list(check(InMemory(written(version=version)), other))
        # What the older version has no word for is found when it stands there all the same.
        passed_off = written(version=version).replace(NAMESPACES[version].encode(), NAMESPACES[other].encode(), 1)
        faults = {finding.name for finding in check(InMemory(passed_off), other)}
        assert faults == ({NOT_VALID} if other < version else set())
        assert xsd(other).validate(etree.fromstring(passed_off)) == (not faults)


def test_a_reader_of_school_systems_files_gets_back_the_same_people_groups_memberships_and_guardians() -> None:
    tables = read(written())
    people = {str(row.person_id): row for row in map(sas.Person._make, tables["Person"])}  # type: ignore[arg-type]
    assert list(people) == [person.person_id for person in HAUGESUND.people_]
    pupil, teacher, mother = (people[one.person_id] for one in (PUPIL, TEACHER, MOTHER))
    assert (pupil.number, pupil.username, pupil.feide_id) == (PUPIL.number, "andmae", "andmae@haugesund.kommune.no")
    assert (pupil.given_name, pupil.family_name) == ("Ánders Øystein", 'Mæhlá & "Đuŋŋe" <')
    assert (pupil.birth_date, pupil.email, pupil.mobile, pupil.sex) == ("2013-05-13", None, None, None)
    assert (teacher.number, teacher.local_number, teacher.email) == (None, "21830212345", TEACHER.mail)
    assert (mother.given_name, mother.family_name, mother.full_name) == ("Suharto", "Suharto", "Suharto")
    assert (mother.email, mother.mobile, mother.birth_date) == ("suharto@example.com", "+4741001701", None)
    assert tables["Guardian"] == [
        (PUPIL.person_id, MOTHER.person_id, "guardian"),
        (PUPIL.person_id, FATHER.person_id, "guardian"),
    ]
    assert [row[:5] for row in tables["School"]] == [
        ("skoleeier:944073787", None, "skoleeier", "944073787", "Haugesund kommune"),
        (f"skole:{SKAAREDALEN}", "skoleeier:944073787", "skole", SKAAREDALEN, "Skåredalen skole"),
        (f"skole:{TESTSKOLE}", "skoleeier:944073787", "skole", TESTSKOLE, "Testskole 1"),
    ]
    groups = [sas.Group._make(row) for row in tables["Group"]]  # type: ignore[arg-type]
    assert [(group.group_id, group.group_type, group.name, group.grep_code, group.year_level) for group in groups] == [
        (CLASS.group_id, "basisgruppe", "7A", None, 7),
        (MATHS.group_id, "undervisningsgruppe", "Matematikk 7A", "MAT0006", None),
        (YEAR.group_id, "trinn", "7. trinn", None, 7),
    ]
    assert {(group.school_id, group.begin_date, group.end_date) for group in groups} == {
        (f"skole:{SKAAREDALEN}", "2026-08-01", "2027-07-31")
    }
    expected = [
        (
            f"skole:{part.target}" if part.of_school else part.target,
            part.person_id,
            part.role,
            None,
            True,
            part.main,
            part.from_date and part.from_date.isoformat(),
            part.to_date and part.to_date.isoformat(),
        )
        for part in HAUGESUND.parts
    ]
    assert tables["Membership"] == expected


def test_the_same_record_gives_the_same_bytes_and_the_time_is_the_runs() -> None:
    first = written()
    time.sleep(0.01)
    assert written() == first
    assert b"<type>full</type><datetime>2026-11-23T03:00:07Z</datetime>" in first
    later = written(replace(HAUGESUND, moment=MOMENT.astimezone(UTC) + timedelta(days=7)))
    assert later.replace(b"2026-11-30T03", b"2026-11-23T03") == first


def test_pupils_and_employees_are_counted_and_guardians_are_not() -> None:
    out = io.BytesIO()
    counts = write(HAUGESUND, out)
    assert counts == Counts(1, 2, people=2, pupils=1, employees=1, groups=3, memberships=7, left_out=0)
    more = replace(HAUGESUND, people_=(*HAUGESUND.people_, FATHER._replace(person_id="another")))
    assert write(more, io.BytesIO()) == counts


def test_a_person_with_two_parts_in_a_group_is_one_member_with_two_roles() -> None:
    members = [text for text in written().decode().split("<member>") if 'roletype="06"' in text]
    assert len(members) == 1
    assert re.findall(r'roletype="(\d\d)"', members[0]) == ["02", "06"]


@pytest.mark.parametrize(
    "mail", ["kari", "kari @example.com", "kari@nowhere", "kari@a.b\u0007", "k@" + "a" * 260 + ".no"]
)
def test_an_address_that_pifu_cannot_hold_is_left_out_and_counted(mail: str) -> None:
    kommune = replace(HAUGESUND, people_=(PUPIL, TEACHER, MOTHER._replace(private_mail=mail, mobile="123"), FATHER))
    out = io.BytesIO()
    assert write(kommune, out).left_out == 2
    assert found(out.getvalue()) == set()
    assert b"<tel" not in out.getvalue()
    assert b"Private" not in out.getvalue()


def test_there_is_no_address_gender_or_photo_in_the_file() -> None:
    assert not re.search(r"<(pifu_)?(adr|street|locality|pcode|photo|gender)", written().decode())


def test_a_kommune_without_people_and_groups_still_has_its_schools() -> None:
    empty = written(Kommune(people_=(), groups_=(), parts=()))
    assert found(empty) == set()
    assert len(read(empty)["School"]) == 3
    assert xsd().validate(etree.fromstring(empty))


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
LETTERS_OF_XML = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=80).filter(
    lambda text: text == text.strip() and text
)


@settings(max_examples=200, deadline=None)
@example(given_names="", family="", school="", group="", group_id="\xad", uid="a")
@given(given_names=ANY, family=ANY, school=ANY, group=ANY, group_id=LETTERS_OF_XML, uid=LETTERS_OF_XML)
def test_names_of_any_letters_give_a_file_that_can_be_read(
    given_names: str, family: str, school: str, group: str, group_id: str, uid: str
) -> None:
    pupil = PUPIL._replace(given_names=given_names, family_name=family, legal_name=f"{given_names} {family}", uid=uid)
    kommune = Kommune(
        people_=(pupil, TEACHER, MOTHER, FATHER),
        schools_=(School(SKAAREDALEN, school),),
        groups_=(CLASS._replace(group_id=group_id, name=group),),
        parts=(
            Membership(True, SKAAREDALEN, pupil.person_id, "01", True),
            Membership(False, group_id, pupil.person_id, "01"),
            Membership(False, group_id, TEACHER.person_id, "06"),
        ),
    )
    content = written(kommune)
    assert found(content) == set()
    tables = read(content)
    person = sas.Person._make(tables["Person"][0])  # type: ignore[arg-type]
    wanted = [
        re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", clean(name))[:256].strip() or None
        for name in (given_names, family)
    ]
    assert person.given_name == (wanted[0] or person.full_name)
    assert person.family_name == (wanted[1] or person.full_name)
    assert person.username == uid
    assert sas.Group._make(tables["Group"][0]).group_id == group_id  # type: ignore[arg-type]
    if os.environ.get("DATAFLYT_REFERENCE"):
        assert xsd().validate(etree.fromstring(content))


@dataclass(frozen=True)
class Large(Kommune):
    """A kommune of a given number of pupils, each with two guardians and ten groups, made as a stream."""

    pupils: int = 0

    def people(self) -> Iterator[Person]:
        for number in range(self.pupils):
            guardians = (f"{number:08d}-a", f"{number:08d}-b")
            yield PUPIL._replace(person_id=f"{number:08d}-p", uid=f"uid{number}", guardians=guardians)
            for guardian in guardians:
                yield MOTHER._replace(person_id=guardian)

    def memberships(self) -> Iterator[Membership]:
        targets = [(True, SKAAREDALEN), *((False, f"G{number}") for number in range(9))]
        for of_school, target in targets:
            for number in range(self.pupils):
                yield Membership(of_school, target, f"{number:08d}-p", "01")


def test_memory_does_not_grow_with_the_kommune() -> None:
    class Nowhere(io.RawIOBase):
        def write(self, data: object) -> int:
            return len(data)  # type: ignore[arg-type]

    def peak(pupils: int) -> int:
        tracemalloc.start()
        write(Large(pupils=pupils), Nowhere())  # type: ignore[arg-type]
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(100)
    assert peak(1200) < peak(400) + 300_000


# --- subjects, subroles and targets -----------------------------------------------------------------------------------

SUBJECT = Group("SKA/MAT", SKAAREDALEN, "fag", "Matematikk", "MAT0006", None, FIRST, LAST)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_subject_is_a_group_of_type_7_with_its_grep_code(version: str) -> None:
    part = Membership(False, SUBJECT.group_id, PUPIL.person_id, "01")
    content = written(replace(HAUGESUND, groups_=(SUBJECT,), parts=(*HAUGESUND.parts[:3], part)), version)
    assert '<typevalue level="7">fag</typevalue>' in content.decode()
    assert list(check(InMemory(content), version)) == []
    assert xsd(version).validate(etree.fromstring(content))
    (group,) = [sas.Group._make(row) for row in read(content)["Group"]]  # type: ignore[arg-type]
    assert (group.group_type, group.grep_code) == ("fag", "MAT0006")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_role_and_subrole_is_valid_and_is_read_as_it_was_written(version: str) -> None:
    roles = [("02", None), ("05", None), ("07", None), ("08", None)]
    roles += [(role, subrole) for role, subroles in SUBROLES.items() for subrole in subroles]
    parts = [HAUGESUND.parts[0]]
    parts += [HAUGESUND.parts[1]._replace(role=role, subrole=subrole) for role, subrole in roles]
    parts += [HAUGESUND.parts[4]._replace(role=role, subrole=subrole) for role, subrole in roles]
    content = written(replace(HAUGESUND, parts=tuple(parts)), version)
    assert list(check(InMemory(content), version)) == []
    assert xsd(version).validate(etree.fromstring(content)), xsd(version).error_log.last_error
    assert [row[2:4] for row in read(content)["Membership"]] == [("01", None), *roles, *roles]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_targets_are_the_receivers_as_the_kommune_names_them(version: str) -> None:
    content = written(replace(HAUGESUND, receivers_=("Læringsplattformen", "R&D", " ")), version)
    assert (
        "<datasource>dataflyt@haugesund.kommune.no</datasource>"
        "<target>Læringsplattformen@haugesund.kommune.no</target><target>R&amp;D@haugesund.kommune.no</target>"
        "<type>full</type>"
    ) in content.decode()
    assert list(check(InMemory(content), version)) == []
    assert xsd(version).validate(etree.fromstring(content))
