-- Answers. Only an answer in this table can release a run. Rows are added, never changed or deleted. Each merge adds a
-- row of its own, "asked" or "not_needed", which ends the validity of older answers. "approvers" are the people that
-- the kommune's file named then.
create table control.approval (
    owner text not null,
    approval bigint not null,
    run bigint not null,
    digest text not null,
    answer text not null check (answer in ('asked', 'not_needed', 'approved', 'rejected', 'unanswered')),
    user_id text,
    user_name text,
    channel text not null check (channel in ('airflow', 'command_line', 'guard')),
    approvers text[] not null,
    answered_at timestamptz not null default clock_timestamp(),
    primary key (owner, approval),
    check (answer <> 'approved' or user_id is not null and user_id = any (approvers)),
    check ((answer in ('asked', 'not_needed')) = (channel = 'guard'))
);
create index on control.approval (owner, run);

-- The blocks and overrides that a merged run's plan was judged under, as a digest.
alter table control.run add column decisions text;
create trigger numbered before insert on control.approval for each row when (new.approval is null)
    execute function control.numbered();

alter table control.approval enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on control.approval using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert on control.approval to dataflyt_kommune;

-- People's decisions. A decision that gives access, or that is set beside a register, takes two people. Its fields and
-- values are known ones, and it is never changed afterwards. Older rows are left unchanged.
alter table control.access_grant
    add column approved_by text,
    add constraint two_people check (approved_by is not null and approved_by <> decided_by) not valid,
    add constraint named check (decided_by <> '' and approved_by <> '' and case_number <> '') not valid;

alter table control.access_block
    add constraint named check (decided_by <> '' and case_number <> '') not valid,
    add constraint lifted_by_two check (
        lifted_at is null or lifted_by is not null and lifted_by_second is not null and lifted_by <> lifted_by_second
    ) not valid;

alter table control.override
    add column ended_by text,
    add column ended_by_second text,
    drop constraint if exists override_check,
    add constraint known_field check (field = 'adressebeskyttelse' and value in ('fortrolig', 'strengtFortrolig'))
        not valid,
    add constraint two_people check (approved_by is not null and approved_by <> decided_by) not valid,
    add constraint named check (decided_by <> '' and approved_by <> '' and reason <> '' and case_number <> '') not valid,
    add constraint ended_by_two check (
        ended_at is null or ended_by is not null and ended_by_second is not null and ended_by <> ended_by_second
    ) not valid;
revoke update, delete on control.override from dataflyt_kommune;
grant update (ended_at, ended_by, ended_by_second) on control.override to dataflyt_kommune;

-- Lifted by a run that named the veto, or by people: by two people if the veto protects.
alter table control.veto
    add constraint lifted_by_run_or_people check (
        lifted_at is null or lifted_run is not null or lifted_by is not null
            and (kind <> 'protection' or lifted_by_second is not null and lifted_by <> lifted_by_second)
    ) not valid;
