-- A guardian's own e-mail and mobile in clear, per channel while it is fresh. Not of who is fortrolig, nor of who is
-- guardian of a pupil that is (a number can be looked up, and lead to the pupil's address), nor of who is shown as
-- employee or pupil too.
select k.person_id, e.value as email, m.value as mobile
from (select adult_id as person_id, max(level) as level from {p}shown_relation group by adult_id) as g
join {p}candidate c on c.person_id = g.person_id
join {p}contact k on k.person_id = g.person_id
left join control.contact_value e on e.owner = '{owner}' and k.email_fresh and e.hash = k.email_hash
left join control.contact_value m on m.owner = '{owner}' and k.mobile_fresh and m.hash = k.mobile_hash
where g.level < 2 and not c.pupil and not c.employee
