"""The rules that catch faults in the HR system's file."""

from collections.abc import Callable
from typing import Any

from dataflyt.sources.hr.rows import Employee, Employment, OrgUnit


def employee(employee_id: str, number: str | None = "01819912345", **fields: Any) -> Employee:
    known = {"given_name": "SNILL", "family_name": "ELEFANT", "date_from": "2020-08-01", "date_to": "2099-12-31"}
    return Employee(
        **{**dict.fromkeys(Employee._fields), "employee_id": employee_id, "number": number, **known, **fields}
    )


def position(employee_id: str = "1", employment_id: str = "1", **fields: Any) -> Employment:
    known = {"percentage": 100.0, "org_unit_id": "011200", "date_from": "2020-08-01"}
    ids = {"employee_id": employee_id, "employment_id": employment_id}
    return Employment(**{**dict.fromkeys(Employment._fields), **ids, **known, **fields})


def unit(org_unit_id: str, parent_id: str | None = None, **fields: Any) -> OrgUnit:
    ids = {"org_unit_id": org_unit_id, "parent_id": parent_id}
    dates = {"date_from": "0001-01-01T00:00:00", "date_to": "9999-12-31T23:59:59.9999999"}
    return OrgUnit(**{**dict.fromkeys(OrgUnit._fields), **ids, **dates, **fields})


SOUND = [
    employee("1"),
    employee("2", None),
    position(),
    position(employment_id="2", percentage=0.0),
    position(employment_id="4", date_from="1900-01-01", date_to="2100-12-31"),
    position(employment_id="3", percentage=None, date_to="9999-12-31T23:59:59.9999999", org_unit_id=None),
    unit("011200", ""),
    unit("011201", "011200", manager_ids="54483"),
]

FAULTS = [
    ("hr_employee.id", employee(" ")),
    ("hr_employee.letters", employee("36", given_name="BJ\u00d8RN", family_name="\u009dSTLI")),
    ("hr_employee.number", employee("10", None)._replace(number_kind="miswritten")),
    ("hr_employee.no_name", employee("11", given_name="", family_name=None)),
    ("hr_employee.birth_date", employee("12", birth_date="17.05.1980")),
    ("hr_employee.date", employee("13", date_from="2020-13-01")),
    ("hr_employee.date", employee("16", date_from="0219-08-01")),
    ("hr_employee.date", employee("17", date_to="2205-07-31")),
    ("hr_employee.birth_date", employee("18", birth_date="1880-05-17")),
    ("hr_employee.birth_date", employee("19", birth_date="9999-12-31")),
    ("hr_employment.date", position(employment_id="16", date_from="0219-08-01")),
    ("hr_employment.date", position(employment_id="17", date_to="2101-01-01")),
    ("hr_employee.dates", employee("14", date_to="2020-07-31")),
    ("hr_employee.ambiguous", employee("15", email="a@example.no")),
    ("hr_employee.ambiguous", employee("15", email="b@example.no")),
    ("hr_employment.no_employee", position("404")),
    ("hr_employment.percentage", position(employment_id="11", percentage=-1.0)),
    ("hr_employment.percentage", position(employment_id="12", percentage=float("nan"))),
    ("hr_employment.date", position(employment_id="13", date_to="evig")),
    ("hr_employment.dates", position(employment_id="14", date_to="2019-01-01")),
    ("hr_employment.ambiguous", position(employment_id="15", main_position=True)),
    ("hr_employment.ambiguous", position(employment_id="15", main_position=False)),
    ("hr_org_unit.id", unit("")),
    ("hr_org_unit.letters", unit("3", name="Pr\ufffdveskolen")),
    ("hr_org_unit.ambiguous", unit("2", "011200")),
    ("hr_org_unit.ambiguous", unit("2", "011201")),
]


def test_every_fault_is_quarantined_under_its_rule_and_sound_rows_are_not(check: Callable[..., Any]) -> None:
    found = check("hr", [*SOUND, *((f"{at}", row) for at, (_, row) in enumerate(FAULTS))])
    assert found.quarantined == {(f"{at}", rule) for at, (rule, _) in enumerate(FAULTS)}
    assert not found.broken
    assert found.noted == {"hr_employment.over_full"}  # NaN counts as over 100 too


def test_what_many_files_lack_is_noted(check: Callable[..., Any]) -> None:
    odd = [
        *(position(employment_id="9", percentage=110.0), position(employment_id="8", org_unit_id="404")),
        *(unit("3", "404"), employee("3", email="snill elefant")),
    ]
    found = check("hr", [*SOUND, *odd])
    assert found.noted == {
        *("hr_employment.over_full", "hr_employment.no_org_unit", "hr_org_unit.no_parent", "hr_employee.email"),
    }
    assert not found.quarantined


def test_a_kind_of_employment_that_the_kommune_file_has_not_is_noted(check: Callable[..., Any]) -> None:
    told = position(employment_id="7", employment_type="fast")
    assert check("hr", [*SOUND, position(employment_id="8", employment_type="Q")]).noted == set()
    found = check("hr", [*SOUND, told, position(employment_id="8", employment_type="Q")])
    assert found.noted == {"hr_employment.employment_type"}


def test_an_empty_or_shrunken_file_stops_the_run(check: Callable[..., Any]) -> None:
    assert check("hr", []).broken == {"hr_employee.empty"}
    found = check("hr", SOUND, {"hr_employee": 3, "hr_employment": 4})
    assert found.broken == {"hr_employee.drop"}


def test_a_file_without_numbers_stops_the_run(check: Callable[..., Any]) -> None:
    assert check("hr", [employee(f"{i}", None) for i in range(11)]).broken == {"hr_employee.no_number"}
