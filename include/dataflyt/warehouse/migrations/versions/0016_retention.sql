-- Erasure, retention, and the evidence of who was in which published file.

-- A text to an id, null if it is none: an adult may be an organisation, or somebody without a number.
create function control.as_uuid(value text) returns uuid language sql stable
return case when pg_input_is_valid(value, 'uuid') then value::uuid end;

-- The ids that an erased person would get again: keyed hashes of the numbers, and of the local ids of a person without a
-- number. A person who comes back under another id is thereby known to be the same, and the vetoes that stand protect
-- this person again. Everybody who is erased has rows, protected or not, so that the rows tell nothing.
create table control.erased_id (
    owner text not null,
    id uuid not null,
    person_id uuid not null,
    erased_at timestamptz not null default clock_timestamp(),
    primary key (owner, id, person_id)
);

-- Erasures that people have decided. The person_id is a keyed hash; there is no name here.
create table control.erasure (
    owner text not null,
    erasure bigint not null,
    person_id uuid not null,
    reason text not null,
    case_number text not null,
    decided_by text not null,
    approved_by text,
    decided_at timestamptz not null default clock_timestamp(),
    primary key (owner, erasure),
    constraint named check (decided_by <> '' and approved_by <> '' and case_number <> '' and reason <> ''),
    constraint two_people check (approved_by is not null and approved_by <> decided_by)
);
create trigger numbered before insert on control.erasure for each row when (new.erasure is null)
    execute function control.numbered();

-- The time in which a person was in a published file. Each publication closes the rows of those who are no longer in
-- its file, and opens rows for those who are new in it. "last_publication" is the newest one with the person in it.
create table control.disclosure (
    owner text not null,
    file text not null,
    person_id uuid not null,
    from_at timestamptz not null,
    first_publication text not null,
    to_at timestamptz,
    last_publication text,
    primary key (owner, file, person_id, from_at),
    check ((to_at is null) = (last_publication is null))
);
create unique index on control.disclosure (owner, file, person_id) where to_at is null;
create index on control.disclosure (owner, person_id);

do $$
declare
    entry text;
begin
    foreach entry in array array['erased_id', 'erasure', 'disclosure'] loop
        execute format('alter table control.%I enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on control.%I using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
    end loop;
end
$$;
grant select, insert, delete on control.erased_id to dataflyt_kommune;
grant select, insert, delete on control.erasure to dataflyt_kommune;
grant select, insert, delete on control.disclosure to dataflyt_kommune;
grant update (to_at, last_publication) on control.disclosure to dataflyt_kommune;

-- Decisions are kept for five years after they ended, by the clock of the server. The argument of the trigger is the
-- column with the end; a row without one is in force. A consent ends with its grant, so its own day counts too: access
-- falls when a consent is missing.
create function control.only_old_rows() returns trigger language plpgsql as $$
begin
    if coalesce((to_jsonb(old) ->> tg_argv[0])::timestamptz, (to_jsonb(old) ->> tg_argv[1])::timestamptz)
        < now() - interval '5 years'
    then
        return old;
    end if;
    raise exception using errcode = 'check_violation', message = 'kept for five years after its end';
end
$$;

do $$
declare
    entry record;
begin
    for entry in
        select * from (values
            ('access_grant', 'withdrawn_at', 'until'),
            ('access_block', 'lifted_at', ''),
            ('override', 'ended_at', ''),
            ('publishable', 'ended_at', ''),
            ('manual_person', 'ended_at', 'until'),
            ('veto_decision', 'decided_at', ''),
            ('consent', 'withdrawn_at', 'given_at'),
            ('proposal', 'answered_at', ''),
            ('approval', 'answered_at', ''),
            ('erasure', 'decided_at', ''),
            ('erased_id', 'erased_at', '')
        ) as kept (name, ended, otherwise)
    loop
        execute format(
            'create trigger only_old_rows before delete on control.%I for each row'
            ' execute function control.only_old_rows(%L, %L)', entry.name, entry.ended, entry.otherwise);
        execute format('grant delete on control.%I to dataflyt_kommune', entry.name);
    end loop;
end
$$;
