import io
import os
from pathlib import Path

import pytest

from dataflyt.errors import Unreadable
from dataflyt.sources.sas import pifu, timetable
from dataflyt.sources.sas.rows import Group, Guardian, Membership, Person, School, Timetable

REFERENCE = os.environ.get("DATAFLYT_REFERENCE")
NAMESPACES = [
    "",
    ' xmlns="http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-1.1"',
    ' xmlns="http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-1.2"',
    ' xmlns="http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1"',
]


def rows(inner, namespace=NAMESPACES[3]):
    return list(pifu.read(io.BytesIO(f"<enterprise{namespace}>{inner}</enterprise>".encode())))


def sid(value, kind=""):
    return f"<sourcedid{kind and f' sourcedidtype={kind!r}'}><source>sas</source><id>{value}</id></sourcedid>"


def person(inner="", ids=""):
    return rows(f"<person>{ids or sid('p1')}{inner}</person>")


def group(inner="", scheme="pifu-ims-go-grp", kind='<typevalue level="1">basisgruppe</typevalue>', parent="s1"):
    (row,) = rows(
        f"<group>{sid('g1')}<grouptype><scheme>{scheme}</scheme>{kind}</grouptype>"
        f"<relationship relation='1'>{sid(parent)}</relationship>{inner}</group>"
    )
    return row


def pifu_id(**values):
    inner = "".join(
        f"<pifu_id type='{kind}'><pifu_value>{value}</pifu_value></pifu_id>" for kind, value in values.items()
    )
    return f"<extension>{inner}</extension>"


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_version_of_the_format_gives_the_same_rows(namespace):
    found = rows(
        f"<person>{sid('p1')}<name><fn>Máret Đižžo</fn><n><family>Đižžo</family>"
        "<given>Máret</given></n></name></person>",
        namespace,
    )
    assert [(row.full_name, row.given_name, row.family_name) for row in found] == [("Máret Đižžo", "Máret", "Đižžo")]


def test_a_changed_id_gives_the_new_and_the_old():
    for ids in (sid("old", "Old") + sid("new", "New"), sid("new") + sid("old", "Old") + sid("twin", "Duplicate")):
        (who,) = person(ids=ids)
        assert (who.person_id, who.old_person_id) == ("new", "old")
    assert person()[0].old_person_id is None


def test_numbers_and_user_names_are_told_apart():
    kinds = ("personNIN", "personLIN", "feideID", "username", "sisID", "workforceID")
    said = dict.fromkeys(kinds, "") | {kind: kind for kind in kinds} | {"personNIN": "05851450027"}
    (who,) = person("".join(f'<userid useridtype="{kind}" password="x">{said[kind]}</userid>' for kind in kinds))
    assert who[2:6] == ("05851450027", "personLIN", "feideID", "username")


@pytest.mark.parametrize(
    ("said", "number", "kind"),
    [
        ('<userid useridtype="personNIN">58514 50027</userid>', "05851450027", None),
        ('<userid useridtype="personNIN">05851450028</userid>', None, "miswritten"),
        ('<userid useridtype="personNIN">ukjent</userid>', None, "miswritten"),
        ('<userid useridtype="personNIN">058514500271</userid>', None, "provisional"),
        ('<userid useridtype="personLIN">05851450027</userid>', "05851450027", None),
        ('<userid useridtype="personLIN">0585145002O</userid>', None, "miswritten"),
        ('<userid useridtype="personNINencrypted">aGVtbWVsaWc=</userid>', None, "encrypted"),
        ("", None, None),
    ],
)
def test_what_stands_for_a_number_is_told_apart_and_never_shown_as_a_local_one(said, number, kind):
    (who,) = person(said)
    assert (who.number, who.number_kind) == (number, kind)
    assert who.local_number in (None, who.person_id)


