-- The kommune's present directory, from the last import. It has no names of people and no numbers. number_id is the
-- keyed hash of a number: the same as the id of a person whose first number it is. role is as in golden.account,
-- schools are organisation numbers with blanks between; both are null if the file had none.
create table control.directory_entry (
    owner text not null,
    uid text not null,
    line bigint not null,
    number_id uuid,
    role text,
    schools text,
    imported_at timestamptz not null,
    primary key (owner, line)
);
create index on control.directory_entry (owner, uid);

-- Every name that has been in an imported directory. None of these names is ever made for anyone.
create table control.directory_name (
    owner text not null,
    uid text not null,
    primary key (owner, uid)
);

do $$
declare
    entry text;
begin
    foreach entry in array array['directory_entry', 'directory_name'] loop
        execute format('alter table control.%I enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on control.%I using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
        execute format('grant select, insert, update, delete on control.%I to dataflyt_kommune', entry);
    end loop;
end
$$;
