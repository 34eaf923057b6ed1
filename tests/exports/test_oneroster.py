"""The OneRoster export: its contents, that our own reader reads what was written, and what its check finds."""

import csv
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.exports import class_list, oneroster, oneroster_check, sds
from dataflyt.exports.model import ClassMember, Counts, Export, Group, Membership, School
from dataflyt.sources.sas import oneroster as sas_oneroster
from dataflyt.sources.sas import rows as sas
from tests.exports.test_class_list import broken
from tests.exports.test_pifu import (
    CLASS,
    FATHER,
    FIRST,
    LAST,
    MATHS,
    MOTHER,
    PUPIL,
    SKAAREDALEN,
    TEACHER,
    TESTSKOLE,
    YEAR,
    InMemory,
    Kommune,
)

OWNER = "944073787"
ALL = frozenset(("numbers", "birth_dates", "contact", "guardians"))
Tables = dict[str, list[dict[str, str]]]


@dataclass(frozen=True)
class Roster(Kommune):
    extras_: frozenset[str] = frozenset()

    def extras(self, export: str) -> frozenset[str]:
        return self.extras_

    def class_members(self) -> list[ClassMember]:
        of_class = (CLASS.group_id, CLASS.name, 7, FIRST, LAST)
        return [ClassMember(SKAAREDALEN, "Skåredalen skole", *of_class, PUPIL.person_id, "Ánders", "Mæhlá")]


SHY, FULL = Roster(), Roster(extras_=ALL)


def written(kommune: object = FULL) -> bytes:
    out = io.BytesIO()
    oneroster.write(kommune, out)  # type: ignore[arg-type]
    return out.getvalue()


def tables(content: bytes) -> Tables:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))
            for name in archive.namelist()
        }


def found(content: bytes) -> set[str]:
    return {finding.name for finding in oneroster_check.check(InMemory(content))}


def one(rows: list[dict[str, str]], **values: str) -> dict[str, str]:
    (row,) = [row for row in rows if all(row[name] == value for name, value in values.items())]
    return {name: value for name, value in row.items() if value}


def read(content: bytes) -> dict[type, list[sas.Person]]:
    kinds: dict[type, list[sas.Person]] = {}
    for row in sas_oneroster.read(io.BytesIO(content)):
        kinds.setdefault(type(row), []).append(row)  # type: ignore[arg-type]
    return kinds


def reference(content: bytes) -> list[str]:
    """Return what breaks the binding's rules, by the headers in the reference: a naive reading of our own."""
    folder = os.environ.get("DATAFLYT_REFERENCE")
    if not folder:
        pytest.skip("DATAFLYT_REFERENCE is not set")
    with (Path(folder) / "oneroster" / "oneroster_1_2_1_headers.csv").open(encoding="utf-8", newline="") as file:
        known = {row["file"].removesuffix(".csv"): row for row in csv.DictReader(file)}
    held, wrong = tables(content), []
    said = {row["propertyName"]: row["value"] for row in held["manifest"]}
    ids = {name: [row.get("sourcedId") for row in rows] for name, rows in held.items()}
    for name, rows in held.items():
        if list(rows[0]) != known[name]["header_row"].split(","):
            wrong.append(f"{name}: header")
        if name == "manifest":
            continue
        if said[f"file.{name}"] != "bulk" or len(set(ids[name])) < len(ids[name]):
            wrong.append(f"{name}: not bulk, or twice")
        for row in rows:
            wrong += [f"{name}: {column} empty" for column in known[name]["required"].split(",") if not row[column]]
            for column, value in row.items():
                target = {
                    "parentSourcedId": name,
                    "orgSourcedId": "orgs",
                    "schoolSourcedId": "orgs",
                    "primaryOrgSourcedId": "orgs",
                    "courseSourcedId": "courses",
                    "classSourcedId": "classes",
                    "userSourcedId": "users",
                    "termSourcedIds": "academicSessions",
                    "agentSourcedIds": "users",
                }.get(column)
                if target and value:
                    wrong += [f"{name}: {column} leads nowhere" for id_ in value.split(",") if id_ not in ids[target]]
                if column.lower().endswith("date") and value:
                    date.fromisoformat(value)
    for row in held["roles"]:
        same = [r for r in held["roles"] if all(r[c] == row[c] for c in ("userSourcedId", "orgSourcedId"))]
        if sum(r["roleType"] == "primary" for r in same) != 1:
            wrong.append("roles: not one primary")
    absent = {name for name, value in said.items() if name.startswith("file.") and value == "absent"}
    if absent & {f"file.{name}" for name in held}:
        wrong.append("manifest: absent, and there")
    return wrong


