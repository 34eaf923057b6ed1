"""What one kommune takes over from another: accounts, protections and decisions, when kommuner merge or split.

Row-level security keeps the two apart, so there are two transactions: ``hand_over`` reads as the one kommune's role,
and the rest writes as the other's. Each kommune has its own ids of people. People are matched by number, never by name.
A person without a number is matched by the school system's or HR's own id, unless somebody here has that id already.

What protects is written for every person that an identifier may mean; what gives, only where it means one person.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.storage.database import OWN_KEY, copied
from dataflyt.warehouse import runs
from dataflyt.warehouse.vetoed_views import Views

_ROWS_AT_A_TIME = 5000


@dataclass(frozen=True)
class Part:
    """A kind of rows that is handed over: its name here (a temporary table ``from_<name>``), columns, and query."""

    name: str
    columns: str
    query: str


# The people who are at other schools only, and the adults whose only children here are such pupils.
_AWAY = """
create temporary table away on commit drop as
with at as (
    select person_id, unit_id from now_enrolment
    union
    select person_id, unit_id from now_employment where person_id is not null and unit_id is not null
),
elsewhere as (
    select person_id from at group by person_id having not bool_or(unit_id = any(cast(:schools as text[])))
)
select person_id::text as who from elsewhere where cardinality(cast(:schools as text[])) > 0
union
select g.adult
from now_guardian_access g
where cardinality(cast(:schools as text[])) > 0 and g.adult not in (select person_id::text from at)
group by g.adult
having bool_and(g.child_id in (select person_id from elsewhere))
"""

_PARTS = (
    Part(
        "protection",
        "who text, level int, known_level int, cause text",
        "select person_id::text, level, known_level, cause from now_protection "
        "where level >= 2 and person_id::text not in (select who from away)",
    ),
    Part(
        # Beside the protection, which may have another cause that a run lifts. Whoever is protected together with
        # somebody who stays at another school is held back too: the new owner does not ask FREG about the other, and
        # its first run would lift the protection.
        "held_back",
        "who text, level int, reason text, case_number text, decided_by text, review_on date",
        "(select distinct on (v.person_id) v.person_id::text, v.level, d.reason, d.case_number, d.decided_by, "
        "d.review_on from control.veto v join control.veto_decision d on d.owner = :owner and d.veto = v.veto "
        "and d.said = 'held_back' where v.owner = :owner and v.lifted_at is null and v.kind = 'protection' "
        "and v.cause = 'held_back' and v.person_id::text not in (select who from away) "
        "order by v.person_id, d.decided_at desc) "
        "union all select x.person_id::text, x.level, 'Beskyttet sammen med en som går på en annen skole', null, "
        ":owner, current_date from now_protection x where x.level >= 2 "
        "and x.cause_person_id::text in (select who from away) and x.person_id::text not in (select who from away)",
    ),
    Part(
        "veto",
        "kind text, child text, adult text",
        "select kind, person_id::text, adult from control.veto where owner = :owner and lifted_at is null "
        "and kind <> 'protection' and person_id::text not in (select who from away)",
    ),
    *(
        Part(
            kind,
            "number bigint, child text, adult text, said text",
            f"select {kind}, {child}::text, {adult}, to_jsonb(d)::text from control.{kind} d "
            f"where owner = :owner and {ended} is null and {child}::text not in (select who from away)",
        )
        for kind, child, adult, ended in (
            ("access_block", "child_id", "adult", "lifted_at"),
            ("override", "person_id", "null", "ended_at"),
            ("access_grant", "child_id", "adult", "withdrawn_at"),
        )
    ),
    Part(
        "consent",
        "number bigint, of_grant bigint, adult text, said text",
        "select c.consent, c.access_grant, c.given_by, to_jsonb(c)::text from control.consent c "
        "join control.access_grant g on g.owner = :owner and g.access_grant = c.access_grant "
        "where c.owner = :owner and c.withdrawn_at is null and g.withdrawn_at is null "
        "and g.child_id::text not in (select who from away)",
    ),
    Part(
        # People registered by hand, and aliases: at the schools that are taken over.
        "manual_person",
        "number bigint, child text, said text",
        "select manual_person, stands_for::text, to_jsonb(d)::text from control.manual_person d "
        "where owner = :owner and ended_at is null and coalesce(until, 'infinity') >= current_date "
        "and (cardinality(cast(:schools as text[])) = 0 or unit_id = any(cast(:schools as text[])))",
    ),
    Part(
        # Every decision that holds, also those about other schools: what no longer holds there is ended here.
        "standing",
        "kind text, number bigint",
        "select 'access_grant', access_grant from control.access_grant where owner = :owner and withdrawn_at is null "
        "union all select 'consent', consent from control.consent where owner = :owner and withdrawn_at is null "
        "union all select 'manual_person', manual_person from control.manual_person "
        "where owner = :owner and ended_at is null",
    ),
    Part(
        "account",
        "who text, uid text",
        "select person_id::text, lower(uid) from now_account a where person_id::text not in (select who from away) "
        "and (state = 'active' or cardinality(cast(:schools as text[])) = 0)",
    ),
)
_MENTIONED = (
    ("protection", "who"),
    ("held_back", "who"),
    ("veto", "child"),
    ("veto", "adult"),
    ("access_block", "child"),
    ("access_block", "adult"),
    ("override", "child"),
    ("access_grant", "child"),
    ("access_grant", "adult"),
    ("consent", "adult"),
    ("manual_person", "child"),
    ("account", "who"),
)

# Each person's own identifiers; and those of all who are or have been one with the person, which are not its "own".
# Adults without a number are known by a hash of name and birth date ("uten"), as in golden/responsible.sql.
_IDENTIFIERS = f"""
with who as (
    select who, who as person from asked_about
    union
    select w.who, k.other_id::text from asked_about w join now_kin k on k.person_id::text = w.who
)
select w.who, l.scheme, l.value, coalesce(l.current, false), w.person = w.who
from who w
join now_person_link l on l.person_id::text = w.person
union
select w.who, 'uten', n.value, true, true
from asked_about w
join (
    select distinct concat_ws(
        '|',
        ansvarligutenidentifikator_fornavn,
        ansvarligutenidentifikator_mellomnavn,
        ansvarligutenidentifikator_etternavn,
        ansvarligutenidentifikator_foedselsdato
    ) as value
    from history.freg_foreldreansvar where owner = :owner
) as n on w.who = 'uten:' || control.keyed_hash({OWN_KEY}, n.value)
"""


def hand_over(giving: Views, taking: Connection, schools: Sequence[str]) -> None:
    """Copy what the kommune of ``giving`` (of prefix ``now_``) has to hand over, into temporary tables of ``taking``.

    With ``schools`` (organisation numbers) everything about people who are only at other schools is left out; people
    who are at no school are in every part. The tables are ``from_<part>`` and ``from_identifier``.
    """
    bound = {"owner": giving.owner, "schools": list(schools)}
    source = giving.connection
    source.execute(text(_AWAY), bound)
    for part in _PARTS:
        copied(taking, f"from_{part.name}", part.columns, _streamed(source, part.query, bound))
    mentioned = " union ".join(
        f"select {column} from from_{part} where {column} is not null" for part, column in _MENTIONED
    )
    copied(source, "asked_about", "who text", _streamed(taking, mentioned, {}))
    columns = "who text, scheme text, value text, is_current boolean, own boolean"
    copied(taking, "from_identifier", columns, _streamed(source, _IDENTIFIERS, bound))
    for table in ("from_identifier", *(f"from_{part.name}" for part in _PARTS)):
        taking.execute(text(f"analyze {table}"))


def _streamed(connection: Connection, query: str, bound: dict[str, Any]) -> Iterator[Sequence[object]]:
    yield from connection.execute(text(query), bound, execution_options={"yield_per": _ROWS_AT_A_TIME})


# A person there, and each person here that it may mean. It is "sure" if its own identifiers mean one person.
_MEANT = f"""
create temporary table meant on commit drop as
with known as (
    select scheme, value, person_id from golden.person_link where owner = :owner and to_run is null
    union
    select scheme, value, person_id from control.taken_link where owner = :owner
),
by_number as (
    select distinct i.who, k.person_id, i.own
    from from_identifier i
    join known k on k.scheme = 'number' and k.value = i.value
    where i.scheme = 'number'
),
-- Nobody here has had any of the numbers: the id that the first run to see the number will give.
first_number as (
    select distinct on (who) who, scheme, value from from_identifier
    where scheme = 'number' and own and who not in (select who from by_number where own)
    order by who, is_current desc, value
),
local_id as (
    select i.who, i.scheme, i.value from from_identifier i
    where i.own and i.scheme in ('sas', 'hr')
        and i.who not in (select who from from_identifier where own and scheme = 'number')
        and (
            not exists (select from known k where k.scheme = i.scheme and k.value = i.value)
            or exists (
                select from control.taken_link t where t.owner = :owner and t.scheme = i.scheme and t.value = i.value
                    and t.origin = :origin
            )
        )
),
every as (
    select who, person_id::text as meant, own from by_number
    union
    select who, substr(control.keyed_hash({OWN_KEY}, scheme || ':' || value), 1, 32)::uuid::text, true
    from (select * from first_number union all select * from local_id) as fresh
    union
    select who, 'uten:' || control.keyed_hash({OWN_KEY}, value), true from from_identifier where scheme = 'uten'
    union
    select adult, adult, true from (
        select adult from from_veto union select adult from from_access_block union select adult from from_access_grant
        union select adult from from_consent
    ) as named where starts_with(adult, 'org:')
)
select who, meant, own and count(*) filter (where own) over (partition by who) = 1 as sure
from (select who, meant, bool_or(own) as own from every group by who, meant) as once
"""

_LINKS = """
insert into control.taken_link (owner, scheme, value, person_id, origin)
select distinct :owner, i.scheme, i.value, cast(m.meant as uuid), :origin
from from_identifier i
join meant m on m.who = i.who and m.sure
where i.own and (i.scheme = 'number' or i.who not in (select who from from_identifier where own and scheme = 'number'))
    and i.scheme in ('number', 'sas', 'hr')
