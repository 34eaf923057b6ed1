-- needs: freg_navn, freg_person, hr_employee, new_employment, new_enrolment, new_guardian_access, new_hr_identity,
--   new_manual_person, new_membership, new_person_link, new_sas_identity, sas_person
-- grain: one row a person
-- index: person_id
-- columns: person_id uuid, number text, local_number text, fornavn text, mellomnavn text, etternavn text, birth_date
--   date, kjoenn text, work_email text, status text, dead boolean, source text, answered boolean
-- makes: table
-- The people that a kommune needs: its pupils, the adults with access to them, and the employees of its schools. Names
-- and birth dates come from FREG, else from HR for employees, else from the school system, else from people's
-- registration. They are never derived from the number.
with wanted as (
    select person_id from new_enrolment
    union select person_id from new_membership
    union select person_id from new_employment
    union select adult::uuid from new_guardian_access where adult_kind = 'person'
),
number as (
    select distinct on (l.person_id) l.person_id, l.value
    from new_person_link l
    where l.scheme = 'number'
    order by l.person_id, l.current desc, l.value
),
register as (
    select distinct on (l.person_id) l.person_id, f.foedselsdato, f.kjoenn, f.status, f.doed
    from freg_person f
    join new_person_link l on l.scheme = 'number' and l.value = f.foedselsEllerDNummer
    order by l.person_id, l.current desc, f.foedselsEllerDNummer
),
navn as (
    select distinct on (l.person_id) l.person_id, n.fornavn, n.mellomnavn, n.etternavn
    from freg_navn n
    join new_person_link l on l.scheme = 'number' and l.value = n.foedselsEllerDNummer
    where n.erGjeldende is not false
        and coalesce(n.fornavn, n.etternavn) is not null
        -- Not a newborn's temporary name, which is made of the mother's: KARI*PIKE (Skatteetaten, "Hendelser" 1.8).
        and (n.fornavn like '%*%' and n.fornavn ~* '[*](PIKE|GUTT)$') is not true
    order by l.person_id, l.current desc, n.gyldighetstidspunkt desc nulls last, n.fornavn, n.etternavn
),
employee as (
    select distinct on (i.person_id) i.person_id, h.number, h.given_name, h.family_name, h.sex, h.birth_date, h.email
    from hr_employee h
    join new_hr_identity i on i.employee_id = h.employee_id
    order by i.person_id, h.employee_id
),
sas as (
    select distinct on (i.person_id) i.person_id as linked_id, s.*
    from sas_person s
    join new_sas_identity i on i.sas_id = s.person_id
    order by i.person_id, s.person_id
),
by_hand as (
    select distinct on (person_id) person_id, fornavn, etternavn, local_number
    from new_manual_person
    order by person_id, manual_person
)
select
    w.person_id,
    n.value as number,
    case when n.value is null then coalesce(s.local_number, m.local_number) end as local_number,
    case when f.person_id is not null then f.fornavn when h.person_id is not null then h.given_name
        when s.linked_id is not null then s.given_name else m.fornavn end as fornavn,
    f.mellomnavn,
    case when f.person_id is not null then f.etternavn when h.person_id is not null then h.family_name
        when s.linked_id is not null then s.family_name else m.etternavn end as etternavn,
    coalesce(
        control.as_date(r.foedselsdato), control.as_date(h.birth_date), control.as_date(s.birth_date)
    ) as birth_date,
    coalesce(r.kjoenn, h.sex, s.sex) as kjoenn,
    case when exists (select from new_employment e where e.person_id = w.person_id) then h.email end as work_email,
    r.status,
    coalesce(r.doed, false) as dead,
    case when f.person_id is not null then 'freg' when h.person_id is not null then 'hr'
        when s.linked_id is not null or m.person_id is null then 'sas' else 'manual' end as source,
    r.person_id is not null as answered
from wanted w
left join number n on n.person_id = w.person_id
left join register r on r.person_id = w.person_id
left join navn f on f.person_id = w.person_id
left join employee h on h.person_id = w.person_id
left join sas s on s.linked_id = w.person_id
left join by_hand m on m.person_id = w.person_id
