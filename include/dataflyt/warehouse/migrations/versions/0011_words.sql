-- Names that had to be guessed. Policies and grants follow the table and the column.
alter table control.veto rename column beside to outside_run;
alter table golden.grp rename to school_group;

-- Indexes and constraints, which PostgreSQL has named after the table.
do $$
declare
    entry record;
begin
    for entry in
        select indexrelid::regclass as name, c.relname as old
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = 'golden.school_group'::regclass and c.relname like 'grp\_%'
    loop
        execute format('alter index %s rename to %I', entry.name, 'school_group' || substr(entry.old, 4));
    end loop;
    for entry in
        select conname as old from pg_constraint
        where conrelid = 'golden.school_group'::regclass and conname like 'grp\_%'
    loop
        execute format(
            'alter table golden.school_group rename constraint %I to %I',
            entry.old, 'school_group' || substr(entry.old, 4)
        );
    end loop;
end
$$;
