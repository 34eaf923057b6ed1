-- needs: control.link, control.manual_person, control.owner, freg_foreldreansvar, freg_identifikasjonsnummer,
--   freg_person, freg_resident, golden.person_link, hr_employee, sas_person
-- grain: one row an identifier
-- key: scheme, value
-- index: person_id
-- columns: scheme text, value text, person_id uuid, current boolean
-- makes: golden
-- The person that an identifier stands for. People are matched by number, or by the school system's or HR's own id if
-- they have no number; never by name. An identifier once linked stays linked, and a person keeps the id of the first
-- number seen. A person who loses the number in a file, or gets one there, is therefore still the same person with the
-- same protection. People can link two persons, or part them again: the newest of their rows about an identifier goes
-- before the registers.
with seen as (
    select number from (
      select distinct number from (
        select foedselsEllerDNummer as number from freg_person
        union all select oppslag from freg_person where oppslag <> foedselsEllerDNummer
        union all select identifikasjonsnummer from freg_identifikasjonsnummer
        union all select ansvarlig from freg_foreldreansvar
        union all select foedselsEllerDNummer from freg_resident
        union all select number from sas_person
        union all select number from hr_employee
        union all select number from control.manual_person
        where owner = :owner and from_run <= :run and ended_at is null
            and coalesce(until, 'infinity') >= cast(:today as date)
      ) as everywhere
      offset 0
    ) as each
    where length(number) = 11 and number !~ '[^0-9]'
),
-- FREG offers no stable id: the numbers of one answer belong to one person (Skatteetaten, Folkeregisteret API,
-- informasjonselementer). A number in use is nobody's former number, even if an older answer about another person says
-- so.
same_person as (
    select f.number, min(f.root) as root from (
        select identifikasjonsnummer as number, foedselsEllerDNummer as root
        from freg_identifikasjonsnummer where identifikasjonsnummer <> foedselsEllerDNummer
        union all
        select oppslag, foedselsEllerDNummer from freg_person where oppslag <> foedselsEllerDNummer
    ) as f
    where not exists (
        select from freg_identifikasjonsnummer i
        where i.identifikasjonsnummer = f.number and i.foedselsEllerDNummer = f.number
    )
        and not exists (
            select from freg_person p where p.oppslag = f.number and p.foedselsEllerDNummer = f.number
        )
    group by f.number
),
numbers as (
    select s.number, coalesce(p.root, s.number) as root from seen s left join same_person p on p.number = s.number
),
-- The persons that the numbers of an answer have stood for. If FREG answers for one person's numbers as several people,
-- the person has been split (personErEndretVedSplitting), or a number belongs to another person. The answer whose
-- number was in use then keeps the person, even if the first number seen was in another answer.
claim as (
    select
        c.*,
        c.answered and row_number() over (
            partition by c.person_id, c.answered order by c.was_current desc, c.root
        ) > 1 as of_another
    from (
        select
            n.root,
            l.person_id,
            min(l.from_run) as from_run,
            max(l.from_run) as last_run,
            bool_or(l.value = n.root) as in_use,
            bool_or(l.current) as was_current,
            coalesce(n.root in (select foedselsEllerDNummer from freg_person), false) as answered
        from numbers n
        join golden.person_link l
            on l.owner = :owner and l.to_run is null and l.scheme = 'number' and l.value = n.number
        group by n.root, l.person_id
    ) as c
),
-- If two persons become one, the older in the warehouse stays. If they are equally old, the person whose number is in
-- use stays.
known as (
    select
        root,
        (array_agg(person_id order by from_run, in_use desc, person_id) filter (where not of_another))[1] as person_id,
        max(last_run) as last_run
    from claim
    group by root
),
-- The others are new persons. A split that happens again gives the same id, unless the id is still in use: its person
-- may have got another number since.
parted as (
    select
        k.root,
        case
            when i.person_id in (
                select l.person_id from golden.person_link l where l.owner = :owner and l.to_run is null
            ) then substr(control.keyed_hash((select secret from control.owner where owner = :owner), concat_ws(':', 'parted', k.root, k.last_run)), 1, 32)::uuid
            else i.person_id
        end as person_id
    from known k
    cross join lateral (
        select substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'parted:' || k.root), 1, 32)::uuid as person_id
    ) as i
    where k.person_id is null
),
-- A number that nobody has had goes to a person without a number who has had the local id, and to only one such person.
-- Those persons are few, and found first.
unnumbered as materialized (
    select l.scheme, l.value, l.person_id from golden.person_link l
    where l.owner = :owner and l.to_run is null and l.scheme <> 'number' and l.person_id not in (
        select o.person_id from golden.person_link o
        where o.owner = :owner and o.to_run is null and o.scheme = 'number'
    )
),
local_before as (
    select distinct on (l.person_id) l.person_id, n.root
    from unnumbered l
    join (
        select number, 'sas' as scheme, person_id as local_id, false as former from sas_person
        union all
        select number, 'sas', old_person_id, true from sas_person where old_person_id is not null
        union all
        select number, 'hr', employee_id, false from hr_employee
    ) as f on f.scheme = l.scheme and f.local_id = l.value
    join numbers n on n.number = f.number
    order by l.person_id, f.former, n.root
),
without_number as (
    select root, (array_agg(person_id order by person_id))[1] as person_id from local_before group by root
),
-- Identifiers that people have linked or parted, by the persons that they stood for then.
tied as (
    select distinct on (l.scheme, l.value)
        l.scheme, l.value, case when t.joined then t.became else l.person_id end as person_id
    from control.link t
    join golden.person_link l
        on l.owner = :owner and l.person_id in (t.person_id, t.became)
        and l.from_run <= t.as_of_run and coalesce(l.to_run > t.as_of_run, true)
    where t.owner = :owner and t.from_run <= :run
    order by l.scheme, l.value, t.decided_at desc, t.link desc
),
numbered as (
    select
        'number' as scheme,
        n.number as value,
        coalesce(
            t.person_id, r.person_id, k.person_id, p.person_id, w.person_id,
            substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'number:' || n.root), 1, 32)::uuid
        ) as person_id,
        n.number = n.root as "current"
    from numbers n
    left join known k on k.root = n.root
    left join parted p on p.root = n.root
    left join without_number w on w.root = n.root
    left join tied t on t.scheme = 'number' and t.value = n.number
    left join tied r on r.scheme = 'number' and r.value = n.root
),
local_ids as (
    select
        'sas' as scheme,
        s.person_id as value,
        coalesce(
            n.person_id, t.person_id, own.person_id, old.person_id,
            substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'sas:' || s.person_id), 1, 32)::uuid
        ) as person_id,
        true as "current"
    from sas_person s
    left join numbered n on n.value = s.number
    left join golden.person_link own
        on own.owner = :owner and own.to_run is null and own.scheme = 'sas' and own.value = s.person_id
    left join golden.person_link old
        on old.owner = :owner and old.to_run is null and old.scheme = 'sas' and old.value = s.old_person_id
    left join tied t on t.scheme = 'sas' and t.value = s.person_id
    union all
    select
        'hr',
        h.employee_id,
        coalesce(
            n.person_id, t.person_id, own.person_id, substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'hr:' || h.employee_id), 1, 32)::uuid
        ),
        true
    from hr_employee h
    left join numbered n on n.value = h.number
    left join golden.person_link own
        on own.owner = :owner and own.to_run is null and own.scheme = 'hr' and own.value = h.employee_id
    left join tied t on t.scheme = 'hr' and t.value = h.employee_id
    union all
    select
        'manual',
        m.manual_person::text,
        coalesce(
            n.person_id, t.person_id, own.person_id,
            substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'manual:' || m.manual_person), 1, 32)::uuid
        ),
        true
    from control.manual_person m
    left join numbered n on n.value = m.number
    left join golden.person_link own
        on own.owner = :owner and own.to_run is null and own.scheme = 'manual' and own.value = m.manual_person::text
    left join tied t on t.scheme = 'manual' and t.value = m.manual_person::text
    -- A registration that has ended makes no link anew, of somebody who has been erased.
    where m.owner = :owner and m.from_run <= :run and m.ended_at is null
        and coalesce(m.until, 'infinity') >= cast(:today as date)
),
found as (
    select scheme, value, person_id, current from numbered
    union all
    select scheme, value, person_id, current from local_ids
)
select scheme, value, person_id, current from found
union all
select l.scheme, l.value, coalesce(t.person_id, l.person_id), l.current
from golden.person_link l
left join tied t on t.scheme = l.scheme and t.value = l.value
where l.owner = :owner and l.to_run is null
    and not exists (select from found f where f.scheme = l.scheme and f.value = l.value)
