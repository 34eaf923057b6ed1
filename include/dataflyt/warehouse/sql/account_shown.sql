-- Who would be published with an account, and may be counted: as exports/golden.py has it, less whoever is fortrolig.
-- Protected people are in no count, before or after a run that lowers their protection.
select a.person_id, a.uid, a.role, s.schools
from after_account a
join after_person p on p.person_id = a.person_id
join (
    select person_id, string_agg(distinct unit_id, ' ' order by unit_id) as schools
    from (
        select person_id, unit_id from after_enrolment
        union all
        select person_id, unit_id from after_employment
    ) as part
    join after_unit using (unit_id)
    where kind = 'school'
    group by person_id
) as s on s.person_id = a.person_id
where a.state = 'active'
    and not p.dead
    and coalesce(p.fornavn, p.etternavn) is not null
    and not exists (
        select from after_protection x where x.person_id = a.person_id and (x.held_back or x.level >= 2)
    )
    and not exists (select from before_protection x where x.person_id = a.person_id and x.level >= 2)
