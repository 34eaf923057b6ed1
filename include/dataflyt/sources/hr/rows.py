"""HR files to rows. Salary, bank, tax and dependants are never read into anything: what is read is named below.

In: a Stamdata3 file (``ExportInfo``, the extract of Unit4 Business World/Agresso) or one of Visma Enterprise HRM
(``personsXML``). No schema of either is published, so the structure is that of samples and of others' readers. Names
of elements are compared without regard to case and namespace. ``employment_types`` says what the customer's own codes
for kinds of employment mean; a code that it has not stays as it is.

Neither system has a field of its own for an employee who must not be found. ``protected`` says where the customer keeps
it: values by the ``Type`` of a ``Relation`` in Stamdata3, by ``category`` (its ``id``) in Visma's file.

Out: ``employee`` and, for each position, ``employment``; ``org_unit``; and, where ``protected`` says anything, a
``protection`` for every employee. Ids keep their leading zeros. Dates are ISO dates; the placeholders for "since
always" (year 1) and "until further notice" (years 2099, 2100 and 9999, or year 1) are empty. What is no date stands as
it is, for the checks. A person or unit without its id, and a file that is broken, raise ``Unreadable``.

Visma's file has units only where somebody works, and not what they lie under: those that are schools are named one by
one in the kommune file. Its ``workplace_id`` is the organisation number of the workplace (``businessNumber``).
"""

import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.formats.reading import (
    Element,
    attribute,
    children,
    end_day,
    is_date,
    name_of,
    records,
    start_day,
    texts,
    tidy,
)
from dataflyt.identity import numbers
from dataflyt.sources import Table


