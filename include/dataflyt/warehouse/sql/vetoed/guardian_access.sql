-- needs: {p}access_by_grant, {p}block, {p}guardian_access_bare, {p}veto
-- grain: one row a child and an adult
-- columns: child_id uuid, adult text, adult_kind text, basis text, ansvar text, state text, of_age_on date
-- makes: view
-- Access on {day} under vetoes and blocks. From 18 foreldreansvar gives none. Where a grant gives it, the basis is that
-- of a grant that holds on {day}, as the next run will say.
select g.child_id, g.adult, g.adult_kind,
    coalesce(given.basis, g.basis) as basis,
    case when given.basis is null then g.ansvar end as ansvar,
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
        when given.basis is not null then 'active'
        when g.basis = 'foreldreansvar' then 'of_age'
        else 'ended'
    end as state,
    g.of_age_on
from {p}guardian_access_bare g
left join (
    select child_id, adult, 'grant:' || min(basis) as basis from {p}access_by_grant group by child_id, adult
) as given on given.child_id = g.child_id and given.adult = g.adult
    and (g.basis <> 'foreldreansvar' or g.of_age_on <= {day})
