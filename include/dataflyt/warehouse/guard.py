"""The guard: whether a run's plan may be released without asking.

Limits per kind, in percent of what there is and absolute: what is above either is asked about. Some things always ask:
a first run, persons becoming one or several, lowered protection, a new guardian where anyone at the child's address is
protected, gain and loss for one child in one run, and a guardian gained by what FREG has said before (a pupil comes
back and FREG does not answer).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from dataflyt.warehouse import plan

_ACCESS = "select count(*) from before_guardian_access where state = 'active'"
_PERSONS = "select count(*) from before_person"
_BASE = {
    "guardian": _ACCESS,
    "sas": _ACCESS,
    "pupil": "select count(distinct person_id) from before_enrolment",
    "employee": "select count(distinct person_id) from before_employment",
    "name": _PERSONS,
    "number": _PERSONS,
    "person": _PERSONS,
    "persons": _PERSONS,
    "contact": "select count(*) from before_contact",
    "group": "select count(*) from before_grp",
    "membership": "select count(*) from before_membership",
    "account": "select count(*) from before_account where state = 'active'",
}
"""What a limit's percent is of, by the first word of the kind."""

_ALWAYS = frozenset({"persons_join", "person_splits", "protection_lowered"})

_GAIN_AND_LOSS = """
select exists (
    select from plan g join plan l on l.subject = g.subject
    where g.kind = 'guardian_gains_access' and l.kind = 'guardian_loses_access'
)
"""

_GAIN_NEAR_PROTECTED = """
select exists (
    select from plan g
    join after_protection p on p.level >= 2 and (
        p.person_id::text = g.subject
        or p.person_id in (
            select a.adult::uuid from after_guardian_access a
            where a.child_id::text = g.subject and a.adult_kind = 'person'
        )
    )
    where g.kind = 'guardian_gains_access'
)
"""

_GAIN_UNANSWERED = """
select exists (
    select from plan g
    join after_guardian_access a on a.child_id::text = g.subject and a.adult = g.other and a.basis = 'foreldreansvar'
    where g.kind = 'guardian_gains_access' and not exists (
        select from answered_freg f
        join new_person_link l on l.scheme = 'number' and l.value = f.subject
        where l.person_id = a.child_id
    )
)
"""


@dataclass(frozen=True)
class Limit:
    """At most ``percent`` of what there is and at most ``count`` rows of a kind go through unasked; None: no limit."""

    percent: float | None
    count: int | None


def reasons(connection: Connection, limits: Mapping[Any, Limit], *, first_run: bool) -> list[str]:
    """Say why the plan in the temporary table ``plan`` must be asked about; an empty list when it need not.

    Needs the view ``answered_freg`` and ``new_person_link`` of the run.

    Reasons are words without numbers of protection in them: ``first_run``, ``limit:<kind>``, or ``always`` for those
    that must not tell more outside the plan's own page.
    """
    if first_run:
        return ["first_run"]
    found = plan.all_counts(connection)
    why = [f"limit:{kind}" for kind, limit in sorted(limits.items()) if _over(connection, kind, found, limit)]
    always = (
        any(found.get(kind) for kind in _ALWAYS)
        or connection.scalar(text(_GAIN_AND_LOSS))
        or connection.scalar(text(_GAIN_NEAR_PROTECTED))
        or connection.scalar(text(_GAIN_UNANSWERED))
    )
    return why + (["always"] if always else [])


def _over(connection: Connection, kind: str, found: Mapping[str, int], limit: Limit) -> bool:
    count = found.get(kind, 0)
    if not count or kind in plan.GRADED_KINDS:
        return False
    if limit.count is not None and count > limit.count:
        return True
    if limit.percent is None:
        return False
    base = connection.scalar(text(_BASE[kind.split("_")[0]])) or 0
    return count > base * limit.percent / 100
