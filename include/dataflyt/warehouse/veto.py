"""Vetoes: what takes away does not wait.

Rows beside the line of runs, as of now, outside every run: protection raised, an adult's access to a child ended or
suspended, deaths. They are written the moment they are learned, from staged rows before any check, and laid over every
read (serving.views). A run that is undone leaves them standing. They are lifted by releasing a later run whose plan
named the lifting, or by people.

A veto is about a person, not about an id. It is written for whoever an answer is about now and for everybody the same
number or local id stood for in the released run, and it is read for everybody who is or has been one with its person.

A format that changes looks like a thousand secret addresses, or a thousand deaths. Words that we know are always
believed; what rests on unknown words, and deaths and losses of access, up to a bound: above it none of them is.
"""

from collections.abc import Mapping
from math import ceil
from typing import Protocol

from sqlalchemy import Connection, text

from dataflyt.warehouse.golden import Moment

_FEWEST_IN_DOUBT = 5
_FEWEST_UNKNOWN = 10


class Bounds(Protocol):
    """How much of an extract is believed, in percent of what is held."""

    @property
    def max_children_losing_access_percent(self) -> float:
        """Of the children with access, how many may lose any of it; of the people, how many may die."""

    @property
    def max_unknown_grading_percent(self) -> float:
        """Of the people, how many may be graded with a word that we do not know."""


def learn(
    connection: Connection,
    moment: Moment,
    bounds: Bounds,
    *,
    answered: str | None,
    beside: bool = False,
) -> frozenset[str]:
    """Write the vetoes that ``new_<table>`` give against what is true now (views ``now_<table>``).

    Returns what of the extract was too much to believe: ``access`` (its losses), ``deaths``, ``unknown_grading``,
    ``local_ids`` (the school system or HR numbers its people anew: they stay who their numbers say they are), and
    ``ungraded`` (not one grading is left, where there were several, and not of one family alone). Nothing returned or
    logged tells whether a veto was written.

    ``answered`` names a table or view with the numbers (column ``subject``) that FREG answered for in this run; loss of
    access is taken for those children only, and not at all when it would hit more than the bound's percent of those of
    them with access (at least five): a lost right to a part of FREG looks like that. Without ``answered`` no loss is
    taken. Unknown gradings are not believed of more than ten people and the bound's percent of all. Repeating it writes
    nothing new.

    ``beside``: learned outside the run ``moment.run``, which is the newest and perhaps under way. Then only some are
    answered for, and the limits are measured by everybody's children, and by all whom unknown words hide already.
    """
    bound: dict[str, object] = {**moment.bound(), "beside": beside}
    doubts = {"local_ids"} if connection.scalar(text("select exists (select from new_changed_hands)")) else set()
    for name, select in _STEPS.items():
        connection.execute(text(f"drop table if exists pg_temp.{name}"))
        connection.execute(text(f"create temporary table {name} on commit drop as {select}"), bound)
        connection.execute(text(f"analyze {name}"))

    def count(statement: str) -> int:
        return connection.scalar(text(statement), bound) or 0

    people = count("select greatest((select count(*) from now_person), (select count(*) from new_person))")
    unknown = count(
        _UNKNOWN + (_UNKNOWN_BEFORE.format(answered=answered) if beside and answered else "") + ") as person"
    )
    if unknown > max(_FEWEST_UNKNOWN, people * bounds.max_unknown_grading_percent / 100):
        doubts.add("unknown_grading")
    bound["believed"] = "unknown_grading" not in doubts
    connection.execute(text(_PROTECTION), bound)
    connection.execute(text(_CONSENT_FALLS), bound)
    percent = bounds.max_children_losing_access_percent
    if count(_DEATHS) > max(_FEWEST_IN_DOUBT, ceil(people * percent / 100)):
        doubts.add("deaths")
    else:
        connection.execute(text(_DEATH), bound)
    if answered:
        connection.execute(text("drop table if exists pg_temp.lost_access"))
        connection.execute(text(_LOST.format(answered=answered)), bound)
        children = count("select count(distinct child_id) from lost_access")
        known = count(_KNOWN + ("" if beside else _AMONG.format(answered=answered)))
        if children > max(_FEWEST_IN_DOUBT, ceil(known * percent / 100)):
            doubts.add("access")
        else:
            connection.execute(text(_ENDED), bound)
        if _only_of_several_families(connection, answered, bound):
            doubts.add("ungraded")
    connection.execute(text(_SUSPENDED), bound)
    return frozenset(doubts)


