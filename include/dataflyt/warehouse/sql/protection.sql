-- How protected a person is, and why: 0 none, 1 klientadresse, 2 fortrolig, 3 strengtFortrolig. Held back: a pupil FREG
-- was asked about and never answered for, in no export until we know.
-- Own grading, any address's grading, an override; for a pupil also that of guardians and siblings who live with it:
-- same dwelling, or an address that is withheld. A value we do not know counts as strengtFortrolig.
with graded as (
    select foedselsEllerDNummer as number, 'own' as cause, graderingsnivaa as grading
    from freg_adressebeskyttelse where erGjeldende is not false
    union all
    select foedselsEllerDNummer, 'address', coalesce(adressegradering, 'ugradert')
    from freg_bostedsadresse where erGjeldende is not false
    union all
    select foedselsEllerDNummer, 'address', coalesce(adressegradering, 'ugradert')
    from freg_annenAdresse where erGjeldende is not false
),
base as (
    select distinct on (person_id) person_id, level, cause from (
        select
            l.person_id,
            case g.grading
                when 'ugradert' then 0 when 'klientadresse' then 1 when 'fortrolig' then 2 else 3
            end as level,
            case when g.grading in ('ugradert', 'klientadresse', 'fortrolig', 'strengtFortrolig')
                then g.cause else 'unknown_value' end as cause
        from graded g
        join new_person_link l on l.scheme = 'number' and l.value = g.number
        union all
        select
            o.person_id,
            case o.value when 'fortrolig' then 2 else 3 end,
            'override'
        from control.override o
        where o.owner = :owner and o.field = 'adressebeskyttelse' and o.from_run <= :run and o.ended_at is null
    ) as every
    where level > 0
    order by person_id, level desc, cause
),
dwelling as (
    select distinct l.person_id, a.bolig from (
        select foedselsEllerDNummer, bolig from freg_bostedsadresse where erGjeldende is not false
        union all
        select foedselsEllerDNummer, bolig from freg_annenAdresse
        where element = 'deltBosted' and erGjeldende is not false
    ) as a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.bolig is not null
),
near as (
    select a.child_id as person_id, a.adult::uuid as other_id, 'guardian' as cause
    from new_guardian_access a
    where a.adult_kind = 'person'
    union
    select a.child_id, b.child_id, 'sibling'
    from new_guardian_access a
    join new_guardian_access b on b.adult = a.adult and b.child_id <> a.child_id
    where a.adult_kind = 'person'
),
-- Two joins, and not one with "or exists": PostgreSQL would look through every dwelling for each pair.
through as (
    select n.person_id, b.level, n.cause, n.other_id
    from near n
    join base b on b.person_id = n.other_id and b.level >= 2
    where not exists (select from dwelling d where d.person_id = n.other_id)
    union all
    select n.person_id, b.level, n.cause, n.other_id
    from near n
    join base b on b.person_id = n.other_id and b.level >= 2
    join dwelling mine on mine.person_id = n.person_id
    join dwelling theirs on theirs.person_id = n.other_id and theirs.bolig = mine.bolig
),
unanswered as (
    select p.person_id
    from new_person p
    where not p.answered
        and p.number is not null
        and exists (select from new_enrolment e where e.person_id = p.person_id)
),
highest as (
    select distinct on (person_id) person_id, level, cause, cause_person_id from (
        select person_id, level, cause, cast(null as uuid) as cause_person_id from base
        union all
        select person_id, level, cause, other_id from through
    ) as every
    order by person_id, level desc, cause_person_id is not null, cause, cause_person_id
)
select
    person_id,
    coalesce(h.level, 0) as level,
    u.person_id is not null as held_back,
    coalesce(h.cause, 'never_answered') as cause,
    h.cause_person_id
from highest h
full join unanswered u using (person_id)
