-- needs: control.account_name, control.owner, listed
-- grain: one row a user name given
-- makes: rows
-- A person in the imported directory who has no name with us yet keeps the name there. Entries are matched by any
-- number that the person has had, never by name. People decide the rest: a name of two people, a person with two names
-- in the directory, and a name that we have given another person. The name of an erased person goes to nobody.
with counted as (
    select
        uid, person_id,
        count(*) over (partition by uid) as bearers,
        count(*) over (partition by person_id) as names
    from listed
)
insert into control.account_name (owner, uid, base, person_id, run)
select :owner, c.uid, c.uid, c.person_id, :run
from counted c
where c.person_id is not null and c.bearers = 1 and c.names = 1
    and not exists (select from control.account_name n where n.owner = :owner and n.uid = c.uid)
    and not exists (
        select from control.account_name x
        where x.owner = :owner and x.erased_hash = control.keyed_hash((select secret from control.owner where owner = :owner), 'uid:' || c.uid)
    )
