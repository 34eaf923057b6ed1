-- The timetable of the groups, for calendars.
create table golden.lesson (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    group_id text not null,
    weekday integer not null,
    starts text not null,
    ends text not null,
    room text not null,
    primary key (owner, group_id, weekday, starts, ends, room, from_run)
);
create unique index on golden.lesson (owner, group_id, weekday, starts, ends, room) where to_run is null;

alter table golden.lesson enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on golden.lesson using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert, update, delete on golden.lesson to dataflyt_kommune;
