-- needs: control.veto, new_kin
-- grain: one row a veto and a person that it holds for
-- columns: veto bigint, person_id uuid
-- makes: table
-- The vetoes in force from before the run, each with all the people that it holds for.
select v.veto, coalesce(k.other_id, v.person_id) as person_id
from control.veto v
left join new_kin k on k.person_id = v.person_id
where v.owner = :owner and v.lifted_at is null and v.run < :run
