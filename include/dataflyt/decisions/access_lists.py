"""The decisions in force, for those who may see them: each with its number, its people and what was decided.

Without ``graded`` a decision about a protected person is neither shown nor counted. Every list is kept in the audit.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions.adults import kind_of, persons
from dataflyt.decisions.deciding import UNNAMED, seeing
from dataflyt.decisions.decision import Moment
from dataflyt.decisions.hold_back import CAUSE
from dataflyt.run.environment import Environment
from dataflyt.warehouse import audit, people
from dataflyt.warehouse.audit import Visitor

What: TypeAlias = Literal["grants", "blocks", "suspensions", "publishable", "held_back"]


@dataclass(frozen=True)
class Line:
    """A decision in force: its ``number``, the names of its people, and the rest of it in words.

    ``words`` are values as the warehouse has them: basis, case number, dates, and the person who decided. ``person_id``
    and ``adult_id`` are the people as the warehouse writes them, "" for no adult.
    """

    number: int
    person: str
    adult: str
    words: tuple[str, ...]
    person_id: UUID
    adult_id: str

    @property
    def about(self) -> set[UUID]:
        """The people that the decision is about."""
        return {self.person_id} | persons([self.adult_id] if self.adult_id else [])


def listed(
    kommune: Kommune, environment: Environment, what: What, visitor: Visitor, *, graded: bool = False
) -> list[Line]:
    """Return the decisions of one sort that are in force, by number.

    Raises NotAllowed without the right to see people, or protected people.
    """
    with seeing(kommune, environment, visitor, f"list {what}", graded=graded) as at:
        lines = read(at, what, graded=graded)
        audit.record(at.connection, at.owner, visitor, f"list {what}", set().union(*(one.about for one in lines)))
        return lines


def read(at: Moment, what: What, *, graded: bool) -> list[Line]:
    """Return the decisions of one sort, as ``listed`` does. The caller asks for the right, and keeps the audit."""
    bound = {"owner": at.owner, "day": at.day, "released": at.released, "cause": CAUSE}
    rows = at.connection.execute(text(_LISTS[what]), bound).all() if graded or what not in _GRADED else []
    about = [{person} | persons([adult] if adult else []) for _, person, adult, *_ in rows]
    everybody: set[UUID] = set().union(*about)
    unseen = set() if graded else people.hidden(at.now, everybody)
    seen = [row for row, persons_of in zip(rows, about, strict=True) if not persons_of & unseen]
    named = people.names(at.now, sorted(everybody), graded=graded)
    return [
        Line(
            number,
            named.get(person, UNNAMED),
            _named(adult, named),
            tuple(str(word) for word in words if word not in (None, "")),
            person,
            adult or "",
        )
        for number, person, adult, *words in seen
    ]


_GRADED: frozenset[What] = frozenset({"suspensions", "held_back"})
"""Lists that tell of protection, also of children whose protection has ended."""


def _named(adult: str | None, named: dict[UUID, str]) -> str:
    if not adult:
        return ""
    kind = kind_of(adult)
    if kind == "organisation":
        return adult.removeprefix("org:")
    return "(uten nummer)" if kind == "without_number" else named.get(UUID(adult), UNNAMED)


_LISTS: dict[What, str] = {
    "grants": """
        select g.access_grant, g.child_id, g.adult, g.basis, g.case_number, g.scope,
            case
                when coalesce(g.until, 'infinity') < :day then 'utløpt'
                when g.access_grant in (select access_grant from now_access_by_grant) then 'gjelder'
                when g.from_run > :released then 'fra neste kjøring'
                else 'gjelder ikke lenger'
            end,
            'til ' || to_char(g.until, 'DD.MM.YYYY'), g.decided_by || ' og ' || g.approved_by
        from control.access_grant g
        where g.owner = :owner and g.withdrawn_at is null
        order by g.from_run, g.access_grant
    """,
    "blocks": """
        select access_block, child_id, adult, basis, case_number, to_char(decided_at, 'DD.MM.YYYY'), decided_by,
            'vurderes ' || to_char(review_on, 'DD.MM.YYYY')
        from control.access_block
        where owner = :owner and lifted_at is null
        order by decided_at, access_block
    """,
    "suspensions": """
        select v.veto, v.person_id, v.adult, case d.said when 'kept' then 'står, bestemt' else 'ikke bestemt' end,
            d.case_number, to_char(d.decided_at, 'DD.MM.YYYY'), d.decided_by,
            'vurderes ' || to_char(d.review_on, 'DD.MM.YYYY')
        from control.veto v
        left join lateral (
            select * from control.veto_decision d
            where d.owner = :owner and d.veto = v.veto order by d.decided_at desc limit 1
        ) as d on true
        where v.owner = :owner and v.kind = 'access_suspended' and v.lifted_at is null
        order by v.person_id, v.adult
    """,
    "publishable": """
        select publishable, person_id, null, decision, to_char(decided_at, 'DD.MM.YYYY'),
            concat_ws(' og ', decided_by, approved_by)
        from control.publishable
        where owner = :owner and ended_at is null
        order by decided_at, publishable
    """,
    "held_back": """
        select d.veto_decision, v.person_id, null, d.case_number, to_char(d.decided_at, 'DD.MM.YYYY'), d.decided_by,
            'vurderes ' || to_char(d.review_on, 'DD.MM.YYYY')
        from control.veto v
        join control.veto_decision d on d.owner = :owner and d.veto = v.veto and d.said = 'held_back'
        where v.owner = :owner and v.kind = 'protection' and v.cause = :cause and v.lifted_at is null
        order by d.decided_at
    """,
}
"""The statements that list the decisions: number, person, adult, and words."""
