-- Which person an identifier stands for. People are matched by number, or by the school system's or HR's own id where
-- they have none; never by name. What was once linked stays linked, and a person keeps the id of the first number seen:
-- who loses the number in a file is still the same person, and as protected as before. So is who gets one there.
with seen as (
    select distinct number from (
        select foedselsEllerDNummer as number from freg_person
        union all select oppslag from freg_person
        union all select identifikasjonsnummer from freg_identifikasjonsnummer
        union all select ansvarlig from freg_foreldreansvar
        union all select foedselsEllerDNummer from freg_resident
        union all select number from sas_person
        union all select number from hr_employee
    ) as everywhere
    where number ~ '^[0-9]{11}$'
),
-- FREG offers no stable id: the numbers of one answer belong to one person (Skatteetaten, Folkeregisteret API,
-- informasjonselementer).
same_person as (
    select number, min(root) as root from (
        select identifikasjonsnummer as number, foedselsEllerDNummer as root from freg_identifikasjonsnummer
        union all select oppslag, foedselsEllerDNummer from freg_person
    ) as numbers group by number
),
numbers as (
    select s.number, coalesce(p.root, s.number) as root from seen s left join same_person p on p.number = s.number
),
-- Of two who become one the older in the warehouse stays, of equals the one whose number is in use.
known as (
    select
        n.root,
        (array_agg(l.person_id order by l.from_run, l.value <> n.root, l.person_id))[1] as person_id,
        bool_or(l.current) as was_current
    from numbers n
    join golden.person_link l
        on l.owner = :owner and l.to_run is null and l.scheme = 'number' and l.value = n.number
    group by n.root
),
-- Nobody has had the number, and somebody without one has had the local id: it is theirs, once.
local_before as (
    select distinct on (person_id) person_id, root from (
        select n.root, l.person_id
        from (
            select number, 'sas' as scheme, person_id as local_id from sas_person
            union
            select number, 'sas', old_person_id from sas_person
            union
            select number, 'hr', employee_id from hr_employee
        ) as f
        join numbers n on n.number = f.number
        join golden.person_link l
            on l.owner = :owner and l.to_run is null and l.scheme = f.scheme and l.value = f.local_id
        where l.person_id not in (
            select o.person_id from golden.person_link o
            where o.owner = :owner and o.to_run is null and o.scheme = 'number'
        )
    ) as claimed
    order by person_id, root
),
without_number as (
    select root, (array_agg(person_id order by person_id))[1] as person_id from local_before group by root
),
-- One becomes two (personErEndretVedSplitting) when FREG answers for two numbers of a person as two people. The one
-- whose number was in use stays who it was; the other is somebody new, also where the first number seen was theirs.
parted as (
    select
        k.root,
        row_number() over (partition by k.person_id order by k.was_current desc, k.root) > 1 as is_new
    from known k
    where exists (select from freg_person p where p.foedselsEllerDNummer = k.root)
),
numbered as (
    select
        'number' as scheme,
        n.number as value,
        case
            when p.is_new then substr(control.keyed_hash(:secret, 'parted:' || n.root), 1, 32)::uuid
            else coalesce(
                k.person_id, w.person_id, substr(control.keyed_hash(:secret, 'number:' || n.root), 1, 32)::uuid
            )
        end as person_id,
        n.number = n.root as "current"
    from numbers n
    left join known k on k.root = n.root
    left join parted p on p.root = n.root
    left join without_number w on w.root = n.root
),
local_ids as (
    select
        'sas' as scheme,
        s.person_id as value,
        coalesce(
            n.person_id, own.person_id, old.person_id,
            substr(control.keyed_hash(:secret, 'sas:' || s.person_id), 1, 32)::uuid
        ) as person_id,
        true as "current"
    from sas_person s
    left join numbered n on n.value = s.number
    left join golden.person_link own
        on own.owner = :owner and own.to_run is null and own.scheme = 'sas' and own.value = s.person_id
    left join golden.person_link old
        on old.owner = :owner and old.to_run is null and old.scheme = 'sas' and old.value = s.old_person_id
    union all
    select
        'hr',
        h.employee_id,
        coalesce(
            n.person_id, own.person_id, substr(control.keyed_hash(:secret, 'hr:' || h.employee_id), 1, 32)::uuid
        ),
        true
    from hr_employee h
    left join numbered n on n.value = h.number
    left join golden.person_link own
        on own.owner = :owner and own.to_run is null and own.scheme = 'hr' and own.value = h.employee_id
),
found as (
    select * from numbered union all select * from local_ids
)
select * from found
union all
select l.scheme, l.value, l.person_id, l.current
from golden.person_link l
where l.owner = :owner and l.to_run is null
    and not exists (select from found f where f.scheme = l.scheme and f.value = l.value)
