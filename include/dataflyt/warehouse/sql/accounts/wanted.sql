-- needs: control.account_name, new_employment, new_enrolment, new_inherited_name, new_person, new_unit
-- grain: one row a person
-- columns: person_id uuid, fornavn text, etternavn text, sort_key text
-- makes: answer
-- The people who shall have an account and have no name yet, in an order that is the same every time.
select distinct p.person_id, p.fornavn, p.etternavn, coalesce(p.number, p.local_number) as sort_key
from new_person p
where not p.dead
    and (
        exists (
            select from new_enrolment e join new_unit u using (unit_id)
            where e.person_id = p.person_id and u.kind = 'school'
        )
        or exists (
            select from new_employment e join new_unit u using (unit_id)
            where e.person_id = p.person_id and u.kind = 'school'
        )
    )
    and not exists (
        select from control.account_name n
        where n.owner = :owner and n.person_id = p.person_id and n.uid not in (select uid from new_inherited_name)
    )
    and not exists (select from new_inherited_name i where i.person_id = p.person_id)
order by sort_key, person_id
