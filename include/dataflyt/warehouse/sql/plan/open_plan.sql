-- needs: plan, plan_of_fortrolig
-- grain: one row a change
-- columns: kind text, subject text, other text, unit_id text, inferred boolean
-- makes: view
-- The plan as a reader without the right to see protection sees it.
select kind, subject, other, unit_id, inferred from plan where not graded
union all
select kind, subject, other, unit_id, inferred from plan_of_fortrolig
