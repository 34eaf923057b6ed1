-- needs: new_overridden, new_register_person
-- grain: one row a person
-- key: person_id
-- columns: person_id uuid, number text, local_number text, fornavn text, mellomnavn text, etternavn text, birth_date
--   date, kjoenn text, work_email text, status text, dead boolean, source text, answered boolean, display_name text
-- makes: golden
-- The people that a kommune needs, by the registers and under people's overrides of name and gender. An empty
-- mellomnavn is an override too. The display name is the name that FEIDE shows; it is null if it is the whole name.
with overridden as (
    select
        person_id,
        max(value) filter (where field = 'fornavn') as fornavn,
        max(value) filter (where field = 'mellomnavn') as mellomnavn,
        max(value) filter (where field = 'etternavn') as etternavn,
        max(value) filter (where field = 'kjoenn') as kjoenn,
        max(value) filter (where field = 'display_name') as display_name
    from new_overridden
    group by person_id
)
select
    r.person_id,
    r.number,
    r.local_number,
    coalesce(o.fornavn, r.fornavn) as fornavn,
    nullif(coalesce(o.mellomnavn, r.mellomnavn), '') as mellomnavn,
    coalesce(o.etternavn, r.etternavn) as etternavn,
    r.birth_date,
    coalesce(o.kjoenn, r.kjoenn) as kjoenn,
    r.work_email,
    r.status,
    r.dead,
    r.source,
    r.answered,
    o.display_name
from new_register_person r
left join overridden o on o.person_id = r.person_id
