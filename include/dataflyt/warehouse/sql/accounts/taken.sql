-- needs: control.account_name, control.directory_entry, control.former_name, listed, wanted_name
-- grain: one row a user name given
-- makes: rows
-- A person who comes from another kommune, and has no name here, keeps the user name from there if nobody else has it.
with former as (
    select w.person_id, split_part(f.name, '@', 1) as uid
    from wanted_name w
    join control.former_name f on f.owner = :owner and f.person_id = w.person_id
),
free as (
    select person_id, min(uid) as uid
    from former f
    where not exists (select from control.account_name n where n.owner = :owner and n.uid = f.uid)
        and not exists (select from control.directory_entry e where e.owner = :owner and e.uid = f.uid)
        and not exists (select from listed l where l.person_id = f.person_id)
    group by person_id
)
insert into control.account_name (owner, uid, base, person_id, run)
select :owner, uid, uid, min(person_id::text)::uuid, :run
from free
group by uid
having count(*) = 1
