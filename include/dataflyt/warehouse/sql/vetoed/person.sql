-- needs: {p}person_bare, {p}veto
-- grain: one row a person
-- columns: person_id uuid, number text, local_number text, fornavn text, mellomnavn text, etternavn text, birth_date
--   date, kjoenn text, work_email text, status text, dead boolean, source text, answered boolean,
--   display_name text
-- makes: view
-- A person with a veto for death is dead.
select person_id, number, local_number, fornavn, mellomnavn, etternavn, birth_date, kjoenn,
    work_email, status,
    dead or exists (select from {p}veto v where v.kind = 'death' and v.person_id = g.person_id) as dead,
    source, answered, display_name
from {p}person_bare g