def test_a_provisional_number_that_the_kommune_gave_is_a_local_one():
    (who,) = person('<userid useridtype="personLIN">058514123456</userid>')
    assert (who.number, who.local_number, who.number_kind) == (None, "058514123456", "provisional")


def test_memberships_that_point_with_an_old_id_are_given_the_new_one():
    old_and_new = sid("1", "Old") + sid("p1", "New")
    group = f"<group>{sid('1')}{sid('g0', 'Old')}<grouptype><scheme>pifu-ims-go-grp</scheme></grouptype></group>"
    found = rows(
        f"<person>{old_and_new}</person>{group}<membership>{sid('g0')}<member>{sid('1')}<role roletype='01'/></member>"
        f"<member>{old_and_new}<role roletype='02'/></member></membership>"
    )
    assert [(row.group_id, row.person_id) for row in found[2:]] == [("1", "p1"), ("1", "p1")]


def member(person_id, role="<role roletype='01'><status>1</status></role>", group_id="g1"):
    return f"<membership>{sid(group_id)}<member>{sid(person_id)}<idtype>1</idtype>{role}</member></membership>"


def memberships(*parts):
    return [row for row in rows("".join(parts)) if isinstance(row, Membership)]


def status(word, kind="activeInactive"):
    return f"<extension><pifu_status type='{kind}'>{word}</pifu_status></extension>"


