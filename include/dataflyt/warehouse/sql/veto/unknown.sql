-- needs: new_protection
-- grain: one row
-- columns: count bigint
-- makes: answer
-- People that an unknown word grades more strictly than the known words do.
select count(person_id)
from new_protection
where level > known_level and cause = 'unknown_value'
