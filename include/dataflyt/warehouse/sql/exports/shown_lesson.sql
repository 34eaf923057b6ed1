-- needs: control.owner, {p}membership, {p}protection, {p}shown_lesson_of_all, {p}veto
-- grain: one row a lesson of a group in a week
-- columns: group_id text, token text, weekday integer, starts text, ends text, room text
-- makes: view
-- The lessons of shown groups in which nobody is protected: when and where a group meets tells where its members are.
-- One group in sixteen is left out besides, always the same ones. A missing calendar is then no proof that somebody is
-- protected.
select o.group_id, o.token, o.weekday, o.starts, o.ends, o.room
from {p}shown_lesson_of_all o
where o.group_id not in (
    select m.group_id
    from {p}membership m
    where m.person_id in (
        select x.person_id from {p}protection x where x.level >= 2 or x.held_back
        union
        select v.person_id from {p}veto v where v.kind = 'access_suspended'
    )
)
    and left(control.keyed_hash(
        (select secret from control.owner where owner = '{owner}'), 'calendar cover ' || o.group_id
    ), 1) <> '0'
