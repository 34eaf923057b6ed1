-- needs: {p}candidate, {p}membership, {p}shown_school_group
-- grain: one row a person's role in a group
-- columns: group_id text, person_id uuid, role text, contact_teacher boolean, staff_role text, subrole text
-- makes: view
-- Members of shown groups: pupils as pupils and employees as employees. Other people in the school system's group (a
-- guardian in the parents' committee, a substitute unknown to HR) are not shown in it.
select m.group_id, m.person_id, m.role, m.contact_teacher, m.staff_role, m.subrole
from {p}membership m
join {p}shown_school_group g on g.group_id = m.group_id
join {p}candidate c on c.person_id = m.person_id
where not c.hidden and case when m.role = 'student' then c.pupil else c.employee end
