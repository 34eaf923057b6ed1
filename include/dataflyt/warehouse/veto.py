"""Vetoes: what takes away does not wait.

Rows beside the line of runs, as of now, outside every run: protection raised, an adult's access to a child ended or
suspended, deaths. They are written the moment they are learned, from staged rows before any check, and laid over every
read (serving.views). A run that is undone leaves them standing. They are lifted by releasing a later run whose plan
named the lifting, or by people.
"""

from dataclasses import dataclass
from math import ceil

from sqlalchemy import Connection, text

from dataflyt.warehouse.golden import Moment

_FEWEST_IN_DOUBT = 5


@dataclass(frozen=True)
class Learned:
    """What an extract taught: whether anything was written, and what of it was too much to believe.

    ``in_doubt``: its losses of access; ``ungraded``: not one grading is left, where there were several.
    """

    any_written: bool
    in_doubt: bool
    ungraded: bool


def learn(
    connection: Connection,
    moment: Moment,
    *,
    answered: str | None,
    max_children_percent: float,
    beside: bool = False,
) -> Learned:
    """Write the vetoes that ``new_<table>`` give against what is true now (views ``now_<table>``).

    ``answered`` names a table or view with the numbers (column ``subject``) that FREG answered for in this run; loss of
    access is taken for those children only, and not at all when it would hit more than ``max_children_percent`` of
    those of them with access (at least five): a lost right to a part of FREG looks like that. Without ``answered`` no
    loss is taken. Repeating it writes nothing new.

    ``beside``: learned outside the run ``moment.run``, which is the newest and perhaps under way. Then only some are
    answered for, and the limit is measured by everybody's children.
    """
    bound = {**moment.bound(), "beside": beside}
    raised = connection.execute(text(_PROTECTION), bound).rowcount
    deaths = connection.execute(text(_DEATH), bound).rowcount
    ended, in_doubt, ungraded = 0, False, False
    if answered:
        connection.execute(text("drop table if exists pg_temp.lost_access"))
        connection.execute(text(_LOST.format(answered=answered)), bound)
        children = connection.scalar(text("select count(distinct child_id) from lost_access")) or 0
        known = connection.scalar(text(_KNOWN + ("" if beside else _AMONG.format(answered=answered)))) or 0
        in_doubt = children > max(_FEWEST_IN_DOUBT, ceil(known * max_children_percent / 100))
        ungraded = bool(connection.scalar(text(_UNGRADED.format(answered=answered)), bound))
        if not in_doubt:
            ended = connection.execute(text(_ENDED), bound).rowcount
    suspended = connection.execute(text(_SUSPENDED), bound).rowcount
    return Learned(raised + deaths + ended + suspended > 0, in_doubt, ungraded)


def plan_lifts(connection: Connection, moment: Moment) -> None:
    """Write down the vetoes that releasing this run would lift: older ones that fresh, clean answers contradict.

    A person of whom any row that says so is in quarantine has no clean answer: what is held over lifts nothing. Needs
    ``new_<table>`` and the view ``answered_freg``.
    """
    bound = moment.bound()
    connection.execute(text("delete from control.lift where owner = :owner and run = :run"), bound)
    connection.execute(text(_LIFTS), bound)


def lift(connection: Connection, owner: str, run: int) -> None:
    """Lift the vetoes that the plan of a run being released names."""
    connection.execute(
        text(
            "update control.veto set lifted_run = :run, lifted_at = now() where owner = :owner and lifted_at is null "
            "and veto in (select veto from control.lift where owner = :owner and run = :run)"
        ),
        {"owner": owner, "run": run},
    )


def raised_protection(connection: Connection, owner: str, run: int) -> bool:
    """Tell whether a run has raised anybody's protection."""
    return bool(
        connection.scalar(
            text(
                "select exists (select from control.veto where owner = :owner and run = :run and kind = 'protection')"
            ),
            {"owner": owner, "run": run},
        )
    )


def last(connection: Connection, owner: str) -> int:
    """Return the newest veto's number, 0 when there is none: with the run it names a state of the exports."""
    return (
        connection.scalar(
            text("select coalesce(max(veto), 0) from control.veto where owner = :owner"), {"owner": owner}
        )
        or 0
    )


_PROTECTION = """
insert into control.veto (owner, kind, person_id, level, cause, cause_person_id, run, learned_at, beside)
select :owner, 'protection', p.person_id, p.level, p.cause, p.cause_person_id, :run, now(), :beside
from new_protection p
left join now_protection n on n.person_id = p.person_id
where p.level in (2, 3) and p.level > coalesce(n.level, 0)
order by p.person_id
"""

_DEATH = """
insert into control.veto (owner, kind, person_id, cause, run, learned_at, beside)
select :owner, 'death', p.person_id, 'register', :run, now(), :beside
from new_person p
where p.dead
    and not exists (select from now_veto v where v.kind = 'death' and v.person_id = p.person_id)
order by p.person_id
"""

