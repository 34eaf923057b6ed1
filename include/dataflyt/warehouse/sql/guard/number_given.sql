-- needs: before_person_link, new_person_link
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether a person who was known only by a local id, in any released run, gets a number. The local id may stand for
-- another person today than before the person left.
select exists (
    select from before_person_link b
    where b.scheme <> 'number'
        and not exists (
            select from before_person_link o where o.person_id = b.person_id and o.scheme = 'number'
        )
        and exists (select from new_person_link n where n.person_id = b.person_id and n.scheme = 'number')
) as asks
