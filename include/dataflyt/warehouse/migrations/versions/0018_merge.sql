-- A person's history is read by the person, whatever has become of the rows since: closed rows are in the index too.
do $$
declare
    entry record;
begin
    for entry in
        select tablename, indexname from pg_indexes
        where schemaname = 'history' and indexdef like '%(owner, subject) WHERE (to_run IS NULL)'
    loop
        execute format('create index on history.%I (owner, subject)', entry.tablename);
        execute format('drop index history.%I', entry.indexname);
    end loop;
end $$;

-- The keys of these begin with something else than the person.
create index on golden.membership (owner, person_id);
create index on golden.employment (owner, person_id);
create index on golden.person_link (owner, person_id);
create index on golden.guardian_access (owner, adult);
create index on golden.work_item (owner, subject);
