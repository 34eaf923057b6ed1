"""The tables of the HR system, the same for all formats. Each format has a module that reads its file (``formats``).

Salary, bank, tax and dependants are never read: a reader looks only at the elements that it names.

Every reader yields ``employee`` and, for each position, ``employment``; ``org_unit``; and, where the kommune file has
``protected``, a ``protection`` for every employee. Ids keep their leading zeros. Dates are ISO dates; the placeholders
for "since always" (year 1) and "until further notice" (years 2099, 2100 and 9999, or year 1) are empty. Text that is
not a date is left unchanged, and the quality rules find it. A person or unit without its id, and a broken file, raise
``Unreadable``.
"""

from typing import NamedTuple

from dataflyt.sources import Table


class Employee(NamedTuple):
    """A person employed. ``sex`` is kvinne, mann or None; ``status`` is the HR system's word.

    ``number`` is fødselsnummer or D-number; without one, ``number_kind`` tells what the file has instead.
    """

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
    number_kind: str | None = None


class Employment(NamedTuple):
    """A position held. ``employment_id`` is unique within the employee.

    ``employment_type`` is the kommune file's word for the HR system's code, or the code.
    """

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


class Protection(NamedTuple):
    """Whether the HR system marks an employee who must not be found. All have a row, so a row tells nothing."""

    employee_id: str
    protected: bool


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
        # The value is in the key: two rows that disagree both stay, and the stricter one counts.
        Table("protection", Protection, ("employee_id", "protected"), "employee_id"),
        Table("org_unit", OrgUnit, ("org_unit_id",), "org_unit_id"),
    )
}
