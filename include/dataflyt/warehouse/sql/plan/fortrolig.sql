-- needs: after_protection, after_veto, before_protection, before_veto, hidden
-- grain: one row a person
-- columns: person_id text
-- makes: table
-- People who are fortrolig, before or after. They are in the exports, and the plan counts them like other people,
-- except in the two kinds that the work list has too. A child whose protection has ended while adults are suspended is
-- one of them: only protection suspends.
select person_id::text as person_id from before_protection where level = 2
union
select person_id::text from after_protection where level = 2
union
select person_id::text from before_veto where kind = 'access_suspended'
union
select person_id::text from after_veto where kind = 'access_suspended'
except
select person_id from hidden
