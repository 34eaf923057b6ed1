-- needs: new_person_link, new_protection, now_person, now_veto, {answered}
-- grain: one row
-- columns: count bigint
-- makes: answer
-- The same count outside a run, where the answers are few at a time. People that unknown words have hidden since the
-- last run count too; otherwise a new format would hide everybody, a few people each hour.
select count(*) from (
    select person_id from new_protection where level > known_level and cause = 'unknown_value'
union
select v.person_id
from now_veto v
where v.kind = 'protection' and v.unknown and v.cause = 'unknown_value'
    and v.person_id in (select person_id from now_person)
    and v.person_id not in (
        select l.person_id from {answered} a
        join new_person_link l on l.scheme = 'number' and l.value = a.subject
    )
) as person
