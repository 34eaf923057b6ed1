"""HR files to rows. Salary, bank, tax and dependants are never read into anything."""

from typing import NamedTuple

from dataflyt.sources import Table


class Employee(NamedTuple):
    """A person employed. ``sex`` is kvinne, mann or None; ``status`` as the HR system writes it."""

    employee_id: str
    number: str | None
    given_name: str | None
    family_name: str | None
    birth_date: str | None
    sex: str | None
    email: str | None
    mobile: str | None
    username: str | None
    status: str | None
    date_from: str | None
    date_to: str | None


class Employment(NamedTuple):
    """A position held. ``employment_id`` is unique within the employee."""

    employee_id: str
    employment_id: str
    employment_type: str | None
    position_code: str | None
    position_name: str | None
    percentage: float | None
    main_position: bool | None
    org_unit_id: str | None
    workplace_id: str | None
    date_from: str | None
    date_to: str | None


class OrgUnit(NamedTuple):
    """A unit of the employer. ``manager_ids`` are employee ids, joined by a blank; they may point outside the file."""

    org_unit_id: str
    name: str | None
    parent_id: str | None
    manager_ids: str | None
    status: str | None
    date_from: str | None
    date_to: str | None


TABLES = {
    table.name: table
    for table in (
        Table("employee", Employee, ("employee_id",), "employee_id"),
        Table("employment", Employment, ("employee_id", "employment_id"), "employee_id"),
        Table("org_unit", OrgUnit, ("org_unit_id",), "org_unit_id"),
    )
}
