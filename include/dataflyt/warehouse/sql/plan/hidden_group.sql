-- needs: after_membership, before_membership, hidden
-- grain: one row a group
-- columns: group_id text
-- makes: table
-- Groups whose pupils are all hidden.
select group_id
from (select group_id, person_id, role from before_membership
    union all select group_id, person_id, role from after_membership) as every
where role = 'student'
group by group_id
having bool_and(person_id::text in (select person_id from hidden))
