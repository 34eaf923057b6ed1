-- Members of shown groups: pupils as pupils and employees as employees. Whoever else the school system has in a group (a
-- guardian in the parents' committee, a substitute whom HR does not know) is not shown in it.
select m.group_id, m.person_id, m.role, m.contact_teacher
from {p}membership m
join {p}shown_grp g on g.group_id = m.group_id
join {p}candidate c on c.person_id = m.person_id
where not c.hidden and case when m.role = 'student' then c.pupil else c.employee end
