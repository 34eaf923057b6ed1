-- needs: control.directory_entry, control.owner, new_person_link, wanted_name
-- grain: one row a user name in the imported directory, and a person it is matched with
-- columns: uid text, person_id uuid, somebody_else uuid
-- makes: table
-- The names in the imported directory, matched with people who have no name of ours, by any number that a person has
-- had. A name that matches none of these people has the number's id instead (somebody_else).
select distinct e.uid, l.person_id, case when l.person_id is null then e.number_id end as somebody_else
from control.directory_entry e
left join (
    select substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'number:' || l.value), 1, 32)::uuid as number_id, l.person_id
    from wanted_name w
    join new_person_link l on l.person_id = w.person_id
    where l.scheme = 'number' and not w.renew
) as l on l.number_id = e.number_id
where e.owner = :owner
