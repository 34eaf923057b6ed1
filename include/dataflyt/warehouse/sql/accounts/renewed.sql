-- needs: control.account_name, control.owner, new_employment, new_enrolment, new_inherited_name, new_override,
--   new_person, new_unit
-- grain: one row a person
-- columns: person_id uuid, fornavn text, etternavn text, sort_key text
-- makes: answer
-- The account holders who get a new user name: the policy is to renew (the person's own, else the kommune's), and
-- either the given name or the gender is another than when the name was given, or people have decided on this person's
-- name since. Only the first word of the given name counts: sources differ in the rest.
with borne as (
    select n.person_id, n.uid from control.account_name n
    where n.owner = :owner and n.uid not in (select uid from new_inherited_name)
    union all
    select person_id, uid from new_inherited_name
),
present as (
    select distinct on (b.person_id) b.person_id, n.run, n.named_given, n.named_kjoenn
    from borne b
    join control.account_name n on n.owner = :owner and n.uid = b.uid
    order by b.person_id, n.run desc, n.uid
)
select p.person_id, p.fornavn, p.etternavn, coalesce(p.number, p.local_number) as sort_key
from present c
join new_person p on p.person_id = c.person_id
left join new_override o on o.person_id = p.person_id and o.field = 'user_name'
where not p.dead
    and case when o.value is null then :renew_user_names else o.value = 'renew' end
    and (
        coalesce(o.from_run > c.run, false)
        or coalesce(c.named_kjoenn <> p.kjoenn, false)
        or coalesce(c.named_given <> control.keyed_hash(
            (select secret from control.owner where owner = :owner), 'given:' || lower(split_part(p.fornavn, ' ', 1))
        ), false)
    )
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
order by sort_key, person_id
