-- needs: before_person_link, new_person_link
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether a person who was known only by a local id, in any released run, gets a number. The local id may stand for
-- another person today than before the person left.
-- The persons who get their first number are few, and found before those who were known are looked through.
with given as materialized (
    select n.person_id
    from new_person_link n
    where n.scheme = 'number' and not exists (
        select from before_person_link o where o.person_id = n.person_id and o.scheme = 'number'
    )
)
select exists (
    select from before_person_link b where b.person_id in (select person_id from given)
) as asks
