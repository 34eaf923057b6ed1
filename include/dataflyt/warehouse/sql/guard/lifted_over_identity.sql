-- needs: control.lift, control.veto, new_kin
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether the run lifts a veto of a person whose identity has changed: it may give back an access that another person
-- lost.
select exists (
    select from control.lift l
    join control.veto v on v.owner = l.owner and v.veto = l.veto
    where l.owner = :owner and l.run = :run and (
        v.person_id in (select person_id from new_kin) or v.adult in (select person_id::text from new_kin)
    )
) as asks
