-- needs: control.access_grant, control.consent, control.veto, new_enrolment, new_heir, new_kin, new_protection,
--   new_responsible, new_vitals
-- grain: one row a grant, a child and an adult
-- key: access_grant, child_id, adult
-- columns: access_grant bigint, child_id uuid, adult text, adult_kind text, basis text, ends_on date
-- makes: golden
-- The grants that hold. A grant is about the two people of its row, or about the people that they have become
-- (heir.sql). A consent does not hold for ever. Everybody living with foreldreansvar today must have given it, and
-- nobody whose foreldreansvar has ended since; from 15 the pupil too, and from 18 the pupil alone. It never holds while
-- the child is protected. A consent that has fallen is not restored without a new grant. A pupil of unknown age must
-- consent together with the guardians. From 18 no other grant holds either without the pupil's own consent.
with granted as (
    select
        g.access_grant,
        coalesce(c.became, g.child_id) as child_id,
        coalesce(a.became::text, g.adult) as adult,
        g.adult_kind,
        g.basis,
        g.from_run,
        g.until
    from control.access_grant g
    left join new_heir c on c.person_id = g.child_id
    left join new_heir a on a.person_id::text = g.adult
    where g.owner = :owner
        and g.from_run <= :run
        and g.withdrawn_at is null
        and coalesce(g.until, 'infinity') >= cast(:today as date)
),
child as (
    select
        g.access_grant,
        cast(v.birth_date + interval '15 years' as date) as fifteen_on,
        cast(v.birth_date + interval '18 years' as date) as of_age_on
    from granted g
    left join new_vitals v on v.person_id = g.child_id
),
-- The people who have consented, under any former id whose change has been confirmed.
agreed as (
    select
        g.access_grant,
        coalesce(h.became::text, s.given_by) as given_by,
        max((s.given_at at time zone 'Europe/Oslo')::date) as given_on
    from granted g
    join control.consent s on s.owner = :owner and s.access_grant = g.access_grant and s.withdrawn_at is null
    left join new_heir h on h.person_id::text = s.given_by
    group by 1, 2
),
-- A consent that the pupil gave before 18 falls at 18 too.
pupil as (
    select
        g.access_grant,
        a.given_by is not null as agrees,
        coalesce(a.given_on >= c.of_age_on, false) as agrees_of_age
    from granted g
    join child c using (access_grant)
    left join agreed a on a.access_grant = g.access_grant and a.given_by = g.child_id::text
),
-- Foreldreansvar ends with death (barnelova § 38), whatever FREG still says.
responsible as (
    select distinct g.access_grant, r.adult
    from granted g
    join new_responsible r on r.child_id = g.child_id
    left join new_vitals v on v.person_id::text = r.adult
    where v.dead is not true
),
guardians as (
    select r.access_grant, bool_and(a.given_by is not null) as agree
    from responsible r
    left join agreed a on a.access_grant = r.access_grant and a.given_by = r.adult
    group by r.access_grant
),
rests_on_nothing as (
    select a.access_grant
    from agreed a
    join granted g using (access_grant)
    left join responsible r on r.access_grant = a.access_grant and r.adult = a.given_by
    where a.given_by <> g.child_id::text and r.adult is null
),
consented as (
    select
        g.access_grant,
        case
            when c.of_age_on <= cast(:today as date) then null
            when p.agrees then c.of_age_on
            -- From 15 the pupil must consent.
            else c.fifteen_on
        end as ends_on
    from granted g
    join child c using (access_grant)
    join pupil p using (access_grant)
    left join guardians w using (access_grant)
    where g.basis = 'consent'
        and case
            when c.of_age_on <= cast(:today as date) then p.agrees_of_age
            else (p.agrees or c.fifteen_on > cast(:today as date)) and coalesce(w.agree, false)
                and g.access_grant not in (select access_grant from rests_on_nothing)
        end
        and not exists (
            select from new_protection x where x.person_id = g.child_id and x.level >= 2
        )
        and not exists (
            select from control.veto v
            left join new_kin k on k.person_id = v.person_id
            where v.owner = :owner and v.kind = 'protection' and v.lifted_at is null
                and coalesce(k.other_id, v.person_id) = g.child_id
        )
        and not exists (
            select from control.veto v
            left join new_kin k on k.person_id = v.person_id
            left join new_kin a on a.person_id::text = v.adult
            where v.owner = :owner and v.kind = 'access_ended' and v.cause in ('consent', 'consent_protected')
                and v.run >= g.from_run
                and coalesce(k.other_id, v.person_id) = g.child_id and coalesce(a.other_id::text, v.adult) = g.adult
        )
)
select
    g.access_grant,
    g.child_id,
    g.adult,
    g.adult_kind,
    g.basis,
    least(
        g.until + 1, case when g.basis = 'consent' then c.ends_on when not p.agrees_of_age then a.of_age_on end
    ) as ends_on
from granted g
join (select distinct person_id from new_enrolment) as e on e.person_id = g.child_id
join child a on a.access_grant = g.access_grant
join pupil p on p.access_grant = g.access_grant
left join consented c on c.access_grant = g.access_grant
where (c.access_grant is not null or g.basis <> 'consent'
        and (p.agrees_of_age or coalesce(a.of_age_on, 'infinity') > cast(:today as date)))
    and not exists (
        select from control.consent s
        where s.owner = :owner and s.access_grant = g.access_grant and s.withdrawn_at is not null
    )
