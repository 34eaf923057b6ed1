-- needs: after_protection, before_protection
-- grain: one row a person
-- columns: person_id text
-- makes: table
-- People who are in no export, before or after.
select person_id::text as person_id from before_protection where level = 3 or held_back
union
select person_id::text from after_protection where level = 3 or held_back
