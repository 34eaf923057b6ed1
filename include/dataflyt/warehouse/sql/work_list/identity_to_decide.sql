-- needs: control.identity_change, control.override, control.run, {p}block, {p}veto
-- grain: one row a change of identity
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- People who have become one or several by a released run (undone since or not), while one of them is protected: a veto, a block or an
-- override of either holds for both until people decide. {p} is the prefix of the vetoed views.
select
    'identity_to_decide' as kind, c.became::text as subject, c.person_id::text as other, cast(null as text) as unit_id,
    r.as_of as since
from control.identity_change c
join control.run r on r.owner = c.owner and r.run = c.run and r.state in ('released', 'undone')
where c.owner = substr(current_user, 9) collate "default" and (
    c.became in (select person_id from {p}veto)
    or c.became::text in (select adult from {p}veto)
    or c.became in (select child_id from {p}block)
    or c.became::text in (select adult from {p}block)
    or exists (
        select from control.override o
        where o.owner = c.owner and o.person_id in (c.person_id, c.became) and o.ended_at is null
            and o.field = 'adressebeskyttelse'
    )
)
