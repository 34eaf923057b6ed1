-- needs: now_access_by_grant_bare, now_protection, now_veto
-- grain: one row a veto written
-- makes: rows
-- Consents of protected children. A consent never holds for a protected child. A consent that has fallen is not
-- restored without a new grant. Only readers who may see protection are told (vetoed/quiet.sql).
insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, outside_run)
select distinct :owner, 'access_ended', g.child_id, g.adult, 'consent_protected', cast(:run as bigint), now(),
    cast(:outside_run as boolean)
from now_access_by_grant_bare g
join now_protection x on x.person_id = g.child_id and x.level >= 2
where g.basis = 'consent' and not exists (
    select from now_veto v where v.kind = 'access_ended' and v.person_id = g.child_id and v.adult = g.adult
)