def test_a_pupil_and_a_teacher_stand_in_it_with_school_class_and_subject_group() -> None:
    held = tables(written(SHY))
    assert list(held) == [
        *("orgs", "academicSessions", "courses", "classes", "users", "roles", "userProfiles", "enrollments"),
        "manifest",
    ]
    assert one(held["orgs"], type="district")["identifier"] == OWNER
    assert one(held["orgs"], sourcedId=SKAAREDALEN) == {
        "sourcedId": SKAAREDALEN,
        "name": "Skåredalen skole",
        "type": "school",
        "identifier": SKAAREDALEN,
        "parentSourcedId": OWNER,
    }
    assert one(held["classes"], classType="homeroom") == {
        "sourcedId": "SKA/7A/2026",
        "title": "7A",
        "grades": "07",
        "courseSourcedId": "trinn-7",
        "classCode": "SKA/7A/2026",
        "classType": "homeroom",
        "schoolSourcedId": SKAAREDALEN,
        "termSourcedIds": "2026-1,2026-2",
    }
    maths = one(held["classes"], classType="scheduled")
    assert (maths["courseSourcedId"], maths["subjectCodes"]) == ("fag-MAT0006", "MAT0006")
    assert one(held["users"], sourcedId=PUPIL.person_id) == {
        "sourcedId": PUPIL.person_id,
        "enabledUser": "true",
        "username": "andmae",
        "userIds": "{Feide:andmae@haugesund.kommune.no}",
        "givenName": "Ánders Øystein",
        "familyName": 'Mæhlá & "Đuŋŋe" <',
        "primaryOrgSourcedId": SKAAREDALEN,
    }
    assert one(held["roles"], userSourcedId=PUPIL.person_id)["role"] == "student"
    assert one(held["roles"], userSourcedId=PUPIL.person_id)["endDate"] == "2027-08-01", "the first day after"
    of_teacher = {
        (row["orgSourcedId"], row["role"], row["roleType"])
        for row in held["roles"]
        if row["userSourcedId"] == TEACHER.person_id
    }
    assert of_teacher == {(SKAAREDALEN, "teacher", "primary"), (TESTSKOLE, "aide", "primary")}
    assert one(held["enrollments"], classSourcedId=CLASS.group_id, role="teacher")["primary"] == "true"
    assert {row["type"]: row["title"] for row in held["academicSessions"]} == {
        "schoolYear": "2026/2027",
        "term": "Vår 2027",
    }
    assert YEAR.group_id not in {row["sourcedId"] for row in held["classes"]}


def test_numbers_birth_dates_contact_and_guardians_stand_in_it_only_where_the_kommunes_file_says_so() -> None:
    shy = written(SHY)
    plain = b"".join(
        zipfile.ZipFile(io.BytesIO(shy)).read(name) for name in zipfile.ZipFile(io.BytesIO(shy)).namelist()
    )
    for text in ("13851367807", "21830212345", "2013-05-13", "bodil.tveit@", "Suharto", "41001701"):
        assert text.encode() not in plain
    assert {row["sourcedId"] for row in tables(shy)["users"]} == {PUPIL.person_id, TEACHER.person_id}
    held = tables(written(FULL))
    assert one(held["users"], sourcedId=PUPIL.person_id)["identifier"] == "13851367807"
    assert one(held["users"], sourcedId=PUPIL.person_id)["agentSourcedIds"] == ",".join(PUPIL.guardians)
    mother = one(held["users"], sourcedId=MOTHER.person_id)
    assert (mother["email"], mother["sms"], mother["enabledUser"]) == ("suharto@example.com", "+4741001701", "true")
    assert (mother["givenName"], mother["familyName"]) == ("Suharto", "Suharto")
    assert one(held["roles"], userSourcedId=FATHER.person_id)["orgSourcedId"] == OWNER
    assert held["demographics"] == [held["demographics"][0] | {"sourcedId": PUPIL.person_id, "birthDate": "2013-05-13"}]
    for extra, column in (("numbers", "identifier"), ("contact", "email"), ("guardians", "agentSourcedIds")):
        alone = tables(written(replace(SHY, extras_=frozenset([extra]))))["users"]
        assert {name for row in alone for name, value in row.items() if value} & {
            *("identifier", "email", "sms", "agentSourcedIds")
        } == {column}


