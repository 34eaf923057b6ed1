-- needs: control.manual_person, control.override, {p}access_by_grant, {p}employment, {p}enrolment
-- grain: one row a grant, an override or a person registered by hand
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- What people have decided and what ends within 30 days of {day}, a date literal, or is to be reviewed by then. A grant
-- ends by itself after its last day. {p} is the prefix of the vetoed views.
select
    case g.basis when 'consent' then 'consent_ends_soon' else 'grant_ends_soon' end as kind,
    g.child_id::text as subject, g.adult as other, cast(null as text) as unit_id,
    cast(g.ends_on - 30 as timestamp) at time zone 'Europe/Oslo' as since
from {p}access_by_grant g
where g.ends_on between {day} and {day} + 30
union
select
    'override_review_soon', person_id::text, field, null,
    cast(review_on - 30 as timestamp) at time zone 'Europe/Oslo'
from control.override
where owner = substr(current_user, 9) collate "default" and ended_at is null
    and review_on > {day} and review_on <= {day} + 30
union
select
    'by_hand_ends_soon', h.person_id::text, '', h.unit_id, cast(m.until - 30 as timestamp) at time zone 'Europe/Oslo'
from (
    select person_id, unit_id, manual from {p}enrolment
    union
    select person_id, unit_id, manual from {p}employment
) as h
join control.manual_person m on m.manual_person = h.manual
where m.owner = substr(current_user, 9) collate "default" and m.kind <> 'alias' and m.ended_at is null
    and m.until between {day} and {day} + 30
