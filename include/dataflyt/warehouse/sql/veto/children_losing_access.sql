-- needs: lost_access
-- grain: one row
-- columns: count bigint
-- makes: answer
-- Children who lose an adult's access.
select count(distinct child_id) from lost_access
