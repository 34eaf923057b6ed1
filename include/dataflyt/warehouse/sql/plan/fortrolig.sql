-- needs: after_protection, before_protection, hidden
-- grain: one row a person
-- columns: person_id text
-- makes: table
-- People who are fortrolig, before or after. They are in the exports, and the plan counts them like other people,
-- except in the two kinds that the work list has too.
select person_id::text as person_id from before_protection where level = 2
union
select person_id::text from after_protection where level = 2
except
select person_id from hidden
