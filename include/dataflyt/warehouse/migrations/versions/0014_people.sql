-- What people decide about people: more fields of overrides, people registered by hand, and persons linked or parted.

-- Overrides of names, gender, an employee's school and the policy of a user name. Only an override that raises
-- protection needs no second person. An override is ended once.
alter table control.override
    add column decided_at timestamptz not null default clock_timestamp(),
    drop constraint known_field,
    add constraint known_field check (
        case field
            when 'adressebeskyttelse' then value in ('fortrolig', 'strengtFortrolig')
            when 'kjoenn' then value in ('kvinne', 'mann')
            when 'user_name' then value in ('keep', 'renew')
            when 'school_unit' then value ~ '^[0-9]{9}$'
            when 'mellomnavn' then length(value) <= 200
            when 'fornavn' then length(value) <= 200 and value ~ '\S'
            when 'etternavn' then length(value) <= 200 and value ~ '\S'
            when 'display_name' then length(value) <= 200 and value ~ '\S'
            else false
        end
    ) not valid,
    drop constraint two_people,
    add constraint two_people check (coalesce(approved_by <> decided_by, field = 'adressebeskyttelse')) not valid;
-- One value of a field in force. Protection may be raised again while an override that raises it less is in force.
create unique index override_in_force on control.override (owner, person_id, field)
    where ended_at is null and field <> 'adressebeskyttelse';

create trigger ended_once before update on control.override for each row when (old.ended_at is not null)
    execute function control.ended_once();

-- People registered by hand. An alias stands for a person at a protected address ("stands_for"), and does not end by
-- itself: "review_on" puts it on the work list. The others end by themselves after the day "until", at most three
-- months later (docs.identum.no, manual users of eFeide). Testers and aliases have no number: an invented one may be
-- somebody's.
create table control.manual_person (
    owner text not null,
    manual_person bigint not null,
    kind text not null check (kind in ('substitute', 'student_teacher', 'tester', 'alias')),
    role text not null check (role in ('pupil', 'employee')),
    fornavn text not null check (fornavn ~ '\S' and length(fornavn) <= 200),
    etternavn text not null check (etternavn ~ '\S' and length(etternavn) <= 200),
    number text check (number ~ '^[0-9]{11}$'),
    local_number text check (local_number <> '' and length(local_number) <= 100),
    unit_id text not null check (unit_id ~ '^[0-9]{9}$'),
    group_id text check (group_id <> ''),
    stands_for uuid,
    sponsor text not null check (sponsor ~ '\S'),
    reason text not null check (reason ~ '\S'),
    case_number text check (case_number ~ '\S'),
    decided_by text not null check (decided_by <> ''),
    approved_by text not null check (approved_by <> ''),
    decided_on date not null,
    decided_at timestamptz not null default clock_timestamp(),
    from_run bigint not null,
    until date,
    review_on date,
    ended_at timestamptz,
    ended_by text,
    primary key (owner, manual_person),
    constraint two_people check (approved_by <> decided_by),
    constraint employed check (role = 'employee' or kind in ('tester', 'alias')),
    constraint invented check (number is null or kind in ('substitute', 'student_teacher')),
    constraint alias_of check ((kind = 'alias') = (stands_for is not null)),
    constraint alias_case check (kind <> 'alias' or case_number is not null),
    constraint bounded check (
        case when kind = 'alias' then until is null and review_on is not null
            else coalesce(until between decided_on and decided_on + interval '3 months', false) end
    ),
    constraint ended check ((ended_at is null) = (ended_by is null))
);
create unique index manual_person_in_force on control.manual_person (owner, number)
    where ended_at is null and number is not null;
create trigger numbered before insert on control.manual_person for each row when (new.manual_person is null)
    execute function control.numbered_at_random();
drop trigger numbered on control.override;
create trigger numbered before insert on control.override for each row when (new.override is null)
    execute function control.numbered_at_random();
create trigger ended_once before update on control.manual_person for each row when (old.ended_at is not null)
    execute function control.ended_once();

-- Persons that people have linked ("joined": the two are one) or parted. The identifiers that stood for either of the
-- two in "as_of_run" stand for "became", or for the person that they stood for then. The newest row about an identifier
-- counts; rows are never changed.
create table control.link (
    owner text not null,
    link bigint not null,
    person_id uuid not null,
    became uuid not null,
    joined boolean not null,
    as_of_run bigint not null,
    reason text not null check (reason ~ '\S'),
    case_number text not null check (case_number ~ '\S'),
    decided_by text not null check (decided_by <> ''),
    approved_by text not null check (approved_by <> ''),
    decided_at timestamptz not null default clock_timestamp(),
    from_run bigint not null,
    primary key (owner, link),
    constraint two_people check (approved_by <> decided_by),
    constraint two_persons check (person_id <> became),
    constraint later check (from_run > as_of_run)
);
create trigger numbered before insert on control.link for each row when (new.link is null)
    execute function control.numbered();

do $$
declare
    entry text;
begin
    foreach entry in array array['control.manual_person', 'control.link'] loop
        execute format('alter table %s enable row level security, force row level security', entry);
        -- As in 0001: without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on %s using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry);
        execute format('grant select, insert on %s to dataflyt_kommune', entry);
    end loop;
end
$$;
grant update (ended_at, ended_by) on control.manual_person to dataflyt_kommune;

-- The given name (keyed hash of its first word) and the gender that a user name was given under: a change renews it,
-- if the policy says so. Names from before this version count as given under today's.
alter table control.account_name add column named_given text, add column named_kjoenn text;
alter table control.account_name no force row level security;
alter table control.owner no force row level security;
alter table golden.person no force row level security;
update control.account_name n
set named_given = control.keyed_hash(o.secret, 'given:' || lower(split_part(p.fornavn, ' ', 1))), named_kjoenn = p.kjoenn
from control.owner o, golden.person p
where o.owner = n.owner and p.owner = n.owner and p.person_id = n.person_id and p.to_run is null;
alter table control.account_name force row level security;
alter table control.owner force row level security;
alter table golden.person force row level security;

-- A user name that has been published is never given to another person: undoing its run leaves the row.
create function control.name_stays() returns trigger language plpgsql as $$
begin
    if exists (select from control.publication p where p.owner = old.owner and p.run >= old.run)
        -- An erasure keeps the name as a keyed hash, which stays.
        and not exists (
            select from control.account_name n join control.owner o on o.owner = n.owner
            where n.owner = old.owner and n.uid = control.keyed_hash(o.secret, 'uid:' || old.uid)
        )
    then
        return null;
    end if;
    return old;
end
$$;
create trigger name_stays before delete on control.account_name for each row execute function control.name_stays();

alter table golden.person add column display_name text;
alter table golden.employment add column manual bigint;
alter table golden.enrolment add column manual bigint;
alter table golden.membership add column manual bigint;

-- Fields that people have overridden, each with the register's value beside it.
create table golden.overridden (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    person_id uuid not null,
    field text not null,
    value text,
    registered text,
    override bigint,
    primary key (owner, person_id, field, from_run)
);
create unique index on golden.overridden (owner, person_id, field) where to_run is null;
alter table golden.overridden enable row level security, force row level security;
-- As in 0001: without the collation the index on owner is not used.
create policy own_rows on golden.overridden using (owner = substr(current_user, 9) collate "default")
    with check (owner = substr(current_user, 9) collate "default");
grant select, insert, update, delete on golden.overridden to dataflyt_kommune;
