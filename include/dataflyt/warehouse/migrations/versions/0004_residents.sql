create table history.freg_resident (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    oppslag text,
    fornavn text,
    mellomnavn text,
    etternavn text,
    foedselsaar text,
    status text,
    graderingsnivaa text,
    primary key (owner, key, from_run)
);

create table history.freg_ukjentfelt (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    felt text,
    primary key (owner, key, from_run)
);

do $$
declare
    entry text;
begin
    foreach entry in array array['freg_resident', 'freg_ukjentfelt'] loop
        execute format('create unique index on history.%I (owner, key) where to_run is null', entry);
        execute format('create index on history.%I (owner, subject) where to_run is null', entry);
        execute format('alter table history.%I enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on history.%I using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
        execute format('grant select, insert, update, delete on history.%I to dataflyt_kommune', entry);
    end loop;
end
$$;
