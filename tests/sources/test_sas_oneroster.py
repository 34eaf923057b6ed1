"""A OneRoster zip file gives the rows that a PIFU file gives, or one sentence."""

import csv
import io
import os
import zipfile
from pathlib import Path

import pytest

from dataflyt.errors import Unreadable
from dataflyt.sources.sas import oneroster
from dataflyt.sources.sas.rows import Group, Guardian, Membership, Person, School

REFERENCE = os.environ.get("DATAFLYT_REFERENCE")

ORGS = """sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId
o1,,,Haugesund,district,944073787,
s1,,,Skåredalen skole,school,NO 311060015,o1
d1,,,IKT,department,123,o1
"""
SESSIONS = """sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear
t1,,,Høst,term,2026-08-01,2026-12-31,,2027
t2,,,Vår,term,2027-01-01,2027-07-31,,2027
"""
COURSES = """sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,\
subjectCodes
c7,,,,7. årstrinn,7,07,s1,,
cm,,,,Matematikk,MAT,07,s1,Matematikk,https://psi.udir.no/kl06/MAT0006
"""
CLASSES = """sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,\
schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods
g1,,,7A,,c7,7A,homeroom,,s1,"t1,t2",,,
g2,,,7A MAT,7,cm,,scheduled,,s1,t1,,,
g3,tobedeleted,,old,,cm,,scheduled,,s1,t1,,,
"""
ENROLLMENTS = """sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,\
beginDate,endDate
e1,,,g1,s1,p1,student,,2026-08-01,2027-08-01
e2,,,g1,s1,a1,teacher,true,,
e3,,,g2,s1,p1,student,false,,
"""
DEMOGRAPHICS = """sourcedId,status,dateLastModified,birthDate,sex
p1,,,2014-03-15,female
"""
USERS_11 = """sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,\
middleName,identifier,email,sms,phone,agentSourcedIds,grades,password
p1,,,true,s1,student,ola,"{Feide:ola@haugesund.kommune.no},{x:y}",Máret,Đižžo,Áilu,15831499815,,,,f1,7,hemmelig
p2,,,true,"s1,s2",student,,,Uten,Nummer,,U-1001,,,,,7,
f1,,,true,s1,parent,,,Foresatt,En,,,f@example.no,+4790000000,,p2,,
a1,,,true,s1,teacher,,,Lærer,To,,,,,,,,
"""
USERS_12 = """sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,\
identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,preferredGivenName,preferredMiddleName,\
preferredFamilyName,primaryOrgSourcedId,pronouns
p1,,,true,ola,{Feide:ola@haugesund.kommune.no},Máret,Đižžo,Áilu,15831499815,,,,f1,7,,,,,,s1,
p2,,,true,,,Uten,Nummer,,U-1001,,,,,7,,,,,,s1,
f1,,,true,,,Foresatt,En,,,f@example.no,+4790000000,,p2,,,,,,,s1,
a1,,,true,,,Lærer,To,,,,,,,,,,,,,s1,
"""
ROLES = """sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,\
userProfileSourcedId
r1,,,p1,primary,student,,,s1,
r2,,,p2,primary,student,,,s1,
r3,,,p2,secondary,student,,,s2,
r4,,,f1,primary,parent,,,s1,
r5,,,a1,primary,teacher,,2027-08-01,s1,
"""
COMMON = {
    "orgs": ORGS,
    "academicSessions": SESSIONS,
    "courses": COURSES,
    "classes": CLASSES,
    "enrollments": ENROLLMENTS,
    "demographics": DEMOGRAPHICS,
}
FILES = {"1.1": {**COMMON, "users": USERS_11}, "1.2": {**COMMON, "users": USERS_12, "roles": ROLES}}
versions = pytest.mark.parametrize("version", FILES)


def manifest(version, files, **said):
    kinds = {**{f"file.{name}": "bulk" for name in files}, **said}
    lines = {"manifest.version": "1.0", "oneroster.version": version, **kinds}
    return "propertyName,value\n" + "".join(f"{name},{value}\n" for name, value in lines.items())


