-- needs: control.contact_value, {p}candidate, {p}contact, {p}shown_relation
-- grain: one row a guardian
-- columns: person_id uuid, email text, mobile text
-- makes: view
-- A guardian's own e-mail and mobile in clear, each while it is fresh. Three kinds of guardians are left out: a
-- fortrolig guardian, a fortrolig pupil's guardian (a number can be looked up, and lead to the pupil's address), and a
-- guardian who is also shown as employee or pupil.
select k.person_id, e.value as email, m.value as mobile
from (select adult_id as person_id, max(level) as level from {p}shown_relation group by adult_id) as g
join {p}candidate c on c.person_id = g.person_id
join {p}contact k on k.person_id = g.person_id
left join control.contact_value e on e.owner = '{owner}' and k.email_fresh and e.hash = k.email_hash
left join control.contact_value m on m.owner = '{owner}' and k.mobile_fresh and m.hash = k.mobile_hash
where g.level < 2 and not c.pupil and not c.employee
