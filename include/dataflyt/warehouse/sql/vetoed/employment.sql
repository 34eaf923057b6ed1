-- needs: control.manual_person, {p}employment_bare
-- grain: one row a position held
-- columns: employee_id text, employment_id text, person_id uuid, unit_id text, position_name text, percentage double
--   precision, main boolean, from_date date, to_date date, manual bigint, staff_role text,
--   subrole text, teacher_subrole text
-- makes: view
-- Positions held on {day}. Somebody registered by hand is gone as soon as people end the registration, and after its
-- last day.
select
    employee_id, employment_id, person_id, unit_id, position_name, percentage, main, from_date, to_date, manual, staff_role,
    subrole, teacher_subrole
from {p}employment_bare g
where g.manual is null or exists (
    select from control.manual_person m
    where m.owner = '{owner}' and m.manual_person = g.manual and m.ended_at is null
        and coalesce(m.until, 'infinity') >= {day}
)