@pytest.mark.parametrize("kind", ["Old", "Duplicate", "old", "DUPLICATE"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_id_that_stands_for_another_is_resolved_before_its_pair_and_after(kind, encoding):
    child = (
        f"<person>{sid('child')}<extension><pifu_hasContactPerson type='guardian'>{sid('f0')}</pifu_hasContactPerson>"
        "</extension></person>"
    )
    group = (
        f"<group>{sid('g')}<grouptype><scheme>pifu-ims-go-grp</scheme></grouptype>"
        f"<relationship relation='1'>{sid('s0')}</relationship></group>"
    )
    school = (
        f"<group>{sid('s1', 'New')}{sid('other')}{sid('s0', kind)}<grouptype><scheme>pifu-ims-go-org</scheme>"
        "<typevalue level='2'/></grouptype></group>"
    )
    guardian = f"<person>{sid('f1', 'New')}{sid('x', kind)}{sid('f0', kind)}</person>"
    points = child + group + member("f0", group_id="s0")
    for inner in (points + guardian + school, guardian + school + points):
        text = f"<?xml version='1.0' encoding='{encoding}'?><enterprise>{inner}</enterprise>"
        found = list(pifu.read(io.BytesIO(text.encode(encoding))))
        assert [row.guardian_id for row in found if isinstance(row, Guardian)] == ["f1"]
        assert [row.school_id for row in found if isinstance(row, Group)] == ["s1"]
        assert [row[:2] for row in found if isinstance(row, Membership)] == [("s1", "f1")]


def test_an_id_changed_twice_is_followed_to_the_last_and_circles_end():
    once, twice = sid("b", "New") + sid("a", "Old"), sid("c", "New") + sid("b", "Old")
    found = memberships(
        member("a"), f"<person>{twice}</person>", f"<membership>{sid('g1')}<member>{once}</member></membership>"
    )
    assert [row.person_id for row in found] == ["c", "c"]
    circle = f"<person>{sid('p')}</person>" + member("a")
    for ids in (once, sid("a", "New") + sid("b", "Old")):
        circle += f"<membership>{sid('g1')}<member>{ids}</member></membership>"
    assert {row.person_id for row in memberships(circle)} <= {"a", "b"}


def test_an_old_id_that_somebody_else_has_or_two_claim_is_nobody_elses():
    taken = f"<person>{sid('p1', 'New')}{sid('p2', 'Old')}</person><person>{sid('p2')}</person>"
    assert [row.person_id for row in memberships(taken, member("p2"))] == ["p2"]
    claimed = "".join(f"<person>{sid(f'p{n}', 'New')}{sid('p0', 'Duplicate')}</person>" for n in (1, 2, 3))
    assert [row.person_id for row in memberships(claimed, member("p0"))] == ["p0"]


def test_a_pair_that_stands_with_the_member_alone_means_whom_the_file_has():
    pair = sid("new", "New") + sid("p1", "Old")
    found = memberships(f"<person>{sid('p1')}</person><membership>{sid('g1')}<member>{pair}</member></membership>")
    assert [row.person_id for row in found] == ["p1"]


def test_a_role_a_person_or_a_group_that_is_deleted_gives_no_membership():
    gone = "<role recstatus='3' roletype='02'><status>1</status></role>"
    kept = "<role recstatus='1' roletype='01'><status>1</status></role>"
    assert memberships(member("p1", gone)) == []
    assert [row.role for row in memberships(member("p1", gone + kept))] == ["01"]
    deleted = f"<person recstatus='3'>{sid('p1')}</person><group recstatus='3'>{sid('g1')}</group>"
    assert memberships(member("p1", group_id="g2"), member("p2"), deleted, member("p3", group_id="g2")) == [
        Membership("g2", "p3", "01", None, True, None, None, None)
    ]
    back = f"<person>{sid('p1')}</person><group>{sid('g1')}<grouptype/></group>"
    assert len(memberships(deleted, back, member("p1"))) == 1


def test_the_membership_of_somebody_inactive_is_not_in_force():
    for word in ("inaktiv", " Inaktiv ", "INAKTIV"):
        inactive = f"<person>{sid('p1')}{status(word)}</person>"
        assert [row.active for row in memberships(inactive, member("p1"), member("p2"))] == [False, True]
        assert [row.active for row in memberships(member("p1"), member("p1", ""), inactive)] == [False, False]
    for role in ("<status>0</status>", f"<status>1</status>{status('inaktiv')}", status("inaktiv")):
        assert [row.active for row in memberships(member("p1", f"<role roletype='01'>{role}</role>"))] == [False]
    assert memberships(f"<person>{sid('p1')}{status('aktiv')}</person>", member("p1"))[0].active is True


def test_a_private_candidate_is_told_from_a_pupil():
    private = status("privatist", "pupilStatus")
    both = "<extension><pifu_status>heltid</pifu_status><pifu_status>privatist</pifu_status></extension>"
    teacher = member("p1", "<role roletype='02'><subrole>vikar</subrole></role>")
    found = memberships(f"<person>{sid('p1')}{private}</person>", member("p1"), teacher, member("p2"))
    assert [(row.role, row.subrole) for row in found] == [("01", "privatist"), ("02", "vikar"), ("01", None)]
    assert memberships(member("p1"), f"<person>{sid('p1')}{both}</person>")[0].subrole is None
    assert memberships(member("p1", f"<role roletype='1'>{private}</role>"))[0].subrole == "privatist"


@pytest.mark.parametrize(
    ("name", "given", "family"),
    [
        ("<fn>Ask Prøve</fn>", "Ask", "Prøve"),
        ("<fn>  Ask  Eik\n Prøve </fn><n/>", "Ask Eik", "Prøve"),
        ("<fn>Prøve, Ask Eik</fn><n><given> </given><family/></n>", "Ask Eik", "Prøve"),
        ("<fn>Ask</fn>", None, "Ask"),
        ("<fn>Ask Eik Prøve</fn><n><family>Eik Prøve</family><given>Ask</given></n>", "Ask", "Eik Prøve"),
        ("<fn/>", None, None),
    ],
)
def test_somebody_who_has_only_a_full_name_has_a_name(name, given, family):
    (who,) = person(f"<name>{name}</name>")
    assert (who.given_name, who.family_name) == (given, family)


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        ("2026-08-16T22:00:00Z", "2027-06-19T22:00:00Z", ("2026-08-17", "2027-06-20")),
        ("2026-01-15T23:00:00.000Z", "2026-01-15T22:59:59Z", ("2026-01-16", "2026-01-15")),
        ("2026-08-16 22:00:00+00:00", "2026-08-17T00:00:00+02:00", ("2026-08-17", "2026-08-17")),
        ("2026-08-16T22:00Z", "2026-08-16T19:00:00-0300", ("2026-08-17", "2026-08-17")),
        ("2026-08-16T22:00:00", "2026-08-16T24:00:00Z", ("2026-08-16", "2026-08-16")),
        ("2026-08-16Z", "2026-08-16+02:00", ("2026-08-16", "2026-08-16")),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", (None, None)),
        ("0001-01-01T00:00:00+01:00", "2099-12-31T23:00:00Z", (None, None)),
        ("0206-08-17", "2206-08-17", ("0206-08-17", "2206-08-17")),
    ],
)
def test_a_time_with_a_zone_is_the_day_it_is_in_norway_and_placeholders_are_empty(begins, ends, expected):
    frame = f"<role roletype='01'><timeframe><begin>{begins}</begin><end>{ends}</end></timeframe></role>"
    (row,) = memberships(member("p1", frame))
    assert (row.begin_date, row.end_date) == expected
    (who,) = person(f"<demographics><bday>{begins}</bday></demographics>")
    assert who.birth_date == expected[0]


