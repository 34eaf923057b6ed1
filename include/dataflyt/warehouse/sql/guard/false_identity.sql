-- needs: history.freg_person
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether FREG has found an identity false in this run.
select exists (
    select from history.freg_person
    where owner = :owner and to_run is null and from_run = :run and falskidentitet
) as asks
