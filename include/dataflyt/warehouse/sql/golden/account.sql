-- needs: control.account_name, golden.account, new_employment, new_enrolment, new_inherited_name, new_person,
--   new_unit
-- grain: one row a person
-- key: person_id
-- columns: person_id uuid, uid text, role text, state text
-- makes: golden
-- FEIDE accounts: pupils of schools and employees at schools. A name is given once and is nobody else's after that.
-- The newest name of a person counts. The account of a person who is no longer either is disabled.
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
borne as (
    select n.person_id, n.uid, n.run from control.account_name n
    where n.owner = :owner and n.uid not in (select uid from new_inherited_name)
    union all
    select i.person_id, i.uid, n.run
    from new_inherited_name i
    join control.account_name n on n.owner = :owner and n.uid = i.uid
),
name as (
    select distinct on (person_id) person_id, uid from borne order by person_id, run desc, uid
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
