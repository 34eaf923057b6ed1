-- needs: after_guardian_access, before_guardian_access, control.veto
-- grain: one row a child and an adult whose access appears or goes
-- columns: kind text, subject text, other text, unit_id text, inferred boolean
-- makes: part
-- Access that appears or goes. {active}: the states that count as access.
select 'guardian_gains_access' as kind, a.child_id::text as subject, a.adult as other, cast(null as text) as unit_id,
    false as inferred
from after_guardian_access a
where a.state in ({active}) and not exists (
    select from before_guardian_access b
    where b.child_id = a.child_id and b.adult = a.adult and b.state in ({active}))
union all
-- A loss is not inferred if FREG has answered, if the reason is known (18 years, dead, suspended), or if people have
-- ended the access.
select 'guardian_loses_access', b.child_id::text, b.adult, null,
    left(b.basis, 6) <> 'grant:'
    and not exists (
        select from after_guardian_access a where a.child_id = b.child_id and a.adult = b.adult)
    and not exists (
        select from control.veto v where v.owner = :owner and v.run = :run and v.person_id = b.child_id
            and v.adult = b.adult)
from before_guardian_access b
where b.state in ({active}) and not exists (
    select from after_guardian_access a
    where a.child_id = b.child_id and a.adult = b.adult and a.state in ({active}))