on conflict do nothing
"""

# The protection by known words is one veto, and the addition by an unknown word is another, as in veto/protection.sql.
_PROTECTION = """
insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run, unknown)
select :owner, 'protection', cast(p.meant as uuid), max(p.level), min(p.cause), :run, now(), true, p.unknown
from (
    select m.meant, f.known_level as level, f.cause, false as unknown
    from from_protection f join meant m on m.who = f.who where f.known_level in (2, 3)
    union all
    select m.meant, f.level, f.cause, true
    from from_protection f join meant m on m.who = f.who where f.level > f.known_level and f.level in (2, 3)
) as p
left join now_protection n on n.person_id::text = p.meant
where p.level > coalesce(case when p.unknown then n.level else n.known_level end, 0) and not exists (
    select from now_veto v
    where v.kind = 'protection' and v.person_id::text = p.meant and v.level >= p.level and (p.unknown or not v.unknown)
)
group by p.meant, p.unknown
order by p.meant, p.unknown
"""

# Whom people hold back there, people hold back here, until two people here end it: no run lifts it.
_HELD_BACK = """
with held as (
    select distinct on (m.meant) cast(m.meant as uuid) as person_id, f.level, f.reason, f.case_number, f.decided_by,
        f.review_on
    from from_held_back f join meant m on m.who = f.who
    where not exists (
        select from control.veto v
        where v.owner = :owner and v.lifted_at is null and v.kind = 'protection' and v.cause = 'held_back'
            and v.person_id::text = m.meant
    )
    order by m.meant, f.case_number nulls last, f.who
),
written as (
    insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run)
    select :owner, 'protection', person_id, level, 'held_back', :run, clock_timestamp(), true
    from held order by person_id
    returning veto, person_id
)
insert into control.veto_decision (owner, veto, said, reason, case_number, decided_by, review_on)
select :owner, w.veto, 'held_back', h.reason, h.case_number, h.decided_by, h.review_on
from held h join written w on w.person_id = h.person_id
"""

_VETOES = """
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, outside_run)
select :owner, f.kind, cast(c.meant as uuid), a.meant, 'taken_over', :run, now(), true
from (select distinct kind, child, adult from from_veto) as f
join meant c on c.who = f.child
left join meant a on a.who = f.adult
where (f.adult is null or a.meant is not null) and not exists (
    select from now_veto v
    where v.kind = f.kind and v.person_id::text = c.meant and v.adult is not distinct from a.meant
)
group by f.kind, c.meant, a.meant
order by f.kind, c.meant, a.meant
"""


# Each row gets a number of those that are drawn (migration 0021).
_NUMBERED = """
create temporary table numbered on commit drop as
with drawn as (
    select number, row_number() over () as turn
    from control.drawn_numbers('{kind}', :owner, (select count(*) from unnumbered)) as d (number)
)
select u.*, d.number from unnumbered u left join drawn d using (turn)
"""


def _decided(kind: str, child: str, adult: str | None, *, sure: bool, run: str, only: str = "true") -> list[str]:
    """Return the statements that write one kind of decisions as its rows were, with the ids of this kommune.

    With ``sure`` only where each id means one person. Of a decision that was taken before no row is written again.
    """
    known = "and c.sure" if sure else ""
    adults = f"join meant a on a.who = f.adult {'and a.sure' if sure else ''}" if adult else ""
    set_adult = f"'{adult}', a.meant, " if adult else ""
    when = f"'from_run', {run}, " if run else ""
    return [
        "drop table if exists pg_temp.unnumbered, pg_temp.numbered",
        f"""
