-- Every look at a person and every change of something about a person: who did it, as which user of the operating
-- system, what, about whom (null: nobody in particular), for which purpose, and where (a command, a page, a task).
-- Rows are added, never changed. Only rows older than five years can be deleted, by the clock of the server.
create table control.audit (
    owner text not null,
    audit uuid not null default gen_random_uuid(),  -- not a number: numbering waits for other transactions
    at timestamptz not null default clock_timestamp(),
    user_id text not null check (user_id <> ''),
    user_name text not null,
    login text not null,
    action text not null check (action <> ''),
    person_id uuid,
    detail text not null,
    purpose text not null check (purpose <> ''),
    place text not null check (place <> ''),
    primary key (owner, audit)
);
create index on control.audit (owner, person_id);
create index on control.audit (owner, at);

-- A decision that takes two people, until the second of them has answered. "said" holds the decision's fields as JSON.
create table control.proposal (
    owner text not null,
    proposal bigint not null,
    kind text not null check (kind <> ''),
    said text not null,
    proposed_by text not null check (proposed_by <> ''),
    proposed_by_name text not null,
    proposed_at timestamptz not null default clock_timestamp(),
    answer text check (answer in ('confirmed', 'refused', 'taken_back')),
    answered_by text,
    answered_by_name text,
    answered_at timestamptz,
    primary key (owner, proposal),
    check ((answer is null) = (answered_by is null) and (answer is null) = (answered_at is null)),
    constraint two_people check (answer <> 'confirmed' or answered_by <> proposed_by)
);
create trigger numbered before insert on control.proposal for each row when (new.proposal is null)
    execute function control.numbered();

-- A row that has been answered is never answered again.
create function control.answered_once() returns trigger language plpgsql as $$
begin
    raise exception using errcode = 'check_violation', message = 'a proposal is answered once';
end
$$;
create trigger answered_once before update on control.proposal for each row when (old.answer is not null)
    execute function control.answered_once();


do $$
declare
    entry text;
begin
    foreach entry in array array['control.audit', 'control.proposal'] loop
        execute format('alter table %s enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on %s using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
    end loop;
end
$$;
create policy only_old_rows on control.audit as restrictive for delete using (at < now() - interval '5 years');
grant select, insert, delete on control.audit to dataflyt_kommune;
grant select, insert on control.proposal to dataflyt_kommune;
grant update (answer, answered_by, answered_by_name, answered_at) on control.proposal to dataflyt_kommune;
