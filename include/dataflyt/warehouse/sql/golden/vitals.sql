-- needs: freg_person, new_person_link, new_sas_identity, sas_person
-- grain: one row a person
-- columns: person_id uuid, answered boolean, dead boolean, birth_date date
-- makes: table
-- Whether FREG has answered for a person, whether the person is dead, and the birth date: FREG's, else the school
-- system's.
with answered as (
    select
        l.person_id,
        bool_or(f.doed) as dead,
        min(coalesce(control.as_date(f.foedselsdato), control.as_date(f.foedselsaar || '-01-01'))) as birth_date
    from freg_person f
    join new_person_link l on l.scheme = 'number' and l.value = f.foedselsEllerDNummer
    group by l.person_id
),
in_school as (
    select i.person_id, min(control.as_date(s.birth_date)) as birth_date
    from sas_person s join new_sas_identity i on i.sas_id = s.person_id
    group by i.person_id
)
select
    person_id,
    a.person_id is not null as answered,
    coalesce(a.dead, false) as dead,
    coalesce(a.birth_date, s.birth_date) as birth_date
from answered a
full join in_school s using (person_id)
