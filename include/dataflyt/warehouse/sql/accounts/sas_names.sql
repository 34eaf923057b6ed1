-- needs: new_sas_identity, sas_person
-- grain: one row a person and a name
-- columns: person_id uuid, name text
-- makes: answer
-- The FEIDE id is what a BAS writes back to the school system; a bare user name counts where there is none.
select i.person_id, coalesce(s.feide_id, s.username) as name
from sas_person s
join new_sas_identity i on i.sas_id = s.person_id
where coalesce(s.feide_id, s.username) is not null
