-- People's decisions about access. What takes away holds at once. What gives back holds from a run: "lifted_run" is the
-- first run in which a block, or a veto that people have lifted, no longer holds.
alter table control.access_block
    add column lifted_run bigint,
    alter column decided_at set default clock_timestamp();
grant update (lifted_run) on control.access_block to dataflyt_kommune;

-- Lifting by people is filled in with the next run, and is refused for a run that is released already.
create function control.lifted_later() returns trigger language plpgsql as $$
declare
    newest bigint;
    released bigint;
begin
    select max(run), max(run) filter (where state = 'released') into newest, released
    from control.run where owner = new.owner;
    if new.lifted_run is null then
        new.lifted_run := coalesce(newest, 0) + 1;
    elsif new.lifted_run <= coalesce(released, 0) then
        raise exception using errcode = 'check_violation', message = 'what is lifted is given back by a later run';
    end if;
    return new;
end
$$;
create trigger lifted_later before update on control.access_block for each row
    when (old.lifted_at is null and new.lifted_at is not null) execute function control.lifted_later();
create trigger lifted_later before update on control.veto for each row
    when (old.lifted_at is null and new.lifted_by is not null) execute function control.lifted_later();

-- It takes two people to lift a protection or a suspension. No run lifts what people hold back.
alter table control.veto
    drop constraint lifted_by_run_or_people,
    add constraint lifted_by_run_or_people check (
        lifted_at is null
        or lifted_by is null and lifted_run is not null and cause <> 'held_back'
        or lifted_by is not null and (
            kind not in ('protection', 'access_suspended')
            or lifted_by_second is not null and lifted_by <> lifted_by_second
        )
    ) not valid;

-- A grant names its adult as its kind says: another value would stop every run of the kommune.
alter table control.access_grant
    add constraint adult_of_kind check (
        case adult_kind
            when 'person' then pg_input_is_valid(adult, 'uuid') and adult = lower(adult) and length(adult) = 36
            when 'organisation' then adult ~ '^org:[0-9]{9}$'
            else adult ~ '^uten:[0-9a-f]{64}$'
        end
    ) not valid,
    add constraint not_oneself check (adult <> child_id::text) not valid,
    add constraint told check (btrim(scope) <> '' and btrim(seen_by) <> '' and btrim(case_number) <> '') not valid,
    add constraint withdrawn_by_somebody check ((withdrawn_at is null) = (coalesce(withdrawn_by, '') = '')) not valid;
alter table control.access_block add constraint not_oneself check (adult <> child_id::text) not valid;
alter table control.consent
    add constraint of_a_grant foreign key (owner, access_grant) references control.access_grant on delete cascade not valid,
    add constraint told check (btrim(how) <> '' and given_by <> '') not valid,
    add constraint withdrawn_by_somebody check ((withdrawn_at is null) = (coalesce(withdrawn_by, '') = '')) not valid;
create unique index on control.consent (owner, access_grant, given_by);
alter table control.publishable
    add constraint ended_by_somebody check ((ended_at is null) = (coalesce(ended_by, '') = '')) not valid;

-- A decision is ended once, and never begins anew.
create function control.ended_once() returns trigger language plpgsql as $$
begin
    raise exception using errcode = 'check_violation', message = 'a decision is ended once';
end
$$;
create trigger ended_once before update on control.access_grant for each row
    when (old.withdrawn_at is not null) execute function control.ended_once();
create trigger ended_once before update on control.access_block for each row
    when (old.lifted_at is not null) execute function control.ended_once();
create trigger ended_once before update on control.consent for each row
    when (old.withdrawn_at is not null) execute function control.ended_once();
-- An undoing puts a veto in force again; nothing else changes a lifting.
create trigger ended_once before update on control.veto for each row
    when (old.lifted_at is not null and new.lifted_at is not null) execute function control.ended_once();
create trigger ended_once before update on control.publishable for each row
    when (old.ended_at is not null) execute function control.ended_once();

-- Nobody consents to access to a protected child.
create function control.not_while_protected() returns trigger language plpgsql as $$
begin
    if exists (
        select from control.veto v
        where v.owner = new.owner and v.person_id = new.child_id and v.kind = 'protection' and v.lifted_at is null
    ) or exists (
        select from control.override o
        where o.owner = new.owner and o.person_id = new.child_id and o.field = 'adressebeskyttelse'
            and o.ended_at is null
    ) or exists (
        select from golden.protection p
        where p.owner = new.owner and p.person_id = new.child_id and p.to_run is null and p.level >= 2
    ) then
        raise exception using errcode = 'check_violation', message = 'a consent never holds for a protected child';
    end if;
    return new;
end
$$;
create trigger not_while_protected before insert on control.access_grant for each row
    when (new.basis = 'consent') execute function control.not_while_protected();

-- Numbers that people are shown. In a row of numbers, the gaps would tell how many decisions are about protected people.
create function control.numbered_at_random() returns trigger language plpgsql as $$
declare
    drawn bigint;
    taken boolean;
begin
    loop
        drawn := 100000 + floor(random() * 900000);
        execute format('select exists (select from control.%1$I where owner = $1 and %1$I = $2)', tg_table_name)
            into taken using new.owner, drawn;
        exit when not taken;
    end loop;
    return jsonb_populate_record(new, jsonb_build_object(tg_table_name, drawn));
end
$$;
drop trigger numbered on control.proposal;
create trigger numbered before insert on control.proposal for each row when (new.proposal is null)
    execute function control.numbered_at_random();
drop trigger numbered on control.access_block;
create trigger numbered before insert on control.access_block for each row when (new.access_block is null)
    execute function control.numbered_at_random();

-- People's words about a veto: they hold a person back (a protection, with the cause held_back) or end that; they keep
-- or lift an adult's suspension. What gives takes two people and a case number.
create table control.veto_decision (
    owner text not null,
    veto_decision bigint not null,
    veto bigint not null,
    said text not null check (said in ('held_back', 'given_free', 'kept', 'lifted')),
    reason text not null check (btrim(reason) <> ''),
    case_number text,
    decided_by text not null check (decided_by <> ''),
    approved_by text,
    decided_at timestamptz not null default clock_timestamp(),
    review_on date,
    primary key (owner, veto_decision),
    foreign key (owner, veto) references control.veto (owner, veto) on delete cascade,
    constraint two_people check (
        said in ('held_back', 'kept')
        or coalesce(approved_by, '') <> '' and approved_by <> decided_by and coalesce(btrim(case_number), '') <> ''
    )
);
create index on control.veto_decision (owner, veto);
create trigger numbered before insert on control.veto_decision for each row when (new.veto_decision is null)
    execute function control.numbered_at_random();
alter table control.veto_decision enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on control.veto_decision using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert on control.veto_decision to dataflyt_kommune;
