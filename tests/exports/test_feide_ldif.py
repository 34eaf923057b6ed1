"""The FEIDE export: its contents, and that a real directory accepts it."""

import io
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from dataflyt.errors import CheckFailed, ConfigError
from dataflyt.exports.feide_ldif import write
from dataflyt.exports.feide_ldif_check import check
from dataflyt.exports.model import AccountHolder, Counts, Owner, School
from dataflyt.formats.feide import Group
from tests.exports.openldap import ADMIN, PASSWORD, SLAPD, SUFFIX, OpenLdap, entries, run, whole

SKAAREDALEN, TESTSKOLE = "974588145", "994392328"
FIRST, LAST = date(2026, 8, 1), date(2027, 7, 31)
CLASS = Group("b", None, SKAAREDALEN, "6A", FIRST, LAST, "student", "6A")
MATHS = Group("u", "MAT0006", SKAAREDALEN, "6A/MAT:å", FIRST, LAST, "student", "Matematikk 6A, blå")

PUPIL = AccountHolder(
    uid="anders.maehlá",
    given_names="Ánders  Øystein",
    family_name='Mæhlá-"Đuŋŋe"',
    legal_name="Ánders Øystein Mæhlá-Đuŋŋe",
    display_name=" Ánders   Mæhlá ",
    number="15892012345",
    birth_date=date(2015, 9, 15),
    affiliations=("student",),
    schools=(SKAAREDALEN,),
    year_levels=(6,),
    groups=(MATHS, CLASS),
)
TEACHER = AccountHolder(
    uid="Bodil",
    given_names="Bodil",
    family_name="Tveit",
    legal_name="Bodil Tveit",
    display_name="Bodil Tveit",
    local_number="21830212345",
    employee_number="035016",
    affiliations=("faculty",),
    schools=(TESTSKOLE, SKAAREDALEN),
    primary_school=SKAAREDALEN,
    groups=(replace(CLASS, role="faculty"),),
    mail="bodil.tveit@haugesund.kommune.no",
    mobile="+4799999999",
)
STRANGE = AccountHolder(
    uid='#c,"d"+e\\ ',
    given_names="",
    family_name="Suharto",
    legal_name="",
    display_name="# Suharto ",
    affiliations=("employee",),
    mail="å@haugesund.kommune.no",
    mobile="spør",
)


@dataclass
class Kommune:
    owner_: Owner
    schools_: Iterable[School]
    people_: Iterable[AccountHolder]

    def owner(self) -> Owner:
        return self.owner_

    def schools(self) -> Iterable[School]:
        return self.schools_

    def account_holders(self) -> Iterable[AccountHolder]:
        return self.people_


HAUGESUND = Kommune(
    Owner("haugesund.kommune.no", "944073787", "Haugesund kommune", "post@haugesund.kommune.no"),
    (
        School(TESTSKOLE, '#Testskole 1, "gamle"; <bygg> \\ +', "test@haugesund.kommune.no"),
        School(SKAAREDALEN, " Skåredalen  skole", "skaaredalen@haugesund.kommune.no"),
    ),
    (STRANGE, PUPIL, TEACHER),
)


def written(kommune: Kommune) -> bytes:
    out = io.BytesIO()
    write(kommune, out)
    return out.getvalue()


