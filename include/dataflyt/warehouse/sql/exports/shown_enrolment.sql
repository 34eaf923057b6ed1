-- needs: {p}candidate, {p}enrolment, {p}shown_unit
-- grain: one row a pupil's school
-- columns: person_id uuid, unit_id text, year_level integer, from_date date, to_date date, main boolean
-- makes: view
-- Pupils who are shown, at their schools.
select e.person_id, e.unit_id, e.year_level, e.from_date, e.to_date, e.main
from {p}enrolment e
join {p}shown_unit u on u.unit_id = e.unit_id
join {p}candidate c on c.person_id = e.person_id
where not c.hidden
