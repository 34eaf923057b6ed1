-- needs: control.account_name, control.directory_name, control.owner, listed, sas_name, wanted_name
-- grain: one row a user name given
-- makes: rows
-- Names where a BAS names accounts: the person's name in the school system, for people who are not in the imported
-- directory. A name that two people claim goes to neither. A name in the directory belongs to another person, and so
-- does the name of an erased person.
with claim as (
    select uid, person_id, count(*) over (partition by uid) as bearers, count(*) over (partition by person_id) as names
    from (select distinct uid, person_id from sas_name) as said
)
insert into control.account_name (owner, uid, base, person_id, run)
select :owner, c.uid, c.uid, c.person_id, :run
from claim c
join wanted_name w on w.person_id = c.person_id
where c.bearers = 1 and c.names = 1
    and not exists (select from listed l where l.person_id = c.person_id)
    and not exists (select from control.account_name n where n.owner = :owner and n.uid = c.uid)
    and not exists (
        select from control.account_name x
        where x.owner = :owner and x.erased_hash = control.keyed_hash((select secret from control.owner where owner = :owner), 'uid:' || c.uid)
    )
    and not exists (select from control.directory_name d where d.owner = :owner and d.uid = c.uid)
