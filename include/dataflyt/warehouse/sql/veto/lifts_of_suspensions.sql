-- needs: control.lift, control.veto, held_for, liftable, new_protection
-- grain: one row a lifting planned
-- makes: rows
-- A suspension by an unknown word is lifted only together with the last protection of the child.
insert into control.lift (owner, run, veto)
select :owner, :run, v.veto
from liftable v
where v.kind = 'access_suspended' and v.unknown
    and v.veto not in (
        select m.veto from held_for m
        join new_protection p on p.person_id = m.person_id
        where p.level >= 2
    )
    and v.veto not in (
        select m.veto from held_for m
        join held_for same on same.person_id = m.person_id
        join control.veto w on w.owner = :owner and w.veto = same.veto
        where w.kind = 'protection'
            and w.veto not in (select l.veto from control.lift l where l.owner = :owner and l.run = :run)
    )
