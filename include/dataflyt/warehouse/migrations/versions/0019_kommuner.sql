-- The FEIDE realm of a merged run. A released run is published under its own realm, whatever the kommune's file says
-- since: a new realm renames everybody, and somebody has to approve that.
alter table control.run add column realm text;

-- Full FEIDE names that people had before the realm changed, or at the kommune that they came from ("origin"). Only
-- the last name at each place, never a name that the person had before that.
create table control.former_name (
    owner text not null,
    person_id uuid not null,
    name text not null check (name = lower(name) and name like '_%@_%'),
    origin text not null check (origin <> ''),
    primary key (owner, person_id, name)
);

-- Identifiers that another kommune has told of, with the person here that each stands for. A kommune's own record
-- counts first. If it comes to say otherwise, the protections of the one person protect the other too.
create table control.taken_link (
    owner text not null,
    scheme text not null check (scheme in ('number', 'sas', 'hr')),
    value text not null,
    person_id uuid not null,
    origin text not null check (origin <> ''),
    primary key (owner, scheme, value, person_id)
);

-- The decisions that were taken over: each one's number here, and its number in the kommune that it came from.
create table control.taken_decision (
    owner text not null,
    kind text not null check (kind in ('access_block', 'override', 'access_grant', 'consent')),
    number bigint not null,
    origin text not null check (origin <> ''),
    origin_number bigint not null,
    taken_at timestamptz not null default clock_timestamp(),
    primary key (owner, kind, number)
);

do $$
declare
    entry text;
begin
    foreach entry in array array['former_name', 'taken_link', 'taken_decision'] loop
        execute format('alter table control.%I enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on control.%I using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
    end loop;
end
$$;
-- Deleted when a person is erased, never changed.
grant select, insert, delete on control.former_name, control.taken_link to dataflyt_kommune;
grant select, insert on control.taken_decision to dataflyt_kommune;
