-- needs: control.run, golden.work_item, told
-- grain: one row an item of the released run
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- The findings of the released run, each with the time of the first of the runs in a row that have found it. An item
-- keeps its age when only its school changes. Without :graded a finding in :as_told is the item that the exports make
-- of it (:told_as, in the same order) while it is in the table told; with it, it is none.
with version as (
    select coalesce(t.kind, w.kind) as kind, t.kind is not null as told, w.subject, w.other, w.unit_id, w.from_run,
        w.to_run
    from golden.work_item w
    left join unnest(cast(:as_told as text[]), cast(:told_as as text[])) as t (finding, kind) on t.finding = w.kind
    where w.owner = :owner and w.from_run <= :released and not (:graded and t.kind is not null)
),
begun as (
    select v.*,
        (from_run > max(coalesce(to_run, :released + 1)) over (
            partition by kind, subject, other order by from_run rows between unbounded preceding and 1 preceding
        )) is not false as begins
    from version v
),
island as (
    select b.*, max(from_run) filter (where begins) over (
        partition by kind, subject, other order by from_run
    ) as first_run
    from begun b
)
select i.kind, i.subject, i.other, i.unit_id, r.as_of as since
from island i
join control.run r on r.owner = :owner and r.run = i.first_run
where coalesce(i.to_run > :released, true)
    and (not i.told or exists (select from told t where t.kind = i.kind and t.subject = i.subject))
union all
-- Between two runs: as if the released run had found it.
select t.kind, t.subject, '', null, r.as_of
from told t
join control.run r on r.owner = :owner and r.run = :released
where not :graded and not exists (
    select from island i
    where i.kind = t.kind and i.subject = t.subject and i.other = '' and coalesce(i.to_run > :released, true)
)
