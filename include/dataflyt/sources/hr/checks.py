"""Faults in a file from the HR system: the rule for each, the party that has to correct it, and the effect meanwhile.

A row in quarantine leaves the last released row of its key unchanged. A position at a unit that is not in the file is
only noted: many files come without their organisation.
"""

from typing import TYPE_CHECKING, get_args

from dataflyt.config.kommune import EmploymentType
from dataflyt.quality.expectations import build
from dataflyt.quality.rules import (
    Context,
    Rules,
    absent,
    ambiguous,
    between,
    blank,
    dates_in_order,
    filled,
    filled_in,
    kept,
    letters,
    matches,
    never,
    note,
    readable_dates,
    reference_to,
    row,
    seldom,
    table,
)
from dataflyt.sources.hr import rows

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

_HR = "HR"
_ADMIN = "systemansvarlig"
_FILE = "HR-filen"
_KINDS = ", ".join(f"'{kind}'" for kind in get_args(EmploymentType))

_UNREADABLE = row(
    "date",
    readable_dates("date_from", "date_to", placeholders=True),
    _HR,
    "Fra- eller til-datoen kan ikke leses, eller årstallet kan ikke stemme.",
)
_REVERSED = row("dates", dates_in_order("date_from", "date_to"), _HR, "Til-datoen er før fra-datoen.")

RULES: Rules = {
    "hr_employee": (
        table("empty", filled(), _HR, "Filen har ingen ansatte."),
        table("drop", kept(), _HR, "Filen har langt færre ansatte enn sist."),
        table("no_number", seldom("number is null", percent=20), _HR, "Over 20 prosent av de ansatte mangler nummer."),
        row("id", filled_in("employee_id"), _HR, "Den ansatte har ikke ansattnummer."),
        *letters("given_name", "family_name", responsible=_HR, supplier=_HR, file=_FILE, of_people=True),
        row(
            "number",
            never("number_kind is not null"),
            _HR,
            "Det som står som fødselsnummer, er ikke et fødsels- eller d-nummer: rett det i HR-systemet.",
        ),
        row("no_name", filled_in("given_name", "family_name"), _HR, "Den ansatte har verken fornavn eller etternavn."),
        row(
            "birth_date",
            readable_dates("birth_date"),
            _HR,
            "Fødselsdatoen kan ikke leses, eller årstallet kan ikke stemme.",
        ),
        _UNREADABLE,
        _REVERSED,
        row(
            "ambiguous",
            ambiguous(rows.Employee._fields),
            _HR,
            "Samme ansattnummer står to ganger med ulike opplysninger.",
        ),
        note("email", matches("email", r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"), _HR, "E-postadressen er ikke gyldig."),
    ),
    "hr_employment": (
        table("drop", kept(), _HR, "Filen har langt færre stillinger enn sist."),
        row(
            "no_employee",
            reference_to("employee_id", "hr_employee.employee_id"),
            _HR,
            "Stillingen hører til en ansatt som ikke er i filen.",
        ),
        # Hourly staff have 0, and extra hours can bring a position above 100.
        row(
            "percentage",
            between("percentage", 0, 200),
            _HR,
            "Stillingsprosenten er ikke mellom 0 og 200.",
            releasable=True,
        ),
        note("over_full", between("percentage", 0, 100), _HR, "Stillingsprosenten er over 100."),
        _UNREADABLE,
        _REVERSED,
        note(
            "employment_type",
            never(
                f"employment_type not in ({_KINDS}) "
                f"and exists (select from hr_employment as other where other.employment_type in ({_KINDS}))"
            ),
            _ADMIN,
            "Ansettelsestypen står ikke i employment_types i kommunefilen.",
        ),
        row(
            "ambiguous",
            ambiguous(rows.Employment._fields),
            _HR,
            "Samme stilling står to ganger med ulike opplysninger.",
        ),
        note(
            "no_org_unit",
            never("org_unit_id is not null and " + absent("org_unit_id", "hr_org_unit.org_unit_id")),
            _HR,
            "Stillingen hører til en enhet som ikke er i filen.",
        ),
    ),
    "hr_org_unit": (
        row("id", filled_in("org_unit_id"), _HR, "Enheten har ikke nummer."),
        *letters("name", responsible=_HR, supplier=_HR, file=_FILE),
        row(
            "ambiguous",
            ambiguous(rows.OrgUnit._fields),
            _HR,
            "Samme enhet står to ganger med ulike opplysninger.",
        ),
        note(
            "no_parent",
            never(f"not {blank('parent_id')} and " + absent("parent_id", "hr_org_unit.org_unit_id")),
            _HR,
            "Enheten ligger under en enhet som ikke er i filen.",
        ),
    ),
}


def suites(context: Context) -> "list[ExpectationSuite]":
    """Make the suites of the HR system's tables, for a run that has read its file."""
    return build(RULES, context)
