"""Undoing a released run: what it gave goes at once, and what it took comes back by no undoing.

In: the newest released run, and the golden record of the run before it. Out: the earlier run is the kommune's current
one, and holds under more than it did before:

- Vetoes stay, and the vetoes that the run's release lifted are in force again.
- Access, protection and deaths are compared before and after. Where the earlier run would give access, protect less, or
  let somebody live, a veto is written (its cause is ``undone``). A later run lifts it as it lifts every veto.
- A person who would come back into the exports is held back (``control.undone_hold``) until a later run is released.
  FREG's events about a person whom the kommune did not hold have not been read. A person who would get a former given
  name back is held back too: a former name is never exported.
- User names that the run gave stay reserved for their people, and its changes of identity still carry protections.

Everybody is compared under all ids that they have or have had. Nothing here tells how many are protected.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, text

from dataflyt.warehouse import contact, events, merge, plan, rules, runs, shown, vetoed_views
from dataflyt.warehouse.plan import Plan
from dataflyt.warehouse.vetoed_views import Views


def undo(
    now: Views,
    day: date,
    *,
    decided_by: str,
    approved_by: str,
    hold_unasked: bool = False,
    employees: bool = False,
) -> Views:
    """Undo the released run of the views ``now``; return views of the earlier run as it then holds (``then_``).

    ``now`` has the prefix ``now_``. ``day`` and ``hold_unasked`` are those that it was made with. With ``employees``
    the kommune asks FREG about employees too. A newer run that is not released is undone and superseded. The database
    refuses every run but the newest released one, the first released run, and one person in both places. The caller
    must hold the kommune's lock.
    """
    connection, owner, run = now.connection, now.owner, now.run
    bound: dict[str, object] = {"owner": owner, "run": run, "one": decided_by, "other": approved_by}
    shown.views(now)
    _keep(connection, _HAD)
    contact.forget(connection, owner)  # a contact that the run removed does not come back in clear
    for newer in connection.execute(text(_UNRELEASED), bound).scalars().all():
        runs.undo(connection, owner, newer, "superseded")
    for statement in (_UNDONE, _LIFTED, _STATE):
        connection.execute(text(statement), bound)
    merge.undo_released(connection, owner, run)
    earlier = runs.released_before(connection, owner)
    then = vetoed_views.views(connection, owner, earlier, "then_", day=day, hold_unasked=hold_unasked)
    for statement in _TAKEN:
        connection.execute(text(statement), bound)
    shown.views(then)
    connection.execute(text(_HOLD), bound)
    contact.forget(connection, owner)
    events.route_no_other_numbers(connection, owner, employees=employees)
    return then


def reverse_plan(now: Views, day: date, *, hold_unasked: bool = False, employees: bool = False) -> Plan:
    """Undo the run of ``now`` and return the plan of what changes, for a transaction that is rolled back afterwards.

    Before is what holds now, after is what would hold. The plan has two kinds of its own: pupils and employees who
    leave the exports, and blocks that the run's release had lifted. Those who leave because they are protected again
    are in rows that only readers who may see protection are shown.
    """
    connection = now.connection
    compared = sorted(
        {need for rule in rules.folder("plan").values() for need in rule.needs if need.startswith("before_")}
    )
    shown.views(now)
    _keep(connection, {name: f"select * from now_{name.removeprefix('before_')}" for name in compared})
    _keep(connection, {"before_shown": "select person_id from now_shown_person where pupil or employee"})
    then = undo(now, day, decided_by="one", approved_by="another", hold_unasked=hold_unasked, employees=employees)
    shown.views(vetoed_views.views(connection, now.owner, then.run, "after_", day=day, hold_unasked=hold_unasked))
    found = plan.compare(connection, now.owner, now.run, then.run)
    rules.script(connection, [_BLOCK_AGAIN, _LEAVES_EXPORTS.format(owner=now.owner)])
    return found


_BLOCK_AGAIN = """
update plan p set kind = 'block_again'
where kind = 'identity_block' and not exists (
    select from changed c where p.subject in (c.person_id::text, c.became::text)
        or p.other in (c.person_id::text, c.became::text)
)
"""
_LEAVES_EXPORTS = """
insert into plan (kind, subject, other, unit_id, inferred, graded)
select 'leaves_exports', b.person_id::text, '', null, false,
    coalesce(x.level >= 3 or x.held_back and b.person_id not in (
        select h.person_id from control.undone_hold h where h.owner = '{owner}'
    ), false)