def test_what_a_file_says_is_deleted_is_not_there():
    assert rows(f"<person recstatus='3'>{sid('p1')}</person><group recstatus='3'>{sid('g1')}</group>") == []
    assert len(rows(f"<person recstatus='1'>{sid('p1')}</person>")) == 1


def test_plain_ims_enterprise_has_the_number_as_id_and_words_of_its_own():
    text = (
        "<enterprise><properties><datasource>x</datasource><datetime>2026-08-24</datetime></properties>"
        f"<person>{sid('15831499815')}<userid>ola</userid><name><fn>Ola</fn></name><demographics><gender>2</gender>"
        f"</demographics></person><person>{sid('20001')}<userid>15831499815</userid></person>"
        f"<group>{sid('s1')}<grouptype><scheme>x</scheme><typevalue level='1'>School</typevalue></grouptype>"
        "<org><orgname>Skåredalen</orgname><id>311060015</id></org><description><short>Skåredalen</short>"
        f"</description></group><group>{sid('g1')}<grouptype><scheme>x</scheme><typevalue level='2'>Klasse</typevalue>"
        f"</grouptype><relationship relation='1'>{sid('s1')}</relationship></group></enterprise>"
    )
    ola, other, school, group = pifu.read(io.BytesIO(text.encode("utf-8-sig")))
    assert (ola.person_id, ola.number, ola.username, ola.sex) == ("15831499815", "15831499815", "ola", "mann")
    assert (other.person_id, other.number, other.username) == ("20001", "15831499815", None)
    assert (school.level, school.orgnr, school.name) == ("skole", "311060015", "Skåredalen")
    assert (group.group_type, group.school_id) == ("basisgruppe", "s1")


@pytest.mark.parametrize(("code", "sex"), [("1", "kvinne"), ("2", "mann"), ("0", None), ("9", None)])
def test_gender_is_counted_as_ims_does(code, sex):
    (who,) = person(f"<demographics><gender>{code}</gender><bday>2014-03-15T00:00:00</bday></demographics>")
    assert (who.sex, who.birth_date) == (sex, "2014-03-15")


def test_the_first_e_mail_and_mobile_go_before_those_at_work_and_at_home():
    work_and_home = (
        '<extension><pifu_email type="personEmailPrivate">home</pifu_email><pifu_email type="personEmailAtOrg">work'
        '</pifu_email><pifu_tel type="personMobilePrivate">+471</pifu_tel></extension>'
    )
    (who,) = person(f'<email>first</email><tel teltype="1">+472</tel><tel teltype="3">+473</tel>{work_and_home}')
    assert (who.email, who.mobile) == ("first", "+473")
    (who,) = person(work_and_home)
    assert (who.email, who.mobile) == ("work", "+471")


