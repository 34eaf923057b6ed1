-- needs: control.owner, read_entry, read_school
-- grain: one row an entry of the file
-- columns: line bigint, uid text, number_id uuid, role text, schools text
-- makes: answer
-- A directory file in the form that was read, with hashes in place of numbers and organisation numbers in place of
-- schools.
select
    e.line,
    e.uid,
    substr(control.keyed_hash((select secret from control.owner where owner = :owner), 'number:' || e.number), 1, 32)::uuid as number_id,
    e.role,
    s.schools
from read_entry e
left join (
    select p.line, string_agg(distinct r.orgnr, ' ' order by r.orgnr) as schools
    from (select line, unnest(schools) as key from read_entry) as p
    join read_school r on r.key = p.key
    group by p.line
) as s on s.line = e.line