class Employee(NamedTuple):
    """A person employed. ``sex`` is kvinne, mann or None; ``status`` as the HR system writes it.

    ``number`` is fødselsnummer or D-number; where there is none, ``number_kind`` is what stands there instead.
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
    """Whether the HR system marks an employee as one who must not be found. Everybody has a row, so none tells."""

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
        # The value is in the key: of two rows that disagree both stay, and the stricter counts.
        Table("protection", Protection, ("employee_id", "protected"), "employee_id"),
        Table("org_unit", OrgUnit, ("org_unit_id",), "org_unit_id"),
    )
}

_CONTAINERS: dict[str, frozenset[str]] = {name: frozenset() for name in ("exportinfo", "resources", "organisations")}
_SEX = {
    "m": "mann",
    "mann": "mann",
    "male": "mann",
    "k": "kvinne",
    "f": "kvinne",
    "kvinne": "kvinne",
    "female": "kvinne",
}
"""``M`` is seen in files; the others are assumed."""
_NO_TYPES: Mapping[str, str] = MappingProxyType({})
_NOT_SAID: Mapping[str, Container[str]] = MappingProxyType({})
_TRUE = {"true": True, "1": True, "false": False, "0": False}


# --- Stamdata3 -------------------------------------------------------------------------------------------------------

_ORG_UNIT, _WORKPLACE = "mnal", "mnah"
_OF_RESOURCE = frozenset(
    ("resourceid", "socialsecuritynumber", "firstname", "surname", "birthdate", "sex", "status", "datefrom", "dateto")
)
_OF_EMPLOYMENT = frozenset(
    (
        *("employmenttype", "mainposition", "percentage", "postid", "postcode", "postcodedescription"),
        *("datefrom", "dateto", "sequenceref", "sequenceno"),
    )
)
_OF_RELATION = frozenset(("value", "datefrom", "dateto"))
_OF_ORGANISATION = frozenset(("id", "name", "parentid", "status", "datefrom", "dateto"))


def stamdata3(
    stream: BinaryIO,
    employment_types: Mapping[str, str] = _NO_TYPES,
    protected: Mapping[str, Container[str]] = _NOT_SAID,
) -> Iterator[NamedTuple]:
    """Read a Stamdata3 file."""
    for _, record in records(stream, "ExportInfo", _CONTAINERS, "en Stamdata3-fil"):
        name = name_of(record)
        if name == "resource":
            yield from _resource(record, employment_types, protected)
        elif name == "organisation":
            yield _organisation(record)


def _resource(
    resource: Element, employment_types: Mapping[str, str], protected: Mapping[str, Container[str]]
) -> Iterator[NamedTuple]:
    values: dict[str, str | None] = {}
    user: dict[str, str | None] = {}
    related: dict[str, str] = {}
    employments: list[Element] = []
    email = mobile = None
    for name, child in children(resource):
        if name == "addresses":
            for _, address in children(child):
                found_email, found_mobile = _reachable(address)
                email, mobile = email or found_email, mobile or found_mobile
        elif name == "employments":
            employments += child
        elif name == "relations":
            related = _relations(child)
        elif name == "user":
            user = texts(child)
        elif name in _OF_RESOURCE and values.get(name) is None:
            values[name] = tidy(child.text)
    employee_id = values.get("resourceid") or next((attribute(e, "ResourceId") for e in employments), None)
    if employee_id is None:
        raise Unreadable(f"Elementet Resource i linje {resource.sourceline} har ingen ResourceId.")
    domain_login = user.get("domaininfo")
    said = numbers.told(values.get("socialsecuritynumber"), born=start_day(values.get("birthdate")))
    yield Employee(
        employee_id=employee_id,
        number=said.number,
        given_name=values.get("firstname"),
        family_name=values.get("surname"),
        birth_date=start_day(values.get("birthdate")),
        sex=_SEX.get((values.get("sex") or "").lower()),
        email=email,
        mobile=mobile,
        username=domain_login.rpartition("\\")[2] or None if domain_login else user.get("ubwuserid"),
        status=values.get("status"),
        date_from=start_day(values.get("datefrom")),
        date_to=end_day(values.get("dateto")),
        number_kind=said.number_kind,
    )
    if protected:
        marks = _marks(resource) + [mark for employment in employments for mark in _marks(employment)]
        yield Protection(employee_id, _is_marked(marks, protected))
    yield from _employments(employee_id, employments, related, employment_types)


def _marks(element: Element) -> list[tuple[str, str]]:
    """Return type and value of every relation of a resource or an employment, whenever it began or ended."""
    return [
        (kind, value)
        for name, relations in children(element)
        if name == "relations"
        for _, relation in children(relations)
        if (kind := attribute(relation, "Type")) and (value := texts(relation, _OF_RELATION).get("value"))
    ]


def _is_marked(marks: Iterable[tuple[str, str]], protected: Mapping[str, Container[str]]) -> bool:
    by_kind = {kind.lower(): values for kind, values in protected.items()}
    return any(value in by_kind.get(kind.lower(), ()) for kind, value in marks)


def _reachable(address: Element) -> tuple[str | None, str | None]:
    """Return the first e-mail address and the mobile number of an address."""
    email = mobile = None
    for name, child in children(address):
        if name == "emaillist":
            email = email or next((found for _, one in children(child) if (found := tidy(one.text))), None)
        elif name == "mobile":
            mobile = mobile or tidy(child.text)
    return email, mobile


def _relations(relations: Element) -> dict[str, str]:
    """Return value by type (``mnal`` …): of several of a type, the one that lasts longest, then began last.

    The type is steadier than ``Name`` and ``ElementType``, which each customer names.
    """
    best: dict[str, tuple[str, str, str]] = {}
    for _, relation in children(relations):
        kind = attribute(relation, "Type")
        if kind is None:
            continue
        values = texts(relation, _OF_RELATION)
        value = values.get("value")
        if value:
            ranked = (end_day(values.get("dateto")) or "9999", start_day(values.get("datefrom")) or "", value)
            best[kind.lower()] = max(best.get(kind.lower(), ranked), ranked)
    return {kind: ranked[2] for kind, ranked in best.items()}


def _employments(
    employee_id: str, elements: list[Element], related: dict[str, str], employment_types: Mapping[str, str]
) -> Iterator[Employment]:
    read: list[tuple[dict[str, str | None], dict[str, str]]] = []
    for element in elements:
        values: dict[str, str | None] = {}
        own: dict[str, str] = {}
        for name, child in children(element):
            if name == "relations":
                own = _relations(child)
            elif name in _OF_EMPLOYMENT and values.get(name) is None:
                values[name] = tidy(child.text)
        read.append((values, related | own))
    for employment_id, (values, relations) in zip(_employment_ids([v for v, _ in read]), read, strict=True):
        kind = values.get("employmenttype")
        yield Employment(
            employee_id=employee_id,
            employment_id=employment_id,
            employment_type=employment_types.get(kind, kind) if kind else None,
            position_code=values.get("postcode"),
            position_name=values.get("postcodedescription"),
            percentage=_decimal(values.get("percentage")),
            main_position=_TRUE.get((values.get("mainposition") or "").lower()),
            org_unit_id=relations.get(_ORG_UNIT),
            workplace_id=relations.get(_WORKPLACE),
            date_from=start_day(values.get("datefrom")),
            date_to=end_day(values.get("dateto")),
        )


def _employment_ids(employments: list[dict[str, str | None]]) -> list[str]:
    """Return an id for each position of a person: ``SequenceRef``, with what sets it apart where that is not enough.

    Without ``SequenceRef``: the post and the first day, which outlive a new order of the positions in the next file.
    """
    ids = [e.get("sequenceref") or f"{e.get('postid') or ''}/{start_day(e.get('datefrom')) or ''}" for e in employments]
    repeated = Counter(ids)
    ids = [
        f"{i}-{e['sequenceno']}" if repeated[i] > 1 and e.get("sequenceno") else i
        for i, e in zip(ids, employments, strict=True)
    ]
    return _unique(ids)


def _unique(ids: list[str]) -> list[str]:
    """Give those that are there already a number: ``a``, ``a#2``."""
    taken: set[str] = set()
    for place, wanted in enumerate(ids):
        unique, count = wanted, 1
        while unique in taken:
            count += 1
            unique = f"{wanted}#{count}"
        taken.add(unique)
        ids[place] = unique
    return ids