create temporary table unnumbered on commit drop as
select f.number as origin_number, row_number() over () as turn, cast(f.said as jsonb) as said,
    jsonb_build_object({when}{set_adult}'{child}', c.meant) as here
from from_{kind} f
join meant c on c.who = f.child {known}
{adults}
where {only} and not exists (
    select from control.taken_decision t
    where t.owner = :owner and t.kind = '{kind}' and t.origin = :origin and t.origin_number = f.number
)
""",
        *_numbered_rows(kind),
    ]


def _numbered_rows(kind: str) -> list[str]:
    """Return the statements that give each row of ``unnumbered`` a number, and write it as a decision taken over."""
    return [
        _NUMBERED.format(kind=kind),
        f"""
insert into control.{kind}
select (jsonb_populate_record(
    null::control.{kind}, said || here || jsonb_build_object('owner', cast(:owner as text), '{kind}', number)
)).* from numbered
""",
        f"""
insert into control.taken_decision (owner, kind, number, origin, origin_number)
select :owner, '{kind}', number, :origin, origin_number from numbered
""",
    ]


def protect(now: Views, origin: str) -> None:
    """Write what protects: links, protections, lost access, blocks, overrides; and end what no longer holds there.

    ``now`` are the views of the taking kommune, of prefix ``now_``. Holds at once; a second call writes nothing new.
    """
    connection, owner = now.connection, now.owner
    runs.draw_key(connection, owner)
    bound = {"owner": owner, "origin": origin, "run": runs.newest(connection, owner)}
    blocks = _decided("access_block", "child_id", "adult", sure=False, run="")
    # Only what raises protection is sure to protect.
    raised = "f.said::jsonb ->> 'field' = 'adressebeskyttelse'"
    overrides = _decided("override", "person_id", None, sure=False, run="cast(:run as bigint)", only=raised)
    for statement in (
        "drop table if exists pg_temp.meant",
        _MEANT,
        "analyze meant",
        _LINKS,
        _HELD_BACK,
        _PROTECTION,
        _VETOES,
    ):
        connection.execute(text(statement), bound)
    for statement in (*blocks, *overrides, _WITHDRAW_GRANTS, _WITHDRAW_CONSENTS, _END_BY_HAND):
        connection.execute(text(statement), bound)


_GONE = """
from control.taken_decision t
where t.owner = :owner and t.origin = :origin and t.kind = '{kind}' and d.owner = :owner and d.{kind} = t.number
    and d.withdrawn_at is null
    and not exists (select from from_standing s where s.kind = t.kind and s.number = t.origin_number)