def test_our_own_reader_reads_what_was_written() -> None:
    rows = read(written(FULL))
    people = {row.person_id: row for row in rows[sas.Person]}
    assert people.keys() == {PUPIL.person_id, TEACHER.person_id, MOTHER.person_id, FATHER.person_id}
    pupil = people[PUPIL.person_id]
    assert (pupil.number, pupil.feide_id, pupil.username) == ("13851367807", "andmae@haugesund.kommune.no", "andmae")
    assert (pupil.given_name, pupil.family_name) == ("Ánders Øystein", 'Mæhlá & "Đuŋŋe" <')
    assert (pupil.birth_date, pupil.recstatus) == ("2013-05-13", None)
    assert people[TEACHER.person_id].local_number == TEACHER.local_number
    assert {(row.child_id, row.guardian_id) for row in rows[sas.Guardian]} == {  # type: ignore[attr-defined]
        (PUPIL.person_id, guardian) for guardian in PUPIL.guardians
    }
    groups = {row.group_id: row for row in rows[sas.Group]}  # type: ignore[attr-defined]
    for group in (CLASS, MATHS):
        got = groups.pop(group.group_id)
        assert (got.school_id, got.group_type, got.name) == (group.orgnr, group.kind, group.name)
        assert (got.grep_code, got.year_level) == (group.grep, group.year_level)
        assert (got.begin_date, got.end_date) == (FIRST.isoformat(), LAST.isoformat())
        assert got.adminperiod == "2026/2027"
    assert not groups
    schools = {row.school_id: (row.orgnr, row.level) for row in rows[sas.School]}  # type: ignore[attr-defined]
    assert schools == {
        OWNER: (OWNER, "skoleeier"),
        SKAAREDALEN: (SKAAREDALEN, "skole"),
        TESTSKOLE: (TESTSKOLE, "skole"),
    }
    members = {
        (row.group_id, row.person_id, row.role, row.begin_date, row.end_date)  # type: ignore[attr-defined]
        for row in rows[sas.Membership]
    }
    # An employee who does not teach is an aide, PIFU's 08; a contact teacher is a teacher.
    assert members == {
        (SKAAREDALEN, PUPIL.person_id, "01", "2026-08-01", "2027-07-31"),
        (SKAAREDALEN, TEACHER.person_id, "02", "2019-08-01", None),
        (TESTSKOLE, TEACHER.person_id, "08", None, None),
        (CLASS.group_id, PUPIL.person_id, "01", None, None),
        (CLASS.group_id, TEACHER.person_id, "02", None, None),
        (MATHS.group_id, PUPIL.person_id, "01", None, None),
    }
    main = {(row.group_id, row.person_id): row.main for row in rows[sas.Membership]}  # type: ignore[attr-defined]
    assert (main[SKAAREDALEN, TEACHER.person_id], main[TESTSKOLE, TEACHER.person_id]) == (True, False)


@pytest.mark.parametrize("kommune", [SHY, FULL])
def test_the_file_keeps_the_rules_of_the_binding_by_an_independent_reading(kommune: Roster) -> None:
    assert reference(written(kommune)) == []
    assert found(written(kommune)) == set()


