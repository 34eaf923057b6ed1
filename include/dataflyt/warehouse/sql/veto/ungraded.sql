-- needs: freg_adressebeskyttelse, history.freg_adressebeskyttelse, new_person_link, {answered}
-- grain: one row a person
-- columns: person_id uuid
-- makes: answer
-- People who were graded, if the answers ({answered}) leave all of them ungraded: a lost right to that part of FREG
-- looks like this. Lowering is asked about, but the question may not tell the number of people. A person that only an
-- unknown word has graded does not count: a clean answer lifts that grading.
select distinct l.person_id
from history.freg_adressebeskyttelse h
join new_person_link l on l.scheme = 'number' and l.value = h.foedselsellerdnummer
where h.owner = :owner and h.to_run is null and h.ergjeldende is not false
    and h.graderingsnivaa is distinct from 'ugradert'
    and h.foedselsellerdnummer in (select subject from {answered})
    and not exists (
        select from freg_adressebeskyttelse where (graderingsnivaa is distinct from 'ugradert' or ukjent)
            and ergjeldende is not false and foedselsellerdnummer in (select subject from {answered})
    )
