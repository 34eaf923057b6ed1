-- needs: control.manual_person, new_person_link
-- grain: one row a person registered by hand
-- index: person_id
-- columns: manual_person bigint, person_id uuid, kind text, role text, unit_id text, group_id text, fornavn text,
--   etternavn text, local_number text, until date
-- makes: table
-- The people registered by hand who count in the run.
select
    m.manual_person, l.person_id, m.kind, m.role, m.unit_id, m.group_id, m.fornavn, m.etternavn, m.local_number, m.until
from control.manual_person m
join new_person_link l on l.scheme = 'manual' and l.value = m.manual_person::text
where m.owner = :owner and m.from_run <= :run and m.ended_at is null
    and coalesce(m.until, 'infinity') >= cast(:today as date)
