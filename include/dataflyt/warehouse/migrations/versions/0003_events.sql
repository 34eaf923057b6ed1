-- The fast lane: which kommune holds whom, by keyed hash, and what FREG's event list has told of them.
create schema events;

-- One key for the installation: every kommune hashes with it what it holds, the list's reader what the list names.
-- It is no use to a kommune alone, which sees its own hashes only.
create table events.key (secret text not null);
insert into events.key values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- Where to read on in a list, and when it last answered.
create table events.pointer (
    feed text primary key,
    next_seq bigint not null,
    etag text,
    read_at timestamptz not null
);

-- Who holds whom: pupils and guardians, under every number they have or have had. known_as: the hash of a number that
-- the owner's golden record has, for one that it has not yet.
create table events.route (
    hash uuid not null,
    owner text not null,
    known_as uuid,
    primary key (hash, owner)
);
create index on events.route (owner);

-- Whom an owner has yet to ask about. A row goes when its vetoes are written and what is published is without them.
create table events.waiting (
    owner text not null,
    hash uuid not null,
    seq bigint not null,
    heard_at timestamptz not null,
    primary key (owner, hash)
);

grant usage on schema events to dataflyt_kommune, dataflyt_events;
grant select on events.key to dataflyt_kommune, dataflyt_events;
grant select, insert, update on events.pointer to dataflyt_events;
grant select, insert, delete on events.route to dataflyt_kommune;
grant select on events.route to dataflyt_events;
grant select, delete on events.waiting to dataflyt_kommune;
grant select, insert, update on events.waiting to dataflyt_events;

do $$
declare
    entry text;
begin
    foreach entry in array array['route', 'waiting'] loop
        execute format('alter table events.%I enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on events.%I to dataflyt_kommune'
            ' using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
        execute format('create policy all_rows on events.%I to dataflyt_events using (true) with check (true)', entry);
    end loop;
end
$$;

-- Learned beside the line of runs: "run" is then the newest there was, whose answers may be older than the veto.
alter table control.veto add column beside boolean not null default false;