def test_contact_persons_entered_by_hand_follow_the_child():
    found = person(
        f"<extension><pifu_hasContactPerson type='guardian'>{sid('p2')}</pifu_hasContactPerson>"
        f"<pifu_hasContactPerson type='nextOfKin'>{sid('p3')}</pifu_hasContactPerson>"
        "<pifu_hasContactPerson type='guardian'/></extension>"
    )
    assert found[1:] == [Guardian("p1", "p2", "guardian"), Guardian("p1", "p3", "nextOfKin")]


def test_an_organisation_is_a_school_and_not_a_group():
    school = group(
        "<description><short>Skåredalen</short></description><extension><pifu_id type='organizationNumber'>"
        "<pifu_value>NO 971 032 146</pifu_value></pifu_id>"
        "<pifu_name type='name'><pifu_value>Skåredalen skole</pifu_value></pifu_name>"
        "<pifu_schoolType>barneskole</pifu_schoolType></extension>",
        scheme="pifu-ims-go-org",
        kind="<typevalue level='2'>skole</typevalue>",
    )
    assert school == School("g1", "s1", "skole", "971032146", "Skåredalen skole", "barneskole")


def test_the_school_owner_is_nobody_s_child():
    owner = group(scheme="pifu-ims-go-org", kind="<typevalue level='1'/>", parent="g1")
    assert (owner.level, owner.parent_id) == ("skoleeier", None)


@pytest.mark.parametrize(
    ("typevalue", "word"),
    [
        ('<typevalue level="2">undervisningsgruppe</typevalue>', "undervisningsgruppe"),
        ('<typevalue level="7">Fag</typevalue>', "fag"),
        ('<typevalue level="3"/>', "kontaktlærergruppe"),
        ('<typevalue level="99">noe annet</typevalue>', "noe annet"),
        ("", None),
    ],
)
def test_group_types_have_pifu_s_words(typevalue, word):
    assert group(kind=typevalue).group_type == word


UUID = "7a8f9388-6d80-40d9-a078-7883dccbf693"


@pytest.mark.parametrize(
    ("ids", "code", "uri"),
    [
        ({"grepCodeShortForm": "MAT0006"}, "MAT0006", None),
        ({"grepCode": f" uuid:{UUID}"}, None, f"uuid:{UUID}"),
        ({"grepCode": f"uuid: uuid:{UUID}"}, None, f"uuid:{UUID}"),
        ({"grepCode": UUID}, None, f"uuid:{UUID}"),
        ({"grepCode": "uuid:"}, None, None),
        ({"grepCode": "http://psi.udir.no/kl06/MAT0006"}, "MAT0006", "http://psi.udir.no/kl06/MAT0006"),
        ({"grepCode": "MAT0006"}, "MAT0006", None),
        ({"grepCodeShortForm": "ST", "grepCode": "http://psi.udir.no/x"}, "ST", "http://psi.udir.no/x"),
        ({}, None, None),
    ],
)
def test_grep_codes(ids, code, uri):
    row = group(pifu_id(**ids))
    assert (row.grep_code, row.grep_uri) == (code, uri)


@pytest.mark.parametrize(
    ("ids", "level"),
    [
        ({"grepCodeGradeLevel": "7"}, 7),
        ({"grepCodeGradeLevel": "aarstrinn10"}, 10),
        ({"grepCodeGradeLevel": "http://psi.udir.no/laereplan/aarstrinn/aarstrinn3"}, 3),
        ({"grepCode": "http://psi.udir.no/laereplan/aarstrinn/aarstrinn1"}, 1),
        ({"grepCode": "http://psi.udir.no/laereplan/aarstrinn/vg1"}, 11),
        ({"grepCode": "http://psi.udir.no/laereplan/aarstrinn/vg3"}, 13),
        ({"grepCodeGradeLevel": "0"}, None),
        ({"grepCodeGradeLevel": "99"}, None),
        ({"grepCode": "http://psi.udir.no/kl06/MAT0006"}, None),
        ({}, None),
    ],
)
def test_year_levels(ids, level):
    assert group(pifu_id(**ids)).year_level == level


