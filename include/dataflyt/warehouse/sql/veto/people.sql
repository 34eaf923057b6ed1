-- needs: new_person, now_person
-- grain: one row
-- columns: people bigint
-- makes: answer
-- The number of people that the bounds in percent are measured by.
select greatest((select count(*) from now_person), (select count(*) from new_person)) as people
