-- The fast lane: the people that each kommune holds, by keyed hash, and the events of FREG's list about them.
create schema events;

-- One key for the installation. Every kommune hashes its own numbers with it, and the list's reader hashes the numbers
-- in the list. The key is of no use to a single kommune, which sees only its own hashes.
create table events.key (secret text not null);
insert into events.key values (replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- The place to read on from in a list, and the time of its last answer.
create table events.pointer (
    feed text primary key,
    next_seq bigint not null,
    etag text,
    read_at timestamptz not null
);

-- The people that each owner holds: pupils and guardians, under every present and former number. known_as: for a number
-- that the owner's golden record does not have yet, the hash of one that it has.
create table events.route (
    hash uuid not null,
    owner text not null,
    known_as uuid,
    primary key (hash, owner)
);
create index on events.route (owner);

-- The people that an owner still has to ask about. A row is deleted when its vetoes are written and the published files
-- follow them.
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

-- Learned outside the line of runs: "run" is then the newest run of that time, whose answers may be older than the
-- veto.
alter table control.veto add column beside boolean not null default false;
