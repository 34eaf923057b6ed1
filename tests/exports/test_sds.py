"""The School Data Sync export: its contents by Microsoft's samples, and what its check finds."""

import csv
import io
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from dataflyt.errors import Unreadable
from dataflyt.exports import sds, sds_check
from dataflyt.exports.model import Counts, Group, Membership, School
from tests.exports.test_class_list import broken
from tests.exports.test_oneroster import FULL, NAMES, OWNER, SHY, one, tables
from tests.exports.test_pifu import CLASS, FATHER, MATHS, MOTHER, PUPIL, SKAAREDALEN, TEACHER, TESTSKOLE, InMemory

CORE = ["orgs", "academicSessions", "courses", "classes", "users", "roles", "enrollments"]
CHECK = sds_check


def written(kommune: object = FULL) -> bytes:
    out = io.BytesIO()
    sds.write(kommune, out)  # type: ignore[arg-type]
    return out.getvalue()


def found(content: bytes) -> set[str]:
    return {finding.name for finding in sds_check.check(InMemory(content))}


def test_the_headers_are_those_of_microsofts_samples() -> None:
    folder = os.environ.get("DATAFLYT_REFERENCE")
    if not folder:
        pytest.skip("DATAFLYT_REFERENCE is not set")
    with zipfile.ZipFile(io.BytesIO(written())) as archive:
        assert archive.namelist() == [f"{name}.csv" for name in (*CORE, "demographics", "relationships")]
        for name in archive.namelist():
            sample = (Path(folder) / "sds" / "v2.1" / name).read_text(encoding="utf-8-sig")
            assert next(csv.reader(io.StringIO(archive.read(name).decode()))) == sample.splitlines()[0].split(",")


def test_a_pupil_and_a_teacher_stand_in_it_with_schools_and_classes() -> None:
    held = tables(written(SHY))
    assert list(held) == CORE
    assert one(held["orgs"], type="municipality")["sourcedId"] == OWNER
    assert one(held["orgs"], sourcedId=SKAAREDALEN)["parentSourcedId"] == OWNER
    assert one(held["users"], sourcedId=PUPIL.person_id) == {
        "sourcedId": PUPIL.person_id,
        "username": "andmae@haugesund.kommune.no",
        "givenName": "Ánders Øystein",
        "familyName": 'Mæhlá & "Đuŋŋe" <',
    }
    assert one(held["classes"], sourcedId=MATHS.group_id) == {
        "sourcedId": MATHS.group_id,
        "orgSourcedId": SKAAREDALEN,
        "title": "Matematikk 7A",
        "sessionSourcedIds": "2026-2027",
        "courseSourcedId": "fag-MAT0006",
    }
    (year,) = held["academicSessions"]
    assert (year["type"], year["schoolYear"], year["endDate"]) == ("schoolYear", "2026", "2027-07-31")
    roles = {(row["userSourcedId"], row["orgSourcedId"]): row for row in held["roles"]}
    assert roles[PUPIL.person_id, SKAAREDALEN]["roleEndDate"] == "2027-07-31"
    assert {key: (row["role"], row["isPrimary"]) for key, row in roles.items()} == {
        (PUPIL.person_id, SKAAREDALEN): ("student", "TRUE"),
        (TEACHER.person_id, SKAAREDALEN): ("teacher", "TRUE"),
        (TEACHER.person_id, TESTSKOLE): ("staff", "FALSE"),
    }
    assert [tuple(row.values()) for row in held["enrollments"]] == [
        (CLASS.group_id, PUPIL.person_id, "student"),
        (CLASS.group_id, TEACHER.person_id, "teacher"),
        (MATHS.group_id, PUPIL.person_id, "student"),
    ]
    assert found(written(SHY)) == set()


