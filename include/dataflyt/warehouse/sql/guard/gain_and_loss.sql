-- needs: control.run, control.veto, plan
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether a child gains one guardian and loses another, since the last release or on the same day. A loss by FREG's
-- answer may be a veto from a rejected run, and is then in no later plan.
select exists (
    select from plan g join plan l on l.subject = g.subject
    where g.kind = 'guardian_gains_access' and l.kind = 'guardian_loses_access'
) or exists (
    select from plan g
    join control.veto v on v.person_id::text = g.subject
    join control.run r on r.owner = v.owner and r.run = v.run
    where g.kind = 'guardian_gains_access' and v.owner = :owner and v.kind = 'access_ended'
        and (v.run > :released or (r.as_of at time zone 'Europe/Oslo')::date = cast(:today as date))
) as asks
