import io
import os
from pathlib import Path

import pytest

from dataflyt.errors import Unreadable
from dataflyt.formats import xml_records
from dataflyt.sources.hr import visma
from dataflyt.sources.hr.rows import Employee, Employment, OrgUnit, Protection

REFERENCE = os.environ.get("DATAFLYT_REFERENCE")


CANARY = "987654321"
PRIVATE = ("SalaryPerYears", "Rates", "SalaryPerYear", "OvertimeYtd", "BankAccount", "AccountNumber", "TaxCard")
PRIVATE += ("TaxMunicipality", "Dependants", "Children", "PrivateEmail", "PrivateMobilePhone", "Absence", "UnionName")


def persons(*inner):
    return list(visma.read(io.BytesIO(f"<personsXML>{''.join(inner)}</personsXML>".encode())))


def visma_person(position="", inner="", unit="0117"):
    return (
        f"<person personIdHRM='0071'><givenName>Áilu</givenName><ssn>01819000049</ssn><contactInfo><email>a@example.no"
        f"</email><privateEmail>{CANARY}</privateEmail></contactInfo><genderCode>FEMALE</genderCode>{inner}"
        f"<employments><employment><employeeId>007</employeeId>{inner}<startDate>2020-08-01</startDate><positions>"
        f"<position isPrimaryPosition='true'><chart id='4'><unit id='{unit}' name='Skåredalen'><manager id='00012'/>"
        f"</unit></chart>{position}</position></positions></employment></employments></person>"
    )


def test_salary_bank_tax_and_dependants_are_never_read(monkeypatch):
    seen = []
    original = xml_records.tidy
    monkeypatch.setattr(xml_records, "tidy", lambda value: seen.append(value) or original(value))
    private = "".join(f"<{tag}>{CANARY}<x>{CANARY}</x></{tag}>" for tag in PRIVATE)
    found = persons(visma_person(f"{private}<positionPercentage>80</positionPercentage>", private))
    assert {type(row) for row in found} == {Employee, Employment, OrgUnit}
    assert [row.percentage for row in found if isinstance(row, Employment)] == [80]
    assert CANARY not in str(found)
    assert "80" in seen
    assert not [value for value in seen if value and CANARY in value], "read, though not kept"


def test_an_extract_of_nobody_is_readable():
    assert persons() == []
    assert list(visma.read(io.BytesIO(b"<personsXML/>"))) == []


def test_the_kommune_s_own_codes_for_kinds_of_employment_are_told_in_words():
    text = (
        "<personsXML><person personIdHRM='1'><employments>"
        + "".join(f"<employment><category id='{code}'/></employment>" for code in "AHQ")
        + "</employments></person></personsXML>"
    )
    found = list(visma.read(io.BytesIO(text.encode()), {"A": "fast", "H": "permisjon"}))
    assert [row.employment_type for row in found[1:]] == ["fast", "permisjon", "Q"]


def test_a_position_in_visma_has_its_unit_and_the_workplace_s_organisation_number():
    who, position, unit = persons(
        visma_person(
            "<positionInfo><positionCode positionCode='7960' positionId='3' name='Lærer'/></positionInfo>"
            "<positionPercentage>80,5</positionPercentage><positionStatistics><businessNumber value='311060015'/>"
            "</positionStatistics><positionEndDate>2099-12-31</positionEndDate>"
        )
    )
    assert (who.employee_id, who.number, who.given_name, who.sex) == ("0071", "01819000049", "Áilu", "kvinne")
    assert (who.email, who.date_from, who.date_to) == ("a@example.no", "2020-08-01", None)
    assert position == Employment(
        *("0071", "007/3/0117/2020-08-01", None, "7960", "Lærer", 80.5, True, "0117", "311060015", "2020-08-01", None)
    )
    assert unit == OrgUnit("0117", "Skåredalen", None, "00012", None, None, None)


def test_a_mistyped_year_in_visma_stays_with_its_position_and_leaves_the_employee_a_readable_one():
    typo = "<positionStartDate>0219-08-01</positionStartDate><positionEndDate>2205-07-31</positionEndDate>"
    sound = "<positionStartDate>2026-08-01</positionStartDate>"
    who, first, second, _ = persons(visma_person(f"{typo}</position><position>{sound}"))
    assert (first.date_from, first.date_to) == ("0219-08-01", "2205-07-31")
    assert (second.date_from, second.date_to) == ("2026-08-01", None)
    assert (who.date_from, who.date_to) == ("2026-08-01", None)


def test_a_unit_of_visma_is_told_once_and_an_employment_without_position_is_one():
    found = persons(
        visma_person(),
        visma_person().replace("0071", "0072"),
        "<person personIdHRM='0073'><employments><employment><employeeId>9</employeeId><employmentPercentage>50"
        "</employmentPercentage><endDate>2026-07-31</endDate></employment></employments></person>",
    )
    assert len([row for row in found if isinstance(row, OrgUnit)]) == 1
    who, position = found[-2:]
    assert (who.date_to, position.date_to, position.percentage, position.org_unit_id) == (
        *("2026-07-31", "2026-07-31"),
        *(50.0, None),
    )


def test_a_person_of_visma_without_id_is_said_with_the_line():
    with pytest.raises(Unreadable, match="Elementet person i linje 2 har ingen personIdHRM"):
        persons("\n<person><ssn>1</ssn></person>")


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
def test_the_reference_file_of_visma_is_read():
    with (Path(REFERENCE) / "visma_hrm" / "personsXML_sample.xml").open("rb") as stream:
        who, position, unit = visma.read(stream)
    assert (who.employee_id, who.number, who.sex, who.date_from) == ("01234", None, "mann", "2021-05-01")
    assert (position.employment_type, position.percentage, position.main_position) == ("F", 100.0, True)
    assert (position.position_name, position.workplace_id) == ("Rådgiver", "974574861")
    assert (unit.org_unit_id, unit.name, unit.manager_ids) == ("11200", "Teknologi og digitalisering", "00000")


@pytest.mark.parametrize(("category", "marked"), [("S6", True), ("F", False)])
def test_in_vismas_file_the_mark_is_the_category_of_any_employment(category, marked):
    content = (
        '<personsXML><person personIdHRM="5"><employments><employment><category id="F"/></employment>'
        f'<employment><category id="{category}"/></employment></employments></person></personsXML>'
    ).encode()
    read = list(visma.read(io.BytesIO(content), protected={"category": ["S6"]}))
    assert [row for row in read if isinstance(row, Protection)] == [Protection("5", marked)]