"""
_WITHDRAW = "update control.{kind} d set withdrawn_at = clock_timestamp(), withdrawn_by = :origin "
_WITHDRAW_GRANTS = (_WITHDRAW + _GONE).format(kind="access_grant")
_WITHDRAW_CONSENTS = (_WITHDRAW + _GONE).format(kind="consent")
_END_BY_HAND = (
    "update control.manual_person d set ended_at = clock_timestamp(), ended_by = :origin "
    + _GONE.replace("withdrawn_at", "ended_at")
).format(kind="manual_person")

_FORMER_NAMES = """
insert into control.former_name (owner, person_id, name, origin)
select distinct :owner, cast(m.meant as uuid), a.uid || '@' || :realm, :origin
from from_account a
join meant m on m.who = a.who and m.sure
on conflict do nothing
"""

_NAMES = """
insert into control.directory_name (owner, uid) select distinct :owner, uid from from_account on conflict do nothing
"""

_CONSENTS = """
insert into control.consent
select (jsonb_populate_record(null::control.consent, cast(f.said as jsonb) || jsonb_build_object(
    'owner', cast(:owner as text), 'consent', n.number, 'access_grant', n.of_grant, 'given_by', n.given_by
))).*
from numbered n
join from_consent f on f.number = n.origin_number
"""

_CONSENTS_TO_NUMBER = """
create temporary table unnumbered on commit drop as
select f.number as origin_number, g.number as of_grant, a.meant as given_by, row_number() over () as turn
from from_consent f
join control.taken_decision g
    on g.owner = :owner and g.kind = 'access_grant' and g.origin = :origin and g.origin_number = f.of_grant