def _only_of_several_families(connection: Connection, answered: str, bound: Mapping[str, object]) -> bool:
    """Tell whether the answers leave not one of several graded people graded, who are not all of one family.

    The last protected family's ordinary lowering is asked about, as every lowering is.
    """
    found = connection.execute(text(_UNGRADED.format(answered=answered)), bound).scalars().all()
    if len(found) <= _FEWEST_IN_DOUBT:
        return False
    families = [{person} for person in found]
    for one, other in connection.execute(text(_FAMILY), {"people": [str(person) for person in found]}):
        joined = [family for family in families if one in family or other in family]
        families = [family for family in families if family not in joined] + [set().union(*joined)]
    return len(families) > 1


def plan_lifts(connection: Connection, moment: Moment) -> None:
    """Write down the vetoes that releasing this run would lift: older ones that fresh, clean answers contradict.

    A person of whom any row that says so is in quarantine has no clean answer: what is held over lifts nothing. Nor
    does a run lift what an identity that it changes brings along. Needs ``new_<table>`` and ``answered_freg``.
    """
    bound = moment.bound()
    connection.execute(text("delete from control.lift where owner = :owner and run = :run"), bound)
    connection.execute(text(_LIFTS), bound)
    connection.execute(text(_LIFTS_OF_SUSPENSIONS), bound)


def lift(connection: Connection, owner: str, run: int) -> None:
    """Lift the vetoes that the plan of a run being released names."""
    connection.execute(
        text(
            "update control.veto set lifted_run = :run, lifted_at = now() where owner = :owner and lifted_at is null "
            "and veto in (select veto from control.lift where owner = :owner and run = :run)"
        ),
        {"owner": owner, "run": run},
    )


# meant: for whom something learned about somebody is written. moved: whose id is gone, and whose it is now. past_veto:
# for whom vetoes stand, and for whom they have been lifted: a lifting gives, and follows as a grant does.
_STEPS = {
    "meant": """
        select person_id, person_id as target_id from new_protection
        union
        select person_id, known_id from new_stands_for
    """,
    "moved": """
        select known_id, person_id from new_stands_for s
        where not exists (select from new_person_link l where l.person_id = s.known_id)
    """,
    "past_veto": """
        select v.kind, coalesce(c.other_id, v.person_id) as person_id, coalesce(a.other_id::text, v.adult) as adult,
            v.level, v.unknown, v.learned_at, v.lifted_at
        from control.veto v
        left join new_kin c on c.person_id = v.person_id
        left join new_kin a on a.person_id::text = v.adult
        where v.owner = :owner and (v.lifted_at is null or v.kind = 'protection')
        union all
        select v.kind, coalesce(c.became, v.person_id), coalesce(a.became::text, v.adult),
            v.level, v.unknown, v.learned_at, v.lifted_at
        from control.veto v
        left join new_heir c on c.person_id = v.person_id
        left join new_heir a on a.person_id::text = v.adult
        where v.owner = :owner and v.lifted_at is not null and v.kind <> 'protection'
    """,
}

# Beside the line few are answered for at a time: whom unknown words have taken since the last run counts too, or a new
# format would take everybody, an hour's few by an hour's few.
_UNKNOWN = """
select count(*) from (
    select person_id from new_protection where level > known_level and cause = 'unknown_value'
"""
_UNKNOWN_BEFORE = """
    union
    select v.person_id
    from now_veto v
    where v.kind = 'protection' and v.unknown and v.cause = 'unknown_value'
        and v.person_id in (select person_id from now_person)
        and v.person_id not in (
            select l.person_id from {answered} a
            join new_person_link l on l.scheme = 'number' and l.value = a.subject
        )
"""

# What known words give and what an unknown one adds are vetoes of their own: the latter goes with a clean answer.
_PROTECTION = """
insert into control.veto (owner, kind, person_id, level, cause, cause_person_id, run, learned_at, beside, unknown)
select :owner, 'protection', m.target_id, p.level, p.cause, p.cause_person_id, :run, now(), :beside, p.unknown
from (
    select person_id, known_level as level, false as unknown,
        case when level = known_level then cause else 'known_word' end as cause,
        case when level = known_level then cause_person_id end as cause_person_id
    from new_protection
    where known_level in (2, 3)
    union all
    select person_id, level, true, cause, cause_person_id
    from new_protection
    where level > known_level and level in (2, 3) and :believed
) as p
join meant m on m.person_id = p.person_id
left join now_protection n on n.person_id = m.target_id
where p.level > coalesce(case when p.unknown then n.level else n.known_level end, 0)
    -- What HR or people may take back again does not stand for what FREG says.
    or not p.unknown and p.level = n.known_level and n.cause in ('hr', 'override') and p.cause not in ('hr', 'override')
order by m.target_id, p.unknown
"""

_DEATHS = """
select count(distinct p.person_id)
from new_person p
where p.dead and not exists (select from now_person n where n.person_id = p.person_id and n.dead)
    and exists (select from now_person n where n.person_id = p.person_id)
"""

