-- The outcome of every quality rule in a run: of the staged tables, and of the published files. Counts only. No number
-- where it would tell how many are protected; "passed" is null where even that must not be told. "percent" is of the
-- rows that were checked, "took" is in seconds.
create table control.check_result (
    owner text not null,
    run bigint not null,
    suite text not null check (suite <> ''),
    rule text not null check (rule <> ''),
    scope text not null check (scope in ('row', 'table', 'note', 'file')),
    reason text not null,
    responsible text not null,
    passed boolean,
    checked bigint,
    unexpected bigint,
    percent double precision,
    took double precision,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (owner, run, suite, rule),
    -- The tables that tell of protection by their counts, and the files, whose size minus the plan's counts would.
    constraint protection_is_no_number check (
        scope <> 'file'
        and suite not in ('freg_adressebeskyttelse', 'freg_bostedsadresse', 'freg_annenAdresse', 'hr_protection')
        or num_nonnulls(checked, unexpected, percent, took) = 0
    )
);

-- The keyed hash of a quarantined row's content: the row's name where people decide about it. Null in older rows.
alter table control.quarantine add column row_hash text;

-- What people have decided about a quarantined row, by its content and the rule that it breaks: a changed row is judged
-- anew. A released row is taken in from the next run on, and takes two people. Only some rules can be decided on so:
-- never one about an identity number, a protection, a reference or a foreldreansvar, nor about a group's name, which
-- may hold a hidden person's (quality.rules.Rule).
create table control.row_decision (
    owner text not null,
    row_decision bigint not null,
    row_hash text not null check (length(row_hash) = 64),
    rule text not null,
    decision text not null check (decision in ('released', 'rejected')),
    reason text not null check (reason <> ''),
    decided_by text not null check (decided_by <> ''),
    approved_by text,
    decided_at timestamptz not null default clock_timestamp(),
    from_run bigint not null,
    ended_at timestamptz,
    ended_by text,
    primary key (owner, row_decision),
    check ((ended_at is null) = (ended_by is null)),
    constraint two_people check (
        decision = 'rejected' or approved_by is not null and approved_by <> '' and approved_by <> decided_by
    ),
    constraint releasable check (
        decision = 'rejected'
        or rule in ('freg_navn.letters', 'hr_employee.letters', 'hr_employment.percentage', 'sas_person.letters')
    )
);
create unique index on control.row_decision (owner, row_hash, rule) where ended_at is null;
create trigger numbered before insert on control.row_decision for each row when (new.row_decision is null)
    execute function control.numbered();

create trigger ended_once before update on control.row_decision for each row when (old.ended_at is not null)
    execute function control.ended_once();

do $$
declare
    entry text;
begin
    foreach entry in array array['control.check_result', 'control.row_decision'] loop
        execute format('alter table %s enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on %s using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
    end loop;
end
$$;
-- A repeated check replaces its outcomes; retention deletes old ones.
grant select, insert, delete on control.check_result to dataflyt_kommune;
grant select, insert on control.row_decision to dataflyt_kommune;
grant update (ended_at, ended_by) on control.row_decision to dataflyt_kommune;
create trigger only_old_rows before delete on control.row_decision for each row
    execute function control.only_old_rows('ended_at', '');
grant delete on control.row_decision to dataflyt_kommune;
