-- Indexes that are there twice: 0018 has made again what 0015 had made, and its indexes on history hold the closed rows
-- of 0015's too. Each is written for every row that a merge opens or closes.
do $$
declare
    entry record;
begin
    for entry in
        select i.indexrelid::regclass as name
        from pg_index i join pg_index other on other.indrelid = i.indrelid and other.indexrelid <> i.indexrelid
        join pg_class c on c.oid = i.indrelid
        where c.relnamespace in ('history'::regnamespace, 'golden'::regnamespace)
            and i.indkey = other.indkey and not i.indisunique and other.indpred is null
            and (i.indpred is not null or i.indexrelid > other.indexrelid)
    loop
        execute format('drop index %s', entry.name);
    end loop;
end $$;

-- A person is looked for by name and birth date too.
create index on golden.person (owner, birth_date);
