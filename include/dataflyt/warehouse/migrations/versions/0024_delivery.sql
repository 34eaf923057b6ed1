-- What each recipient's place holds: by export and connection, the digest of what was put there last ("place" is that of
-- the place's address, which may hold a password). A row goes when the files have been taken away from the place.
create table control.delivery (
    owner text not null,
    export text not null,
    connection text not null,
    recipient text not null,
    place text not null check (length(place) = 64),
    digest text not null check (length(digest) = 64),
    delivered_at timestamptz not null default clock_timestamp(),
    primary key (owner, export, connection)
);

alter table control.delivery enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on control.delivery using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert, update, delete on control.delivery to dataflyt_kommune;
