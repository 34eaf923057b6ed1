-- needs: control.veto, new_heir, new_kin
-- grain: one row a veto and a person, and an adult, that it holds or held for
-- columns: kind text, person_id uuid, adult text, level integer, unknown boolean, learned_at timestamp with time
--   zone, lifted_at timestamp with time zone
-- makes: table
-- Vetoes in force, each for every person that it holds for; and vetoes that have been lifted. A lifting gives access,
-- so it follows a joining as a grant does.
select v.kind, coalesce(c.other_id, v.person_id) as person_id, coalesce(a.other_id::text, v.adult) as adult,
    v.level, v.unknown, v.learned_at, v.lifted_at
from control.veto v
left join new_kin c on c.person_id = v.person_id
left join new_kin a on a.person_id::text = v.adult
where v.owner = :owner and (v.lifted_at is null or v.kind = 'protection')
union all
select v.kind, coalesce(c.became, v.person_id), coalesce(a.became::text, v.adult),
    v.level, v.unknown, v.learned_at, v.lifted_at
from control.veto v
left join new_heir c on c.person_id = v.person_id
left join new_heir a on a.person_id::text = v.adult
where v.owner = :owner and v.lifted_at is not null and v.kind <> 'protection'