def packed(files, folder="", method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(f"{folder}{name}.csv", text if isinstance(text, bytes) else text.encode())
    return out.getvalue()


def roster(version, *, said=None, folder="", method=zipfile.ZIP_DEFLATED, **changed):
    files = {name: text for name, text in {**FILES[version], **changed}.items() if text is not None}
    return packed({"manifest": manifest(version, files, **(said or {})), **files}, folder, method)


def read(content):
    return list(oneroster.read(io.BytesIO(content)))


def sentence(content):
    with pytest.raises(Unreadable) as caught:
        read(content)
    assert caught.value.__context__ is None
    return caught.value.sentence


@versions
def test_a_roster_gives_schools_groups_people_guardians_and_memberships(version):
    found = read(roster(version))
    assert [row for row in found if isinstance(row, School)] == [
        School("o1", None, "skoleeier", "944073787", "Haugesund", None),
        School("s1", "o1", "skole", "311060015", "Skåredalen skole", None),
        School("d1", "o1", "department", None, "IKT", None),
    ]
    assert [row for row in found if isinstance(row, Group)] == [
        Group("g1", "s1", "basisgruppe", "7A", "7. årstrinn", None, None, 7, "2026-08-01", "2027-07-31", "2026/2027"),
        Group(
            *("g2", "s1", "undervisningsgruppe", "7A MAT", "Matematikk", "MAT0006"),
            *("https://psi.udir.no/kl06/MAT0006", 7, "2026-08-01", "2026-12-31", "2026/2027"),
        ),
    ]
    pupil, local, guardian, teacher = (row for row in found if isinstance(row, Person))
    assert (pupil.number, pupil.local_number, pupil.given_name, pupil.family_name) == (
        *("15831499815", None),
        *("Máret Áilu", "Đižžo"),
    )
    assert (pupil.feide_id, pupil.username, pupil.birth_date, pupil.sex) == (
        *("ola@haugesund.kommune.no", "ola"),
        *("2014-03-15", "kvinne"),
    )
    assert (local.number, local.local_number) == (None, "U-1001")
    assert (guardian.email, guardian.mobile, teacher.given_name) == ("f@example.no", "+4790000000", "Lærer")
    assert [row for row in found if isinstance(row, Guardian)] == [
        Guardian("p1", "f1", "guardian"),
        Guardian("p2", "f1", "guardian"),
    ]
    main = True if version == "1.2" else None
    ends = "2027-07-31" if version == "1.2" else None
    assert [row for row in found if isinstance(row, Membership)] == [
        Membership("s1", "p1", "01", None, None, main, None, None),
        Membership("s1", "p2", "01", None, None, main, None, None),
        Membership("s2", "p2", "01", None, None, False if main else None, None, None),
        Membership("s1", "a1", "02", None, None, main, None, ends),
        Membership("g1", "p1", "01", None, None, None, "2026-08-01", "2027-07-31"),
        Membership("g1", "a1", "02", None, None, True, None, None),
        Membership("g2", "p1", "01", None, None, False, None, None),
    ]


@versions
def test_boms_one_byte_letters_folders_and_unpacked_files_are_read(version):
    plain = roster(version)
    assert read(roster(version, folder="export/", method=zipfile.ZIP_STORED)) == read(plain)
    assert read(roster(version, orgs=ORGS.encode("utf-8-sig"))) == read(plain)
    assert read(roster(version, orgs=ORGS.encode("iso-8859-1"))) == read(plain)


@versions
def test_names_with_backslashes_as_some_windows_programs_write_them_are_read(version):
    assert read(roster(version, folder="Eksport\\Høst\\")) == read(roster(version))
    apple = {"__MACOSX\\._users": "x", "Eksport\\manifest": "x", "manifest": "y"}
    assert "to filer med samme navn" in sentence(packed(apple))


@versions
def test_a_time_in_another_zone_is_the_day_it_is_in_norway(version):
    found = read(
        roster(
            version,
            academicSessions=SESSIONS.replace("2026-08-01", "2026-07-31T22:00:00Z").replace(
                "2027-07-31", "2027-07-30T22:00:00Z"
            ),
            enrollments=ENROLLMENTS.replace("2026-08-01,2027-08-01", "2026-08-16T22:00:00.000Z,2027-06-19T22:00:00Z"),
            demographics=DEMOGRAPHICS.replace("2014-03-15", "2014-05-04T22:00:00Z"),
        )
    )
    group, pupil = (next(row for row in found if row[0] == one) for one in ("g1", "p1"))
    assert (group.begin_date, group.end_date, pupil.birth_date) == ("2026-08-01", "2027-07-31", "2014-05-05")
    (place,) = (row for row in found if isinstance(row, Membership) and row[:2] == ("g1", "p1"))
    assert (place.begin_date, place.end_date) == ("2026-08-17", "2027-06-19")


@versions
def test_always_and_until_further_notice_are_no_dates(version):
    sessions = SESSIONS.replace("2026-08-01", "0001-01-01").replace("2026-12-31", "9999-12-31")
    enrolled = ENROLLMENTS.replace("2026-08-01,2027-08-01", "0001-01-01,2099-12-31")
    found = read(roster(version, academicSessions=sessions, enrollments=enrolled))
    group = next(row for row in found if isinstance(row, Group))
    place = next(row for row in found if isinstance(row, Membership) and row[:2] == ("g1", "p1"))
    assert (group.begin_date, group.end_date, place.begin_date, place.end_date) == (None,) * 4


@versions
@pytest.mark.parametrize("word", ["inactive", "tobedeleted"])
def test_whoever_or_whatever_is_gone_has_no_place_either(version, word):
    def places(**changed):
        found = read(roster(version, **changed))
        return [row[:2] for row in found if isinstance(row, Membership)]

    every = places()
    assert places(users=FILES[version]["users"].replace("\np1,,", f"\np1,{word},")) == [
        place for place in every if place[1] != "p1"
    ]
    assert places(classes=CLASSES.replace("\ng1,,", f"\ng1,{word},")) == [place for place in every if place[0] != "g1"]


@versions
def test_a_user_who_is_switched_off_is_there_and_is_told(version):
    users = FILES[version]["users"]
    for word in ("false", "False", "0"):
        found = read(roster(version, users=users.replace("p1,,,true", f"p1,,,{word}")))
        assert [row.recstatus for row in found if isinstance(row, Person)] == ["disabled", None, None, None]
    assert {row.recstatus for row in read(roster(version)) if isinstance(row, Person)} == {None}


@versions
def test_what_a_roster_may_leave_out_may_be_left_out(version):
    found = read(roster(version, courses=None, academicSessions=None, demographics=None))
    assert {type(row) for row in found} == {School, Group, Person, Guardian, Membership}


@versions
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"said": {"file.enrollments": "delta"}}, "enrollments.csv har bare endringer"),
        ({"said": {"file.users": "absent"}}, "users.csv ikke er med (absent)"),
        ({"users": None, "said": {"file.users": "bulk"}}, "users.csv er nevnt i manifest.csv, men er ikke med"),
        ({"said": {"oneroster.version": "1.0"}}, "OneRoster 1.1 eller 1.2"),
        ({"users": "a,b\n1,2\n"}, "users.csv mangler kolonnen sourcedId"),
        ({"orgs": ORGS.replace("s1,", ",", 1)}, "linje 3 i orgs.csv har ingen sourcedId"),
    ],
)
def test_a_roster_that_is_not_whole_is_refused(version, changed, words):
    assert words in sentence(roster(version, **changed))


