-- needs: now_guardian_access
-- grain: one row a pair of persons
-- columns: person_id uuid, other_id uuid
-- makes: answer
-- Pairs of people of one family: an adult and a child, two children of an adult, two adults of a child.
with near as (
    select child_id::text as person, adult as other from now_guardian_access
    union
    select adult, child_id::text from now_guardian_access
    union
    select person, person from unnest(cast(:people as text[])) as person
)
select distinct cast(a.person as uuid) as person_id, cast(b.person as uuid) as other_id
from near a
join near b on b.other = a.other and a.person < b.person
where a.person = any(:people) and b.person = any(:people)
union
select cast(person as uuid), cast(other as uuid) from near where person = any(:people) and other = any(:people)
