-- needs: new_person_link, now_guardian_access, {answered}
-- grain: one row
-- columns: count bigint
-- makes: answer
-- Children with access that FREG has answered for ({answered}).
select count(distinct n.child_id)
from now_guardian_access n
where n.state = 'active'
    and n.child_id in (
        select l.person_id from {answered} a join new_person_link l on l.scheme = 'number' and l.value = a.subject
    )