_LOST = """
create temporary table lost_access on commit drop as
select n.child_id, n.adult
from now_guardian_access n
where n.state in ('active', 'suspended')
    and n.basis = 'foreldreansvar'
    and exists (
        select from {answered} a
        join new_person_link l on l.scheme = 'number' and l.value = a.subject
        where l.person_id = n.child_id
    )
    and exists (select from new_enrolment e where e.person_id = n.child_id)
    and not exists (
        select from new_guardian_access g
        where g.child_id = n.child_id and g.adult = n.adult and g.state = 'active'
    )
"""

_KNOWN = """
select count(distinct n.child_id)
from now_guardian_access n
where n.state = 'active'
"""
_AMONG = """
and n.child_id in (
    select l.person_id from {answered} a join new_person_link l on l.scheme = 'number' and l.value = a.subject
)
"""

# What a lost right to that part looks like. Lowering is asked about, but the question may not say of how many.
_UNGRADED = """
with graded as (
    select foedselsellerdnummer as subject
    from history.freg_adressebeskyttelse
    where owner = :owner and to_run is null and graderingsnivaa is distinct from 'ugradert'
        and ergjeldende is not false
        and foedselsellerdnummer in (select subject from {answered})
)
select count(*) >= 3 and not exists (
    select from freg_adressebeskyttelse where graderingsnivaa is distinct from 'ugradert'
        and foedselsellerdnummer in (select subject from {answered})
)
from graded
"""

_ENDED = """
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, beside)
select :owner, 'access_ended', child_id, adult, 'answered', :run, now(), :beside from lost_access
order by child_id, adult
"""

# strengtFortrolig: every adult; fortrolig: those not registered at the child's address. Until decided adult by adult:
# a suspension that people have lifted since the protection was raised stays lifted.
_SUSPENDED = """
with dwelling as (
    select distinct l.person_id, a.bolig
    from freg_bostedsadresse a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.bolig is not null and a.erGjeldende is not false
),
protected as (
    select distinct on (person_id) person_id, level from (
        select person_id, level from new_protection where level in (2, 3)
        union all
        select person_id, level from now_protection where level in (2, 3)
        union all
        select person_id, level from control.veto
        where owner = :owner and kind = 'protection' and lifted_at is null
    ) as every
    order by person_id, level desc
),
together as materialized (
    select distinct p.person_id as child_id, a.person_id::text as adult
    from protected p
    join dwelling c on c.person_id = p.person_id
    join dwelling a on a.bolig = c.bolig
    where p.level = 2
),
pair as (
    select child_id, adult from new_guardian_access where state = 'active'
    union
    select child_id, adult from now_guardian_access where state = 'active'
)
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, beside)
select :owner, 'access_suspended', x.child_id, x.adult, 'child_protected', :run, now(), :beside
from pair x
join protected p on p.person_id = x.child_id
where (
        p.level = 3
        or not exists (select from together t where t.child_id = x.child_id and t.adult = x.adult)
    )
    and not exists (
        select from control.veto v
        where v.owner = :owner and v.kind = 'access_suspended' and v.person_id = x.child_id and v.adult = x.adult
            and (v.lifted_at is null or v.lifted_at >= coalesce((
                select max(r.learned_at) from control.veto r
                where r.owner = :owner and r.kind = 'protection' and r.person_id = x.child_id
            ), v.lifted_at))
    )
order by x.child_id, x.adult
"""

_LIFTS = """
with held as (
    select distinct subject
    from control.quarantine
    where owner = :owner and run = :run and table_name in (
        'freg_person', 'freg_identifikasjonsnummer', 'freg_adressebeskyttelse', 'freg_bostedsadresse',
        'freg_annenAdresse', 'freg_foreldreansvar'
    )
),
answered as (
    select l.person_id, bool_or(q.subject is not null) as held_over
    from answered_freg a
    join new_person_link l on l.scheme = 'number' and l.value = a.subject
    left join held q on q.subject = a.answer
    group by l.person_id
),
fresh as (
    select person_id from answered where not held_over
)
insert into control.lift (owner, run, veto)
select :owner, :run, v.veto
from control.veto v
where v.owner = :owner and v.lifted_at is null and v.run < :run
    and v.person_id in (select person_id from fresh)
    and (v.cause_person_id is null or v.cause_person_id in (select person_id from fresh))
    and (
        (
            v.kind = 'protection'
            and v.level > coalesce((select p.level from new_protection p where p.person_id = v.person_id), 0)
        )
        or (
            v.kind = 'access_ended'
            and exists (
                select from new_guardian_access g
                where g.child_id = v.person_id and g.adult = v.adult and g.state = 'active'
            )
        )
        or (
            v.kind = 'death'
            and exists (select from new_person p where p.person_id = v.person_id and not p.dead)
        )
    )
"""
