-- needs: new_override, new_register_person
-- grain: one row a person and a field
-- key: person_id, field
-- columns: person_id uuid, field text, value text, registered text, override bigint
-- makes: golden
-- Fields that people have overridden, with the register's value beside the override's. "registered" is null if the
-- register has none, and for the school of an employee and the policy of a user name.
select
    o.person_id, o.field, o.value,
    case o.field
        when 'fornavn' then r.fornavn
        when 'mellomnavn' then r.mellomnavn
        when 'etternavn' then r.etternavn
        when 'kjoenn' then r.kjoenn
        when 'display_name' then concat_ws(' ', r.fornavn, r.mellomnavn, r.etternavn)
    end as registered,
    o.override
from new_override o
join new_register_person r on r.person_id = o.person_id
