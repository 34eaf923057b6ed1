-- needs: control.account_name, golden.account, new_employment, new_enrolment, new_inherited_name, new_person,
--   new_unit
-- grain: one row a person
-- key: person_id
-- columns: person_id uuid, uid text, role text, state text
-- makes: golden
-- FEIDE accounts: pupils of schools and employees at schools. A name is given once and kept. The account of a person
-- who is no longer either is disabled.
with entitled as (
    select e.person_id, 'pupil' as role from new_enrolment e join new_unit u using (unit_id) where u.kind = 'school'
    union
    select e.person_id, 'employee' from new_employment e join new_unit u using (unit_id) where u.kind = 'school'
),
roles as (
    select r.person_id, string_agg(r.role, ' ' order by r.role) as role
    from entitled r
    join new_person p on p.person_id = r.person_id
    where not p.dead
    group by r.person_id
),
before as (
    select person_id, role from golden.account where owner = :owner and to_run is null
),
-- The person's own name, or the name of another person who has been joined with this one and no longer exists.
name as (
    select n.person_id, n.uid from control.account_name n
    where n.owner = :owner and n.uid not in (select uid from new_inherited_name)
    union all
    select person_id, uid from new_inherited_name
)
select
    n.person_id,
    n.uid,
    coalesce(r.role, b.role) as role,
    case when r.person_id is null then 'disabled' else 'active' end as state
from name n
left join roles r on r.person_id = n.person_id
left join before b on b.person_id = n.person_id
where r.person_id is not null or b.person_id is not null
