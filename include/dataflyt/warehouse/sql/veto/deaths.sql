-- needs: new_person, now_person
-- grain: one row
-- columns: count bigint
-- makes: answer
-- People that have died since the released run.
select count(*)
from (
    select p.person_id
    from new_person p
    join now_person n on n.person_id = p.person_id
    where p.dead
    group by p.person_id
    having not bool_or(n.dead)
) as died
