-- needs: control.check_result, control.quarantine, control.row_decision, control.run
-- grain: one row a row in quarantine and a rule that it breaks
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone, responsible text,
--   reason text
-- makes: answer
-- Rows that the newest checked run has set aside, by the hash of their content, without those that people have decided
-- about. Tables whose rows hint at protection (:hints) are left out. An unchanged row keeps its age.
select 'set_aside' as kind, q.row_hash as subject, q.rule as other, cast(null as text) as unit_id,
    min(r.as_of) as since, min(q.responsible) as responsible, min(q.reason) as reason
from control.quarantine q
join control.run r on r.owner = :owner and r.run = q.run
where q.owner = :owner and q.row_hash is not null and not (q.table_name = any(:hints))
    and not exists (
        select from control.row_decision d
        where d.owner = :owner and d.row_hash = q.row_hash and d.rule = q.rule and d.ended_at is null
    )
group by q.row_hash, q.rule
having max(q.run) = (select max(c.run) from control.check_result c where c.owner = :owner)
