-- needs: plan
-- grain: one row
-- columns: count bigint
-- makes: answer
-- Losses of access that rest on absence. Those that FREG has answered are taken by vetoes already.
select count(*) from plan where kind = 'guardian_loses_access' and inferred
