-- needs: control.account_name, golden.account, new_heir
-- grain: one row a user name
-- columns: person_id uuid, uid text
-- makes: table
-- User names whose bearer is not the person that they were given to. A person who has become another person leaves the
-- name to that person, unless that person has a name. The oldest of several names is inherited. The heir keeps the
-- name, even if the two are parted again.
with bearer as (
    select n.uid, n.run, n.person_id as given_to, coalesce(a.person_id, n.person_id) as person_id
    from control.account_name n
    left join golden.account a on a.owner = :owner and a.to_run is null and a.uid = n.uid
    where n.owner = :owner
),
left_now as (
    select distinct on (h.became) h.became as person_id, b.uid
    from new_heir h
    join bearer b on b.person_id = h.person_id
    where not exists (select from bearer m where m.person_id = h.became)
    order by h.became, b.run, b.uid
)
select person_id, uid from left_now
union all
select b.person_id, b.uid
from bearer b
where b.person_id <> b.given_to and b.uid not in (select uid from left_now)