_DEATH = """
insert into control.veto (owner, kind, person_id, cause, run, learned_at, beside)
select distinct :owner, 'death', m.target_id, 'register', cast(:run as bigint), now(), cast(:beside as boolean)
from new_person p
join meant m on m.person_id = p.person_id
where p.dead
    and not exists (select from now_veto v where v.kind = 'death' and v.person_id = m.target_id)
"""

# Consent never holds for a protected child, and what has fallen takes a new grant. Of this nobody is told who may not
# see protection (``quiet`` in serving).
_CONSENT_FALLS = """
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, beside)
select distinct :owner, 'access_ended', g.child_id, g.adult, 'consent_protected', cast(:run as bigint), now(),
    cast(:beside as boolean)
from now_access_by_grant_bare g
join now_protection x on x.person_id = g.child_id and x.level >= 2
where g.basis = 'consent' and not exists (
    select from now_veto v where v.kind = 'access_ended' and v.person_id = g.child_id and v.adult = g.adult
)
"""

# A child or an adult whose id is gone is looked for under the one that they have now.
_LOST = """
create temporary table lost_access on commit drop as
select distinct n.child_id, n.adult, case n.basis when 'grant:consent' then 'consent' else 'answered' end as cause
from now_guardian_access n
left join moved c on c.known_id = n.child_id
left join moved a on a.known_id::text = n.adult
where n.state in ('active', 'suspended')
    and n.basis in ('foreldreansvar', 'grant:consent')
    and exists (
        select from {answered} f
        join new_person_link l on l.scheme = 'number' and l.value = f.subject
        where l.person_id = coalesce(c.person_id, n.child_id)
    )
    and exists (select from new_enrolment e where e.person_id = coalesce(c.person_id, n.child_id))
    and not exists (
        select from new_guardian_access g
        where g.child_id = coalesce(c.person_id, n.child_id) and g.adult = coalesce(a.person_id::text, n.adult)
            and g.state = 'active'
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

# What a lost right to that part looks like. Lowering is asked about, but the question may not say of how many. Whom
# only a word that we do not know has graded does not count: it goes with a clean answer.
_UNGRADED = """
select distinct l.person_id
from history.freg_adressebeskyttelse h
join new_person_link l on l.scheme = 'number' and l.value = h.foedselsellerdnummer
where h.owner = :owner and h.to_run is null and h.ergjeldende is not false
    and h.graderingsnivaa is distinct from 'ugradert'
    and h.foedselsellerdnummer in (select subject from {answered})
    and not exists (
        select from freg_adressebeskyttelse where (graderingsnivaa is distinct from 'ugradert' or ukjent)
            and ergjeldende is not false and foedselsellerdnummer in (select subject from {answered})
    )