def test_a_pupil_has_everything_feide_demands() -> None:
    directory = entries(written(HAUGESUND))
    pupil = directory[f"uid=anders.maehlá,ou=people,{SUFFIX}"]
    assert pupil == {
        "objectclass": ["top", "person", "organizationalPerson", "inetOrgPerson", "eduPerson", "norEduPerson"],
        "uid": ["anders.maehlá"],
        "cn": ["Ánders Mæhlá"],
        "sn": ['Mæhlá-"Đuŋŋe"'],
        "givenname": ["Ánders Øystein"],
        "displayname": ["Ánders Mæhlá"],
        "noredupersonlegalname": ["Ánders Øystein Mæhlá-Đuŋŋe"],
        "edupersonprincipalname": ["anders.maehlá@haugesund.kommune.no"],
        "noredupersonnin": ["15892012345"],
        "noredupersonbirthdate": ["20150915"],
        "edupersonorgdn": [SUFFIX],
        "edupersonorgunitdn": [f"ou=Skåredalen skole,{SUFFIX}"],
        "edupersonprimaryorgunitdn": [f"ou=Skåredalen skole,{SUFFIX}"],
        "edupersonaffiliation": ["student", "member"],
        "edupersonscopedaffiliation": ["student@haugesund.kommune.no", "member@haugesund.kommune.no"],
        "edupersonprimaryaffiliation": ["student"],
        "edupersonentitlement": [
            "urn:mace:feide.no:go:grep:http://psi.udir.no/laereplan/aarstrinn/aarstrinn6",
            "urn:mace:feide.no:go:group:b::NO974588145:6A:2026-08-01:2027-07-31:student:6A",
            "urn:mace:feide.no:go:groupid:b:NO974588145:6a:2026-08-01:2027-07-31",
            "urn:mace:feide.no:go:group:u:MAT0006:NO974588145:6A%2FMAT%3A%C3%A5:2026-08-01:2027-07-31:student:"
            "Matematikk%206A%2C%20bl%C3%A5",
            "urn:mace:feide.no:go:groupid:u:NO974588145:6a%2Fmat%3A%C3%A5:2026-08-01:2027-07-31",
        ],
    }


def test_a_teacher_at_two_schools_is_employee_and_member_and_shares_the_pupils_group_id() -> None:
    directory = entries(written(HAUGESUND))
    teacher = directory[f"uid=bodil,ou=people,{SUFFIX}"]
    assert teacher["edupersonaffiliation"] == ["faculty", "employee", "member"]
    assert teacher["edupersonprimaryaffiliation"] == ["faculty"]
    assert teacher["edupersonprincipalname"] == ["bodil@haugesund.kommune.no"]
    assert teacher["noredupersonlin"] == [
        "haugesund.kommune.no:localnin:21830212345",
        "haugesund.kommune.no:employee:035016",
    ]
    assert len(teacher["edupersonorgunitdn"]) == 2
    assert teacher["edupersonprimaryorgunitdn"] == [f"ou=Skåredalen skole,{SUFFIX}"]
    assert teacher["edupersonentitlement"][1] == CLASS.groupid


def test_a_local_number_that_has_its_prefix_already_is_written_once() -> None:
    prefixed = replace(
        TEACHER,
        local_number="haugesund.kommune.no:localnin:21830212345",
        employee_number="haugesund.kommune.no:localnin:21830212345",
    )
    (teacher,) = (
        entry for dn, entry in entries(written(replace(HAUGESUND, people_=(prefixed,)))).items() if "uid=" in dn
    )
    assert teacher["noredupersonlin"] == ["haugesund.kommune.no:localnin:21830212345"]
    blank = replace(TEACHER, local_number=" ", employee_number=None)
    assert b"norEduPersonLIN" not in written(replace(HAUGESUND, people_=(blank,)))


def test_the_counts_say_what_was_written() -> None:
    assert write(HAUGESUND, io.BytesIO()) == Counts(
        owners=1, schools=2, people=3, pupils=1, employees=2, groups=2, memberships=3, left_out=2
    )


def test_what_we_write_has_no_findings(tmp_path: Path) -> None:
    path = tmp_path / "feide.ldif"
    path.write_bytes(written(HAUGESUND))
    assert [str(finding) for finding in check(path)] == []


def test_no_password_is_ever_written() -> None:
    assert b"assword" not in written(HAUGESUND)


def test_the_same_input_gives_the_same_bytes_in_any_order_of_schools_and_groups() -> None:
    turned = Kommune(
        HAUGESUND.owner_,
        tuple(reversed(list(HAUGESUND.schools_))),
        tuple(
            replace(
                person,
                groups=(*reversed(person.groups), *person.groups),
                affiliations=(*person.affiliations, "member"),
            )
            for person in HAUGESUND.people_
        ),
    )
    content = written(HAUGESUND)
    assert written(turned) == content
    assert b"\r" not in content
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\n")) <= 76


