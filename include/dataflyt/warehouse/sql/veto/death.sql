-- needs: meant, new_person, now_veto
-- grain: one row a veto written
-- makes: rows
-- Deaths.
insert into control.veto (owner, kind, person_id, cause, run, learned_at, outside_run)
select distinct :owner, 'death', m.target_id, 'register', cast(:run as bigint), now(), cast(:outside_run as boolean)
from new_person p
join meant m on m.person_id = p.person_id
where p.dead
    and not exists (select from now_veto v where v.kind = 'death' and v.person_id = m.target_id)
