-- needs: hr_employee, hr_employment, hr_org_unit, new_hr_identity, new_unit
-- grain: one row a position held
-- key: employee_id, employment_id
-- columns: employee_id text, employment_id text, person_id uuid, unit_id text, position_name text, percentage double
--   precision, main boolean, from_date date, to_date date
-- makes: golden
-- Positions held now in units that are schools. A unit is a school if the kommune file maps it, if its id is a school's
-- organisation number, or if it is below such a unit. Otherwise a position counts if its workplace is a school's
-- organisation number.
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
held as (
    select
        e.employee_id,
        e.employment_id,
        l.person_id,
        u.unit_id,
        e.position_name,
        e.percentage,
        e.main_position,
        control.as_date(e.date_from) as from_date,
        control.as_date(e.date_to) as to_date
    from hr_employment e
    join hr_employee w on w.employee_id = e.employee_id
    left join mapped m on m.org_unit_id = e.org_unit_id
    join new_unit u on u.unit_id = coalesce(m.unit_id, e.workplace_id) and (m.unit_id is not null or u.kind = 'school')
    join new_hr_identity l on l.employee_id = e.employee_id
    where coalesce(control.as_date(e.date_from), '-infinity') <= cast(:today as date)
        and coalesce(control.as_date(e.date_to), 'infinity') >= cast(:today as date)
        and coalesce(control.as_date(w.date_to), 'infinity') >= cast(:today as date)
        -- A kind of employment that the kommune file calls inaktiv counts only with a percentage.
        and not (e.employment_type = 'inaktiv' and coalesce(e.percentage, 0) <= 0)
)
select
    employee_id,
    employment_id,
    person_id,
    unit_id,
    position_name,
    percentage,
    -- HR may mark several positions as main, or none: the largest position is then the main one.
    row_number() over (
        partition by person_id
        order by main_position desc nulls last, percentage desc nulls last, employee_id, employment_id
    ) = 1 as main,
    from_date,
    to_date
from held
