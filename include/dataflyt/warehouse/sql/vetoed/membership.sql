-- needs: control.manual_person, {p}membership_bare
-- grain: one row a person's role in a group
-- columns: group_id text, person_id uuid, role text, contact_teacher boolean, manual bigint, staff_role text,
--   subrole text
-- makes: view
-- Members of groups on {day}. Somebody registered by hand is gone as soon as people end the registration, and after its
-- last day.
select group_id, person_id, role, contact_teacher, manual, staff_role, subrole
from {p}membership_bare g
where g.manual is null or exists (
    select from control.manual_person m
    where m.owner = '{owner}' and m.manual_person = g.manual and m.ended_at is null
        and coalesce(m.until, 'infinity') >= {day}
)
