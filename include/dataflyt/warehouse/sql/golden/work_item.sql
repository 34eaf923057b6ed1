-- needs: control.directory_entry, control.owner, freg_foreldreansvar, freg_resident, hr_employee, krr_contact,
--   new_account, new_contact, new_employment, new_enrolment, new_guardian_access, new_hr_identity, new_membership,
--   new_name_differs, new_person, new_person_link, new_protection, new_sas_identity, new_school_group, new_unit,
--   reference.school, reference.subject, sas_guardian, sas_membership, sas_person, sas_school
-- grain: one row a kind, a subject and the other thing that it is about
-- key: kind, subject, other
-- columns: kind text, subject text, other text, unit_id text
-- makes: golden
-- Items that people have to look at. Guardians in the school system without a basis come first. Two kinds, withheld and
-- hidden, are items to nobody but those who may not see protection (TOLD_AS in operations/work_kinds.py): the exports
-- tell the same of both. They are kept so that such an item has the age that any other has.
with kept_by_hand as (
    select distinct
        c.person_id as child_id,
        case when g.number is null then 'sas:' || s.guardian_id else i.person_id::text end as adult
    from sas_guardian s
    join new_sas_identity c on c.sas_id = s.child_id
    join new_sas_identity i on i.sas_id = s.guardian_id
    left join sas_person g on g.person_id = s.guardian_id
    where s.contact_type = 'guardian' and exists (select from new_enrolment e where e.person_id = c.person_id)
)
select
    'sas_guardian_without_basis' as kind, k.child_id::text as subject, k.adult as other, cast(null as text) as unit_id
from kept_by_hand k
where not exists (
    select from new_guardian_access a where a.child_id = k.child_id and a.adult = k.adult and a.state = 'active'
)
union
-- Consent does not count as a basis here: it falls when the child is protected, and a gap in the list would tell that.
select 'sas_guardian_missing', a.child_id::text, a.adult, null
from new_guardian_access a
where a.state = 'active' and a.adult_kind = 'person' and a.basis <> 'grant:consent'
    and not exists (select from kept_by_hand k where k.child_id = a.child_id and k.adult = a.adult)
    and exists (select from kept_by_hand)
union
-- FREG says that an adult is responsible but does not name the adult. Access is never guessed from the family.
select 'responsible_not_named', c.person_id::text, coalesce(f.ansvar, ''), null
from freg_foreldreansvar f
join new_person_link c on c.scheme = 'number' and c.value = f.foedselsEllerDNummer
where f.erGjeldende is not false
    -- In the document of a pupil who is a parent the record may be about the pupil's child, as in responsible.sql.
    and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsEllerDNummer or exists (
        select from new_person_link s
        where s.scheme = 'number' and s.value = f.ansvarssubjekt and s.person_id = c.person_id
    ))
    and f.ansvarlig is null
    and f.ansvarligOrganisasjon is null
    and f.ansvarligUtenIdentifikator_fornavn is null
    and f.ansvarligUtenIdentifikator_etternavn is null
    and exists (select from new_enrolment e where e.person_id = c.person_id)
union
-- A pupil whom nobody may see. A pupil who is held back has a row of another kind, and a pupil of 18 needs nobody. A
-- kommune that may not ask for foreldreansvar gives every access by hand, and has no such rows.
select 'pupil_without_guardian', e.person_id::text, '', null
from new_enrolment e
join new_person p on p.person_id = e.person_id
    and not p.dead and coalesce(p.birth_date + interval '18 years' > cast(:today as date), true)
join new_protection x on x.person_id = e.person_id and not x.held_back
where e.manual is null
    and not exists (select from new_guardian_access a where a.child_id = e.person_id and a.state = 'active')
    and exists (select from freg_foreldreansvar)
union
-- A pupil whose guardians are all in no export.
select 'guardians_hidden', a.child_id::text, '', null
from new_guardian_access a
join new_enrolment e on e.person_id = a.child_id and e.manual is null
join new_person p on p.person_id = a.child_id
    and not p.dead and coalesce(p.birth_date + interval '18 years' > cast(:today as date), true)
