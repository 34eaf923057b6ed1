-- needs: control.identity_change, new_stands_for
-- grain: one row a pair of persons
-- columns: person_id uuid, other_id uuid
-- makes: table
-- All people who are, or have been, one with a person by any identifier, the person included. A person without any
-- change has no row. Changes are read both ways: if two people became one, or one became two, each is protected as the
-- other.
with recursive change as (
    select person_id, became from control.identity_change where owner = :owner and run <= :run
    union
    select known_id, person_id from new_stands_for
),
edge as (
    select person_id, became as other_id from change
    union
    select became, person_id from change
),
closure as (
    select person_id, other_id from edge
    union
    select c.person_id, e.other_id from closure c join edge e on e.person_id = c.other_id
)
select person_id, other_id from closure
