-- needs: control.erased_id, control.owner, control.run, control.taken_link, golden.person_link, new_changed_hands,
--   new_person_link
-- grain: one row a pair of a person and a known one
-- columns: person_id uuid, known_id uuid
-- makes: table
-- Identifiers that have come to stand for another person: the person that a number or local id stands for now, and each
-- person that it stood for in the released run or in a waiting run, or stands for by what another kommune has told. The
-- protections of the one protect the other.
select distinct n.person_id, o.person_id as known_id
from new_person_link n
join golden.person_link o on o.scheme = n.scheme and o.value = n.value
where o.owner = :owner
    and o.person_id <> n.person_id
    and coalesce(o.to_run > (
        select coalesce(max(r.run), 0) from control.run r where r.owner = :owner and r.state = 'released'
    ), true)
    and (n.person_id, o.person_id) not in (select c.person_id, c.known_id from new_changed_hands c)
union
-- An erased person who comes back: the identifier is new to us, and its keyed hash is not.
select n.person_id, e.person_id
from new_person_link n
join control.erased_id e
    on e.id = substr(control.keyed_hash((select secret from control.owner where owner = :owner), n.scheme || ':' || n.value), 1, 32)::uuid
where e.owner = :owner
    and e.person_id <> n.person_id
    and not exists (
        select from golden.person_link o
        where o.owner = :owner and o.scheme = n.scheme and o.value = n.value and o.to_run is null
    )
union
-- Told by another kommune, until a released run of ours has known it.
select n.person_id, t.person_id
from new_person_link n
join control.taken_link t on t.owner = :owner and t.scheme = n.scheme and t.value = n.value
where t.person_id <> n.person_id and not exists (
    select from golden.person_link o
    where o.owner = :owner and o.scheme = n.scheme and o.value = n.value and o.person_id = n.person_id
        and o.from_run <= (
            select coalesce(max(r.run), 0) from control.run r where r.owner = :owner and r.state = 'released'
        )
)