def test_contact_birth_dates_and_guardians_stand_in_it_only_where_the_kommunes_file_says_so() -> None:
    assert {row["sourcedId"] for row in tables(written(SHY))["users"]} == {PUPIL.person_id, TEACHER.person_id}
    assert not any(row["email"] or row["sms"] for row in tables(written(SHY))["users"])
    held = tables(written(FULL))
    mother = one(held["users"], sourcedId=MOTHER.person_id)
    assert mother["username"] == f"{MOTHER.person_id}@haugesund.kommune.no"
    assert (mother["email"], mother["sms"]) == ("suharto@example.com", "+4741001701")
    assert held["demographics"] == [
        held["demographics"][0] | {"userSourcedId": PUPIL.person_id, "birthDate": "2013-05-13"}
    ]
    # SDS takes no guardian without an address: the father is not in it.
    assert [tuple(row.values()) for row in held["relationships"]] == [(PUPIL.person_id, MOTHER.person_id, "guardian")]
    assert FATHER.person_id not in {row["sourcedId"] for row in held["users"]}
    alone = tables(written(replace(SHY, extras_=frozenset(["guardians"]))))
    assert alone["relationships"] == []
    assert found(written(FULL)) == set()


def test_nobody_without_a_user_name_is_in_it_nor_is_their_guardian() -> None:
    kommune = replace(FULL, people_=(PUPIL._replace(uid=None), TEACHER, MOTHER, FATHER))
    held = tables(written(kommune))
    assert {row["sourcedId"] for row in held["users"]} == {TEACHER.person_id}
    assert {row["userSourcedId"] for row in (*held["roles"], *held["enrollments"])} == {TEACHER.person_id}
    assert found(written(kommune)) == set()


def test_an_employee_who_is_a_guardian_stands_once_with_the_address_at_work() -> None:
    child = PUPIL._replace(guardians=(TEACHER.person_id,))
    content = written(replace(FULL, people_=(child, TEACHER)))
    assert one(tables(content)["users"], sourcedId=TEACHER.person_id)["email"] == TEACHER.mail
    assert len(tables(content)["relationships"]) == 1
    assert found(content) == set()


def test_guardians_who_share_an_address_or_use_somebodys_feide_name_have_usernames_of_their_own() -> None:
    other = FATHER._replace(private_mail=str(MOTHER.private_mail).upper())
    third = FATHER._replace(person_id=f"{FATHER.person_id[:-1]}9", private_mail=f"{PUPIL.uid}@haugesund.kommune.no")
    child = PUPIL._replace(guardians=(MOTHER.person_id, other.person_id, third.person_id))
    content = written(replace(FULL, people_=(child, TEACHER, MOTHER, other, third)))
    users = {row["sourcedId"]: row for row in tables(content)["users"]}
    assert len({row["username"].lower() for row in users.values()}) == len(users) == 5
    assert users[other.person_id]["email"] == users[MOTHER.person_id]["email"]
    assert users[child.person_id]["username"] == users[third.person_id]["email"]
    assert len(tables(content)["relationships"]) == 3
    assert found(content) == set()


def test_the_same_files_are_there_when_a_kommune_is_empty_and_counts_are_of_those_with_a_user_name() -> None:
    empty = written(replace(SHY, people_=(), groups_=(), parts=()))
    assert list(tables(empty)) == CORE
    assert found(empty) == set()
    private = replace(SHY, schools_=(School(OWNER, "Privatskolen"),), people_=(), groups_=(), parts=())
    assert [row["sourcedId"] for row in tables(written(private))["orgs"]] == [OWNER]
    assert found(written(private)) == set()
    assert sds.write(FULL, io.BytesIO()) == Counts(1, 2, 2, 1, 1, 2, 3, 0)  # type: ignore[arg-type]
    back = list(sds_check.read(InMemory(written())))
    assert {row.person for row in back} == {PUPIL.person_id, TEACHER.person_id}
    assert sum(1 for row in back if row.group) == 3
    assert written() == written()


def test_a_class_of_other_days_than_the_school_year_has_a_session_of_its_own() -> None:
    content = written(replace(FULL, groups_=(CLASS._replace(to_date=date(2026, 12, 18)),)))
    session = one(tables(content)["academicSessions"], type="semester")
    assert (session["startDate"], session["endDate"]) == ("2026-08-01", "2026-12-18")
    assert found(content) == set()