join new_protection x on x.person_id = a.child_id and x.level < 2 and not x.held_back
left join new_protection g on g.person_id::text = a.adult
where a.state = 'active' and exists (select from freg_foreldreansvar)
group by a.child_id
having bool_and(a.adult_kind = 'person' and (g.level >= 3 or g.held_back))
union
-- A guardian whose contact details are withheld: the guardian, or a child, is fortrolig.
select 'guardian_withheld', a.adult, '', null
from new_guardian_access a
join new_protection c on c.person_id = a.child_id
join new_protection g on g.person_id::text = a.adult
where a.state = 'active' and a.adult_kind = 'person' and exists (select from krr_contact)
    and greatest(c.level, g.level) = 2 and not c.held_back and not g.held_back
union
-- No e-mail and no mobile that is younger than 18 months: a formal notice reaches nobody.
select 'guardian_not_reached', a.adult, '', null
from new_guardian_access a
left join new_contact c on c.person_id::text = a.adult
where a.state = 'active' and a.adult_kind = 'person' and exists (select from krr_contact)
    and not coalesce(c.email_fresh and c.email_hash is not null, false)
    and not coalesce(c.mobile_fresh and c.mobile_hash is not null, false)
union
-- A guardian without a number cannot log in.
select 'guardian_without_number', a.child_id::text, a.adult, null
from new_guardian_access a
where a.state = 'active' and a.adult_kind = 'without_number'
union
select 'responsible_unanswered', a.child_id::text, a.adult, null
from new_guardian_access a
where a.state = 'unanswered'
union
-- A child of school age who lives here and goes to none of the schools. A protected child is never listed.
select 'resident_not_enrolled', l.person_id::text, '', null
from freg_resident r
join new_person_link l on l.scheme = 'number' and l.value = r.foedselsEllerDNummer
where r.status = 'bosatt'
    and coalesce(r.graderingsnivaa, 'ugradert') = 'ugradert'
    and not exists (select from new_enrolment e where e.person_id = l.person_id)
union
-- Pupils without a number: their protection is unknown, and so are their guardians. They are held back until people
-- decide, or until the number comes.
select
    case s.number_kind
        when 'duf' then 'pupil_with_duf_number'
        when 'provisional' then 'pupil_with_provisional_number'
        when 'encrypted' then 'pupil_with_encrypted_number'
        when 'miswritten' then 'pupil_with_miswritten_number'
        else 'pupil_without_number'
    end,
    e.person_id::text, '', min(e.unit_id)
