-- needs: answered_freg, control.quarantine, control.veto, held_for, held_of, new_employment, new_identity_change,
--   new_kin, new_near, new_person, new_person_link, new_vitals
-- grain: one row a veto
-- columns: veto bigint, kind text, unknown boolean
-- makes: table
-- The vetoes that the run may lift. A person that the veto holds for has a fresh answer without a row in quarantine,
-- and every person in the golden record that it holds for has an answer. Vetoes that an identity change of this run
-- carries to another person are left out, and so are vetoes whose cause is such a person. The cause of a protection has
-- a fresh answer too, or is no longer near: FREG is not asked about somebody who has lost foreldreansvar. People who
-- hold a person back end that themselves.
with held as (
    select distinct subject
    from control.quarantine
    where owner = :owner and run = :run and table_name in (
        'freg_person', 'freg_identifikasjonsnummer', 'freg_adressebeskyttelse', 'freg_bostedsadresse',
        'freg_annenAdresse', 'freg_foreldreansvar'
    )
),
answered as (
    select l.person_id, bool_or(q.subject is not null) as held_over
    from answered_freg a
    join new_person_link l on l.scheme = 'number' and l.value = a.subject
    left join held q on q.subject = a.answer
    group by l.person_id
),
fresh as (
    select person_id from answered where not held_over
),
-- Employees that FREG has never been asked about: HR can lift HR's own marks, and people their own decisions.
told as (
    select person_id from new_employment where person_id not in (select person_id from new_vitals where answered)
),
believed as (
    select m.veto, m.person_id from held_for m where m.person_id in (select person_id from fresh)
    union
    select m.veto, m.person_id
    from held_for m
    join control.veto v on v.owner = :owner and v.veto = m.veto
    where v.cause in ('hr', 'override') and m.person_id in (select person_id from told)
),
changed as (
    select person_id from new_identity_change
    union
    select became from new_identity_change
)
select v.veto, v.kind, v.unknown
from control.veto v
where v.owner = :owner and v.lifted_at is null and v.run < :run and v.cause <> 'held_back'
    and v.veto in (select b.veto from believed b)
    and v.veto not in (
        select m.veto from held_for m
        where m.person_id in (select person_id from changed)
            or m.person_id in (select person_id from new_person) and not exists (
                select from believed b where b.veto = m.veto and b.person_id = m.person_id
            )
    )
    and v.veto not in (
        select a.veto from held_of a where a.adult in (select person_id::text from changed)
    )
    and coalesce(v.cause_person_id not in (
        select k.other_id from changed c join new_kin k on k.person_id = c.person_id
    ), true)
    and (v.cause_person_id is null or v.cause_person_id in (select person_id from fresh) or exists (
        select from new_kin k
        where k.person_id = v.cause_person_id and k.other_id in (select person_id from fresh)
    ) or not exists (
        select from held_for m
        join new_near n on n.person_id = m.person_id
        where m.veto = v.veto and (n.other_id = v.cause_person_id or n.other_id in (
            select k.other_id from new_kin k where k.person_id = v.cause_person_id
        ))
    ))
