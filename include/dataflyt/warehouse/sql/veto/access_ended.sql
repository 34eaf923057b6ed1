-- needs: lost_access
-- grain: one row a veto written
-- makes: rows
-- Access that has ended.
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, outside_run)
select :owner, 'access_ended', child_id, adult, cause, :run, now(), :outside_run from lost_access
order by child_id, adult
