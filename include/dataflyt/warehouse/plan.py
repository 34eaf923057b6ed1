"""The plan: what is true before a run against what would be true after releasing it, as typed rows. A query.

Before: the released golden record under the vetoes that stood when the run began. After: the run's golden record under
all vetoes in force, less those that releasing it would lift. The vetoes a run itself brought are thus in its plan, and
in force already.

Without the right to see protection nobody can count the protected: whoever is in no export (strengtFortrolig, held
back) is in no row, whoever is fortrolig is in the same rows as everybody, and suspended access counts as access.
"""

from collections.abc import Iterator
from typing import NamedTuple, get_args

from sqlalchemy import Connection, text

from dataflyt.config.kommune import PlanKind
from dataflyt.storage.database import OWN_KEY
from dataflyt.warehouse import vetoed_views

GRADED_KINDS = frozenset({"protection_raised", "protection_lowered", "identity_protection"})
"""Kinds that only a reader with the right to see protection may see, and that are never told as a number elsewhere."""


class PlanRow(NamedTuple):
    """One change.

    ``subject`` is a person or group, ``other`` the adult, school, group or person it is about; ``inferred`` is True
    when it rests on absence rather than on an answer.
    """

    kind: str
    subject: str
    other: str
    unit_id: str | None
    inferred: bool


def build(connection: Connection, owner: str, run: int, released: int) -> None:
    """Fill the temporary table ``plan`` for ``run`` against the run ``released`` before it (0: none)."""
    vetoed_views.views(connection, owner, released, "before_", vetoes_before=run)
    vetoed_views.views(connection, owner, run, "after_", lifting=run)
    bound = {"owner": owner, "run": run}
    for name, select in _TABLES.items():
        connection.execute(text(f"drop table if exists pg_temp.{name}"))
        connection.execute(text(f"create temporary table {name} on commit drop as {select}"), bound)
        connection.execute(text(f"analyze {name}"))


def rows(connection: Connection, *, graded: bool = False) -> Iterator[PlanRow]:
    """Yield the rows of ``plan`` in a fixed order; without ``graded`` those that tell nothing of protection."""
    found = connection.execute(
        text(
            f"select kind, subject, other, unit_id, inferred from {'plan' if graded else _OPEN} order by 1, 2, 3, 4, 5"
        ),
        execution_options={"yield_per": 1000},
    )
    for row in found:
        yield PlanRow(*row)


def counts(connection: Connection) -> dict[str, int]:
    """Count rows per kind, in the order of ``PlanKind``, without what only ``graded`` may see."""
    found = connection.execute(text(f"select kind, count(*) from {_OPEN} group by kind"))
    counted = {kind: count for kind, count in found}
    return {kind: counted[kind] for kind in get_args(PlanKind) if kind in counted}


def inferred_losses(connection: Connection) -> int:
    """Count the losses of access that rest on absence rather than on an answer, of those that ``counts`` counts."""
    found = text(f"select count(*) from {_OPEN} where kind = 'guardian_loses_access' and inferred")
    return connection.scalar(found) or 0


def all_counts(connection: Connection) -> dict[str, int]:
    """Count rows per kind, protection too: for the guard, never to be shown."""
    return {kind: count for kind, count in connection.execute(text("select kind, count(*) from plan group by kind"))}


def digest(connection: Connection, owner: str, run: int) -> str:
    """Return the keyed hash of a run's plan, by which an approval names it.

    Keyed, and of that run alone: a digest that everybody knows (of a plan without rows, or of last week's) would tell
    of rows that only ``graded`` may see.
    """
    value = connection.scalar(
        text(
            f"select control.keyed_hash({OWN_KEY}, concat(cast(:run as text), ':', "
            "string_agg(md5(line), '' order by line collate \"C\"))) "
            "from (select plan::text as line from plan) as lines"
        ),
        {"owner": owner, "run": run},
    )
    return str(value)


_OPEN = """(
    select kind, subject, other, unit_id, inferred from plan where not graded
    union all
    select kind, subject, other, unit_id, inferred from plan_of_fortrolig
) as open_plan"""

