-- needs: control.veto, held_for, held_of, liftable, new_guardian_access, new_person, new_protection
-- grain: one row a lifting planned
-- makes: rows
-- The vetoes that the answers contradict: lower protection, access that is named again, a living person.
insert into control.lift (owner, run, veto)
select :owner, :run, v.veto
from liftable v
where (
        v.kind = 'protection'
        and v.veto not in (
            select m.veto from held_for m
            join control.veto w on w.owner = :owner and w.veto = m.veto
            join new_protection p on p.person_id = m.person_id
            where p.level >= w.level
        )
    )
    or (
        v.kind = 'access_ended'
        and exists (
            select from new_guardian_access g
            join held_for m on m.person_id = g.child_id
            join held_of a on a.adult = g.adult
            where m.veto = v.veto and a.veto = v.veto and g.state = 'active'
        )
    )
    or (
        v.kind = 'death'
        and v.veto in (
            select m.veto from held_for m join new_person p on p.person_id = m.person_id where not p.dead
        )
        and v.veto not in (
            select m.veto from held_for m join new_person p on p.person_id = m.person_id where p.dead
        )
    )
