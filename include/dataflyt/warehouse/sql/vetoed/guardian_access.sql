-- needs: {p}access_by_grant, {p}block, {p}guardian_access_bare, {p}veto
-- grain: one row a child and an adult
-- columns: child_id uuid, adult text, adult_kind text, basis text, ansvar text, state text, of_age_on date
-- makes: view
-- Access on {day} under vetoes and blocks.
select child_id, adult, adult_kind, basis, ansvar,
    case
        when g.state <> 'active' then g.state
        when exists (
            select from {p}veto v
            where v.kind = 'access_ended' and v.person_id = g.child_id and v.adult = g.adult
        ) then 'ended'
        when exists (
            select from {p}veto v
            where v.kind = 'death' and v.person_id = g.child_id
        ) or exists (
            select from {p}veto v
            where v.kind = 'death' and v.person_id::text = g.adult
        ) then 'dead'
        when exists (
            select from {p}veto v
            where v.kind = 'access_suspended' and v.person_id = g.child_id and v.adult = g.adult
        ) then 'suspended'
        when exists (
            select from {p}block b where b.child_id = g.child_id and b.adult = g.adult
        ) then 'blocked'
        when g.basis = 'foreldreansvar' and coalesce(g.of_age_on, 'infinity') > {day} then 'active'
        when exists (
            select from {p}access_by_grant h where h.child_id = g.child_id and h.adult = g.adult
        ) then 'active'
        when g.basis = 'foreldreansvar' then 'of_age'
        else 'ended'
    end as state,
    of_age_on
from {p}guardian_access_bare g
