"""personsXML, the file of persons from Visma Enterprise HRM, to rows.

No schema is published: the structure is taken from samples and from other programs' readers. Names of elements are
compared without regard to case and namespace. ``protected`` names values of ``category`` (its ``id``).

The file has only units with employees, and not the units above them. The kommune file therefore names each unit that is
a school. ``workplace_id`` is the organisation number of the workplace (``businessNumber``).
"""

from collections.abc import Container, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.formats.dates import end_day, is_date, start_day
from dataflyt.formats.xml_records import Element, attribute, children, name_of, records, texts
from dataflyt.identity import numbers
from dataflyt.sources.hr.rows import Employee, Employment, OrgUnit, Protection
from dataflyt.sources.hr.values import NO_MARKS, NO_TYPES, SEX, YES_NO, decimal, is_marked, unique

_OF_PERSON = frozenset(("givenname", "familyname", "gendercode", "dateofbirth", "ssn"))
_OF_EMPLOYMENT = frozenset(("employeeid", "startdate", "enddate", "employmentpercentage"))
_OF_POSITION = frozenset(("positionpercentage", "positionstartdate", "positionenddate"))


def read(
    stream: BinaryIO,
    employment_types: Mapping[str, str] = NO_TYPES,
    protected: Mapping[str, Container[str]] = NO_MARKS,
) -> Iterator[NamedTuple]:
    """Yield the rows of a personsXML file. A unit follows the first person who works there. Raises Unreadable."""
    units: set[str] = set()
    for _, record in records(stream, "personsXML", {"personsxml": frozenset[str]()}, "en personsXML-fil"):
        if name_of(record) == "person":
            for row in _person(record, employment_types, protected):
                if isinstance(row, OrgUnit):
                    if row.org_unit_id in units:
                        continue
                    units.add(row.org_unit_id)
                yield row


def _person(
    person: Element, employment_types: Mapping[str, str], protected: Mapping[str, Container[str]]
) -> Iterator[NamedTuple]:
    employee_id = attribute(person, "personIdHRM")
    if employee_id is None:
        raise Unreadable(f"Elementet person i linje {person.sourceline} har ingen personIdHRM.")
    values = texts(person, _OF_PERSON)
    contact = _texts_below(person, "contactinfo", ("email", "mobilephone"))
    login = _texts_below(person, "authentication", ("userid",)).get("userid")
    positions: list[tuple[str, Employment]] = []
    units: list[OrgUnit] = []
    marks: list[tuple[str, str]] = []
    for employment in _below(person, "employments", "employment"):
        said = texts(employment, _OF_EMPLOYMENT)
        category = next(_below(employment, "category"), None)
        kind = None if category is None else attribute(category, "id")
        marks += [("category", kind)] if kind else []
        held: list[Element | None] = [*_below(employment, "positions", "position")]
        for position in held or [None]:
            wanted, row, unit = _position(employee_id, said, position)
            kind_of_it = employment_types.get(kind, kind) if kind else None
            positions.append((wanted, row._replace(employment_type=kind_of_it)))
            units += [unit] if unit else []
    # A mistyped date sets aside its own position, not the employee.
    starts = [row.date_from for _, row in positions if row.date_from is None or is_date(row.date_from)]
    ends = [row.date_to for _, row in positions if row.date_to is None or is_date(row.date_to)]
    told = numbers.told(values.get("ssn"), born=start_day(values.get("dateofbirth")))
    yield Employee(
        employee_id=employee_id,
        number=told.number,
        given_name=values.get("givenname"),
        family_name=values.get("familyname"),
        birth_date=start_day(values.get("dateofbirth")),
        sex=SEX.get((values.get("gendercode") or "").lower()),
        email=contact.get("email"),
        mobile=contact.get("mobilephone"),
        username=login,
        status=None,
        date_from=min(filter(None, starts), default=None) if all(starts) else None,
        date_to=max(filter(None, ends), default=None) if all(ends) else None,
        number_kind=told.number_kind,
    )
    if protected:
        yield Protection(employee_id, is_marked(marks, protected))
    for employment_id, (_, row) in zip(unique([wanted for wanted, _ in positions]), positions, strict=True):
        yield row._replace(employment_id=employment_id)
    yield from units


def _position(
    employee_id: str, employment: Mapping[str, str | None], position: Element | None
) -> tuple[str, Employment, OrgUnit | None]:
    """Return the id that it should have, the position (or the employment, if it has no position) and its unit."""
    values: dict[str, str | None] = {}
    code = name = position_id = workplace = main = None
    unit: OrgUnit | None = None
    if position is not None:
        values = texts(position, _OF_POSITION)
        main = attribute(position, "isPrimaryPosition")
        for found in _below(position, "positioninfo", "positioncode"):
            code, name = attribute(found, "positionCode"), attribute(found, "name")
            position_id = attribute(found, "positionId")
        for found in _below(position, "positionstatistics", "businessnumber"):
            workplace = attribute(found, "value")
        for found in _below(position, "chart", "unit"):
            unit_id = attribute(found, "id")
            if unit_id:
                managers = (attribute(manager, "id") for manager in _below(found, "manager"))
                heads = " ".join(filter(None, managers)) or None
                unit = OrgUnit(unit_id, attribute(found, "name"), None, heads, None, None, None)
    starts = start_day(values.get("positionstartdate") or employment.get("startdate"))
    ends = [end for end in (end_day(values.get("positionenddate")), end_day(employment.get("enddate"))) if end]
    row = Employment(
        employee_id=employee_id,
        employment_id="",
        employment_type=None,
        position_code=code,
        position_name=name,
        percentage=decimal(values.get("positionpercentage") or employment.get("employmentpercentage")),
        main_position=YES_NO.get((main or "").lower()),
        org_unit_id=unit and unit.org_unit_id,
        workplace_id=workplace,
        date_from=starts,
        date_to=min(ends, default=None),
    )
    return f"{employment.get('employeeid') or ''}/{position_id or ''}/{row.org_unit_id or ''}/{starts or ''}", row, unit


def _below(element: Element, name: str, *deeper: str) -> Iterator[Element]:
    """Yield the elements at the end of a path of names."""
    for found, child in children(element):
        if found == name:
            if deeper:
                yield from _below(child, *deeper)
            else:
                yield child


def _texts_below(element: Element, name: str, wanted: Container[str]) -> dict[str, str | None]:
    return next((texts(found, wanted) for found in _below(element, name)), {})