from new_enrolment e
join new_protection x on x.person_id = e.person_id and x.unasked
join new_sas_identity i on i.person_id = e.person_id
join sas_person s on s.person_id = i.sas_id
where x.held_back or :publish_unasked
group by 1, 2
union
select 'pupil_without_class', e.person_id::text, e.unit_id, e.unit_id
from new_enrolment e
where not exists (
    select from new_membership m
    join new_school_group g on g.group_id = m.group_id
    where m.person_id = e.person_id and g.unit_id = e.unit_id and g.group_type = 'basisgruppe'
)
union
select 'group_without_grep', g.group_id, '', g.unit_id
from new_school_group g
where g.group_type = 'undervisningsgruppe' and (g.grep_code ~ :code) is not true
union
select 'group_without_timetable', g.group_id, '', g.unit_id
from new_school_group g
where g.group_type = 'undervisningsgruppe' and not g.timetabled
union
-- A pupil or employee that the school system has disabled: the file does not say that the person has left.
select 'user_disabled', i.person_id::text, '', min(e.unit_id)
from sas_person s
join new_sas_identity i on i.sas_id = s.person_id
join (
    select person_id, unit_id from new_enrolment
    union all
    select person_id, unit_id from new_employment
) as e on e.person_id = i.person_id
where s.recstatus = 'disabled'
group by i.person_id
union
-- Not in the national registers as of the run. If our copy is missing or too old, there is no item.
select 'school_not_in_nsr', u.unit_id, '', u.unit_id
from new_unit u
where u.kind = 'school' and reference.fresh('nsr', :as_of) and not exists (
    select from reference.school s
    where s.orgnr = u.unit_id and s.active and s.known_from <= :as_of and coalesce(s.known_to > :as_of, true)
)
union
-- They are one school in the exports, with the people of both.
select 'orgnr_of_two_schools', s.orgnr, '', s.orgnr
from sas_school s
where s.level is distinct from 'skoleeier' and s.orgnr is not null
group by s.orgnr
having count(distinct s.school_id) > 1
union
select 'group_not_in_grep', g.group_id, g.grep_code, g.unit_id
from new_school_group g
where g.group_type = 'undervisningsgruppe' and g.grep_code ~ :code
    and reference.fresh('grep', :as_of) and not exists (
    select from reference.subject s
    where s.code = g.grep_code and s.active and s.known_from <= :as_of and coalesce(s.known_to > :as_of, true)
)
union
-- No account name: the name is in doubt (two people claim it, or one person has two), or the BAS has given none.
select 'account_not_named', s.person_id::text, '', min(s.unit_id)
from (
    select person_id, unit_id from new_enrolment
    union all
    select person_id, unit_id from new_employment
) as s
join new_unit u on u.unit_id = s.unit_id and u.kind = 'school'
join new_person p on p.person_id = s.person_id and not p.dead
where not exists (select from new_account a where a.person_id = s.person_id)
group by s.person_id
union
-- An employee in the school system who has no position at a school in the HR system: no account, and no groups.
select 'employee_without_school', i.person_id::text, '', min(coalesce(u.unit_id, g.unit_id))
from sas_membership m
join new_sas_identity i on i.sas_id = m.person_id
left join new_person p on p.person_id = i.person_id
left join new_unit u on u.sas_id = m.group_id
left join new_school_group g on g.group_id = m.group_id
where m.role <> '01' and m.active is not false and p.dead is not true
    and coalesce(u.unit_id, g.unit_id) is not null
    and coalesce(control.as_date(m.begin_date), '-infinity') <= cast(:today as date)
    and coalesce(control.as_date(m.end_date), 'infinity') >= cast(:today as date)
    and not exists (select from new_employment e where e.person_id = i.person_id)
group by i.person_id
union
-- A person with two users in a system. A guardian entered by hand is no user, and nor is an employee who has left.
select 'two_in_sas', i.person_id::text, '', null
from new_sas_identity i
where i.sas_id in (select person_id from sas_membership where active is not false)
group by i.person_id
having count(distinct i.sas_id) > 1
union
select 'two_in_hr', i.person_id::text, '', null
from new_hr_identity i
join hr_employee h on h.employee_id = i.employee_id
where coalesce(control.as_date(h.date_to), 'infinity') >= cast(:today as date)
group by i.person_id
having count(distinct i.employee_id) > 1
union
-- In the imported directory, whose numbers are hashes (0002).
select 'two_in_directory', l.person_id::text, '', null
from (
    select
        substr(control.keyed_hash(
            (select secret from control.owner where owner = :owner), 'number:' || value
        ), 1, 32)::uuid as number_id,
        person_id
    from new_person_link
    where scheme = 'number' and exists (select from control.directory_entry where owner = :owner)
) as l
join control.directory_entry e on e.owner = :owner and e.number_id = l.number_id
group by l.person_id
having count(distinct e.uid) > 1
union
-- The school system has a number that FREG no longer uses for the person.
select 'number_differs', i.person_id::text, '', null
from sas_person s
join new_sas_identity i on i.sas_id = s.person_id
join new_person p on p.person_id = i.person_id and p.answered
where s.number <> p.number
union
select kind, subject, other, unit_id from new_name_differs
