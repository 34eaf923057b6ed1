-- needs: after_person_link, candidate_account, control.directory_entry, control.owner
-- grain: one row a difference; the kind missing has a row an entry
-- columns: kind text, person_id uuid
-- makes: table
-- The accounts that a run would publish, compared with the imported directory. The kind "missing" is an entry that
-- would not be published, since its person is unknown to us, gone, or has no number. It has one row for each entry,
-- which names nobody. Hidden people must not be told from others. A hidden person in the directory is "same" there and
-- in no other kind; a hidden person outside it has no row.
with entry as (
    select e.uid, e.role, e.schools, a.person_id
    from control.directory_entry e
    left join (
        select substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'number:' || l.value), 1, 32)::uuid as number_id, a.person_id
        from after_person_link l
        join candidate_account a on a.person_id = l.person_id
        where l.scheme = 'number'
    ) as a on a.number_id = e.number_id
    where e.owner = :owner
),
ours as (
    select
        a.person_id,
        a.hidden,
        count(e.person_id) as entries,
        bool_or(e.uid = a.uid) as same_name,
        bool_or(e.schools = a.schools) as same_schools,
        bool_or(e.role = a.role) as same_role
    from candidate_account a
    left join entry e on e.person_id = a.person_id
    group by a.person_id, a.hidden
)
select case when entries = 0 then 'new' when hidden or same_name then 'same' else 'other_name' end as kind, person_id
from ours
where entries > 0 or not hidden
union all
select 'other_school', person_id from ours where not same_schools and not hidden
union all
select 'other_role', person_id from ours where not same_role and not hidden
union all
select 'missing', null from entry where person_id is null
