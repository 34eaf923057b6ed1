-- needs: {p}contact, {p}shown_relation
-- grain: one row a guardian
-- columns: person_id uuid, message boolean, notice boolean, reason text, withheld boolean
-- makes: view
-- Whether a guardian can get an ordinary message and a formal notice, and why not. An ordinary message needs an e-mail
-- or a mobile; a formal notice also an active entry in KRR, no reservation, and one of them fresh. Where contact may not
-- be shown, since guardian or pupil is fortrolig, it is as for those who have none: nobody can tell the two apart.
-- ``withheld`` tells them apart, for explanations to those who may see the protected; no export reads it.
select
    person_id,
    reason is distinct from 'no_contact' as message,
    reason is null as notice,
    reason,
    withheld
from (
    select
        g.person_id,
        g.level >= 2 as withheld,
        case
            when k.email_hash is null and k.mobile_hash is null then 'no_contact'
            when k.status is distinct from 'AKTIV' then 'not_active'
            when k.reserved then 'reserved'
            when not (k.email_hash is not null and k.email_fresh or k.mobile_hash is not null and k.mobile_fresh)
                then 'expired'
        end as reason
    from (select adult_id as person_id, max(level) as level from {p}shown_relation group by adult_id) as g
    left join {p}contact k on k.person_id = g.person_id and g.level < 2
) as judged