class Forwards(io.RawIOBase):
    """A file in an object store, which is written from its beginning to its end and cannot be sought in."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += bytes(data)
        return len(data)


@pytest.mark.parametrize("export", [class_list.EXPORT, oneroster.EXPORT, sds.EXPORT], ids=lambda one: str(one.name))
def test_a_store_that_takes_files_from_the_front_alone_takes_the_rosters(export: Export) -> None:
    out = Forwards()
    export.write(FULL, out)  # type: ignore[arg-type]
    assert list(export.check(InMemory(out.content))) == []


def test_the_same_people_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = written()
    monkeypatch.setattr("time.time", lambda: 1.9e9)
    assert written(replace(FULL, moment=FULL.moment + timedelta(days=3))) == first


def test_counts_and_what_is_read_back_are_of_pupils_and_employees() -> None:
    assert oneroster.write(FULL, io.BytesIO()) == Counts(1, 2, 2, 1, 1, 2, 4 - 1, 0)  # type: ignore[arg-type]
    back = Counter(oneroster_check.read(InMemory(written())))
    assert {row.person for row in back if not row.group} == {PUPIL.person_id, TEACHER.person_id}
    assert {(row.person, row.group, row.pupil) for row in back if row.group} == {
        (PUPIL.person_id, CLASS.group_id, True),
        (TEACHER.person_id, CLASS.group_id, False),
        (PUPIL.person_id, MATHS.group_id, True),
    }


def test_one_who_is_pupil_employee_and_guardian_is_one_user_with_every_role() -> None:
    both = TEACHER._replace(is_pupil=True, guardians=())
    child = PUPIL._replace(guardians=(TEACHER.person_id,))
    parts = (
        Membership(True, SKAAREDALEN, PUPIL.person_id, "01", True),
        Membership(True, SKAAREDALEN, TEACHER.person_id, "01", True),
        Membership(True, SKAAREDALEN, TEACHER.person_id, "02", False),
        Membership(False, CLASS.group_id, PUPIL.person_id, "01"),
        Membership(False, CLASS.group_id, TEACHER.person_id, "01"),
        Membership(False, CLASS.group_id, TEACHER.person_id, "02"),
        Membership(False, CLASS.group_id, TEACHER.person_id, "06"),
    )
    content = written(replace(FULL, people_=(child, both), parts=parts))
    roles = [row for row in tables(content)["roles"] if row["userSourcedId"] == TEACHER.person_id]
    assert [(row["orgSourcedId"], row["role"], row["roleType"]) for row in roles] == [
        (SKAAREDALEN, "student", "primary"),
        (SKAAREDALEN, "teacher", "secondary"),
        (OWNER, "guardian", "primary"),
    ]
    assert found(content) == set()


@pytest.mark.parametrize(
    ("role", "subrole", "word"),
    [
        *(("05", "rektor", "principal"), ("04", "rådgiver", "counselor"), ("05", "inspektør", "aide")),
        *(("07", "iktansvarlig", "aide"), ("08", None, "aide"), ("04", "vaktmester", "aide")),
    ],
)
def test_a_head_and_a_counselor_who_teach_have_both_roles_and_no_employee_becomes_administrator(
    role: str, subrole: str | None, word: str
) -> None:
    also = Membership(True, SKAAREDALEN, TEACHER.person_id, role, True, subrole=subrole)
    content = written(replace(FULL, parts=(*FULL.parts[:2], also, *FULL.parts[2:])))
    roles = [row for row in tables(content)["roles"] if row["userSourcedId"] == TEACHER.person_id]
    assert [(row["orgSourcedId"], row["role"], row["roleType"]) for row in roles] == [
        (SKAAREDALEN, "teacher", "primary"),
        (SKAAREDALEN, word, "secondary"),
        (TESTSKOLE, "aide", "primary"),
    ]
    assert found(content) == set()
    read = [row for row in sas_oneroster.read(io.BytesIO(content)) if isinstance(row, sas.Membership)]
    assert ((role, subrole) in {(row.role, row.subrole) for row in read}) == (word != "aide" or role == "08")


def test_a_kommune_without_people_has_no_empty_files_and_a_school_that_is_its_own_owner_is_one_org() -> None:
    empty = written(replace(FULL, people_=(), groups_=(), parts=()))
    assert list(tables(empty)) == ["orgs", "academicSessions", "manifest"]
    assert found(empty) == set()
    private = replace(FULL, schools_=(School(OWNER, "Privatskolen"),), people_=(), groups_=(), parts=())
    assert [row["sourcedId"] for row in tables(written(private))["orgs"]] == [OWNER]
    assert found(written(private)) == set()


def test_a_teacher_with_a_child_at_a_school_that_is_its_own_owner_has_one_primary_role_there() -> None:
    child = PUPIL._replace(guardians=(TEACHER.person_id,))
    parts = tuple(Membership(True, OWNER, one.person_id, role, True) for one, role in ((PUPIL, "01"), (TEACHER, "02")))
    private = replace(
        FULL, schools_=(School(OWNER, "Privatskolen"),), people_=(child, TEACHER), groups_=(), parts=parts
    )
    roles = [row for row in tables(written(private))["roles"] if row["userSourcedId"] == TEACHER.person_id]
    assert [(row["role"], row["roleType"]) for row in roles] == [("teacher", "primary"), ("guardian", "secondary")]
    assert found(written(private)) == set()


@pytest.mark.parametrize("name", ["users", "roles", "orgs"])
def test_a_file_with_other_columns_is_found_and_the_rest_is_checked(name: str) -> None:
    content = changed(name, lambda _: b"id,name\r\n1,2\r\n")
    assert oneroster_check.WRONG_HEADS in found(content)


@pytest.mark.parametrize(
    ("begins", "ends", "terms", "dates"),
    [
        (FIRST, LAST, "2026-1,2026-2", ("2026-08-01", "2027-07-31")),
        (None, None, "2026-1,2026-2", ("2026-08-01", "2027-07-31")),
        (date(2026, 8, 17), date(2026, 12, 18), "2026-08-17_2026-12-18", ("2026-08-17", "2026-12-18")),
        (date(2025, 8, 1), date(2028, 7, 31), "2025-08-01_2028-07-31", ("2025-08-01", "2028-07-31")),
        (date(2027, 8, 1), None, "2027-1,2027-2", ("2027-08-01", "2028-07-31")),
        (None, date(2026, 7, 31), "2025-1,2025-2", ("2025-08-01", "2026-07-31")),
        (date(1, 1, 1), date.max, "2026-1,2026-2", ("2026-08-01", "2027-07-31")),
        (LAST, FIRST, "2027-07-31_2027-07-31", ("2027-07-31", "2027-07-31")),
    ],
)
def test_a_class_is_taught_in_sessions_of_its_own_days(
    begins: date | None, ends: date | None, terms: str, dates: tuple[str, str]
) -> None:
    content = written(replace(FULL, groups_=(CLASS._replace(from_date=begins, to_date=ends),)))
    assert one(tables(content)["classes"])["termSourcedIds"] == terms
    assert found(content) == set()
    (group,) = read(content)[sas.Group]
    assert (group.begin_date, group.end_date) == dates  # type: ignore[attr-defined]


ODD = ["=1+1", "@x", "-", "+47", "a,b", 'a"b', "\u202ex", "\ud800", "\n", "7A;=1", "7A; \uff1d;;@x"]
NAMES = st.text(max_size=8) | st.sampled_from(ODD)


@settings(deadline=None, max_examples=30, phases=(Phase.generate,))
@given(NAMES, NAMES, NAMES, NAMES, st.sampled_from([None, "MAT0006", "=1", "x,y", "å"]))
def test_any_text_makes_a_file_that_passes_its_check_and_is_read(
    given_names: str, family: str, title: str, group_id: str, grep: str | None
) -> None:
    pupil = PUPIL._replace(given_names=given_names, family_name=family, guardians=(), uid=None)
    group = Group(group_id, SKAAREDALEN, "undervisningsgruppe", title, grep, None, None, None)
    parts = (
        Membership(True, SKAAREDALEN, PUPIL.person_id, "01", None),
        Membership(False, group_id, PUPIL.person_id, "01"),
    )
    content = written(replace(FULL, people_=(pupil,), groups_=(group,), parts=parts))
    assert found(content) == set()
    assert len(read(content)[sas.Membership]) == 2


def changed(name: str, change: Callable[[bytes], bytes | None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written())) as before, zipfile.ZipFile(out, "w") as after:
        for entry in before.namelist():
            content = before.read(entry)
            if entry == f"{name}.csv":
                content = change(content)  # type: ignore[assignment]
            if content is not None:
                after.writestr(entry, content)
    return out.getvalue()


def swap(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert re.search(old.encode(), content)
        return re.sub(old.encode(), new.encode(), content, count=1)

    return change


CHECK = oneroster_check


@pytest.mark.parametrize(
    ("name", "change", "finding"),
    [
        ("users", lambda _: None, CHECK.NO_FILE),
        ("users", swap("userIds", "userids"), CHECK.WRONG_HEADS),
        ("users", swap("Bodil", ""), CHECK.MISSING),
        ("users", swap("Bodil", "=1"), CHECK.FORMULA),
        ("users", swap("Bodil", "B; =1"), CHECK.FORMULA),
        ("users", swap("Bodil", "\u202eBodil"), CHECK.NOT_VALID),
        ("users", swap(",true,", ",yes,"), CHECK.NOT_VALID),
        ("users", swap("0001,,,", "0001,active,,"), CHECK.NOT_ALLOWED),
        ("users", swap(f"{SKAAREDALEN},\r\n", "1,\r\n"), CHECK.UNRESOLVED),
        ("users", swap(MOTHER.person_id + ",", "x,"), CHECK.UNRESOLVED),
        ("classes", swap(f",{SKAAREDALEN},", f",{OWNER},"), CHECK.UNRESOLVED),
        ("classes", swap("homeroom", "hjem"), CHECK.NOT_VALID),
        ("classes", swap("MAT0006,MAT0006", '"a,b",MAT0006'), CHECK.NOT_VALID),
        ("classes", swap("2026-1", "2019-1"), CHECK.UNRESOLVED),
        ("roles", swap(",primary,student", ",secondary,student"), CHECK.NOT_ONE_PRIMARY),
        ("roles", swap(",student,", ",rektor,"), CHECK.NOT_VALID),
        ("roles", swap(r"[^\n]*,student,[^\n]*\n", ""), CHECK.WITHOUT_ROLE),
        ("roles", swap("2027-08-01", "2027-02-30"), CHECK.NOT_VALID),
        ("roles", swap("2027-08-01", "2019-02-01"), CHECK.REVERSED),
        ("enrollments", swap(f",{SKAAREDALEN},", f",{TESTSKOLE},"), CHECK.OTHER_SCHOOL),
        ("enrollments", swap(",student,", ",pupil,"), CHECK.NOT_VALID),
        ("enrollments", lambda content: content + content.split(b"\r\n")[1] + b"\r\n", CHECK.DUPLICATE),
        ("enrollments", lambda content: content.split(b"\r\n")[0] + b"\r\n", CHECK.NO_FILE),
        ("manifest", swap("file.users,bulk", "file.users,absent"), CHECK.NO_FILE),
        ("manifest", swap("file.results,absent\r\n", ""), CHECK.NO_FILE),
        ("users", swap(",".join(PUPIL.guardians), PUPIL.guardians[0]), CHECK.NO_CHILD),
    ],
)
def test_the_check_finds_what_is_wrong(name: str, change: Callable[[bytes], bytes | None], finding: str) -> None:
    content = changed(name, change)
    assert finding in found(content)
    said = " ".join(map(str, oneroster_check.check(InMemory(content))))
    assert not [text for text in ("Bodil", "Suharto", "11111111", "13851367807") if text in said]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        written()[:-40],
        changed("manifest", lambda _: None),
        changed("manifest", swap("version,1.2", "version,1.1")),
        changed("users", lambda content: content + b"\xff\r\n"),
        changed("users", lambda content: content + b"a,b\r\n"),
        broken(written(), 4),
    ],
)
def test_a_file_that_is_no_oneroster_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable):
        found(content)
