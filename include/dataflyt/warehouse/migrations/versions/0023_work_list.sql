-- Who works on an item of the work list. "item" is the keyed hash of the item's kind, subject and other thing: it names
-- nobody, and has no order that could be counted. A row is ended, and never changed otherwise.
create table control.work_taken (
    owner text not null,
    item text not null check (length(item) = 64),
    taken_by text not null check (taken_by <> ''),
    taken_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    ended_by text,
    primary key (owner, item, taken_at),
    check ((ended_at is null) = (ended_by is null))
);
create unique index on control.work_taken (owner, item) where ended_at is null;

create trigger ended_once before update on control.work_taken for each row when (old.ended_at is not null)
    execute function control.ended_once();
create trigger only_old_rows before delete on control.work_taken for each row
    execute function control.only_old_rows('ended_at', '');

alter table control.work_taken enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on control.work_taken using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert, delete on control.work_taken to dataflyt_kommune;
grant update (ended_at, ended_by) on control.work_taken to dataflyt_kommune;
