-- needs: hr_employee, hr_employment, hr_org_unit, new_hr_identity, new_override, new_unit
-- grain: one row a position held
-- columns: employee_id text, employment_id text, person_id uuid, unit_id text, position_name text, percentage double
--   precision, main_position boolean, from_date date, to_date date, staff text, teacher_subrole text
-- makes: table
-- Positions held now, by HR, in units that are schools. A unit is a school if the kommune file maps it, if its id is a
-- school's organisation number, or if it is below such a unit. Otherwise a position counts if its workplace is a
-- school's organisation number. People may override the school of an employee's positions. What a position is in PIFU
-- ("staff": 05 rektor), the kommune file says, by its code or else by its name.
with recursive named as (
    select key as org_unit_id, value as unit_id from json_each_text(cast(:units as json))
    union all
    select unit_id, unit_id from new_unit
    where kind = 'school' and unit_id not in (select json_object_keys(cast(:units as json)))
),
mapped as (
    select org_unit_id, unit_id from named
    union
    select c.org_unit_id, m.unit_id
    from hr_org_unit c
    join mapped m on c.parent_id = m.org_unit_id
    where c.org_unit_id not in (select org_unit_id from named)
),
meant as (
    select lower(key) as position, min(value) as said
    from json_each_text(cast(:positions as json))
    group by lower(key)
    having min(value) = max(value)
)
select
    e.employee_id,
    e.employment_id,
    l.person_id,
    u.unit_id,
    e.position_name,
    e.percentage,
    e.main_position,
    control.as_date(e.date_from) as from_date,
    control.as_date(e.date_to) as to_date,
    case when coalesce(c.said, n.said) not like '02 %' then coalesce(c.said, n.said) end as staff,
    case
        when e.employment_type = 'vikar' then 'vikar'
        when coalesce(c.said, n.said) like '02 %' then substr(coalesce(c.said, n.said), 4)
    end as teacher_subrole
from hr_employment e
join hr_employee w on w.employee_id = e.employee_id
left join mapped m on m.org_unit_id = e.org_unit_id
left join meant c on c.position = lower(e.position_code)
left join meant n on n.position = lower(e.position_name)
join new_hr_identity l on l.employee_id = e.employee_id
left join (
    select o.person_id, u.unit_id
    from new_override o
    join new_unit u on u.unit_id = o.value and u.kind = 'school'
    where o.field = 'school_unit'
) as o on o.person_id = l.person_id
join new_unit u on u.unit_id = coalesce(o.unit_id, m.unit_id, e.workplace_id)
    and (coalesce(o.unit_id, m.unit_id) is not null or u.kind = 'school')
where coalesce(control.as_date(e.date_from), '-infinity') <= cast(:today as date)
    and coalesce(control.as_date(e.date_to), 'infinity') >= cast(:today as date)
    and coalesce(control.as_date(w.date_to), 'infinity') >= cast(:today as date)
    -- A kind of employment that the kommune file calls inaktiv counts only with a percentage.
    and not (e.employment_type = 'inaktiv' and coalesce(e.percentage, 0) <= 0)
