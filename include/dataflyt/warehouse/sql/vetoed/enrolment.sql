-- needs: control.manual_person, {p}enrolment_bare
-- grain: one row a pupil's school in a school year
-- columns: person_id uuid, unit_id text, school_year text, year_level integer, from_date date, to_date date, main
--   boolean, manual bigint
-- makes: view
-- Pupils at schools on {day}. Somebody registered by hand is gone as soon as people end the registration, and after its
-- last day.
select person_id, unit_id, school_year, year_level, from_date, to_date, main, manual
from {p}enrolment_bare g
where g.manual is null or exists (
    select from control.manual_person m
    where m.owner = '{owner}' and m.manual_person = g.manual and m.ended_at is null
        and coalesce(m.until, 'infinity') >= {day}
)
