-- needs: sas_school
-- grain: one row a school, or the school owner
-- key: unit_id
-- columns: unit_id text, kind text, name text, sas_id text, parent_id text
-- makes: golden
-- Schools and their owner, by organisation number (Feide wants NSR's). If one number is both, the school counts.
select distinct on (s.orgnr)
    s.orgnr as unit_id,
    case
        when s.level = 'skoleeier' then 'owner'
        when s.school_type in ('barnehage', 'sfo') then s.school_type
        else 'school'
    end as kind,
    s.name,
    s.school_id as sas_id,
    o.orgnr as parent_id
from sas_school s
left join sas_school o on o.school_id = s.parent_id
where s.orgnr is not null
order by s.orgnr, s.level = 'skoleeier', s.school_id
