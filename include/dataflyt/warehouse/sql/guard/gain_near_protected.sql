-- needs: after_guardian_access, after_protection, freg_annenAdresse, freg_bostedsadresse, new_person_link, plan
-- grain: one row
-- columns: asks boolean
-- makes: question
-- Whether a guardian is gained near a protected person: the child, an adult with access to the child, or a person
-- registered at the same dwelling.
with gains as (
    select distinct subject from plan where kind = 'guardian_gains_access'
),
protected as (
    select person_id from after_protection where level >= 2
),
dwelling as (
    select distinct l.person_id, a.bolig
    from (
        select foedselsEllerDNummer, bolig, erGjeldende from freg_bostedsadresse
        union all
        select foedselsEllerDNummer, bolig, erGjeldende from freg_annenAdresse
    ) as a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.bolig is not null and a.erGjeldende is not false
)
select exists (select from gains g join protected p on p.person_id::text = g.subject)
    or exists (
        select from gains g
        join after_guardian_access a on a.child_id::text = g.subject
        join protected p on p.person_id::text = a.adult
    )
    or exists (
        select from gains g
        join dwelling c on c.person_id::text = g.subject
        join dwelling o on o.bolig = c.bolig
        join protected p on p.person_id = o.person_id
    ) as asks
