-- needs: control.veto, new_kin
-- grain: one row a veto and an adult that it holds for
-- columns: veto bigint, adult text
-- makes: table
-- The adults that the same vetoes are about, each with all the people that the adult has been one with.
select v.veto, coalesce(k.other_id::text, v.adult) as adult
from control.veto v
left join new_kin k on k.person_id::text = v.adult
where v.owner = :owner and v.lifted_at is null and v.run < :run and v.adult is not null
