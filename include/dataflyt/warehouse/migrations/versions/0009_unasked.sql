-- The kind of text in a number's place that is not a number; and the people who may be published although FREG cannot
-- be asked about them.
alter table history.sas_person add column number_kind text;
alter table history.hr_employee add column number_kind text;

-- A pupil without a number that FREG can be asked about.
alter table golden.protection add column unasked boolean;

-- "Kan publiseres": one row for each person; people decided on together share the decision's number. A number that
-- arrives later makes the decision needless: FREG is then asked about the person as usual.
create table control.publishable (
    owner text not null,
    publishable bigint not null,
    person_id uuid not null,
    decision text not null check (decision <> ''),
    reason text not null check (reason <> ''),
    decided_by text not null check (decided_by <> ''),
    decided_at timestamptz not null default clock_timestamp(),
    from_run bigint not null,
    ended_at timestamptz,
    ended_by text,
    primary key (owner, publishable)
);
create index on control.publishable (owner, person_id) where ended_at is null;
create trigger numbered before insert on control.publishable for each row when (new.publishable is null)
    execute function control.numbered();

alter table control.publishable enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on control.publishable using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert on control.publishable to dataflyt_kommune;
grant update (ended_at, ended_by) on control.publishable to dataflyt_kommune;
