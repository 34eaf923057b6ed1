-- needs: control.identity_change
-- grain: one row a pair of persons
-- columns: person_id uuid, other_id uuid
-- makes: table
-- All people who are, or have been, one with a person, as in golden/kin.sql, by the changes of identity that {changes}
-- chooses. It is a table, because every other view reads it several times, and PostgreSQL would plan a view anew in
-- each place.
with recursive edge as (
    select c.person_id, c.became as other_id from control.identity_change c
    where c.owner = '{owner}' and {changes}
    union
    select c.became, c.person_id from control.identity_change c
    where c.owner = '{owner}' and {changes}
),
closure as (
    select person_id, other_id from edge
    union
    select c.person_id, e.other_id from closure c join edge e on e.person_id = c.other_id
)
select person_id, other_id from closure
