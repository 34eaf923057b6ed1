-- needs: after_guardian_access, answered_freg, new_person_link, plan
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether a guardian is gained by an older answer of FREG: a pupil comes back, and FREG does not answer for the pupil.
select exists (
    select from plan g
    join after_guardian_access a on a.child_id::text = g.subject and a.adult = g.other and a.basis = 'foreldreansvar'
    where g.kind = 'guardian_gains_access' and not exists (
        select from answered_freg f
        join new_person_link l on l.scheme = 'number' and l.value = f.subject
        where l.person_id = a.child_id
    )
) as asks
