-- Protections belong to a person, and a publication has a state of its own.

-- A person whose identifier (a number or a local id) has come to stand for another person. The protections of the one
-- protect the other too. The run that sees the change writes the row, and undoing that run removes it. "joined": the
-- other person was known, or nobody else has the first id any more. A run that is released by an answer confirms the
-- joining; only then do grants follow it.
create table control.identity_change (
    owner text not null,
    run bigint not null,
    person_id uuid not null,
    became uuid not null,
    joined boolean not null,
    primary key (owner, run, person_id, became)
);

-- The people who have agreed to a grant by consent: an adult with foreldreansvar, or the pupil.
create table control.consent (
    owner text not null,
    consent bigint generated always as identity,
    access_grant bigint not null,
    given_by text not null,
    how text not null,
    given_at timestamptz not null,
    withdrawn_at timestamptz,
    withdrawn_by text,
    primary key (owner, consent)
);

-- "unknown": the veto rests on a grading with an unknown word, and a clean answer lifts it.
alter table control.veto add column unknown boolean not null default false;

-- "state" is the state that the exports were written from; "protects" is the part of it that keeps people out.
alter table control.publication add column state text not null default '', add column protects text not null default '';

alter table history.freg_adressebeskyttelse add column ukjent boolean;

-- The level from known words. All people have a row, so that the number of rows tells nothing.
alter table golden.protection add column known_level int;

-- The day on which the child is 18.
alter table golden.guardian_access add column of_age_on date;

-- The grants that hold in a run, and the first day on which each no longer holds.
create table golden.access_by_grant (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    access_grant bigint not null,
    child_id uuid not null,
    adult text not null,
    adult_kind text,
    basis text,
    ends_on date,
    primary key (owner, access_grant, child_id, adult, from_run)
);
create unique index on golden.access_by_grant (owner, access_grant, child_id, adult) where to_run is null;

do $$
declare
    entry text;
begin
    foreach entry in array array['control.identity_change', 'control.consent', 'golden.access_by_grant'] loop
        execute format('alter table %s enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on %s using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
        execute format('grant select, insert, update, delete on %s to dataflyt_kommune', entry);
    end loop;
end
$$;
revoke update, delete on control.consent from dataflyt_kommune;
grant update (withdrawn_at, withdrawn_by) on control.consent to dataflyt_kommune;
