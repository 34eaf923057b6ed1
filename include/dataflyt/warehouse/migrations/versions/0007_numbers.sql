-- Vetoes and decisions are numbered within each kommune. The gaps of a shared sequence would tell how many the other
-- kommuner have.
create function control.numbered() returns trigger language plpgsql as $$
declare
    newest bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('dataflyt numbers:' || new.owner, 0));
    execute format('select coalesce(max(%1$I), 0) from control.%1$I where owner = $1', tg_table_name)
        into newest using new.owner;
    return jsonb_populate_record(new, jsonb_build_object(tg_table_name, newest + 1));
end
$$;

do $$
declare
    entry text;
begin
    foreach entry in array array['veto', 'override', 'access_block', 'access_grant', 'consent'] loop
        execute format('alter table control.%1$I alter column %1$I drop identity', entry);
        -- Only if there is none yet: a backup brings its own.
        execute format(
            'create trigger numbered before insert on control.%1$I for each row when (new.%1$I is null)'
            ' execute function control.numbered()', entry);
    end loop;
end
$$;

-- The size of each published file, to compare the next one with: people, groups, bytes. The manifest does not have it.
alter table control.publication add column sizes jsonb not null default '{}', drop column last_veto;

-- The employees that the HR system marks as not to be found. All have a row, so that the number of rows tells nothing.
create table history.hr_protection (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    employee_id text,
    protected boolean,
    primary key (owner, key, from_run)
);
create unique index on history.hr_protection (owner, key) where to_run is null;
create index on history.hr_protection (owner, subject) where to_run is null;
alter table history.hr_protection enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on history.hr_protection using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert, update, delete on history.hr_protection to dataflyt_kommune;
