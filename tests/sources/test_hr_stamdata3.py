import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.formats import xml_records
from dataflyt.sources.hr import stamdata3
from dataflyt.sources.hr.rows import Employee, Employment, OrgUnit, Protection

REFERENCE = os.environ.get("DATAFLYT_REFERENCE")


def rows(content):
    return list(stamdata3.read(io.BytesIO(content.encode())))


def resource(inner="", employments=""):
    return rows(
        f"<ExportInfo><Resources><Resource><Employments>{employments}</Employments><ResourceId>0071</ResourceId>{inner}"
        "</Resource></Resources></ExportInfo>"
    )


def employee(inner=""):
    return resource(inner)[0]


def employments(*inner):
    return resource(employments="".join(f"<Employment>{one}</Employment>" for one in inner))[1:]


def org_unit(inner):
    unit = f"<Organisation><Id>011200</Id>{inner}</Organisation>"
    (row,) = rows(f"<ExportInfo><Organisations>{unit}</Organisations></ExportInfo>")
    return row


def test_leading_zeros_are_kept_everywhere():
    who = employee("<SocialSecurityNumber>01819000049</SocialSecurityNumber>")
    assert (who.employee_id, who.number) == ("0071", "01819000049")
    assert org_unit("<ParentId>001</ParentId>")[:3] == ("011200", None, "001")


def test_tags_in_another_case_and_in_a_namespace_are_read():
    (who,) = rows(
        '<exportinfo xmlns="urn:x"><RESOURCES><resource><RESOURCEID>1</RESOURCEID><firstName>Áilu</firstName>'
        "<addresses><ADDRESS><EmailList><String>a@example.no</String></EmailList></ADDRESS></addresses>"
        "</resource></RESOURCES></exportinfo>"
    )
    assert (who.given_name, who.email) == ("Áilu", "a@example.no")


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("0001-01-01T00:00:00", None, None),
        ("9999-12-31T23:59:59.9999999", "9999-12-31", None),
        ("2099-12-31", "2099-12-31", None),
        ("2026-07-31", "2026-07-31", "2026-07-31"),
        ("2026-07-31T00:00:00.0000000", "2026-07-31", "2026-07-31"),
        ("2026-07-31T00:00:00+02:00", "2026-07-31", "2026-07-31"),
        ("2026-07-31T22:00:00Z", "2026-08-01", "2026-08-01"),
        ("0001-01-01T00:00:00Z", None, None),
        ("9999-12-31T23:59:59Z", "9999-12-31", None),
        ("2099-12-31T23:00:00Z", "2100-01-01", None),
        ("0219-08-01", "0219-08-01", "0219-08-01"),
        ("2205-07-31", "2205-07-31", "2205-07-31"),
        ("2026-13-45", "2026-13-45", "2026-13-45"),
        ("31.07.2026", "31.07.2026", "31.07.2026"),
        ("", None, None),
    ],
)
def test_dates_lose_their_time_and_placeholders_are_empty(text, start, end):
    row = org_unit(f"<DateFrom>{text}</DateFrom><DateTo>{text}</DateTo>")
    assert (row.date_from, row.date_to) == (start, end)


def test_an_employee_without_addresses_user_and_positions_is_read():
    assert rows("<ExportInfo><Resources><Resource><ResourceId>1</ResourceId></Resource></Resources></ExportInfo>") == [
        Employee("1", *[None] * 11)
    ]


def test_empty_list_items_are_passed_over():
    who = employee(
        "<Addresses><Address><Mobile/><EMailList><string/></EMailList></Address><Address><Mobile>+4790000000</Mobile>"
        "<EMailList><string/><string> a@example.no </string></EMailList></Address></Addresses>"
    )
    assert (who.email, who.mobile) == ("a@example.no", "+4790000000")


@pytest.mark.parametrize(
    ("user", "username"),
    [
        (r"<DomainInfo>as-admin\oln</DomainInfo><UbwUserId>AKOLN</UbwUserId>", "oln"),
        ("<DomainInfo>oln</DomainInfo>", "oln"),
        ("<DomainInfo/><UbwUserId>AKOLN</UbwUserId>", "AKOLN"),
        ("", None),
    ],
)
def test_the_user_name_is_the_domain_s_without_the_domain(user, username):
    assert employee(f"<User>{user}</User>").username == username


@pytest.mark.parametrize(("code", "sex"), [("M", "mann"), ("K", "kvinne"), ("F", "kvinne"), ("X", None), ("", None)])
def test_sex(code, sex):
    assert employee(f"<Sex>{code}</Sex>").sex == sex


def test_main_positions_are_kept_as_they_are_also_several_and_none():
    found = employments(
        "<MainPosition>true</MainPosition><Percentage>0</Percentage>",
        "<MainPosition>true</MainPosition><Percentage>60,5</Percentage>",
        "<MainPosition>false</MainPosition><Percentage>NaN</Percentage>",
        "",
    )
    assert [row.main_position for row in found] == [True, True, False, None]
    assert [row.percentage for row in found] == [0.0, 60.5, None, None]


def test_unit_and_workplace_are_found_by_the_relation_s_type():
    (row,) = employments(
        '<Relations><Relation Type="C1"><Value>1170</Value></Relation>'
        '<Relation Type="MNAL" Name="Whatever"><Value>old</Value><DateTo>2020-01-01</DateTo></Relation>'
        '<Relation Type="mnal"><Value>011200</Value><DateTo>2099-12-31</DateTo></Relation>'
        '<Relation Type="MNAH"><Value>0117</Value></Relation><Relation/></Relations>'
    )
    assert (row.org_unit_id, row.workplace_id) == ("011200", "0117")


