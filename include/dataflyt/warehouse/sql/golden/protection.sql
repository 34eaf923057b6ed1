-- needs: control.override, control.publishable, control.run, freg_adressebeskyttelse, freg_annenAdresse,
--   freg_bostedsadresse, freg_resident, golden.enrolment, hr_protection, new_enrolment, new_heir, new_hr_identity,
--   new_kin, new_manual_person, new_near, new_person_link, new_sas_identity, new_vitals, sas_person
-- grain: one row a person
-- key: person_id
-- columns: person_id uuid, level integer, held_back boolean, cause text, cause_person_id uuid, known_level integer,
--   unasked boolean
-- makes: golden
-- A person's level of protection and its cause: 0 none, 1 klientadresse, 2 fortrolig, 3 strengtFortrolig. The level
-- comes from the person's own grading, any address's grading, the HR system's mark, or an override. It also comes from
-- guardians and siblings who live with the person: at the same dwelling, or where either's address is withheld. An
-- unknown word counts as strengtFortrolig; known_level is the level from known words. A pupil that FREG was asked about
-- and never answered for is held back, in no export, until FREG answers. A pupil without a number, whom FREG cannot be
-- asked about ("unasked"), is held back until people have decided, unless the kommune's file says that such pupils are
-- published. Every person has a row, so that the number of rows tells nothing.
with word as (
    select foedselsEllerDNummer as number, 'own' as cause, coalesce(graderingsnivaa, 'ukjent') as grading
    from freg_adressebeskyttelse where erGjeldende is not false
    union all
    select foedselsEllerDNummer, 'own', 'ukjent'
    from freg_adressebeskyttelse where erGjeldende is not false and ukjent
    union all
    select foedselsEllerDNummer, 'address', coalesce(adressegradering, 'ugradert')
    from freg_bostedsadresse where erGjeldende is not false
    union all
    select foedselsEllerDNummer, 'address', coalesce(adressegradering, 'ugradert')
    from freg_annenAdresse where erGjeldende is not false
    union all
    select foedselsEllerDNummer, 'own', coalesce(graderingsnivaa, 'ugradert') from freg_resident
),
base as (
    select person_id, level, known, cause from (
        select
            l.person_id,
            case w.grading
                when 'ugradert' then 0 when 'klientadresse' then 1 when 'fortrolig' then 2 else 3
            end as level,
            w.grading in ('ugradert', 'klientadresse', 'fortrolig', 'strengtFortrolig') as known,
            case when w.grading in ('ugradert', 'klientadresse', 'fortrolig', 'strengtFortrolig')
                then w.cause else 'unknown_value' end as cause
        from word w
        join new_person_link l on l.scheme = 'number' and l.value = w.number
        union all
        select i.person_id, 3, true, 'hr'
        from hr_protection p
        join new_hr_identity i on i.employee_id = p.employee_id
        where p.protected
        union all
        select coalesce(k.other_id, o.person_id), case o.value when 'fortrolig' then 2 else 3 end, true, 'override'
        from control.override o
        left join new_kin k on k.person_id = o.person_id
        where o.owner = :owner and o.field = 'adressebeskyttelse' and o.from_run <= :run and o.ended_at is null
    ) as every
    where level > 0
),
-- The strictest grading of each person by known words, and the strictest by unknown words.
graded as (
    select distinct on (person_id, known) person_id, known, level, cause from base
    order by person_id, known, level desc, cause in ('hr', 'override'), cause
),
dwelling as (
    select distinct l.person_id, a.bolig from (
        select foedselsEllerDNummer, bolig from freg_bostedsadresse where erGjeldende is not false
        union all
        select foedselsEllerDNummer, bolig from freg_annenAdresse
        where element = 'deltBosted' and erGjeldende is not false
    ) as a
    join new_person_link l on l.scheme = 'number' and l.value = a.foedselsEllerDNummer
    where a.bolig is not null
),
protects as (
    select n.person_id, b.level, b.known, n.cause, n.other_id
    from new_near n
    join graded b on b.person_id = n.other_id and b.level >= 2
),
-- Three joins instead of one with "or exists", for which PostgreSQL would look through every dwelling for each pair.
through as (
    select p.* from protects p where not exists (select from dwelling d where d.person_id = p.other_id)
    union
    select p.* from protects p where not exists (select from dwelling d where d.person_id = p.person_id)
    union
    select p.*
    from protects p
    join dwelling mine on mine.person_id = p.person_id
    join dwelling theirs on theirs.person_id = p.other_id and theirs.bolig = mine.bolig
),
every as (
    select person_id, level, known, cause, cast(null as uuid) as cause_person_id from graded
    union all
    select person_id, level, known, cause, other_id from through
),
highest as (
    select distinct on (person_id) person_id, level, cause, cause_person_id
    from every
    order by person_id, level desc, known desc, cause_person_id is not null, cause in ('hr', 'override'), cause,
        cause_person_id
),
by_known as (
    select person_id, max(level) as level from every where known group by person_id
),
person as (
    select distinct person_id from new_person_link
),
waiting as (
    select
        e.person_id,
        not exists (select from new_person_link l where l.person_id = e.person_id and l.scheme = 'number') as unasked
    from (select distinct person_id from new_enrolment) as e
    left join new_vitals v on v.person_id = e.person_id
    where v.answered is not true
        -- Not a tester or an alias, who is nobody, unless the same person is in the school system or has a number.
        and (
            not exists (select from new_manual_person m where m.person_id = e.person_id and m.role = 'pupil')
            or exists (select from new_sas_identity i where i.person_id = e.person_id)
            or exists (select from new_person_link l where l.person_id = e.person_id and l.scheme = 'number')
        )
),
may_be_published as (
    select person_id from waiting where :publish_unasked
    union
    -- The decision follows a joining as a grant does. It lapses when the pupil leaves: another person may then get the
    -- local id.
    select coalesce(h.became, d.person_id)
    from control.publishable d
    left join new_heir h on h.person_id = d.person_id
    where d.owner = :owner and d.ended_at is null and d.from_run <= :run and not exists (
        select from control.run r
        where r.owner = :owner and r.state = 'released' and r.run >= d.from_run and r.run < :run and not exists (
            select from golden.enrolment e
            where e.owner = :owner and e.person_id = d.person_id and e.from_run <= r.run
                and (e.to_run is null or e.to_run > r.run)
        )
    )
),
-- No number in the file, and another birth date than the person of the local id: this may be another person.
doubtful as (
    select distinct i.person_id
    from sas_person s
    join new_sas_identity i on i.sas_id = s.person_id
    join new_vitals v on v.person_id = i.person_id and v.answered
    where s.number is null and control.as_date(s.birth_date) <> v.birth_date
        and exists (select from new_enrolment e where e.person_id = i.person_id)
)
select
    p.person_id,
    coalesce(h.level, 0) as level,
    d.person_id is not null
        or u.person_id is not null and not (u.unasked and u.person_id in (select person_id from may_be_published))
        as held_back,
    coalesce(
        h.cause, case when u.unasked then 'not_asked' when u.person_id is not null then 'never_answered' else 'none' end
    ) as cause,
    h.cause_person_id,
    coalesce(k.level, 0) as known_level,
    coalesce(u.unasked, false) or d.person_id is not null as unasked
from person p
left join highest h on h.person_id = p.person_id
left join by_known k on k.person_id = p.person_id
left join waiting u on u.person_id = p.person_id
left join doubtful d on d.person_id = p.person_id
