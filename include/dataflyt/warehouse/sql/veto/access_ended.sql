-- needs: lost_access
-- grain: one row a veto written
-- makes: rows
-- Access that has ended.
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, beside)
select :owner, 'access_ended', child_id, adult, cause, :run, now(), :beside from lost_access
order by child_id, adult
