-- Schools, subject codes and kommuner: open to all, no people and no owner, one copy for the installation. A row holds
-- from known_from until known_to, so that a repeated run finds the same rows, as of its own time.
create schema reference;

-- The time when a register was read whole, and its number of rows then.
create table reference.reading (
    register text not null,
    read_at timestamptz not null,
    row_count bigint not null,
    primary key (register, read_at)
);

-- NSR: active is ErAktiv.
create table reference.school (
    orgnr text not null,
    name text,
    kommunenummer text,
    active boolean not null,
    known_from timestamptz not null,
    known_to timestamptz,
    primary key (orgnr, known_from)
);

-- Grep: active unless its status is utgaatt.
create table reference.subject (
    code text not null,
    active boolean not null,
    known_from timestamptz not null,
    known_to timestamptz,
    primary key (code, known_from)
);

-- Klass 131.
create table reference.kommune (
    kommunenummer text not null,
    name text,
    known_from timestamptz not null,
    known_to timestamptz,
    primary key (kommunenummer, known_from)
);

create unique index on reference.school (orgnr) where known_to is null;
create unique index on reference.subject (code) where known_to is null;
create unique index on reference.kommune (kommunenummer) where known_to is null;

-- Whether our copy of a register can be trusted at a time: it is read weekly, and three weeks may be lost.
create function reference.fresh(name text, at timestamptz) returns boolean language sql stable
return exists (
    select from reference.reading r where r.register = name and r.read_at <= at and r.read_at > at - interval '28 days'
);

grant usage on schema reference to dataflyt_kommune, dataflyt_reference;
grant select on all tables in schema reference to dataflyt_kommune;
grant select, insert, update on all tables in schema reference to dataflyt_reference;
