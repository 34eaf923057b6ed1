-- needs: control.access_block, {p}kin
-- grain: one row a child and an adult
-- columns: child_id uuid, adult text
-- makes: view
-- Blocks in force, each for all people who are or have been one with the people of its row. A block that is lifted
-- holds until the run that gives access back.
select distinct coalesce(c.other_id, b.child_id) as child_id, coalesce(a.other_id::text, b.adult) as adult
from control.access_block b
left join {p}kin c on c.person_id = b.child_id
left join {p}kin a on a.person_id::text = b.adult
where b.owner = '{owner}' and (b.lifted_at is null or b.lifted_run > {run})
