-- needs: new_manual_person, new_sas_identity, new_school_group, new_school_year, new_unit, sas_membership
-- grain: one row a pupil's school in a school year
-- key: person_id, unit_id, school_year
-- columns: person_id uuid, unit_id text, school_year text, year_level integer, from_date date, to_date date, main
--   boolean, manual bigint
-- makes: golden
-- Pupils at schools: members with role 01 of a school itself, or of any of its groups. A pupil may have several
-- schools; the one marked pifu_primaryRelation is the main one. A private candidate is not a pupil of the school.
-- Pupils registered by hand (a tester, an alias) have the number of the registration in "manual".
with part as (
    select
        i.person_id,
        coalesce(u.unit_id, g.unit_id) as unit_id,
        g.year_level,
        u.unit_id is not null as of_school,
        m.main is true and u.unit_id is not null as marked_main,
        control.as_date(m.begin_date) as from_date,
        control.as_date(m.end_date) as to_date,
        cast(null as bigint) as manual
    from sas_membership m
    join new_sas_identity i on i.sas_id = m.person_id
    left join new_school_group g on g.group_id = m.group_id
    left join new_unit u on u.sas_id = m.group_id
    where m.role = '01'
        and m.active is not false
        and m.subrole is distinct from 'privatist'
        and coalesce(u.unit_id, g.unit_id) is not null
        and coalesce(control.as_date(m.begin_date), '-infinity') <= cast(:today as date)
        and coalesce(control.as_date(m.end_date), 'infinity') >= cast(:today as date)
    union all
    select m.person_id, m.unit_id, g.year_level, true, false, null, m.until, m.manual_person
    from new_manual_person m
    join new_unit u on u.unit_id = m.unit_id and u.kind = 'school'
    left join new_school_group g on g.group_id = m.group_id and g.unit_id = m.unit_id
    where m.role = 'pupil'
),
per_school as (
    select
        person_id,
        unit_id,
        max(year_level) as year_level,
        min(from_date) filter (where of_school) as from_date,
        max(to_date) filter (where of_school) as to_date,
        bool_or(marked_main) as marked_main,
        count(*) as parts,
        case when bool_and(manual is not null) then max(manual) end as manual
    from part
    group by person_id, unit_id
)
select
    p.person_id,
    p.unit_id,
    y.label as school_year,
    p.year_level,
    p.from_date,
    p.to_date,
    row_number() over (partition by p.person_id order by p.marked_main desc, p.parts desc, p.unit_id) = 1 as main,
    p.manual
from per_school p
cross join new_school_year y
