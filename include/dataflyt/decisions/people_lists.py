"""What people have decided about people, as rows to show: overrides, registrations by hand, and links.

Names are shown to the one who asks, who must have the right to see people; protected people only with ``graded``. Each
list is in the audit, with the people that are in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
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
    """An override in force, with the register's value beside it where a run has read both."""

    number: int
    name: str
    field: str
    value: str
    registered: str | None
    reason: str
    case_number: str
    review_on: date | None


@dataclass(frozen=True)
class ManualRow:
    """A registration by hand in force. ``stands_for`` is the name of the person that an alias stands for."""

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


@dataclass(frozen=True)
class LinkRow:
    """Two persons that people have linked (``joined``) or parted. ``name`` is that of the person they are now."""

    number: int
    name: str
    joined: bool
    reason: str
    case_number: str


def overrides(
    kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False
) -> list[OverrideRow]:
    """Return the overrides in force. Those about protected people, and those that protect, only with ``graded``."""
    with seeing(kommune, environment, visitor, "list overrides", graded=graded) as at:
        found = at.connection.execute(text(_OVERRIDES), {"owner": at.owner}).all()
        found = [row for row in found if graded or row.field != "adressebeskyttelse"]
        names = _names(at, (row.person_id for row in found), graded=graded)
        found = [row for row in found if row.person_id in names]
        audit.record(at.connection, at.owner, visitor, "list overrides", [row.person_id for row in found])
        return [OverrideRow(row[0], names[row.person_id], *row[2:]) for row in found]


def manual_people(
    kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False
) -> list[ManualRow]:
    """Return the registrations by hand in force. Aliases only with ``graded``."""
    with seeing(kommune, environment, visitor, "list manual people", graded=graded) as at:
        bound = {"owner": at.owner, "day": at.day}
        found = [row for row in at.connection.execute(text(_MANUAL), bound) if graded or row.kind != "alias"]
        names = _names(at, (row.stands_for for row in found if row.stands_for), graded=graded)
        about = [person for row in found for person in (row.person_id, row.stands_for) if person]
        audit.record(at.connection, at.owner, visitor, "list manual people", about)
        shown = [(*row[:10], names.get(row.stands_for, "ukjent") if row.stands_for else None) for row in found]
        return [ManualRow(*row) for row in shown]


def links(kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool = False) -> list[LinkRow]:
    """Return what people have linked and parted. What is about protected people only with ``graded``."""
    with seeing(kommune, environment, visitor, "list links", graded=graded) as at:
        found = at.connection.execute(text(_LINKS), {"owner": at.owner}).all()
        names = _names(at, (row.became for row in found), graded=graded)
        found = [row for row in found if row.became in names]
        audit.record(at.connection, at.owner, visitor, "list links", [row.became for row in found])
        return [LinkRow(row[0], names[row.became], *row[2:]) for row in found]


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
