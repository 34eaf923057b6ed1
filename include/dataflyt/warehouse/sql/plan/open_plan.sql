-- needs: contact_shown, plan, plan_of_fortrolig
-- grain: one row a change
-- columns: kind text, subject text, other text, unit_id text, inferred boolean
-- makes: view
-- The plan for a reader without the right to see protection.
select kind, subject, other, unit_id, inferred from plan where not graded
union all
select kind, subject, other, unit_id, inferred from plan_of_fortrolig
union all
select kind, subject, other, unit_id, inferred from contact_shown
