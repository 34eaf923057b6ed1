"""The guard: whether a run's plan may be released without asking.

Limits per kind, in percent of what there is and absolute: what is above either is asked about. Access that FREG has
answered is ended is no matter for a limit: the veto has taken it already. Some things always ask: a first run, a full
reload, persons becoming one or several and what that brings, somebody without a number who gets one, an identity found
false, lowered protection, a new guardian where anyone at the child's address is protected or where somebody is blocked
(also a known one with a new number), gain and loss for one child since the last release or on the same day, and a
guardian gained by what FREG has said before (a pupil comes back and FREG does not answer).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, text

from dataflyt.warehouse import plan
from dataflyt.warehouse.golden import Moment

_ACCESS = "select count(*) from before_guardian_access where state in ('active', 'suspended')"
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
    "identity": _PERSONS,
    "contact": "select count(*) from before_contact",
    "group": "select count(*) from before_grp",
    "membership": "select count(*) from before_membership",
    "account": "select count(*) from before_account where state = 'active'",
}
"""What a limit's percent is of, by the first word of the kind."""

_ALWAYS = frozenset(
    {
        *("persons_join", "person_splits", "identity_protection", "identity_block", "identity_access"),
        "protection_lowered",
    }
)

# A loss that FREG answered may stand as a veto of a run that was rejected: it is in no later plan.
_GAIN_AND_LOSS = """
select exists (
    select from plan g join plan l on l.subject = g.subject
    where g.kind = 'guardian_gains_access' and l.kind = 'guardian_loses_access'
) or exists (
    select from plan g
    join control.veto v on v.person_id::text = g.subject
    join control.run r on r.owner = v.owner and r.run = v.run
    where g.kind = 'guardian_gains_access' and v.owner = :owner and v.kind = 'access_ended'
        and (v.run > :released or (r.as_of at time zone 'Europe/Oslo')::date = cast(:today as date))
)
"""

# Near: the child, an adult who may see it, and whoever is registered at the same dwelling.
_GAIN_NEAR_PROTECTED = """
with gains as (
    select distinct subject from plan where kind = 'guardian_gains_access'
),
protected as (
    select person_id from after_protection where level >= 2
),
dwelling as (
    select distinct l.person_id, a.bolig
    from (
        select foedselsEllerDNummer, bolig, erGjeldende from freg_bostedsadresse
        union all
        select foedselsEllerDNummer, bolig, erGjeldende from freg_annenAdresse
    ) as a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.bolig is not null and a.erGjeldende is not false
)
select exists (select from gains g join protected p on p.person_id::text = g.subject)
    or exists (
        select from gains g
        join after_guardian_access a on a.child_id::text = g.subject
        join protected p on p.person_id::text = a.adult
    )
    or exists (
        select from gains g
        join dwelling c on c.person_id::text = g.subject
        join dwelling o on o.bolig = c.bolig
        join protected p on p.person_id = o.person_id
    )
"""

# A blocked adult's new number, perhaps, or an other one's that is the blocked adult.
_NEAR_BLOCK = """
select exists (
    select from plan g
    join after_block b on b.child_id::text = g.subject
    where g.kind = 'guardian_gains_access'
) or exists (
    select from plan n
    join after_guardian_access a on a.adult = n.subject and a.state = 'active'
    join after_block b on b.child_id = a.child_id
    where n.kind = 'number_changes'
)
"""

# Known by a local id alone until now, in any released run: whoever left may not be whom the id stands for today.
_NUMBER_GIVEN = """
select exists (
    select from new_person_link n
    join before_person_link b on b.person_id = n.person_id
    where n.scheme = 'number' and not exists (
        select from before_person_link o where o.person_id = n.person_id and o.scheme = 'number'
    )
)
"""

# What stood for somebody else until a release, and is lifted: an access that a change of identity would give back.
_LIFTED_OVER_IDENTITY = """
select exists (
    select from control.lift l
    join control.veto v on v.owner = l.owner and v.veto = l.veto
    where l.owner = :owner and l.run = :run and (
        v.person_id in (select person_id from new_kin) or v.adult in (select person_id::text from new_kin)
    )
)
"""

_FALSE_IDENTITY = """
select exists (
    select from history.freg_person
    where owner = :owner and to_run is null and from_run = :run and falskidentitet
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


# People with an account, and groups with a pupil, who are not hidden: what the exports hold, before they are written.
_SHOWN = {
    "people": """
        select count(*)
        from {p}account a
        join {p}person p on p.person_id = a.person_id
        join {p}protection x on x.person_id = a.person_id
        where a.state = 'active' and not p.dead and x.level < 3 and not x.held_back
    """,
    "groups": """
        select count(distinct m.group_id)
        from {p}membership m
        join {p}protection x on x.person_id = m.person_id
        where m.role = 'student' and x.level < 3 and not x.held_back
    """,
}

_INFERRED_LOSSES = "select count(*) from plan where kind = 'guardian_loses_access' and inferred"


class Limit(Protocol):
    """At most ``percent`` of what there is and at most ``count`` rows of a kind go through unasked; None: no limit."""

    @property
    def percent(self) -> float | None:
        """Of what there is."""

    @property
    def count(self) -> int | None:
        """Rows."""


def reasons(
    connection: Connection,
    moment: Moment,
    released: int,
    limits: Mapping[Any, Limit],
    *,
    max_drop_percent: float,
    full_reload: bool = False,
) -> list[str]:
    """Say why the plan in the temporary table ``plan`` must be asked about; an empty list when it need not.

    ``released`` is the run that the plan is against, 0 when there is none. ``max_drop_percent``: by so much what is
    published may fall against what may be shown now (views ``now_<table>``). Needs the views of history,
    ``answered_freg`` and ``new_person_link`` of the run.

    Reasons are words without numbers of protection in them: ``first_run``, ``full_reload``, ``limit:<kind>``,
    ``limit:published``, or ``always`` for those that must not tell more outside the plan's own page.
    """
    if not released:
        return ["first_run"]
    bound = {**moment.bound(), "released": released}
    found = plan.all_counts(connection)
    limited = {**found, "guardian_loses_access": connection.scalar(text(_INFERRED_LOSSES)) or 0}
    why = ["full_reload"] if full_reload else []
    why += [f"limit:{kind}" for kind, limit in sorted(limits.items()) if _over(connection, kind, limited, limit)]
    for count in _SHOWN.values():
        before, after = (connection.scalar(text(count.format(p=prefix))) or 0 for prefix in ("now_", "after_"))
        if after < before * (1 - max_drop_percent / 100) and "limit:published" not in why:
            why.append("limit:published")
    always = any(found.get(kind) for kind in _ALWAYS) or any(
        connection.scalar(text(question), bound)
        for question in (
            *(_GAIN_AND_LOSS, _GAIN_NEAR_PROTECTED, _GAIN_UNANSWERED, _NEAR_BLOCK),
            *(_NUMBER_GIVEN, _LIFTED_OVER_IDENTITY, _FALSE_IDENTITY),
        )
    )
    return why + (["always"] if always else [])


def bases(connection: Connection, kinds: Iterable[str]) -> dict[str, int]:
    """Return what each kind's limit in percent is of, rounded: 0, to tens, from a thousand on to two digits.

    Exact, it would be beside the counts of plan and file what tells how many are protected.
    """
    found: dict[str, int] = {}
    for kind in kinds:
        count = connection.scalar(text(_BASE[kind.split("_")[0]])) or 0
        found[kind] = round(count, -1 if count < 1000 else 2 - len(str(count)))
    return found


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
