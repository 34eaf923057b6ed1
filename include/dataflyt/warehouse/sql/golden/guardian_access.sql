-- needs: control.access_block, new_access_by_grant, new_enrolment, new_kin, new_responsible, new_vitals
-- grain: one row a child and an adult
-- key: child_id, adult
-- index: adult
-- columns: child_id uuid, adult text, adult_kind text, basis text, ansvar text, state text, of_age_on date
-- makes: golden
-- Access to a pupil: by foreldreansvar in FREG, or by a recorded grant, and by nothing else. A mother or father
-- (familierelasjon) has no access for that reason. A guardian in the school system has none either. Vetoes
-- (suspensions, ended access) are applied when this table is read. Barnelova §§ 30-38; Datatilsynet 20/02183 (Bergen).
with pupil as (
    select distinct e.person_id from new_enrolment e
),
every as (
    select r.child_id, r.adult, r.adult_kind, 'foreldreansvar' as basis, r.ansvar
    from new_responsible r
    join pupil on pupil.person_id = r.child_id
    union all
    select g.child_id, g.adult, g.adult_kind, 'grant:' || g.basis, null
    from new_access_by_grant g
),
-- A block holds for both people under any id that they have or have had.
block as (
    select distinct coalesce(c.other_id, b.child_id) as child_id, coalesce(a.other_id::text, b.adult) as adult
    from control.access_block b
    left join new_kin c on c.person_id = b.child_id
    left join new_kin a on a.person_id::text = b.adult
    where b.owner = :owner and (b.lifted_at is null or b.lifted_run > :run)
),
judged as (
    select
        e.child_id,
        e.adult,
        e.adult_kind,
        e.basis,
        e.ansvar,
        cast(child.birth_date + interval '18 years' as date) as of_age_on,
        case
            when b.child_id is not null then 'blocked'
            when adult.dead or child.dead then 'dead'
            -- An adult that FREG has never answered for may be anyone: the number may be a blocked adult's new number.
            when e.basis = 'foreldreansvar' and e.adult_kind = 'person' and adult.answered is not true then 'unanswered'
            -- From 18 the pupil decides (the pupil's own consent is a grant).
            when e.basis = 'foreldreansvar' and child.birth_date + interval '18 years' <= cast(:today as date)
                then 'of_age'
            else 'active'
        end as state
    from every e
    left join new_vitals child on child.person_id = e.child_id
    left join new_vitals adult on adult.person_id::text = e.adult
    left join block b on b.child_id = e.child_id and b.adult = e.adult
)
-- A basis that gives access goes before one that gives none: a pupil of 18 may consent to a parent.
select distinct on (child_id, adult) child_id, adult, adult_kind, basis, ansvar, state, of_age_on
from judged
order by child_id, adult, state = 'active' desc, basis = 'foreldreansvar' desc, basis, ansvar
