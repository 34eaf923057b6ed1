-- needs: {p}account, {p}candidate
-- grain: one row a person
-- columns: person_id uuid, uid text, role text
-- makes: view
-- Active accounts of pupils and employees who are shown.
select a.person_id, a.uid, a.role
from {p}account a
join {p}candidate c on c.person_id = a.person_id
where a.state = 'active' and not c.hidden and (c.pupil or c.employee)