join meant a on a.who = f.adult and a.sure
where not exists (
    select from control.taken_decision t
    where t.owner = :owner and t.kind = 'consent' and t.origin = :origin and t.origin_number = f.number
)
"""

_CONSENTS_TAKEN = """
insert into control.taken_decision (owner, kind, number, origin, origin_number)
select :owner, 'consent', number, :origin, origin_number from numbered
"""


# An alias only where the person that it stands for is known here, and nobody whose number is registered here already.
_BY_HAND_TO_NUMBER = """
create temporary table unnumbered on commit drop as
select f.number as origin_number, row_number() over () as turn, cast(f.said as jsonb) as said,
    jsonb_build_object('from_run', cast(:next as bigint), 'stands_for', m.meant) as here
from from_manual_person f
left join meant m on m.who = f.child and m.sure
where (f.child is null or m.who is not null) and not exists (
    select from control.taken_decision t
    where t.owner = :owner and t.kind = 'manual_person' and t.origin = :origin and t.origin_number = f.number
) and not exists (
    select from control.manual_person p
    where p.owner = :owner and p.ended_at is null and p.number = cast(f.said as jsonb) ->> 'number'
)
"""
# Whoever has no number is known by the registration, which has another number here: so their FEIDE names follow.
_BY_HAND_MEANT = f"""
insert into meant (who, meant, sure)
select i.who, substr(control.keyed_hash({OWN_KEY}, 'manual:' || n.number), 1, 32)::uuid::text, true
from numbered n
join from_identifier i on i.scheme = 'manual' and i.own and i.value = n.origin_number::text
where i.who not in (select who from meant)
"""


def give(connection: Connection, owner: str, origin: str, realm: str, next_run: int, *, names: bool) -> None:
    """Write what gives, after ``protect`` in the same transaction: grants, registrations by hand, former names.

    Grants and registrations by hand hold from ``next_run``. ``realm`` is that of the kommune they come from. With
    ``names`` the user names there are kept for their bearers (``accounts/taken.sql``) and given to nobody else. A
    second call writes nothing new.
    """
    bound = {"owner": owner, "origin": origin, "realm": realm, "next": next_run}
    # A grant from before two people were required is decided anew, and so is one that somebody is blocked from.
    two = (
        "f.said::jsonb ->> 'approved_by' <> f.said::jsonb ->> 'decided_by' and not exists (select from "
        "control.access_block b where b.owner = :owner and b.lifted_at is null and b.child_id::text = c.meant "
        "and b.adult = a.meant)"
    )
    grants = _decided("access_grant", "child_id", "adult", sure=True, run="cast(:next as bigint)", only=two)
    drop = "drop table if exists pg_temp.unnumbered, pg_temp.numbered"
    consents = (drop, _CONSENTS_TO_NUMBER, _NUMBERED.format(kind="consent"), _CONSENTS, _CONSENTS_TAKEN)
    by_hand = (drop, _BY_HAND_TO_NUMBER, *_numbered_rows("manual_person"), _BY_HAND_MEANT)
    wanted: Iterable[str] = (*grants, *consents, *by_hand, _FORMER_NAMES)
    for statement in (*wanted, *([_NAMES] if names else [])):
        connection.execute(text(statement), bound)


_COUNTS = """
select
    (select count(distinct who) from from_account) as accounts,
    (select count(*) from from_access_block) as blocks,
    (select count(*) from from_access_grant) as grants,
    (select count(*) from from_manual_person) as by_hand,
    (
        select count(distinct who) from from_identifier
        where who not in (select who from meant) and scheme not in ('uten', 'manual')
    ) as unmatched
"""


def counts(connection: Connection) -> dict[str, int]:
    """Count what was handed over, after ``protect``: accounts, blocks, grants, and people who were not matched."""
    return dict(connection.execute(text(_COUNTS)).one()._mapping)


_DIGEST = """
select md5(coalesce(string_agg(said, '|' order by said collate "C"), '')) from (
    select concat_ws(':', 'grant', number, child, adult, said) as said from from_access_grant
    union all select concat_ws(':', 'consent', number, of_grant, adult, said) from from_consent
    union all select concat_ws(':', 'by hand', number, child, said) from from_manual_person
    union all select concat_ws(':', 'account', who, uid) from from_account
) as given
"""


def digest(connection: Connection) -> str:
    """Return a digest of everything handed over that gives: two people say yes to the same."""
    return str(connection.scalar(text(_DIGEST)))


def people(giving: Connection) -> list[UUID]:
    """Return the people that ``hand_over`` has told of, by the ids of the kommune that they come from."""
    found = giving.execute(text("select cast(who as uuid) from asked_about where pg_input_is_valid(who, 'uuid')"))
    return list(found.scalars())
