-- needs: control.access_grant, control.consent, {p}access_by_grant_bare, {p}protection
-- grain: one row a grant, a child and an adult
-- columns: access_grant bigint, child_id uuid, adult text, adult_kind text, basis text, ends_on date
-- makes: view
-- The grants that hold on {day}. A grant has fallen if anybody who consented to it has withdrawn that, and a consent if
-- the child is protected.
select g.access_grant, g.child_id, g.adult, g.adult_kind, g.basis, g.ends_on
from {p}access_by_grant_bare g
join control.access_grant r on r.owner = '{owner}' and r.access_grant = g.access_grant
where r.withdrawn_at is null and coalesce(g.ends_on, 'infinity') > {day}
    and coalesce(r.until, 'infinity') >= {day}
    and not exists (
        select from control.consent s
        where s.owner = '{owner}' and s.access_grant = g.access_grant and s.withdrawn_at is not null
    )
    and (g.basis <> 'consent' or not exists (
        select from {p}protection x where x.person_id = g.child_id and x.level >= 2
    ))
