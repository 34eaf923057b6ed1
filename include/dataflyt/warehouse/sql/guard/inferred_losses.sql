-- needs: plan
-- grain: one row
-- columns: count bigint
-- makes: answer
-- Losses of access that rest on absence. Vetoes have already taken the losses by FREG's answers.
select count(*) from plan where kind = 'guardian_loses_access' and inferred
