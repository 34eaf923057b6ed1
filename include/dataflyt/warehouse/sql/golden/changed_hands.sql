-- needs: golden.person_link, new_person_link
-- grain: one row a pair of persons
-- columns: person_id uuid, known_id uuid
-- makes: table
-- Local ids that stand for another person than before, where each of the two has a number: the id has changed hands. A
-- few such ids are corrections, and protections follow them. A thousand such ids come from a school system that numbers
-- its people anew, and they tell nothing about identity. This table therefore has rows only if the ids are many: more
-- than ten, and more than one percent of the local ids.
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
