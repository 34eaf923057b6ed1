-- needs: control.identity_change
-- grain: one row a person and the person that the first has become
-- columns: person_id uuid, became uuid
-- makes: table
-- The run's changes of identity.
select person_id, became from control.identity_change where owner = :owner and run = :run
