-- needs: {p}candidate, {p}shown_relation
-- grain: one row a person
-- columns: person_id uuid, number text, local_number text, fornavn text, mellomnavn text, etternavn text, birth_date
--   date, work_email text, pupil boolean, employee boolean, guardian boolean, level integer,
--   display_name text
-- makes: view
-- People who may be shown: pupils and employees of the schools, and adults with access to one of the pupils. These
-- adults have only name and number. The only e-mail here is that of the job; a fortrolig person has none.
select
    c.person_id, c.number,
    case when c.pupil or c.employee then c.local_number end as local_number,
    c.fornavn, c.mellomnavn, c.etternavn,
    case when c.pupil or c.employee then c.birth_date end as birth_date,
    case when c.employee and c.level < 2 then c.work_email end as work_email,
    c.pupil, c.employee,
    g.adult_id is not null as guardian,
    c.level,
    case when c.pupil or c.employee then c.display_name end as display_name
from {p}candidate c
left join (select distinct adult_id from {p}shown_relation) as g on g.adult_id = c.person_id
where not c.hidden and (c.pupil or c.employee or g.adult_id is not null)
