-- needs: golden.person_link, history.freg_annenadresse, history.freg_bostedsadresse, history.freg_foreldreansvar
-- grain: one row a child and a brother or sister
-- columns: person_id uuid, other_id uuid
-- makes: answer
-- Children and the siblings who live with them as far as FREG has told. Siblings have an adult in common (near.sql). One
-- lives with the other unless the last known home of the first is none that the other has had. The protection of the
-- first is the other's too, and would be held over for ever if FREG were not asked about those who have left school. The
-- protected are among all others, so that the number of answers tells nothing, and nobody is erased before the others.
with link as (
    select value as number, person_id
    from golden.person_link
    where owner = :owner and scheme = 'number' and (to_run is null or to_run > :released)
),
responsible as (
    select distinct c.person_id as child_id, a.person_id as adult_id
    from history.freg_foreldreansvar f
    join link c on c.number = f.foedselsellerdnummer
    join link a on a.number = f.ansvarlig
    where f.owner = :owner and (f.to_run is null or f.to_run > :released) and f.ergjeldende is not false
        and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsellerdnummer or exists (
            select from link s where s.number = f.ansvarssubjekt and s.person_id = c.person_id
        ))
),
sibling as (
    select distinct a.child_id as person_id, b.child_id as other_id
    from responsible a
    join responsible b on b.adult_id = a.adult_id and b.child_id <> a.child_id
),
home as (
    select l.person_id, b.bolig, b.to_run is null or b.to_run > :released as last_known
    from history.freg_bostedsadresse b
    join link l on l.number = b.foedselsellerdnummer
    where b.owner = :owner and b.bolig is not null and b.ergjeldende is not false
    union
    select l.person_id, a.bolig, a.to_run is null or a.to_run > :released
    from history.freg_annenadresse a
    join link l on l.number = a.foedselsellerdnummer
    where a.owner = :owner and a.element = 'deltBosted' and a.bolig is not null and a.ergjeldende is not false
)
select distinct s.person_id, s.other_id
from sibling s
left join home h on h.person_id = s.person_id and h.last_known
left join home o on o.person_id = s.other_id and o.bolig = h.bolig
where h.person_id is null or o.person_id is not null