# {active}: the states that count as access.
_ACCESS = """
select 'guardian_gains_access' as kind, a.child_id::text as subject, a.adult as other, cast(null as text) as unit_id,
    false as inferred
from after_guardian_access a
where a.state in ({active}) and not exists (
    select from before_guardian_access b
    where b.child_id = a.child_id and b.adult = a.adult and b.state in ({active}))
union all
-- Not inferred when FREG has answered, when it is known why the access is none (18 years, dead, suspended), and when
-- people have ended it.
select 'guardian_loses_access', b.child_id::text, b.adult, null,
    left(b.basis, 6) <> 'grant:'
    and not exists (
        select from after_guardian_access a where a.child_id = b.child_id and a.adult = b.adult)
    and not exists (
        select from control.veto v where v.owner = :owner and v.run = :run and v.person_id = b.child_id
            and v.adult = b.adult)
from before_guardian_access b
where b.state in ({active}) and not exists (
    select from after_guardian_access a
    where a.child_id = b.child_id and a.adult = b.adult and a.state in ({active}))
"""

_ROWS = """
{access}
union all
select case when coalesce(a.level, 0) > coalesce(b.level, 0) then 'protection_raised' else 'protection_lowered' end,
    person_id::text, '', null, false
from before_protection b
full join after_protection a using (person_id)
where coalesce(a.level, 0) <> coalesce(b.level, 0)
union all
select 'pupil_starts', e.person_id::text, '', e.unit_id, false
from after_enrolment e
where e.main and not exists (select from before_enrolment b where b.person_id = e.person_id)
union all
select 'pupil_leaves', e.person_id::text, '', e.unit_id, true
from before_enrolment e
where e.main and not exists (select from after_enrolment a where a.person_id = e.person_id)
union all
select 'pupil_changes_school', person_id::text, b.units, a.units, false
from (select person_id, string_agg(unit_id, ' ' order by unit_id) as units from before_enrolment group by 1) b
join (select person_id, string_agg(unit_id, ' ' order by unit_id) as units from after_enrolment group by 1) a
    using (person_id)
where a.units <> b.units
union all
select 'employee_starts', e.person_id::text, '', e.unit_id, false
from after_employment e
where e.main and not exists (select from before_employment b where b.person_id = e.person_id)
union all
select 'employee_leaves', e.person_id::text, '', e.unit_id, true
from before_employment e
where e.main and not exists (select from after_employment a where a.person_id = e.person_id)
union all
select 'name_changes', person_id::text, '', null, false
from before_person b
join after_person a using (person_id)
where (a.fornavn, a.mellomnavn, a.etternavn) is distinct from (b.fornavn, b.mellomnavn, b.etternavn)
union all
select 'number_changes', person_id::text, '', null, false
from before_person b
join after_person a using (person_id)
where a.number is distinct from b.number
union all
-- Also of whoever has been away since, and was known by a local id alone.
select 'number_changes', a.person_id::text, '', null, false
from after_person a
where a.number is not null
    and a.person_id not in (select person_id from before_person)
    and a.person_id in (select person_id from before_person_link)
    and a.person_id not in (select person_id from before_person_link where scheme = 'number')
union all
select
    case when exists (select from before_person_link r where r.person_id = a.person_id)
        then 'persons_join' else 'person_splits' end,
    b.person_id::text, a.person_id::text, null, false
from before_person_link b
join after_person_link a on a.scheme = b.scheme and a.value = b.value
where a.person_id <> b.person_id
union all
-- What the change of identity itself would bring: whoever is concerned and protected under either id, before or after;
-- blocks that come to hold for somebody else; access that appears or goes.
select 'identity_protection', c.became::text, c.person_id::text, null, false
from changed c
where exists (select from before_protection p where p.person_id in (c.person_id, c.became) and p.level >= 2)
    or exists (select from after_protection p where p.person_id in (c.person_id, c.became) and p.level >= 2)
union all
select 'identity_block', a.child_id::text, a.adult, null, false
from after_block a
where not exists (select from before_block b where b.child_id = a.child_id and b.adult = a.adult)
union all
select 'identity_access', coalesce(a.child_id, b.child_id)::text, coalesce(a.adult, b.adult), null, false
from (select child_id, adult from after_guardian_access where state = 'active') as a
full join (select child_id, adult from before_guardian_access where state = 'active') as b using (child_id, adult)
where (a.child_id is null or b.child_id is null) and exists (
    select from changed c
    where coalesce(a.child_id, b.child_id) in (c.person_id, c.became)
        or coalesce(a.adult, b.adult) in (c.person_id::text, c.became::text)
)
union all
select 'contact_changes', person_id::text, '', null, false
from before_contact b
full join after_contact a using (person_id)
where (a.email_hash, a.mobile_hash, a.reserved) is distinct from (b.email_hash, b.mobile_hash, b.reserved)
union all
select 'group_appears', a.group_id, '', a.unit_id, false
from after_grp a
where not exists (select from before_grp b where b.group_id = a.group_id)
union all
select 'group_vanishes', b.group_id, '', b.unit_id, true
from before_grp b
where not exists (select from after_grp a where a.group_id = b.group_id)
union all
select 'membership_changes', person_id::text, group_id, role, a.person_id is null
from before_membership b
full join after_membership a using (person_id, group_id, role)
where (a.role is null or b.role is null)
union all
select 'account_created', a.person_id::text, '', null, false
from after_account a
where a.state = 'active' and not exists (
    select from before_account b where b.person_id = a.person_id and b.state = 'active')
union all
select 'account_disabled', b.person_id::text, '', null, true
from before_account b
where b.state = 'active' and not exists (
    select from after_account a where a.person_id = b.person_id and a.state = 'active')
union all
select a.kind, a.subject, a.other, a.unit_id, false
from after_work_item a
where a.kind in ('sas_guardian_without_basis', 'sas_guardian_missing') and not exists (
    select from before_work_item b where b.kind = a.kind and b.subject = a.subject and b.other = a.other)
"""

