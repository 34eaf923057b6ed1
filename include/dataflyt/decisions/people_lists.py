"""What people have decided about people, as rows to show: overrides, registrations by hand, and links.

Names are shown to the one who asks, who must have the right to see people; protected people only with ``graded``. Each
list is in the audit, with the people that are in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions.deciding import seeing
from dataflyt.decisions.decision import Moment
from dataflyt.run.environment import Environment
from dataflyt.warehouse import audit, people
from dataflyt.warehouse.audit import Visitor


@dataclass(frozen=True)
class OverrideRow:
    """An override in force, with the register's value beside it where a run has read both. ``about``: its people."""

    number: int
    name: str
    field: str
    value: str
    registered: str | None
    reason: str
    case_number: str
    review_on: date | None
    about: frozenset[UUID]


@dataclass(frozen=True)
class ManualRow:
    """A registration by hand in force. ``stands_for`` is the name of the person that an alias stands for.

    ``about`` has the person, when a run has taken it in, and the one that an alias stands for.
    """

    number: int
    kind: str
    role: str
    name: str
    unit_id: str
    group_id: str | None
    sponsor: str
    reason: str
    until: date | None
    review_on: date | None
    stands_for: str | None
    about: frozenset[UUID]


@dataclass(frozen=True)
class LinkRow:
    """Two persons that people have linked (``joined``) or parted. ``name`` is that of the person they are now."""

    number: int
    name: str
    joined: bool
    reason: str
    case_number: str
    about: frozenset[UUID]


def overrides(
    kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False
) -> list[OverrideRow]:
    """Return the overrides in force. Those about protected people, and those that protect, only with ``graded``."""
    with seeing(kommune, environment, visitor, "list overrides", graded=graded) as at:
        return _kept(at, visitor, "list overrides", read_overrides(at, graded=graded))


def manual_people(
    kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False
) -> list[ManualRow]:
    """Return the registrations by hand in force. Aliases only with ``graded``."""
    with seeing(kommune, environment, visitor, "list manual people", graded=graded) as at:
        return _kept(at, visitor, "list manual people", read_manual_people(at, graded=graded))


def links(kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False) -> list[LinkRow]:
    """Return what people have linked and parted. What is about protected people only with ``graded``."""
    with seeing(kommune, environment, visitor, "list links", graded=graded) as at:
        return _kept(at, visitor, "list links", read_links(at, graded=graded))


def read_overrides(at: Moment, *, graded: bool) -> list[OverrideRow]:
    """Return what ``overrides`` does. The caller asks for the right, and keeps the audit."""
    found = at.connection.execute(text(_OVERRIDES), {"owner": at.owner}).all()
    found = [row for row in found if graded or row.field != "adressebeskyttelse"]
    names = _names(at, (row.person_id for row in found), graded=graded)
    return [
        OverrideRow(*(row[0], names[row.person_id], *row[2:], frozenset({row.person_id})))
        for row in found
        if row.person_id in names
    ]


def read_manual_people(at: Moment, *, graded: bool) -> list[ManualRow]:
    """Return what ``manual_people`` does. The caller asks for the right, and keeps the audit."""
    bound = {"owner": at.owner, "day": at.day}
    found = [row for row in at.connection.execute(text(_MANUAL), bound) if graded or row.kind != "alias"]
    names = _names(at, (row.stands_for for row in found if row.stands_for), graded=graded)
    return [
        ManualRow(
            *(
                *row[:10],
                names.get(row.stands_for, "ukjent") if row.stands_for else None,
                frozenset(person for person in (row.person_id, row.stands_for) if person),
            )
        )
        for row in found
    ]


def read_links(at: Moment, *, graded: bool) -> list[LinkRow]:
    """Return what ``links`` does. The caller asks for the right, and keeps the audit."""
    found = at.connection.execute(text(_LINKS), {"owner": at.owner}).all()
    names = _names(at, (row.became for row in found), graded=graded)
    return [
        LinkRow(*(row[0], names[row.became], *row[2:], frozenset({row.became}))) for row in found if row.became in names
    ]


Row = TypeVar("Row", OverrideRow, ManualRow, LinkRow)


def _kept(at: Moment, visitor: Visitor, action: str, rows: list[Row]) -> list[Row]:
    """Keep in the audit that these rows were seen; return them."""
    audit.record(at.connection, at.owner, visitor, action, [one for row in rows for one in row.about])
    return rows


def _names(at: Moment, persons: Iterable[UUID], *, graded: bool) -> dict[UUID, str]:
    return people.names(at.now, list(persons), graded=graded)


_OVERRIDES = """
select o.override, o.person_id, o.field, o.value, r.registered, o.reason, o.case_number, o.review_on
from control.override o
left join golden.overridden r on r.owner = :owner and r.to_run is null and r.override = o.override
where o.owner = :owner and o.ended_at is null
order by o.decided_at, o.override
"""
_MANUAL = """
select m.manual_person, m.kind, m.role, m.fornavn || ' ' || m.etternavn as name, m.unit_id, m.group_id, m.sponsor,
    m.reason, m.until, m.review_on, m.stands_for, l.person_id
from control.manual_person m
left join now_person_link l on l.scheme = 'manual' and l.value = m.manual_person::text
where m.owner = :owner and m.ended_at is null and coalesce(m.until, 'infinity') >= :day
order by m.decided_at, m.manual_person
"""
_LINKS = """
select link, became, joined, reason, case_number from control.link where owner = :owner order by decided_at, link
"""
