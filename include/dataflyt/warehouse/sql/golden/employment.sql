-- needs: new_manual_person, new_position_held, new_unit
-- grain: one row a position held
-- key: employee_id, employment_id
-- columns: employee_id text, employment_id text, person_id uuid, unit_id text, position_name text, percentage double
--   precision, main boolean, from_date date, to_date date, manual bigint
-- makes: golden
-- Positions held at schools, by HR and by people's registrations (position_name is then their kind).
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
        order by manual is not null, main_position desc nulls last, percentage desc nulls last, employee_id,
            employment_id
    ) = 1 as main,
    from_date,
    to_date,
    manual
from (
    select
        employee_id, employment_id, person_id, unit_id, position_name, percentage, main_position, from_date, to_date,
        cast(null as bigint) as manual
    from new_position_held
    union all
    select
        'manual:' || m.manual_person, 'manual', m.person_id, m.unit_id, m.kind, null, null, null, m.until,
        m.manual_person
    from new_manual_person m
    join new_unit u on u.unit_id = m.unit_id and u.kind = 'school'
    where m.role = 'employee'
) as held