"""
# Of one family: an adult and a child, two children of an adult, two adults of a child.
_FAMILY = """
with near as (
    select child_id::text as person, adult as other from now_guardian_access
    union
    select adult, child_id::text from now_guardian_access
    union
    select person, person from unnest(cast(:people as text[])) as person
)
select distinct cast(a.person as uuid), cast(b.person as uuid)
from near a
join near b on b.other = a.other and a.person < b.person
where a.person = any(:people) and b.person = any(:people)
union
select cast(person as uuid), cast(other as uuid) from near where person = any(:people) and other = any(:people)
"""

_ENDED = """
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, beside)
select :owner, 'access_ended', child_id, adult, cause, :run, now(), :beside from lost_access
order by child_id, adult
"""

# strengtFortrolig: every adult; fortrolig: those not registered at the child's address. Until decided adult by adult:
# a suspension that people have lifted since the protection was raised stays lifted. One that rests on an unknown word
# alone says so.
_SUSPENDED = """
with lives as (
    select distinct l.person_id, a.bolig
    from freg_bostedsadresse a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.bolig is not null and a.erGjeldende is not false
),
dwelling as (
    select person_id, bolig from lives
    union
    select m.known_id, l.bolig from moved m join lives l on l.person_id = m.person_id
),
said as (
    select person_id, known_level as level, true as known from new_protection
    union all
    select person_id, level, false from new_protection where :believed
    union all
    select person_id, known_level, true from now_protection
    union all
    select person_id, level, false from now_protection
    union all
    select person_id, level, not unknown from past_veto where kind = 'protection' and lifted_at is null
),
protected as (
    select person_id, max(level) as level, coalesce(max(level) filter (where known), 0) as known_level
    from said
    where level in (2, 3)
    group by person_id
),
together as materialized (
    select distinct p.person_id as child_id, a.person_id::text as adult
    from protected p
    join dwelling c on c.person_id = p.person_id
    join dwelling a on a.bolig = c.bolig
    where p.level = 2 or p.known_level = 2
),
pair as (
    select child_id, adult from new_guardian_access where state = 'active'
    union
    select child_id, adult from now_guardian_access where state = 'active'
),
suspended as (
    select x.child_id, x.adult, not (p.known_level = 3 or p.known_level = 2 and t.child_id is null) as unknown
    from pair x
    join protected p on p.person_id = x.child_id
    left join together t on t.child_id = x.child_id and t.adult = x.adult
    where p.level = 3 or t.child_id is null
)
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, beside, unknown)
select :owner, 'access_suspended', s.child_id, s.adult, 'child_protected', :run, now(), :beside, s.unknown
from suspended s
where not exists (
    select from past_veto v
    where v.kind = 'access_suspended' and v.person_id = s.child_id and v.adult = s.adult
        and (s.unknown or not v.unknown)
        and (v.lifted_at is null or v.lifted_at >= coalesce((
            select max(r.learned_at) from past_veto r
            where r.kind = 'protection' and r.person_id = s.child_id and (s.unknown or not r.unknown)
        ), v.lifted_at))
)
order by s.child_id, s.adult
"""

# stands: the vetoes that might be lifted, with everybody each holds for; not those that a change of this run carries to
# somebody else, or that rest on somebody whom it concerns. Whoever has become one with another, and is here, must be
# answered for too.
_STANDS = """
held as (
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
),
-- Of employees about whom FREG has never been asked HR tells what HR has marked, and people what they have decided.
told as (
    select person_id from new_employment where person_id not in (select person_id from new_vitals where answered)
),
member as (
    select v.veto, coalesce(k.other_id, v.person_id) as person_id
    from control.veto v
    left join new_kin k on k.person_id = v.person_id
    where v.owner = :owner and v.lifted_at is null and v.run < :run
),
believed as (
    select m.veto, m.person_id from member m where m.person_id in (select person_id from fresh)
    union
    select m.veto, m.person_id
    from member m
    join control.veto v on v.owner = :owner and v.veto = m.veto
    where v.cause in ('hr', 'override') and m.person_id in (select person_id from told)
),
of_adult as (
    select v.veto, coalesce(k.other_id::text, v.adult) as adult
    from control.veto v
    left join new_kin k on k.person_id::text = v.adult
    where v.owner = :owner and v.lifted_at is null and v.run < :run and v.adult is not null
),
changed as (
    select person_id from new_identity_change
    union
    select became from new_identity_change
),
stands as (
    select v.*
    from control.veto v
    where v.owner = :owner and v.lifted_at is null and v.run < :run
        and v.veto in (select b.veto from believed b)
        and v.veto not in (
            select m.veto from member m
            where m.person_id in (select person_id from changed)
                or m.person_id in (select person_id from new_person) and not exists (
                    select from believed b where b.veto = m.veto and b.person_id = m.person_id
                )
        )
        and v.veto not in (
            select a.veto from of_adult a where a.adult in (select person_id::text from changed)
        )
        and coalesce(v.cause_person_id not in (
            select k.other_id from changed c join new_kin k on k.person_id = c.person_id
        ), true)
        and (v.cause_person_id is null or v.cause_person_id in (select person_id from fresh) or exists (
            select from new_kin k
            where k.person_id = v.cause_person_id and k.other_id in (select person_id from fresh)
        ))
)
"""

_LIFTS = f"""
with {_STANDS}
insert into control.lift (owner, run, veto)
select :owner, :run, v.veto
from stands v
where (
        v.kind = 'protection'
        and v.veto not in (
            select m.veto from member m
            join control.veto w on w.owner = :owner and w.veto = m.veto
            join new_protection p on p.person_id = m.person_id
            where p.level >= w.level
        )
    )
    or (
        v.kind = 'access_ended'
        and exists (
            select from new_guardian_access g
            join member m on m.person_id = g.child_id
            join of_adult a on a.adult = g.adult
            where m.veto = v.veto and a.veto = v.veto and g.state = 'active'
        )
    )
    or (
        v.kind = 'death'
        and v.veto in (
            select m.veto from member m join new_person p on p.person_id = m.person_id where not p.dead
        )
        and v.veto not in (
            select m.veto from member m join new_person p on p.person_id = m.person_id where p.dead
        )
    )
"""

# What an unknown word has suspended goes with the last of what protects the child, never with less.
_LIFTS_OF_SUSPENSIONS = f"""
with {_STANDS}
insert into control.lift (owner, run, veto)
select :owner, :run, v.veto
from stands v
where v.kind = 'access_suspended' and v.unknown
    and v.veto not in (
        select m.veto from member m
        join new_protection p on p.person_id = m.person_id
        where p.level >= 2
    )
    and v.veto not in (
        select m.veto from member m
        join member same on same.person_id = m.person_id
        join control.veto w on w.owner = :owner and w.veto = same.veto
        where w.kind = 'protection'
            and w.veto not in (select l.veto from control.lift l where l.owner = :owner and l.run = :run)
    )
"""
