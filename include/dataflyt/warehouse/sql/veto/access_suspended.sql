-- needs: freg_bostedsadresse, moved, new_guardian_access, new_person_link, new_protection, now_guardian_access,
--   now_protection, past_veto
-- grain: one row a veto written
-- makes: rows
-- Access to a protected child. strengtFortrolig suspends every adult, and fortrolig suspends the adults who are not
-- registered at the child's address, until people decide adult by adult. A suspension that people have lifted since the
-- protection was raised stays lifted. A suspension that rests only on an unknown word is marked as such.
with said as (
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
-- The dwellings of those who may be protected, before those who live there: most people live at no such place.
place as (
    select distinct a.bolig
    from freg_bostedsadresse a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.erGjeldende is not false and l.person_id in (
        select person_id from protected
        union
        select m.person_id from moved m join protected p on p.person_id = m.known_id
    )
),
lives as (
    select distinct l.person_id, a.bolig
    from place
    join freg_bostedsadresse a on a.bolig = place.bolig and a.erGjeldende is not false
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
),
dwelling as (
    select person_id, bolig from lives
    union
    select m.known_id, l.bolig from moved m join lives l on l.person_id = m.person_id
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
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, outside_run, unknown)
select :owner, 'access_suspended', s.child_id, s.adult, 'child_protected', :run, now(), :outside_run, s.unknown
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
