-- needs: new_person_link, new_stands_for
-- grain: one row an id that is gone and a person it stands for now
-- columns: known_id uuid, person_id uuid
-- makes: table
-- Ids of persons that no identifier stands for any more, and the persons that those identifiers stand for now.
select known_id, person_id from new_stands_for s
where not exists (select from new_person_link l where l.person_id = s.known_id)
