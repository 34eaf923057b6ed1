-- needs: {p}employment, {p}enrolment, {p}person, {p}protection, {p}unit
-- grain: one row a person
-- columns: person_id uuid, number text, local_number text, fornavn text, mellomnavn text, etternavn text, birth_date
--   date, work_email text, pupil boolean, employee boolean, level integer, hidden boolean, display_name text
-- makes: table
-- All living people with a name: whether each is a pupil, whether an employee at a school, and the protection. A person
-- who is strengtFortrolig (level 3) or held back is hidden, and is in no export. Exports do not read this table: the
-- views shown_<what> decide the parts that are shown.
select
    p.person_id, p.number, p.local_number, p.fornavn, p.mellomnavn, p.etternavn, p.birth_date, p.work_email,
    e.person_id is not null as pupil,
    w.person_id is not null as employee,
    coalesce(x.level, 0) as level,
    coalesce(x.level >= 3, false) or coalesce(x.held_back, false) as hidden,
    p.display_name
from {p}person p
left join {p}protection x on x.person_id = p.person_id
left join (
    select distinct person_id from {p}enrolment join {p}unit using (unit_id) where kind = 'school'
) as e on e.person_id = p.person_id
left join (
    select distinct person_id from {p}employment join {p}unit using (unit_id) where kind = 'school'
) as w on w.person_id = p.person_id
where not p.dead and coalesce(p.fornavn, p.etternavn) is not null
