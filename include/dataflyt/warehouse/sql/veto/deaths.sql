-- needs: new_person, now_person
-- grain: one row
-- columns: count bigint
-- makes: answer
-- People that have died since the released run.
select count(distinct p.person_id)
from new_person p
where p.dead and not exists (select from now_person n where n.person_id = p.person_id and n.dead)
    and exists (select from now_person n where n.person_id = p.person_id)
