-- needs: control.veto, {p}kin
-- grain: one row a veto and a person, and an adult, that it holds for
-- columns: veto bigint, kind text, person_id uuid, adult text, level integer, cause text, cause_person_id uuid,
--   unknown boolean, run bigint
-- makes: view
-- Vetoes in force ({in_force}), each for all people who are or have been one with the people of its row.
select v.veto, v.kind, coalesce(c.other_id, v.person_id) as person_id,
    coalesce(a.other_id::text, v.adult) as adult, v.level, v.cause, v.cause_person_id, v.unknown, v.run
from control.veto v
left join {p}kin c on c.person_id = v.person_id
left join {p}kin a on a.person_id::text = v.adult
where {in_force}
