-- needs: new_overridden, new_register_person, new_sas_identity, sas_person
-- grain: one row a person
-- columns: kind text, subject text, other text, unit_id text
-- makes: table
-- People whose name in the school system has a word that their name in FREG does not have. A name that is left out, or
-- written in other letter cases or with another hyphen, is no difference. Where people have overridden the name, the
-- difference is meant.
with named as (
    select
        r.person_id,
        translate(lower(concat_ws(' ', r.fornavn, r.mellomnavn, r.etternavn)), '-.''’', '    ') as registered,
        translate(lower(coalesce(
            nullif(concat_ws(' ', s.given_name, s.family_name), ''), s.full_name
        )), '-.''’', '    ') as written
    from sas_person s
    join new_sas_identity i on i.sas_id = s.person_id
    join new_register_person r on r.person_id = i.person_id and r.source = 'freg' and not r.dead
    where not exists (
        select from new_overridden o
        where o.person_id = r.person_id and o.field in ('fornavn', 'mellomnavn', 'etternavn', 'display_name')
    )
)
select distinct 'name_differs' as kind, person_id::text as subject, '' as other, cast(null as text) as unit_id
from named
where written <> registered
    and not regexp_split_to_array(btrim(written), '\s+') <@ regexp_split_to_array(btrim(registered), '\s+')