def test_a_trinn_group_tells_its_level_by_the_short_code_too():
    trinn = "<typevalue level='4'>trinn</typevalue>"
    assert group(pifu_id(grepCodeShortForm="7. årstrinn"), kind=trinn).year_level == 7


def test_a_group_keeps_its_own_dates_and_period():
    row = group(
        "<description><short>7A</short><full>Basisgruppe 7A</full></description><timeframe>"
        "<begin restrict='0'>2026-08-01</begin><end>2027-07-31</end><adminperiod>2026/2027</adminperiod></timeframe>"
    )
    assert isinstance(row, Group)
    assert (row.school_id, row.name, row.long_name) == ("s1", "7A", "Basisgruppe 7A")
    assert (row.begin_date, row.end_date, row.adminperiod) == ("2026-08-01", "2027-07-31", "2026/2027")


def test_every_role_of_a_member_is_a_row():
    found = rows(
        f"<membership>{sid('g1')}<member>{sid('p1')}<idtype>1</idtype><role roletype='1'><subrole>vikar</subrole>"
        "<status>0</status><timeframe><begin>2026-08-01</begin><end>2027-07-31</end></timeframe><extension>"
        "<pifu_primaryRelation>1</pifu_primaryRelation></extension></role><role roletype='06'><status>1</status></role>"
        f"</member><member>{sid('p2')}</member><member>{sid('g2')}<idtype>2</idtype><role roletype='01'/></member>"
        "</membership>"
    )
    assert found == [
        Membership("g1", "p1", "01", "vikar", False, True, "2026-08-01", "2027-07-31"),
        Membership("g1", "p1", "06", None, True, None, None, None),
        Membership("g1", "p2", None, None, None, None, None, None),
    ]


def test_a_membership_far_larger_than_what_is_read_at_a_time_keeps_its_group():
    members = "".join(f"<member>{sid(f'p{n}')}<role roletype='01'/></member>" for n in range(5000))
    found = rows("".join(f"<membership>{sid(g)}{members}</membership>" for g in ("g1", "g2")))
    assert [(row.group_id, row.person_id) for row in found] == [(g, f"p{n}") for g in ("g1", "g2") for n in range(5000)]


@pytest.mark.parametrize("kind", ["delta", "event", "Delta"])
def test_a_file_of_changes_is_refused(kind):
    with pytest.raises(Unreadable, match=r"bare endringer.*fullt uttrekk"):
        rows(f"<properties><type>{kind}</type></properties><person>{sid('p1')}</person>")


def test_a_full_file_of_nobody_is_readable_and_so_is_one_that_does_not_say():
    assert rows("<properties><type>full</type></properties>") == []
    assert rows("") == []


def test_a_membership_without_its_group_is_refused():
    with pytest.raises(Unreadable, match="Elementet membership i linje 1 har ingen sourcedid"):
        rows(f"<membership><member>{sid('p1')}</member></membership>")


@pytest.mark.parametrize("element", ["person", "group", "member"])
def test_an_element_without_its_id_is_said_with_its_line(element):
    inner = f"\n<{element}/>"
    with pytest.raises(Unreadable, match=f"Elementet {element} i linje 2 har ingen sourcedid"):
        rows(f"<membership>{sid('g1')}{inner}</membership>" if element == "member" else inner)


HEADER = "group,weekday,start,end,room\n"