def test_the_employee_s_own_relation_counts_where_the_position_has_none():
    found = resource(
        '<Relations><Relation Type="MNAL"><Value>9</Value></Relation></Relations>',
        "<Employment/><Employment><Relations><Relation Type='MNAL'><Value>8</Value>"
        "</Relation></Relations></Employment>",
    )
    assert [row.org_unit_id for row in found[1:]] == ["9", "8"]


def test_a_single_position_is_known_by_its_sequence_ref():
    (row,) = employments("<SequenceRef>349750</SequenceRef><SequenceNo>1</SequenceNo>")
    assert row.employment_id == "349750"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from(["", "1", "2", "1-1", "1#2"])] * 3),
        max_size=8,
    )
)
def test_every_position_of_an_employee_has_an_id_of_its_own(positions):
    found = employments(
        *(
            f"<SequenceRef>{ref}</SequenceRef><SequenceNo>{no}</SequenceNo><PostId>{post}</PostId>"
            for ref, no, post in positions
        )
    )
    assert len({row.employment_id for row in found}) == len(positions)


def test_managers_are_joined_and_may_be_none():
    assert org_unit("<Managers><string>1</string><string/><string>54483</string></Managers>").manager_ids == "1 54483"
    assert org_unit("<Managers><string/></Managers>").manager_ids is None


@pytest.mark.parametrize("what", ["Resource", "Organisation"])
def test_an_entry_without_its_id_is_said_with_its_line(what):
    with pytest.raises(Unreadable, match=f"Elementet {what} i linje 3 har ingen (Resource)?Id"):
        rows(f"<ExportInfo>\n<{what}s>\n<{what}><Name>x</Name></{what}></{what}s></ExportInfo>")


CANARY = "987654321"
PRIVATE = ("SalaryPerYears", "Rates", "SalaryPerYear", "OvertimeYtd", "BankAccount", "AccountNumber", "TaxCard")
PRIVATE += ("TaxMunicipality", "Dependants", "Children", "PrivateEmail", "PrivateMobilePhone", "Absence", "UnionName")


def test_salary_bank_tax_and_dependants_are_never_read(monkeypatch):
    seen = []
    original = stamdata3.tidy
    for module in (xml_records, stamdata3):
        monkeypatch.setattr(module, "tidy", lambda value: seen.append(value) or original(value))
    private = "".join(f"<{tag}>{CANARY}<x>{CANARY}</x></{tag}>" for tag in PRIVATE)
    relation = f"<Relations><Relation Type='MNAL'><Value>1</Value>{private}</Relation></Relations>"
    found = resource(private, f"<Employment><Percentage>80</Percentage>{relation}{private}</Employment>")
    found += rows(
        f"<ExportInfo><Organisations><Organisation><Id>1</Id>{private}</Organisation></Organisations></ExportInfo>"
    )
    assert {type(row) for row in found} == {Employee, Employment, OrgUnit}
    assert [row.percentage for row in found if isinstance(row, Employment)] == [80]
    assert CANARY not in str(found)
    assert "80" in seen
    assert not [value for value in seen if value and CANARY in value], "read, though not kept"


def test_an_extract_of_nobody_is_readable():
    assert rows("<ExportInfo/>") == []


def test_the_kommune_s_own_codes_for_kinds_of_employment_are_told_in_words():
    text = (
        "<ExportInfo><Resources><Resource><ResourceId>1</ResourceId><Employments>"
        + "".join(f"<Employment><EmploymentType>{code}</EmploymentType></Employment>" for code in "AHQ")
        + "</Employments></Resource></Resources></ExportInfo>"
    )
    found = list(stamdata3.read(io.BytesIO(text.encode()), {"A": "fast", "H": "permisjon"}))
    assert [row.employment_type for row in found[1:]] == ["fast", "permisjon", "Q"]


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
def test_the_reference_file_is_read():
    with (Path(REFERENCE) / "stamdata3" / "stamdata3_single.xml").open("rb") as stream:
        who, position, unit = stamdata3.read(stream)
    assert isinstance(who, Employee)
    assert isinstance(position, Employment)
    assert (who.employee_id, who.number, who.sex, who.username, who.date_to) == (
        "53453",
        None,
        "mann",
        "oln",
        None,
    )
    assert (position.employment_id, position.percentage, position.org_unit_id) == ("349750", 0.0, "011200")
    assert unit == OrgUnit("011200", "IKT", "011000", "56584", "N", None, None)


MARK = '<Relations><Relation Type="{}"><Value>{}</Value></Relation></Relations>'


@pytest.mark.parametrize(
    ("of_resource", "of_employment", "marked"),
    [
        (MARK.format("KODE", "6"), "", True),
        ("", MARK.format("kode", "7"), True),
        (MARK.format("KODE", "60"), MARK.format("C1", "6"), False),
        ("", "", False),
    ],
)
def test_whom_the_kommune_file_says_that_hr_marks_is_marked_and_everybody_has_a_row(of_resource, of_employment, marked):
    content = (
        f"<ExportInfo><Resources><Resource><ResourceId>0071</ResourceId>{of_resource}<Employments><Employment>"
        f"{of_employment}</Employment></Employments></Resource></Resources></ExportInfo>"
    ).encode()
    read = list(stamdata3.read(io.BytesIO(content), protected={"Kode": ["6", "7"]}))
    assert [row for row in read if isinstance(row, Protection)] == [Protection("0071", marked)]
    assert not any(isinstance(row, Protection) for row in stamdata3.read(io.BytesIO(content)))
