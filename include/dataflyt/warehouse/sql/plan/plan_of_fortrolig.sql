-- needs: after_quiet, fortrolig, hidden
-- grain: one row a change
-- columns: kind text, subject text, other text, unit_id text, inferred boolean
-- makes: table
-- Access to fortrolig people in the form that every reader may see: a suspended access counts as access.
select kind, subject, other, unit_id, inferred
from ({access_or_suspended}) as rows
where subject in (select person_id from fortrolig) and other not in (select person_id from hidden)
    and (subject, other) not in (select child, adult from after_quiet)
