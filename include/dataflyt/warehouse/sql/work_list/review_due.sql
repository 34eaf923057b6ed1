-- needs: control.access_block, control.manual_person, control.override
-- grain: one row a block, an override or an alias
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- Blocks, overrides and aliases whose review date has come by {day}, a date literal. They hold until people end them. A view
-- takes no parameters, so the day is written into it, and the owner is the role that is logged in.
select
    'block_review_due' as kind, child_id::text as subject, adult as other, cast(null as text) as unit_id,
    cast(review_on as timestamp) at time zone 'Europe/Oslo' as since
from control.access_block
where owner = substr(current_user, 9) collate "default" and lifted_at is null and review_on <= {day}
union
select 'override_review_due', person_id::text, field, null, cast(review_on as timestamp) at time zone 'Europe/Oslo'
from control.override
where owner = substr(current_user, 9) collate "default" and ended_at is null and review_on <= {day}
union
select
    'alias_review_due', stands_for::text, manual_person::text, null,
    cast(review_on as timestamp) at time zone 'Europe/Oslo'
from control.manual_person
where owner = substr(current_user, 9) collate "default" and kind = 'alias' and ended_at is null and review_on <= {day}
