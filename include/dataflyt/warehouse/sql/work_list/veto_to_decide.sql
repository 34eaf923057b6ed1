-- needs: control.veto, control.veto_decision
-- grain: one row a suspended adult of a child, or a person held back
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- Suspensions that nobody has decided about, and decisions to keep a suspension or to hold a person back whose review
-- date has come by {day}. They hold until people end them. All tell of protection.
with newest as (
    select distinct on (d.veto) d.veto, d.said, d.review_on
    from control.veto_decision d
    where d.owner = substr(current_user, 9) collate "default"
    order by d.veto, d.decided_at desc
),
standing as (
    select v.kind, v.person_id::text as subject, coalesce(v.adult, '') as other, n.said, n.review_on, v.learned_at
    from control.veto v
    left join newest n on n.veto = v.veto
    where v.owner = substr(current_user, 9) collate "default" and v.lifted_at is null
)
select
    'suspension_to_decide' as kind, subject, other, cast(null as text) as unit_id, min(learned_at) as since
from standing
where kind = 'access_suspended' and said is null
group by subject, other
union
select 'suspension_review_due', subject, other, null, cast(review_on as timestamp) at time zone 'Europe/Oslo'
from standing
where kind = 'access_suspended' and review_on <= {day}
union
select 'held_back_review_due', subject, other, null, cast(review_on as timestamp) at time zone 'Europe/Oslo'
from standing
where kind = 'protection' and said = 'held_back' and review_on <= {day}
