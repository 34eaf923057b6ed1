-- needs: {p}candidate, {p}guardian_access
-- grain: one row a pupil and an adult
-- columns: child_id uuid, adult_id uuid, level integer, basis text
-- makes: view
-- Active access to pupils under the vetoes, where both may be shown and the adult has a number. The level is the higher
-- of the two: a guardian's number or address leads to the child. Of a basis other than foreldreansvar only a consent is
-- told from a decision: that there is one of barnevern or a court is nobody else's to know.
select c.person_id as child_id, g.person_id as adult_id, greatest(c.level, g.level) as level,
    case a.basis when 'foreldreansvar' then 'foreldreansvar' when 'grant:consent' then 'consent' else 'decision' end as basis
from {p}guardian_access a
join {p}candidate c on c.person_id = a.child_id
join {p}candidate g on g.person_id::text = a.adult
where a.state = 'active'
    and a.adult_kind = 'person'
    and c.pupil
    and not c.hidden
    and not g.hidden
    and g.number is not null
    and g.person_id <> c.person_id