@settings(deadline=None, max_examples=25, phases=(Phase.generate,))
@given(NAMES, NAMES, NAMES, NAMES)
def test_any_text_makes_a_file_that_passes_its_check(given_names: str, family: str, title: str, group_id: str) -> None:
    pupil = PUPIL._replace(given_names=given_names, family_name=family, guardians=(), mail=title)
    group = Group(group_id, SKAAREDALEN, "basisgruppe", title, None, None, None, None)
    parts = (
        Membership(True, SKAAREDALEN, PUPIL.person_id, "01", None),
        Membership(False, group_id, PUPIL.person_id, "01"),
    )
    content = written(replace(FULL, people_=(pupil,), groups_=(group,), parts=parts))
    assert found(content) == set()
    assert len(tables(content)["enrollments"]) == 1


def changed(name: str, change: Callable[[bytes], bytes | None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written())) as before, zipfile.ZipFile(out, "w") as after:
        for entry in before.namelist():
            content: bytes | None = before.read(entry)
            if entry == f"{name}.csv" and content is not None:
                content = change(content)
            if content is not None:
                after.writestr(entry, content)
    return out.getvalue()


def swap(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert re.search(old.encode(), content)
        return re.sub(old.encode(), new.encode(), content, count=1)

    return change


@pytest.mark.parametrize(
    ("name", "change", "finding"),
    [
        ("classes", lambda _: None, CHECK.NO_FILE),
        ("users", swap("familyName", "familyname"), CHECK.WRONG_HEADS),
        ("users", swap("Bodil", ""), CHECK.MISSING),
        ("users", swap("Bodil", "@1"), CHECK.FORMULA),
        ("users", swap("Bodil", "B;@1"), CHECK.FORMULA),
        ("users", swap("andmae@[^,]*", "andmae"), CHECK.NOT_VALID),
        ("users", swap("[^,]*@haugesund.kommune.no,Bodil", "ANDMAE@haugesund.kommune.no,Bodil"), CHECK.SAME_NAME),
        ("users", swap("Tveit,", "Tveit,hemmelig"), CHECK.NOT_ALLOWED),
        ("users", swap(",,,suharto@", ",,,Suharto@"), CHECK.NOT_VALID),
        ("users", swap(",suharto@example.com,,", ",,,"), CHECK.NO_MAIL),
        ("orgs", swap("municipality", "kommune"), CHECK.NOT_VALID),
        ("classes", swap(f",{SKAAREDALEN},", ",1,"), CHECK.UNRESOLVED),
        ("roles", swap("TRUE", "FALSE"), CHECK.NOT_ONE_PRIMARY),
        ("roles", swap(r"[^\n]*,student,[^\n]*\n", ""), CHECK.WITHOUT_ROLE),
        ("roles", swap("2027-07-31", "2027-07-32"), CHECK.NOT_VALID),
        ("roles", swap("2027-07-31", "2019-01-01"), CHECK.REVERSED),
        ("enrollments", swap(",student", ",elev"), CHECK.NOT_VALID),
        ("enrollments", lambda content: content + content.split(b"\r\n")[1] + b"\r\n", CHECK.DUPLICATE),
        ("relationships", swap("guardian\r", "parent\r"), CHECK.NOT_VALID),
        ("relationships", swap(",11111111-0000-0000-0000-000000000003,", ",x,"), CHECK.UNRESOLVED),
    ],
)
def test_the_check_finds_what_is_wrong(name: str, change: Callable[[bytes], bytes | None], finding: str) -> None:
    content = changed(name, change)
    assert finding in found(content)
    said = " ".join(map(str, sds_check.check(InMemory(content))))
    assert not [text for text in ("Bodil", "uharto", "11111111", "andmae", "hemmelig") if text in said]


@pytest.mark.parametrize("name", ["users", "roles", "orgs"])
def test_a_file_with_other_columns_is_found_and_the_rest_is_checked(name: str) -> None:
    assert sds_check.WRONG_HEADS in found(changed(name, lambda _: b"id,name\r\n1,2\r\n"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        written()[:-40],
        broken(written(), 4),
        changed("roles", lambda _: None),
        changed("users", lambda text: text + b"a,b\r\n"),
    ],
)
def test_a_file_that_is_no_roster_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable):
        found(content)
