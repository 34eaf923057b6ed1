-- needs: new_person, now_person
-- grain: one row
-- columns: people bigint
-- makes: answer
-- The people that the bounds in percent are of.
select greatest((select count(*) from now_person), (select count(*) from new_person)) as people
