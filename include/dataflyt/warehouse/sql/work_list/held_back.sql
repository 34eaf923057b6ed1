-- needs: {p}enrolment, {p}protection
-- grain: one row a pupil
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- Pupils who are in no export until FREG answers or people decide. Those about whom FREG cannot be asked have kinds of
-- their own (golden/work_item.sql). {p} is the prefix of the vetoed views.
select distinct
    'pupil_held_back' as kind, e.person_id::text as subject, '' as other, cast(null as text) as unit_id,
    cast(null as timestamptz) as since
from {p}enrolment e
join {p}protection x on x.person_id = e.person_id and x.held_back and not x.unasked
