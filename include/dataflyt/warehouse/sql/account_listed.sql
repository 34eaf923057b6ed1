-- Whose each name in the imported directory is, of the people who wait for one: by any number that they have had. Of a
-- name that is nobody's of them, the number that bears it.
select distinct e.uid, l.person_id, case when l.person_id is null then e.number_id end as somebody_else
from control.directory_entry e
left join (
    select substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'number:' || l.value), 1, 32)::uuid as number_id, l.person_id
    from wanted_name w
    join new_person_link l on l.person_id = w.person_id
    where l.scheme = 'number'
) as l on l.number_id = e.number_id
where e.owner = :owner
