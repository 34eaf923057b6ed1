-- Local ids that stand for somebody else than before, where each of the two has a number of their own: the id has changed
-- hands. A few are corrections, and what protects follows them; a thousand are a school system that numbers anew, and
-- say nothing of who is who. Only when they are that many: more than ten, and one percent of the local ids.
with numbered as (
    select distinct person_id from new_person_link where scheme = 'number'
),
moved as (
    select distinct n.person_id, o.person_id as known_id
    from new_person_link n
    join golden.person_link o on o.scheme = n.scheme and o.value = n.value
    where o.owner = :owner and o.to_run is null and n.scheme <> 'number' and o.person_id <> n.person_id
        and n.person_id in (select person_id from numbered) and o.person_id in (select person_id from numbered)
        and not exists (
            select from new_person_link l
            join golden.person_link k on k.scheme = l.scheme and k.value = l.value
            where l.person_id = n.person_id and k.person_id = o.person_id
                and k.owner = :owner and k.to_run is null and l.scheme = 'number'
        )
)
select person_id, known_id
from moved
where (select count(*) from moved) > greatest(
    10, 0.01 * (select count(*) from golden.person_link where owner = :owner and to_run is null and scheme <> 'number')
)