# hidden: people who are in no export, before or after. Fortrolige are in the exports: plan counts them as everybody.
_TABLES = {
    "changed": "select person_id, became from control.identity_change where owner = :owner and run = :run",
    "hidden": """
        select person_id::text as person_id from before_protection where level = 3 or held_back
        union
        select person_id::text from after_protection where level = 3 or held_back
    """,
    "fortrolig": """
        select person_id::text as person_id from before_protection where level = 2
        union
        select person_id::text from after_protection where level = 2
        except
        select person_id from hidden
    """,
    "hidden_group": """
        select group_id
        from (select group_id, person_id, role from before_membership
            union all select group_id, person_id, role from after_membership) as every
        where role = 'student'
        group by group_id
        having bool_and(person_id::text in (select person_id from hidden))
    """,
    "plan": f"""
        select kind, subject::text as subject, other::text as other, unit_id, inferred,
            kind in ({", ".join(repr(kind) for kind in sorted(GRADED_KINDS))})
            or kind in ('guardian_gains_access', 'guardian_loses_access')
                and subject in (select person_id from fortrolig)
            or kind = 'sas_guardian_without_basis' and (subject, other) in (select child, adult from after_quiet)
            or kind = 'contact_changes' and subject in (select adult from after_quiet)
            or subject in (select person_id from hidden)
            or other in (select person_id from hidden)
            or kind in ('group_appears', 'group_vanishes') and subject in (select group_id from hidden_group) as graded
        from ({_ROWS.format(access=_ACCESS.format(active="'active'"))}) as rows
    """,
    "plan_of_fortrolig": f"""
        select kind, subject, other, unit_id, inferred
        from ({_ACCESS.format(active="'active', 'suspended'")}) as rows
        where subject in (select person_id from fortrolig) and other not in (select person_id from hidden)
            and (subject, other) not in (select child, adult from after_quiet)
    """,
}
