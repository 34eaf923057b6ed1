-- needs: new_person_link, sas_person
-- grain: one row a pair of the school system's own id and a person
-- index: sas_id, person_id
-- columns: sas_id text, person_id uuid
-- makes: table
-- The person that an id of the school system stands for: by the number, or by the id itself if there is no number.
select s.person_id as sas_id, l.person_id
from sas_person s
join new_person_link l on l.scheme = 'number' and l.value = s.number
union
select s.person_id, l.person_id
from sas_person s
join new_person_link l on l.scheme = 'sas' and l.value = s.person_id
where s.number is null or length(s.number) <> 11 or s.number ~ '[^0-9]'
