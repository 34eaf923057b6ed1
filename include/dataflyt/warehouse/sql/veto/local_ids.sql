-- needs: new_changed_hands
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether the school system or HR numbers its people anew.
select exists (select from new_changed_hands) as asks
