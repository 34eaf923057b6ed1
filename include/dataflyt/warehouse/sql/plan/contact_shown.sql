-- needs: after_contact, after_quiet, after_shown_relation, before_contact, before_shown_relation
-- grain: one row a guardian
-- columns: kind text, subject text, other text, unit_id text, inferred boolean
-- makes: table
-- Contact details that change in the exports, for readers who may not see protection. Withheld details count as none,
-- since the list of access tells the two alike (exports/shown_envelope.sql). A guardian who goes out of the exports has
-- a row if KRR's answer is gone too: who is still a guardian has gone because of a protection. A guardian who comes into
-- them has a row if KRR's answer is new too: who was a guardian before comes because a protection has ended.
with before_seen as (
    select adult_id, case when r.level < 2 then c.email_hash end as email,
        case when r.level < 2 then c.mobile_hash end as mobile, r.level < 2 and coalesce(c.reserved, false) as reserved
    from (select adult_id, max(level) as level from before_shown_relation group by adult_id) as r
    left join before_contact c on c.person_id = r.adult_id
),
after_seen as (
    select adult_id, case when r.level < 2 then c.email_hash end as email,
        case when r.level < 2 then c.mobile_hash end as mobile, r.level < 2 and coalesce(c.reserved, false) as reserved
    from (select adult_id, max(level) as level from after_shown_relation group by adult_id) as r
    left join after_contact c on c.person_id = r.adult_id
)
select 'contact_changes' as kind, adult_id::text as subject, '' as other, cast(null as text) as unit_id,
    false as inferred
from before_seen b
full join after_seen a using (adult_id)
where (a.email, a.mobile, coalesce(a.reserved, false))
    is distinct from (b.email, b.mobile, coalesce(b.reserved, false))
    and case
        when a.adult_id is null then adult_id not in (select person_id from after_contact)
            and adult_id::text not in (select adult from after_quiet)
        when b.adult_id is null then adult_id not in (select person_id from before_contact)
        else true
    end
