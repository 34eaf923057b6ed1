-- needs: control.account_name, golden.account, new_heir
-- grain: one row a user name
-- columns: person_id uuid, uid text
-- makes: table
-- User names whose bearer is not the person that they were given to. A person who has become another person leaves the
-- name to that person, unless that person has a name. The oldest of several persons' names is inherited, and of one
-- person's names the newest. The heir keeps the name, even if the two are parted again, and so it does after another
-- name: a name is always that of its last bearer.
with bearer as (
    select n.uid, n.run, n.person_id as given_to, coalesce(a.person_id, n.person_id) as person_id
    from control.account_name n
    left join (
        select distinct on (uid) uid, person_id from golden.account where owner = :owner order by uid, from_run desc
    ) as a on a.uid = n.uid
    where n.owner = :owner
),
present as (
    select distinct on (person_id) person_id, uid, run from bearer order by person_id, run desc, uid
),
left_now as (
    select distinct on (h.became) h.became as person_id, b.uid
    from new_heir h
    join present b on b.person_id = h.person_id
    where not exists (select from bearer m where m.person_id = h.became)
    order by h.became, b.run, b.uid
)
select person_id, uid from left_now
union all
select b.person_id, b.uid
from bearer b
where b.person_id <> b.given_to and b.uid not in (select uid from left_now)
