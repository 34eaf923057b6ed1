-- needs: after_person_link, after_protection, before_protection, candidate_account, control.account_name,
--   control.owner, control.run, {staged}
-- grain: one row an entry of the file, or an account that is not in it
-- columns: kind text, line bigint, person_id uuid
-- makes: table
-- A directory that is to be imported, compared with the known accounts. Each of its entries is of one kind. Each person
-- who would be published and is not in it has a row too. Entries of hidden people (strengtFortrolig or held back,
-- before the run or after it) are always "matched". That kind is shown without rows, so it does not tell hidden people
-- from others.
with link as (
    select substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'number:' || value), 1, 32)::uuid as number_id, person_id
    from after_person_link
    where scheme = 'number'
),
entry as (
    select d.line, d.uid, d.number_id, l.person_id, coalesce(l.person_id, d.number_id) as bearer
    from {staged} d
    left join link l on l.number_id = d.number_id
),
-- An entry without a number is a bearer by itself.
twice as (
    select uid from (select distinct uid, coalesce(bearer::text, 'line ' || line) from entry) as borne
    group by uid having count(*) > 1
),
several as (
    select bearer from (select distinct uid, bearer from entry where uid is not null and bearer is not null) as borne
    group by bearer having count(*) > 1
),
given as (
    select n.uid, n.person_id, n.run
    from control.account_name n
    join control.run r on r.owner = n.owner and r.run = n.run
    where n.owner = :owner and r.state in ('released', 'undone')
),
-- The newest of a person's names.
mine as (
    select distinct on (person_id) person_id, uid from given order by person_id, run desc, uid
),
hidden as (
    select person_id from after_protection where level >= 3 or held_back
    union
    select person_id from before_protection where level >= 3 or held_back
)
select
    case
        when e.uid is null then 'no_name'
        when t.uid is not null then 'name_twice'
        when h.person_id is not null then 'matched'
        when e.number_id is null then 'no_number'
        when s.bearer is not null then 'several_names'
        when mine.uid <> e.uid then 'other_name'
        when theirs.person_id <> e.bearer then 'name_taken'
        when e.person_id is null then 'unknown'
        else 'matched'
    end as kind,
    e.line,
    e.person_id
from entry e
left join twice t on t.uid = e.uid
left join several s on s.bearer = e.bearer
left join hidden h on h.person_id = e.person_id
left join mine on mine.person_id = e.person_id
left join given theirs on theirs.uid = e.uid
union all
select 'not_in_directory', null, a.person_id
from candidate_account a
where not a.hidden and not exists (select from entry e where e.person_id = a.person_id)
