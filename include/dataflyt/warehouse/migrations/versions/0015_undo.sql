-- A released run that two people have undone. Rows are added, never changed or deleted.
create table control.undo (
    owner text not null,
    run bigint not null,
    decided_by text not null check (decided_by <> ''),
    approved_by text not null check (approved_by <> ''),
    undone_at timestamptz not null default clock_timestamp(),
    primary key (owner, run),
    constraint two_people check (decided_by <> approved_by)
);

-- The people who would come back into the exports because a run was undone. They are held back in every run up to that
-- one; a later run judges them anew.
create table control.undone_hold (
    owner text not null,
    run bigint not null,
    person_id uuid not null,
    primary key (owner, run, person_id)
);

-- Undone newest first, and never the first run: there would be nothing left to publish.
create function control.undone_in_order() returns trigger language plpgsql as $$
begin
    if not exists (select from control.run r where r.owner = new.owner and r.run = new.run and r.state = 'released')
        or exists (
            select from control.run r
            where r.owner = new.owner and r.run > new.run and r.state in ('open', 'merged', 'released')
        )
        or not exists (
            select from control.run r where r.owner = new.owner and r.run < new.run and r.state = 'released'
        )
    then
        raise exception using errcode = 'check_violation', message = 'only the newest released run can be undone';
    end if;
    return new;
end
$$;
create trigger undone_in_order before insert on control.undo for each row execute function control.undone_in_order();

-- A run begins open. A released run can only become undone, and only beside a row in control.undo; an undone run
-- becomes nothing else.
create function control.states_in_order() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'open' then
            raise exception using errcode = 'check_violation', message = 'a run begins open';
        end if;
    elsif tg_op = 'DELETE' then
        if old.state in ('released', 'undone') then
            raise exception using errcode = 'check_violation', message = 'a released run is never deleted';
        end if;
        return old;
    elsif old.state in ('released', 'undone') and (
        (new.owner, new.run, new.key, new.as_of) is distinct from (old.owner, old.run, old.key, old.as_of)
        or new.state <> old.state and (
            old.state = 'undone' or new.state <> 'undone'
            or not exists (select from control.undo u where u.owner = new.owner and u.run = new.run)
        )
    ) or new.state = 'undone' and old.state not in ('released', 'undone') then
        raise exception using errcode = 'check_violation', message = 'a released run stands until two people undo it';
    end if;
    return new;
end
$$;
create trigger states_in_order before insert or update or delete on control.run
    for each row execute function control.states_in_order();

do $$
declare
    entry text;
begin
    foreach entry in array array['control.undo', 'control.undone_hold'] loop
        execute format('alter table %s enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on %s using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
        execute format('grant select, insert on %s to dataflyt_kommune', entry);
    end loop;
end
$$;

-- One person's history. The rows that hold have an index since 0001; those that have been closed get one here, which a
-- first run need not write.
create index on history.freg_person (owner, subject) where to_run is not null;
create index on history.freg_navn (owner, subject) where to_run is not null;
create index on history.hr_employee (owner, subject) where to_run is not null;
create index on history.sas_person (owner, subject) where to_run is not null;
create index on golden.membership (owner, person_id);
create index on golden.employment (owner, person_id);
create index on golden.guardian_access (owner, adult);
create index on golden.person_link (owner, person_id);
create index on golden.account (owner, uid);
