-- needs: hr_employee, new_person_link
-- grain: one row a pair of HR's own id and a person
-- index: employee_id, person_id
-- columns: employee_id text, person_id uuid
-- makes: table
-- The person that an id of HR stands for: by the number, or by the id itself if there is no number.
select s.employee_id as employee_id, l.person_id
from hr_employee s
join new_person_link l on l.scheme = 'number' and l.value = s.number
union
select s.employee_id, l.person_id
from hr_employee s
join new_person_link l on l.scheme = 'hr' and l.value = s.employee_id
where s.number is null or length(s.number) <> 11 or s.number ~ '[^0-9]'
