-- needs: new_sas_identity, sas_person
-- grain: one row a person and a name
-- columns: person_id uuid, name text
-- makes: answer
-- A BAS writes the FEIDE id back to the school system. A bare user name counts if there is no FEIDE id.
select i.person_id, coalesce(s.feide_id, s.username) as name
from sas_person s
join new_sas_identity i on i.sas_id = s.person_id
where coalesce(s.feide_id, s.username) is not null