def test_two_schools_of_the_same_name_are_two_entries() -> None:
    schools = (School(SKAAREDALEN, "Bø skole"), School(TESTSKOLE, "BØ  SKOLE"), School("944073787", "People"))
    directory = entries(written(Kommune(HAUGESUND.owner_, schools, ())))
    assert list(directory) == [
        SUFFIX,
        f"ou=People+norEduOrgUnitUniqueIdentifier=NO944073787,{SUFFIX}",
        f"ou=Bø skole+norEduOrgUnitUniqueIdentifier=NO974588145,{SUFFIX}",
        f"ou=BØ SKOLE+norEduOrgUnitUniqueIdentifier=NO994392328,{SUFFIX}",
        f"ou=people,{SUFFIX}",
    ]


def test_one_person_in_two_roles_of_a_group_has_its_id_once() -> None:
    person = replace(PUPIL, groups=(CLASS, replace(CLASS, role="faculty"), replace(CLASS, local_id="6a")))
    (entry,) = [entry for dn, entry in entries(written(replace(HAUGESUND, people_=(person,)))).items() if "uid" in dn]
    values = entry["edupersonentitlement"]
    assert len(values) == len(set(values)) == 5
    assert [value for value in values if ":groupid:" in value] == [CLASS.groupid]


@pytest.mark.parametrize(
    "people",
    [
        (PUPIL, PUPIL),
        (TEACHER, replace(TEACHER, uid="bodil")),
        (replace(PUPIL, uid=" "),),
        (replace(PUPIL, schools=("123456785",)),),
        (replace(PUPIL, groups=(replace(CLASS, name=""),)),),
        (replace(PUPIL, groups=(replace(CLASS, to_date=date(2020, 1, 1)),)),),
    ],
)
def test_what_no_directory_could_take_stops_the_export(people: tuple[AccountHolder, ...]) -> None:
    with pytest.raises(CheckFailed) as caught:
        written(replace(HAUGESUND, people_=people))
    assert "Mæhlá" not in str(caught.value) + str(caught.value.facts)


def test_a_realm_that_is_no_domain_is_a_mistake_in_the_kommune_file() -> None:
    with pytest.raises(ConfigError, match="FEIDE-realmet"):
        written(replace(HAUGESUND, owner_=replace(HAUGESUND.owner_, realm="haugesund")))


def test_memory_does_not_grow_with_the_number_of_people(tmp_path: Path) -> None:
    def many(count: int) -> Iterator[AccountHolder]:
        for number in range(count):
            yield replace(PUPIL, uid=f"p{number:06d}")

    def peak(count: int) -> int:
        path = tmp_path / "many.ldif"
        tracemalloc.start()
        try:
            with path.open("wb") as out:
                write(replace(HAUGESUND, people_=many(count)), out)
            assert list(check(path)) == []
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(200)
    assert peak(1200) < peak(400) + 500_000


# --- a real directory -------------------------------------------------------------------------------------------------


def test_openldap_takes_the_whole_file_and_gives_back_every_value(openldap: OpenLdap, tmp_path: Path) -> None:
    kommune = replace(
        HAUGESUND,
        schools_=(
            *HAUGESUND.schools_,
            School("976820037", "Bø skole"),
            School("123456785", "BØ SKOLE"),
            School("987654325", "people"),
        ),
        people_=(
            *HAUGESUND.people_,
            replace(PUPIL, uid="p", number=None, schools=("976820037", "987654325", "123456785")),
        ),
    )
    path = tmp_path / "feide.ldif"
    path.write_bytes(written(kommune))
    run(SLAPD, "-Ta", "-u", "-n1", "-F", str(openldap.configuration), "-l", str(path))
    run("ldapadd", "-x", "-H", openldap.url, "-D", ADMIN, "-w", PASSWORD, "-f", str(path))

    held = openldap.held()
    assert held == whole(path.read_bytes())
    assert len(held) == 11

    connection = openldap.connected()
    assert connection.search(SUFFIX, f"(eduPersonEntitlement={CLASS.groupid})", attributes=["uid"])
    assert sorted(answer["attributes"]["uid"][0] for answer in connection.response) == ["anders.maehlá", "bodil", "p"]
    connection.unbind()
