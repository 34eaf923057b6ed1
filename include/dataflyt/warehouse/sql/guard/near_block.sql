-- needs: after_block, after_guardian_access, plan
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether a guardian is gained for a child with a blocked adult, or an adult with access to such a child has a new
-- number. The number may be a blocked adult's new number, or the adult may be the blocked adult.
select exists (
    select from plan g
    join after_block b on b.child_id::text = g.subject
    where g.kind = 'guardian_gains_access'
) or exists (
    select from plan n
    join after_guardian_access a on a.adult = n.subject and a.state = 'active'
    join after_block b on b.child_id = a.child_id
    where n.kind = 'number_changes'
) as asks