def test_a_file_that_is_no_roster_is_said_to_be_none():
    assert "mangler manifest.csv" in sentence(packed({"users": USERS_11}))
    assert "to filer med samme navn" in sentence(packed({"manifest": "x", "a/MANIFEST": "y"}))
    assert "XML" in sentence(b"<enterprise/>")
    assert "ikke en zip-fil" in sentence(b"sourcedId,name\n")
    assert "tom" in sentence(b"")
    assert "ødelagt" in sentence(roster("1.1")[:-30])
    assert "pakket på en måte" in sentence(roster("1.1", method=zipfile.ZIP_BZIP2))


def test_a_zip_file_that_was_changed_on_its_way_is_refused():
    content = bytearray(roster("1.1", method=zipfile.ZIP_STORED))
    place = content.index(b"2014-03-15")
    content[place] = ord("3")
    assert "ødelagt" in sentence(bytes(content))


def test_a_zip_bomb_is_refused():
    rows = f"e,,,g1,s1,p1,student,,,{' ' * 900}\n" * 30_000
    assert "langt større når den pakkes ut" in sentence(roster("1.1", enrollments=ENROLLMENTS + rows))


def test_what_must_be_kept_of_a_roster_has_a_bound(monkeypatch):
    monkeypatch.setattr(oneroster, "_SOME", 100_000)
    courses = COURSES + "".join(f"k{at},,,,,,,,,\n" for at in range(20_000))
    monkeypatch.setattr(oneroster, "MOST_TIMES", 1000)
    assert "langt flere fag" in sentence(roster("1.1", courses=courses))


def test_a_zip_file_of_very_many_files_is_refused():
    assert "langt flere filer" in sentence(packed({f"{at}": "" for at in range(6000)}, method=zipfile.ZIP_STORED))


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
def test_the_columns_are_those_of_oneroster_1_2():
    with (Path(REFERENCE) / "oneroster" / "oneroster_1_2_1_headers.csv").open(newline="") as lines:
        headers = {row["file"].removesuffix(".csv"): row["header_row"] for row in csv.DictReader(lines)}
    for name, text in FILES["1.2"].items():
        assert headers[name].startswith(text.split("\n")[0])
