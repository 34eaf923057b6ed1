-- needs: now_guardian_access
-- grain: one row
-- columns: count bigint
-- makes: answer
-- Children with access.
select count(distinct n.child_id)
from now_guardian_access n
where n.state = 'active'
