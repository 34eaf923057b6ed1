-- needs: control.run, golden.work_item
-- grain: one row an item of the released run
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- The findings of the released run, each with the time of the first of the runs in a row that have found it. An item
-- keeps its age when only its school changes.
select w.kind, w.subject, w.other, w.unit_id, r.as_of as since
from (
    select kind, subject, other, unit_id, to_run,
        max(from_run) filter (where begins) over (partition by kind, subject, other) as first_run
    from (
        select kind, subject, other, unit_id, from_run, to_run,
            from_run is distinct from lag(to_run) over (
                partition by kind, subject, other order by from_run
            ) as begins
        from golden.work_item
        where owner = :owner and from_run <= :released
    ) as version
) as w
join control.run r on r.owner = :owner and r.run = w.first_run
where w.to_run is null or w.to_run > :released
