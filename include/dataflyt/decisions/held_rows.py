"""The rows in quarantine, with the reason, the one who corrects it, and what people have decided about each."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions.deciding import seeing
from dataflyt.decisions.quarantine import rules
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import audit, people
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.outcomes import HINTS, LINKED, NEWEST


class HeldRow(NamedTuple):
    """A row in quarantine and a rule that it breaks. ``people``: whom it is about, as far as they may be shown."""

    row: str
    table: str
    rule: str
    reason: str
    responsible: str
    releasable: bool
    decided: str | None
    people: dict[UUID, str]


def listed(
    kommune: Kommune, environment: Environment, visitor: Visitor | None = None, *, graded: bool = False
) -> list[HeldRow]:
    """Return the rows that the newest checked run has in quarantine; without a visitor, nobody's id or name.

    All rows are there for everybody, so that no count of them tells of protection. A row about a protected person looks
    to those without ``graded`` as a row about somebody who is not known yet. So does a register's row about an employee
    whom it is asked about for a protected child. Tables whose rows hint at protection are left out. With a visitor the
    audit is told who is shown.

    Raises NotAllowed when the visitor may not see people, or not protected people.
    """
    if visitor is None:
        db = database.engine(environment.connect(kommune.warehouse).url)
        with database.transaction(db, kommune.id, lock=False) as connection:
            return _held(connection, kommune.id)
    with seeing(kommune, environment, visitor, "list quarantine", graded=graded) as at:
        found = at.connection.execute(text(_PEOPLE), {"owner": at.owner}).all()
        employees = kommune.sources.freg.employees
        told = {
            source: people.may_be_asked(
                at.now,
                {row.person_id for row in found if row.source == source},
                source,
                graded=graded,
                employees=employees,
            )
            for source in {row.source for row in found}
        }
        about: dict[tuple[str, str], list[UUID]] = {}
        for row in found:
            if row.person_id in told[row.source]:
                about.setdefault((row.row_hash, row.rule), []).append(row.person_id)
        names = people.names(at.now, sorted({one for whom in about.values() for one in whom}), graded=graded)
        audit.record(at.connection, at.owner, visitor, "list quarantine", names)
        return [
            row._replace(people={one: names[one] for one in about.get((row.row, row.rule), ()) if one in names})
            for row in _held(at.connection, at.owner)
        ]


def _held(connection: Connection, owner: str) -> list[HeldRow]:
    known = rules()
    found = connection.execute(text(_HELD), {"owner": owner, "hints": sorted(HINTS)})
    return [
        HeldRow(row, table, rule, reason, responsible, rule in known and known[rule].releasable, decided, {})
        for row, table, rule, reason, responsible, decided in found
    ]


_HELD = f"""
select distinct h.row_hash, h.table_name, h.rule, h.reason, h.responsible, d.decision
from ({NEWEST}) h
left join control.row_decision d
    on d.owner = :owner and d.row_hash = h.row_hash and d.rule = h.rule and d.ended_at is null
where not (h.table_name = any(:hints))
order by h.table_name, h.rule, h.row_hash
"""
_PEOPLE = f"""
select distinct h.row_hash, h.rule, l.person_id, split_part(h.table_name, '_', 1) as source
from ({NEWEST}) h join now_person_link l on {LINKED} order by 1, 2, 3
"""
