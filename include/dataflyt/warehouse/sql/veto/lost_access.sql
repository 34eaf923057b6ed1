-- needs: moved, new_enrolment, new_guardian_access, new_person_link, now_guardian_access, {answered}
-- grain: one row a child and an adult
-- columns: child_id uuid, adult text, cause text
-- makes: table
-- Access that FREG has answered for and no longer names. A child or an adult whose id is gone is looked for under the
-- present id. {answered} has the numbers answered for.
select distinct n.child_id, n.adult, case n.basis when 'grant:consent' then 'consent' else 'answered' end as cause
from now_guardian_access n
left join moved c on c.known_id = n.child_id
left join moved a on a.known_id::text = n.adult
where n.state in ('active', 'suspended')
    and n.basis in ('foreldreansvar', 'grant:consent')
    and exists (
        select from {answered} f
        join new_person_link l on l.scheme = 'number' and l.value = f.subject
        where l.person_id = coalesce(c.person_id, n.child_id)
    )
    and exists (select from new_enrolment e where e.person_id = coalesce(c.person_id, n.child_id))
    and not exists (
        select from new_guardian_access g
        where g.child_id = coalesce(c.person_id, n.child_id) and g.adult = coalesce(a.person_id::text, n.adult)
            and g.state = 'active'
    )
