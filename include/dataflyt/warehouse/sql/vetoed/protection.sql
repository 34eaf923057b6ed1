-- needs: control.override, control.publishable, control.undone_hold, {p}kin, {p}protection_bare, {p}veto
-- grain: one row a person
-- columns: person_id uuid, level integer, held_back boolean, cause text, cause_person_id uuid, known_level integer,
--   unasked boolean, comes_back boolean
-- makes: view
-- The strictest protection of a person: by the golden record, by the vetoes and, as of now, by the overrides. A person
-- whom the undoing of a later run would bring back is held back; "comes_back" tells that there is no other reason for
-- it, and that the person would not get a former name back.
select distinct on (person_id) person_id, level,
    bool_or(held_back) over (partition by person_id) as held_back, cause, cause_person_id,
    max(known_level) over (partition by person_id) as known_level,
    bool_or(unasked) over (partition by person_id) as unasked,
    bool_or(comes_back) over (partition by person_id) as comes_back
from (
    select b.person_id, b.level, b.held or b.undone as held_back, b.cause, b.cause_person_id,
        coalesce(b.known_level, b.level) as known_level, coalesce(b.unasked, false) as unasked,
        b.undone and not b.held and not exists (
            select from control.undone_hold h
            where h.owner = '{owner}' and h.run >= {run} and h.renamed and (h.person_id = b.person_id or h.person_id in (
                select k.other_id from {p}kin k where k.person_id = b.person_id
            ))
        ) as comes_back
    from (select b.*,
        -- A decision stops counting as soon as people end it; a new one counts from its run on.
        b.held_back or coalesce(b.unasked, false) and ({hold} or exists (
            select from control.publishable d
            where d.owner = '{owner}' and d.ended_at is not null
                and (d.person_id = b.person_id or d.person_id in (
                    select k.other_id from {p}kin k where k.person_id = b.person_id
                ))
        )) and not exists (
            select from control.publishable d
            where d.owner = '{owner}' and d.ended_at is null and d.from_run <= {run}
                and (d.person_id = b.person_id or d.person_id in (
                    select k.other_id from {p}kin k where k.person_id = b.person_id
                ))
        ) as held,
        exists (
            select from control.undone_hold h
            where h.owner = '{owner}' and h.run >= {run} and (h.person_id = b.person_id or h.person_id in (
                select k.other_id from {p}kin k where k.person_id = b.person_id
            ))
        ) as undone
        from {p}protection_bare b
    ) as b
    union all
    select person_id, level, false, cause, cause_person_id, case when unknown then 0 else level end, false, false
    from {p}veto where kind = 'protection'
    union all
    select coalesce(k.other_id, o.person_id), case o.value when 'fortrolig' then 2 else 3 end, false,
        'override', null, case o.value when 'fortrolig' then 2 else 3 end, false, false
    from control.override o
    left join {p}kin k on k.person_id = o.person_id
    where o.owner = '{owner}' and o.field = 'adressebeskyttelse' and o.ended_at is null and {as_of_now}
) as every
order by person_id, level desc, cause in ('hr', 'override', 'held_back'), cause, cause_person_id
