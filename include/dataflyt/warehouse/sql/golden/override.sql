-- needs: control.override, new_heir
-- grain: one row a person and a field
-- index: person_id
-- columns: person_id uuid, field text, value text, override bigint, from_run bigint
-- makes: table
-- The values that people have set beside the registers' and that count in the run. Protection is not among them: it is
-- a rule of its own (protection.sql). An override follows a joining as a grant does; the person's own goes before that
-- of the other.
select distinct on (person_id, field)
    coalesce(h.became, o.person_id) as person_id, o.field, o.value, o.override, o.from_run
from control.override o
left join new_heir h on h.person_id = o.person_id
where o.owner = :owner and o.field <> 'adressebeskyttelse' and o.from_run <= :run and o.ended_at is null
order by person_id, field, h.became is not null, o.decided_at desc, o.override desc
