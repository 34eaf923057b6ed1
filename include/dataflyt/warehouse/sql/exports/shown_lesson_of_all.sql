-- needs: control.owner, {p}lesson, {p}shown_school_group
-- grain: one row a lesson of a group in a week
-- columns: group_id text, token text, weekday integer, starts text, ends text, room text
-- makes: view
-- The lessons of shown groups. "token" is the secret part of the link to the group's calendar: a keyed hash, the same
-- for as long as the group has its id.
select
    l.group_id,
    substr(control.keyed_hash(
        (select secret from control.owner where owner = '{owner}'), 'calendar ' || l.group_id
    ), 1, 32) as token,
    l.weekday, l.starts, l.ends, l.room
from {p}lesson l
join {p}shown_school_group g on g.group_id = l.group_id
