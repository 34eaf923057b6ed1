-- needs: control.access_grant, new_kin, new_responsible
-- grain: one row a child, a guardian or sibling, and which of the two
-- columns: person_id uuid, other_id uuid, cause text
-- makes: table
-- The guardians and siblings whose protection is a child's too if they live together. Guardians are so by
-- foreldreansvar for any child in FREG's answers, pupil here or not, and by grants, under any id that either person has
-- or has had. FREG is not asked about an adult whose grant has run out. Siblings have a guardian in common.
with guardian as (
    select child_id, adult::uuid as adult_id from new_responsible where adult_kind = 'person'
    union
    select coalesce(c.other_id, g.child_id), coalesce(a.other_id, g.adult::uuid)
    from control.access_grant g
    left join new_kin c on c.person_id = g.child_id
    left join new_kin a on a.person_id::text = g.adult
    where g.owner = :owner and g.adult_kind = 'person' and g.withdrawn_at is null
        and coalesce(g.until, 'infinity') >= cast(:today as date)
)
select child_id as person_id, adult_id as other_id, 'guardian' as cause from guardian
union
select a.child_id, b.child_id, 'sibling'
from guardian a
join guardian b on b.adult_id = a.adult_id and b.child_id <> a.child_id
