-- needs: control.account_name, listed
-- grain: one row a user name given
-- makes: rows
-- A person who stands in the imported directory, and has no name with us yet, keeps the name there. Entries are matched
-- by any number that the person has had, never by name. Left for somebody to decide: a name that stands for two people,
-- a person who stands there by two names, and a name that we have given somebody else.
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