def lessons(text, encoding="utf-8"):
    return list(timetable.read(io.BytesIO(text.encode(encoding))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_timetable_is_read_as_spreadsheets_write_it(encoding, separator, ending):
    text = (HEADER + 'g1,1,08:30,09:15,"Rom 1; nær, sjøen"\n\n,,,,\ng1,Fredag,8.30,9:5,\n').replace("\n", ending)
    if separator == ";":
        text = "group;weekday;start;end;room\ng1;1;08:30;09:15;'Rom 1; nær, sjøen'\n".replace("'", '"').replace(
            "\n", ending
        )
    found = lessons(text, encoding)
    assert found[0] == Timetable("g1", 1, "08:30", "09:15", "Rom 1; nær, sjøen")
    assert found[1:] in ([], [Timetable("g1", 5, "08:30", "9:5", None)])


@pytest.mark.parametrize(
    ("word", "weekday"),
    [
        ("1", 1),
        ("7", 7),
        ("8", None),
        ("0", None),
        ("Mandag", 1),
        ("SØNDAG", 7),
        ("tysdag", 2),
        ("", None),
        ("123", None),
    ],
)
def test_weekdays(word, weekday):
    assert lessons(f"{HEADER}g1,{word},08:30,09:15,R\n")[0].weekday == weekday


@pytest.mark.parametrize("text", ["group\tweekday\tstart\tend\troom\ng1\t1\t08:30\t09:15\tR,1\n"])
@pytest.mark.parametrize("first", ["", "sep=\t\r\n"])
def test_a_timetable_may_have_tabs_and_excels_line_about_them(first, text):
    assert lessons(first + text) == [Timetable("g1", 1, "08:30", "09:15", "R,1")]
    with pytest.raises(Unreadable, match="linje 3" if first else "linje 2"):
        lessons(first + text.replace("g1", ""))


def test_columns_may_stand_in_any_order_with_others_beside():
    assert lessons("Room, Group ,x,weekday,end,start\nR,g1,?,2,09:15,08:30:00\n") == [
        Timetable("g1", 2, "08:30", "09:15", "R")
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "tom"),
        (b"group,weekday,start,end\n", "kolonnen room"),
        (b"\x1f\x8b", "gzip"),
        (b"<html>", "HTML"),
        (
            HEADER.encode() + "å,1,08:30,09:15,R\n".encode() + b"\xe5,1,08:30,09:15,R\n",
            r"flere tegnsett om hverandre \(linje 3\)",
        ),
        (HEADER.encode("utf-16"), "UTF-8"),
        (HEADER.encode() + b",1,08:30,09:15,R\n", "linje 2"),
        (HEADER.encode() + b'"g1' + b"x" * 200_000, r"ikke CSV.*\(linje 2\)"),
    ],
    ids=["empty", "column", "gzip", "html", "two encodings", "utf-16", "no group", "quote"],
)
def test_a_broken_timetable_gives_one_sentence(content, words):
    with pytest.raises(Unreadable, match=words):
        list(timetable.read(io.BytesIO(content)))


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
def test_the_reference_file_is_read():
    with (Path(REFERENCE) / "pifu_ims" / "PIFU-IMS_SAS_eksempel.xml").open("rb") as stream:
        found = list(pifu.read(stream))
    by_kind = {
        kind: [row for row in found if isinstance(row, kind)] for kind in (Person, Guardian, School, Group, Membership)
    }
    assert {kind.__name__: len(of) for kind, of in by_kind.items()} == {
        "Person": 5,
        "Guardian": 3,
        "School": 2,
        "Group": 7,
        "Membership": 18,
    }
    janne = by_kind[Person][0]
    assert (janne.person_id, janne.old_person_id, janne.sex) == ("global_ID_01235", "Måne_personid_1235", "kvinne")
    assert [row.orgnr for row in by_kind[School]] == ["999000999", "333000333"]
    assert {row.grep_uri for row in by_kind[Group]} >= {f"uuid:{UUID}"}
    assert [row.year_level for row in by_kind[Group] if row.group_type == "trinn"] == [7]