def _organisation(organisation: Element) -> OrgUnit:
    values: dict[str, str | None] = {}
    managers: list[str] = []
    for name, child in children(organisation):
        if name == "managers":
            managers += [manager for _, one in children(child) if (manager := tidy(one.text))]
        elif name in _OF_ORGANISATION and values.get(name) is None:
            values[name] = tidy(child.text)
    org_unit_id = values.get("id")
    if org_unit_id is None:
        raise Unreadable(f"Elementet Organisation i linje {organisation.sourceline} har ingen Id.")
    return OrgUnit(
        org_unit_id=org_unit_id,
        name=values.get("name"),
        parent_id=values.get("parentid"),
        manager_ids=" ".join(managers) or None,
        status=values.get("status"),
        date_from=start_day(values.get("datefrom")),
        date_to=end_day(values.get("dateto")),
    )


def _decimal(value: str | None) -> float | None:
    try:
        found = float((value or "").replace(",", "."))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


# --- Visma Enterprise HRM --------------------------------------------------------------------------------------------


def visma(
    stream: BinaryIO,
    employment_types: Mapping[str, str] = _NO_TYPES,
    protected: Mapping[str, Container[str]] = _NOT_SAID,
) -> Iterator[NamedTuple]:
    """Read a file of persons from Visma Enterprise HRM. A unit follows the first one who works there."""
    units: set[str] = set()
    for _, record in records(stream, "personsXML", {"personsxml": frozenset[str]()}, "en personsXML-fil"):
        if name_of(record) == "person":
            for row in _visma_person(record, employment_types, protected):
                if isinstance(row, OrgUnit):
                    if row.org_unit_id in units:
                        continue
                    units.add(row.org_unit_id)
                yield row


FORMATS = {"stamdata3": stamdata3, "visma": visma}

_OF_PERSON = frozenset(("givenname", "familyname", "gendercode", "dateofbirth", "ssn"))
_OF_VISMA_EMPLOYMENT = frozenset(("employeeid", "startdate", "enddate", "employmentpercentage"))
_OF_POSITION = frozenset(("positionpercentage", "positionstartdate", "positionenddate"))


def _visma_person(
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
        said = texts(employment, _OF_VISMA_EMPLOYMENT)
        category = next(_below(employment, "category"), None)
        kind = None if category is None else attribute(category, "id")
        marks += [("category", kind)] if kind else []
        held: list[Element | None] = [*_below(employment, "positions", "position")]
        for position in held or [None]:
            wanted, row, unit = _visma_position(employee_id, said, position)
            kind_of_it = employment_types.get(kind, kind) if kind else None
            positions.append((wanted, row._replace(employment_type=kind_of_it)))
            units += [unit] if unit else []
    # A mistyped date sets its own position aside, and not the employee.
    starts = [row.date_from for _, row in positions if row.date_from is None or is_date(row.date_from)]
    ends = [row.date_to for _, row in positions if row.date_to is None or is_date(row.date_to)]
    told = numbers.told(values.get("ssn"), born=start_day(values.get("dateofbirth")))
    yield Employee(
        employee_id=employee_id,
        number=told.number,
        given_name=values.get("givenname"),
        family_name=values.get("familyname"),
        birth_date=start_day(values.get("dateofbirth")),
        sex=_SEX.get((values.get("gendercode") or "").lower()),
        email=contact.get("email"),
        mobile=contact.get("mobilephone"),
        username=login,
        status=None,
        date_from=min(filter(None, starts), default=None) if all(starts) else None,
        date_to=max(filter(None, ends), default=None) if all(ends) else None,
        number_kind=told.number_kind,
    )
    if protected:
        yield Protection(employee_id, _is_marked(marks, protected))
    for employment_id, (_, row) in zip(_unique([wanted for wanted, _ in positions]), positions, strict=True):
        yield row._replace(employment_id=employment_id)
    yield from units


def _visma_position(
    employee_id: str, employment: Mapping[str, str | None], position: Element | None
) -> tuple[str, Employment, OrgUnit | None]:
    """Return the id it should have, the position (or the employment, where it has none) and its unit."""
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
        percentage=_decimal(values.get("positionpercentage") or employment.get("employmentpercentage")),
        main_position=_TRUE.get((main or "").lower()),
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
