"""Stamdata3 (``ExportInfo``), the extract of Unit4 Business World (Agresso), to rows.

No schema is published: the structure is taken from samples and from other programs' readers. Names of elements are
compared without regard to case and namespace. ``protected`` names values by the ``Type`` of a ``Relation``.
"""

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.formats.dates import end_day, start_day
from dataflyt.formats.text import tidy
from dataflyt.formats.xml_records import NAMES, Element, attribute, children, inside, name_of, records, texts
from dataflyt.identity import numbers
from dataflyt.sources.hr.rows import Employee, Employment, OrgUnit, Protection
from dataflyt.sources.hr.values import NO_MARKS, NO_TYPES, SEX, YES_NO, decimal, is_marked, unique

_CONTAINERS: dict[str, frozenset[str]] = {name: frozenset() for name in ("exportinfo", "resources", "organisations")}
_ORG_UNIT, _WORKPLACE = _UNITS = "mnal", "mnah"
_OF_RESOURCE = frozenset(
    ("resourceid", "socialsecuritynumber", "firstname", "surname", "birthdate", "sex", "status", "datefrom", "dateto")
)
_OF_EMPLOYMENT = frozenset(
    (
        *("employmenttype", "mainposition", "percentage", "postid", "postcode", "postcodedescription"),
        *("datefrom", "dateto", "sequenceref", "sequenceno"),
    )
)
_OF_USER = frozenset(("domaininfo", "ubwuserid"))
_OF_RELATION = frozenset(("value", "datefrom", "dateto"))
_OF_ORGANISATION = frozenset(("id", "name", "parentid", "status", "datefrom", "dateto"))


def read(
    stream: BinaryIO,
    employment_types: Mapping[str, str] = NO_TYPES,
    protected: Mapping[str, Container[str]] = NO_MARKS,
) -> Iterator[NamedTuple]:
    """Yield the rows of a Stamdata3 file, in its order. Raises Unreadable."""
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
    for child in inside(resource):
        name = NAMES[child.tag]
        if name in _OF_RESOURCE:
            if values.get(name) is None:
                values[name] = tidy(child.text)
        elif name == "addresses":
            for _, address in children(child):
                found_email, found_mobile = _reachable(address)
                email, mobile = email or found_email, mobile or found_mobile
        elif name == "employments":
            employments += inside(child)
        elif name == "relations":
            related = _relations(child)
        elif name == "user":
            user = texts(child, _OF_USER)
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
        sex=SEX.get((values.get("sex") or "").lower()),
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
        yield Protection(employee_id, is_marked(marks, protected))
    yield from _employments(employee_id, employments, related, employment_types)


def _marks(element: Element) -> list[tuple[str, str]]:
    """Return type and value of every relation of a resource or an employment, past and future ones too."""
    return [
        (kind, value)
        for name, relations in children(element)
        if name == "relations"
        for _, relation in children(relations)
        if (kind := attribute(relation, "Type")) and (value := texts(relation, _OF_RELATION).get("value"))
    ]


def _reachable(address: Element) -> tuple[str | None, str | None]:
    """Return the first e-mail address and the mobile number of an address."""
    email = mobile = None
    for child in inside(address):
        name = NAMES[child.tag]
        if name == "emaillist":
            email = email or next((found for _, one in children(child) if (found := tidy(one.text))), None)
        elif name == "mobile":
            mobile = mobile or tidy(child.text)
    return email, mobile


def _relations(relations: Element) -> dict[str, str]:
    """Return values by type (``mnal`` …): of several values, the one that ends last, then the one that began last.

    The type is steadier than ``Name`` and ``ElementType``, which each customer chooses.
    """
    best: dict[str, tuple[str, str, str]] = {}
    for _, relation in children(relations):
        kind = (attribute(relation, "Type") or "").lower()
        if kind not in _UNITS:
            continue
        values = texts(relation, _OF_RELATION)
        value = values.get("value")
        if value:
            ranked = (end_day(values.get("dateto")) or "9999", start_day(values.get("datefrom")) or "", value)
            best[kind] = max(best.get(kind, ranked), ranked)
    return {kind: ranked[2] for kind, ranked in best.items()}


def _employments(
    employee_id: str, elements: list[Element], related: dict[str, str], employment_types: Mapping[str, str]
) -> Iterator[Employment]:
    read: list[tuple[dict[str, str | None], dict[str, str]]] = []
    for element in elements:
        values: dict[str, str | None] = {}
        own: dict[str, str] = {}
        for child in inside(element):
            name = NAMES[child.tag]
            if name in _OF_EMPLOYMENT:
                if values.get(name) is None:
                    values[name] = tidy(child.text)
            elif name == "relations":
                own = _relations(child)
        read.append((values, related | own))
    for employment_id, (values, relations) in zip(_employment_ids([v for v, _ in read]), read, strict=True):
        kind = values.get("employmenttype")
        yield Employment(
            employee_id=employee_id,
            employment_id=employment_id,
            employment_type=employment_types.get(kind, kind) if kind else None,
            position_code=values.get("postcode"),
            position_name=values.get("postcodedescription"),
            percentage=decimal(values.get("percentage")),
            main_position=YES_NO.get((values.get("mainposition") or "").lower()),
            org_unit_id=relations.get(_ORG_UNIT),
            workplace_id=relations.get(_WORKPLACE),
            date_from=start_day(values.get("datefrom")),
            date_to=end_day(values.get("dateto")),
        )


def _employment_ids(employments: list[dict[str, str | None]]) -> list[str]:
    """Return an id for each position of a person: ``SequenceRef``, with an addition if it is not unique.

    Without ``SequenceRef`` the id is the post and the first day: they stay the same if the next file has the positions
    in another order.
    """
    ids = [e.get("sequenceref") or f"{e.get('postid') or ''}/{start_day(e.get('datefrom')) or ''}" for e in employments]
    if len(set(ids)) == len(ids):
        return ids
    repeated = Counter(ids)
    ids = [
        f"{i}-{e['sequenceno']}" if repeated[i] > 1 and e.get("sequenceno") else i
        for i, e in zip(ids, employments, strict=True)
    ]
    return unique(ids)


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