from before_shown b
left join after_protection x on x.person_id = b.person_id
where b.person_id not in (select person_id from after_shown_person)
"""


def _keep(connection: Connection, tables: dict[str, str]) -> None:
    """Copy what the queries give now into temporary tables of these names."""
    for name, query in tables.items():
        connection.execute(text(f"create temporary table {name} on commit drop as {query}"))
        connection.execute(text(f"analyze {name}"))


_HAD = {
    "had_access": """
        select distinct coalesce(c.other_id, g.child_id) as child_id, coalesce(a.other_id::text, g.adult) as adult
        from now_guardian_access g
        left join now_kin c on c.person_id = g.child_id
        left join now_kin a on a.person_id::text = g.adult
        where g.state = 'active'
    """,
    "had_protection": """
        select coalesce(k.other_id, x.person_id) as person_id, max(x.level) as level, max(x.known_level) as known_level
        from now_protection x
        left join now_kin k on k.person_id = x.person_id
        group by 1
    """,
    "had_died": """
        select distinct coalesce(k.other_id, p.person_id) as person_id
        from now_person p
        left join now_kin k on k.person_id = p.person_id
        where p.dead
    """,
    "had_shown": """
        select distinct coalesce(k.other_id, s.person_id) as person_id, s.fornavn
        from now_shown_person s
        left join now_kin k on k.person_id = s.person_id
    """,
}
"""What holds before the undoing, for everybody under all their ids."""

_UNRELEASED = (
    "select run from control.run where owner = :owner and run > :run and state in ('open', 'merged') order by run desc"
)
_UNDONE = "insert into control.undo (owner, run, decided_by, approved_by) values (:owner, :run, :one, :other)"
_LIFTED = (
    "update control.veto set lifted_run = null, lifted_at = null, lifted_by = null, lifted_by_second = null "
    "where owner = :owner and lifted_run = :run and lifted_at is not null"
)
_STATE = "update control.run set state = 'undone' where owner = :owner and run = :run"

_VETO = "insert into control.veto (owner, kind, person_id, adult, level, unknown, cause, run, learned_at) "
_TAKEN: Sequence[str] = (
    f"""{_VETO}
    select :owner, 'protection', t.person_id, null, h.known_level, false, 'undone', :run, now()
    from then_protection t
    join had_protection h on h.person_id = t.person_id
    where h.known_level in (2, 3) and t.known_level < h.known_level
    order by t.person_id
    """,
    # As the rules of vetoes have it: what an unknown word adds is a veto of its own, and a clean answer lifts it.
    f"""{_VETO}
    select :owner, 'protection', t.person_id, null, h.level, true, 'undone', :run, now()
    from then_protection t
    join had_protection h on h.person_id = t.person_id
    where h.level in (2, 3) and h.level > h.known_level and t.level < h.level
    order by t.person_id
    """,
    f"""{_VETO}
    select :owner, 'death', t.person_id, null, null, false, 'undone', :run, now()
    from then_person t
    where not t.dead and t.person_id in (select person_id from had_died)
    order by t.person_id
    """,
    f"""{_VETO}
    select :owner, 'access_ended', t.child_id, t.adult, null, false, 'undone', :run, now()
    from then_guardian_access t
    where t.state = 'active'
        and not exists (select from had_access h where h.child_id = t.child_id and h.adult = t.adult)
    order by t.child_id, t.adult
    """,
)
"""Vetoes for what the earlier run would give back."""

_HOLD = """
insert into control.undone_hold (owner, run, person_id, renamed)
select :owner, :run, s.person_id, exists (select from had_shown h where h.person_id = s.person_id)
from then_shown_person s
where not exists (
    select from had_shown h where h.person_id = s.person_id and h.fornavn is not distinct from s.fornavn
)
"""
