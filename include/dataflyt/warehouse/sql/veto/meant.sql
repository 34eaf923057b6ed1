-- needs: new_protection, new_stands_for
-- grain: one row a person and a person that a veto about the first is written for
-- columns: person_id uuid, target_id uuid
-- makes: table
-- The people that a veto about a person is written for: the person, and every person that the person's identifiers
-- stood for.
select person_id, person_id as target_id from new_protection
union
select person_id, known_id from new_stands_for
