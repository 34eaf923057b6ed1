-- The whole warehouse. Every table carries its owner and shows a kommune's role only its own rows.

create schema control;
create schema history;
create schema golden;

-- A register's text to a date or a time, null if it is neither: a cast must never stop a merge.
create function control.as_date(value text) returns date language sql stable
return case when pg_input_is_valid(value, 'date') then value::date end;
create function control.as_time(value text) returns timestamptz language sql stable
return case when pg_input_is_valid(value, 'timestamptz') then value::timestamptz end;
create function control.keyed_hash(secret text, value text) returns text language sql immutable
return case when value <> '' then encode(sha256(convert_to(secret || ':' || value, 'UTF8')), 'hex') end;

-- A kommune, and the key of its hashes and of the ids that its people get.
create table control.owner (
    owner text primary key,
    secret text not null,
    created_at timestamptz not null
);

-- The line of runs. A run is open -> merged -> released, or rejected, unanswered, failed, superseded.
create table control.run (
    owner text not null,
    run bigint not null,
    key text not null,
    as_of timestamptz not null,
    state text not null,
    config_version text not null,
    plan_digest text,
    asks text,
    report text,
    settled_at timestamptz,
    primary key (owner, run),
    unique (owner, key)
);

-- The present contents of staging: rows per table, counted when they were copied in.
create table control.staged (
    owner text not null,
    source text not null,
    table_name text not null,
    run bigint not null,
    row_count bigint not null,
    primary key (owner, source, table_name)
);

-- Rows that a check has set aside in a run: one for each broken rule of a row, with the reason and who corrects it.
create table control.quarantine (
    owner text not null,
    run bigint not null,
    table_name text not null,
    row_id bigint not null,
    rule text not null,
    reason text not null,
    responsible text not null,
    key text not null,
    subject text,
    primary key (owner, run, table_name, row_id, rule)
);

-- Vetoes take access or visibility away, as of now, outside every run. Rows are added and lifted, never deleted.
create table control.veto (
    owner text not null,
    veto bigint generated always as identity,
    kind text not null check (kind in ('protection', 'access_ended', 'access_suspended', 'death')),
    person_id uuid not null,
    adult text,
    level int,
    cause text not null,
    cause_person_id uuid,
    run bigint not null,
    learned_at timestamptz not null,
    lifted_run bigint,
    lifted_at timestamptz,
    lifted_by text,
    lifted_by_second text,
    primary key (owner, veto)
);
create index on control.veto (owner, kind, person_id) where lifted_at is null;

-- The vetoes that the release of a run would lift, each named by the run's plan.
create table control.lift (
    owner text not null,
    run bigint not null,
    veto bigint not null,
    primary key (owner, run, veto)
);

-- Access on another basis than foreldreansvar. No documents are kept here: the case number points into the archive.
create table control.access_grant (
    owner text not null,
    access_grant bigint generated always as identity,
    child_id uuid not null,
    adult text not null,
    adult_kind text not null check (adult_kind in ('person', 'organisation', 'without_number')),
    basis text not null check (basis in ('consent', 'court_judgment', 'barnevern_decision', 'verge', 'representative')),
    scope text not null,
    case_number text not null,
    seen_by text not null,
    decided_by text not null,
    from_run bigint not null,
    until date,
    withdrawn_at timestamptz,
    withdrawn_by text,
    primary key (owner, access_grant)
);

-- An adult who must not see a child, even if FREG or a grant gives access. It takes two people to lift a block.
create table control.access_block (
    owner text not null,
    access_block bigint generated always as identity,
    child_id uuid not null,
    adult text not null,
    basis text not null,
    case_number text not null,
    decided_by text not null,
    decided_at timestamptz not null,
    review_on date,
    lifted_at timestamptz,
    lifted_by text,
    lifted_by_second text,
    primary key (owner, access_block)
);

-- A value beside the register's value. It can raise protection, never lower it.
create table control.override (
    owner text not null,
    override bigint generated always as identity,
    person_id uuid not null,
    field text not null,
    value text not null,
    reason text not null,
    case_number text not null,
    decided_by text not null,
    approved_by text check (approved_by <> decided_by),
    from_run bigint not null,
    review_on date,
    ended_at timestamptz,
    primary key (owner, override)
);

-- A FEIDE name is given once: the row stays when the account is gone (as a keyed hash after erasure).
create table control.account_name (
    owner text not null,
    uid text not null,
    base text not null,
    person_id uuid,
    run bigint not null,
    erased_hash text,
    primary key (owner, uid)
);

-- KRR's newest values in clear; history and golden point here by keyed hash.
create table control.contact_value (
    owner text not null,
    hash text not null,
    value text not null,
    primary key (owner, hash)
);

-- Publications, each with its run. Readers see the newest publication that is not withdrawn.
create table control.publication (
    owner text not null,
    publication text not null,
    run bigint not null,
    last_veto bigint not null,
    published_at timestamptz not null,
    manifest text not null,
    withdrawn_at timestamptz,
    primary key (owner, publication)
);

create table history.freg_person (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    oppslag text,
    identifikatortype text,
    status text,
    foedselsdato text,
    foedselsaar text,
    kjoenn text,
    doedsdato text,
    doed boolean,
    falskidentitet boolean,
    primary key (owner, key, from_run)
);
create unique index on history.freg_person (owner, key) where to_run is null;
create index on history.freg_person (owner, subject) where to_run is null;

create table history.freg_ubesvart (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    oppslag text,
    feilmelding text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_ubesvart (owner, key) where to_run is null;
create index on history.freg_ubesvart (owner, subject) where to_run is null;

create table history.freg_identifikasjonsnummer (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    identifikasjonsnummer text,
    identifikatortype text,
    status text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_identifikasjonsnummer (owner, key) where to_run is null;
create index on history.freg_identifikasjonsnummer (owner, subject) where to_run is null;

create table history.freg_navn (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    fornavn text,
    mellomnavn text,
    etternavn text,
    forkortetnavn text,
    ergjeldende boolean,
    gyldighetstidspunkt text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_navn (owner, key) where to_run is null;
create index on history.freg_navn (owner, subject) where to_run is null;

create table history.freg_bostedsadresse (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    adressegradering text,
    adressetype text,
    kommunenummer text,
    adressenavn text,
    husnummer text,
    husbokstav text,
    bruksenhetsnummer text,
    postnummer text,
    poststedsnavn text,
    coadressenavn text,
    bolig text,
    flyttedato text,
    ergjeldende boolean,
    gyldighetstidspunkt text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_bostedsadresse (owner, key) where to_run is null;
create index on history.freg_bostedsadresse (owner, subject) where to_run is null;

create table history.freg_annenadresse (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    element text,
    adressegradering text,
    kommunenummer text,
    bolig text,
    ergjeldende boolean,
    gyldighetstidspunkt text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_annenadresse (owner, key) where to_run is null;
create index on history.freg_annenadresse (owner, subject) where to_run is null;

create table history.freg_adressebeskyttelse (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    graderingsnivaa text,
    ergjeldende boolean,
    gyldighetstidspunkt text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_adressebeskyttelse (owner, key) where to_run is null;
create index on history.freg_adressebeskyttelse (owner, subject) where to_run is null;

create table history.freg_foreldreansvar (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    ansvar text,
    ansvarlig text,
    ansvarligorganisasjon text,
    ansvarligutenidentifikator_fornavn text,
    ansvarligutenidentifikator_mellomnavn text,
    ansvarligutenidentifikator_etternavn text,
    ansvarligutenidentifikator_foedselsdato text,
    ansvarssubjekt text,
    ergjeldende boolean,
    gyldighetstidspunkt text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_foreldreansvar (owner, key) where to_run is null;
create index on history.freg_foreldreansvar (owner, subject) where to_run is null;

create table history.freg_familierelasjon (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    foedselsellerdnummer text,
    relatertperson text,
    relatertpersonutenfolkeregisteridentifikator boolean,
    relatertpersonsrolle text,
    minrolleforperson text,
    ergjeldende boolean,
    gyldighetstidspunkt text,
    primary key (owner, key, from_run)
);
create unique index on history.freg_familierelasjon (owner, key) where to_run is null;
create index on history.freg_familierelasjon (owner, subject) where to_run is null;

create table history.krr_contact (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    personidentifikator text,
    status text,
    reservasjon text,
    reservasjonstidspunkt text,
    reservasjon_oppdatert text,
    varslingsstatus text,
    epostadresse text,
    epostadresse_oppdatert text,
    epostadresse_sist_verifisert text,
    epostadresse_duplisert text,
    mobiltelefonnummer text,
    mobiltelefonnummer_oppdatert text,
    mobiltelefonnummer_sist_verifisert text,
    mobiltelefonnummer_duplisert text,
    spraak text,
    spraak_oppdatert text,
    primary key (owner, key, from_run)
);
create unique index on history.krr_contact (owner, key) where to_run is null;
create index on history.krr_contact (owner, subject) where to_run is null;

create table history.hr_employee (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    employee_id text,
    number text,
    given_name text,
    family_name text,
    birth_date text,
    sex text,
    email text,
    mobile text,
    username text,
    status text,
    date_from text,
    date_to text,
    primary key (owner, key, from_run)
);
create unique index on history.hr_employee (owner, key) where to_run is null;
create index on history.hr_employee (owner, subject) where to_run is null;

create table history.hr_employment (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    employee_id text,
    employment_id text,
    employment_type text,
    position_code text,
    position_name text,
    percentage double precision,
    main_position boolean,
    org_unit_id text,
    workplace_id text,
    date_from text,
    date_to text,
    primary key (owner, key, from_run)
);
create unique index on history.hr_employment (owner, key) where to_run is null;
create index on history.hr_employment (owner, subject) where to_run is null;

create table history.hr_org_unit (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    org_unit_id text,
    name text,
    parent_id text,
    manager_ids text,
    status text,
    date_from text,
    date_to text,
    primary key (owner, key, from_run)
);
create unique index on history.hr_org_unit (owner, key) where to_run is null;
create index on history.hr_org_unit (owner, subject) where to_run is null;

create table history.sas_school (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    school_id text,
    parent_id text,
    level text,
    orgnr text,
    name text,
    school_type text,
    primary key (owner, key, from_run)
);
create unique index on history.sas_school (owner, key) where to_run is null;
create index on history.sas_school (owner, subject) where to_run is null;

create table history.sas_group (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    group_id text,
    school_id text,
    group_type text,
    name text,
    long_name text,
    grep_code text,
    grep_uri text,
    year_level integer,
    begin_date text,
    end_date text,
    adminperiod text,
    primary key (owner, key, from_run)
);
create unique index on history.sas_group (owner, key) where to_run is null;
create index on history.sas_group (owner, subject) where to_run is null;

create table history.sas_person (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    person_id text,
    old_person_id text,
    number text,
    local_number text,
    feide_id text,
    username text,
    given_name text,
    family_name text,
    full_name text,
    sex text,
    birth_date text,
    email text,
    mobile text,
    recstatus text,
    primary key (owner, key, from_run)
);
create unique index on history.sas_person (owner, key) where to_run is null;
create index on history.sas_person (owner, subject) where to_run is null;

create table history.sas_membership (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    group_id text,
    person_id text,
    role text,
    subrole text,
    active boolean,
    main boolean,
    begin_date text,
    end_date text,
    primary key (owner, key, from_run)
);
create unique index on history.sas_membership (owner, key) where to_run is null;
create index on history.sas_membership (owner, subject) where to_run is null;

create table history.sas_guardian (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    child_id text,
    guardian_id text,
    contact_type text,
    primary key (owner, key, from_run)
);
create unique index on history.sas_guardian (owner, key) where to_run is null;
create index on history.sas_guardian (owner, subject) where to_run is null;

create table history.sas_timetable (
    owner text not null,
    key text not null,
    subject text not null,
    from_run bigint not null,
    to_run bigint,
    group_id text,
    weekday integer,
    start text,
    "end" text,
    room text,
    primary key (owner, key, from_run)
);
create unique index on history.sas_timetable (owner, key) where to_run is null;
create index on history.sas_timetable (owner, subject) where to_run is null;

create table golden.unit (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    unit_id text not null,
    kind text,
    name text,
    sas_id text,
    parent_id text,
    primary key (owner, unit_id, from_run)
);
create unique index on golden.unit (owner, unit_id) where to_run is null;

create table golden.school_year (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    label text not null,
    from_date date,
    to_date date,
    primary key (owner, label, from_run)
);
create unique index on golden.school_year (owner, label) where to_run is null;

create table golden.person_link (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    scheme text not null,
    value text not null,
    person_id uuid,
    "current" boolean,
    primary key (owner, scheme, value, from_run)
);
create unique index on golden.person_link (owner, scheme, value) where to_run is null;

create table golden.grp (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    group_id text not null,
    unit_id text,
    group_type text,
    feide_type text,
    name text,
    grep_code text,
    year_level int,
    from_date date,
    to_date date,
    timetabled boolean,
    primary key (owner, group_id, from_run)
);
create unique index on golden.grp (owner, group_id) where to_run is null;

create table golden.membership (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    group_id text not null,
    person_id uuid not null,
    role text not null,
    contact_teacher boolean,
    primary key (owner, group_id, person_id, role, from_run)
);
create unique index on golden.membership (owner, group_id, person_id, role) where to_run is null;

create table golden.enrolment (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    person_id uuid not null,
    unit_id text not null,
    school_year text not null,
    year_level int,
    from_date date,
    to_date date,
    main boolean,
    primary key (owner, person_id, unit_id, school_year, from_run)
);
create unique index on golden.enrolment (owner, person_id, unit_id, school_year) where to_run is null;

create table golden.employment (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    employee_id text not null,
    employment_id text not null,
    person_id uuid,
    unit_id text,
    position_name text,
    percentage double precision,
    main boolean,
    from_date date,
    to_date date,
    primary key (owner, employee_id, employment_id, from_run)
);
create unique index on golden.employment (owner, employee_id, employment_id) where to_run is null;

create table golden.guardian_access (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    child_id uuid not null,
    adult text not null,
    adult_kind text,
    basis text,
    ansvar text,
    state text,
    primary key (owner, child_id, adult, from_run)
);
create unique index on golden.guardian_access (owner, child_id, adult) where to_run is null;

create table golden.person (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    person_id uuid not null,
    number text,
    local_number text,
    fornavn text,
    mellomnavn text,
    etternavn text,
    birth_date date,
    kjoenn text,
    work_email text,
    status text,
    dead boolean,
    source text,
    answered boolean,
    primary key (owner, person_id, from_run)
);
create unique index on golden.person (owner, person_id) where to_run is null;

create table golden.protection (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    person_id uuid not null,
    level int,
    held_back boolean,
    cause text,
    cause_person_id uuid,
    primary key (owner, person_id, from_run)
);
create unique index on golden.protection (owner, person_id) where to_run is null;

create table golden.contact (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    person_id uuid not null,
    email_hash text,
    email_at timestamptz,
    email_fresh boolean,
    mobile_hash text,
    mobile_at timestamptz,
    mobile_fresh boolean,
    reserved boolean,
    status text,
    spraak text,
    primary key (owner, person_id, from_run)
);
create unique index on golden.contact (owner, person_id) where to_run is null;

create table golden.account (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    person_id uuid not null,
    uid text,
    role text,
    state text,
    primary key (owner, person_id, from_run)
);
create unique index on golden.account (owner, person_id) where to_run is null;

create table golden.work_item (
    owner text not null,
    from_run bigint not null,
    to_run bigint,
    kind text not null,
    subject text not null,
    other text not null,
    unit_id text,
    primary key (owner, kind, subject, other, from_run)
);
create unique index on golden.work_item (owner, kind, subject, other) where to_run is null;


do $$
declare
    entry record;
begin
    for entry in
        select schemaname as s, tablename as t from pg_tables where schemaname in ('control', 'history', 'golden')
    loop
        execute format('alter table %I.%I enable row level security, force row level security', entry.s, entry.t);
        -- Without the collation the index on owner is not used.
        execute format(
            'create policy own_rows on %I.%I using (owner = substr(current_user, 9) collate "default")'
            ' with check (owner = substr(current_user, 9) collate "default")', entry.s, entry.t);
        execute format('grant select, insert, update, delete on %I.%I to dataflyt_kommune', entry.s, entry.t);
    end loop;
end
$$;

grant usage on schema control, history, golden to dataflyt_kommune;
revoke update, delete on control.veto, control.access_block, control.access_grant, control.owner from dataflyt_kommune;
grant update (lifted_run, lifted_at, lifted_by, lifted_by_second) on control.veto to dataflyt_kommune;
grant update (lifted_at, lifted_by, lifted_by_second) on control.access_block to dataflyt_kommune;
grant update (withdrawn_at, withdrawn_by) on control.access_grant to dataflyt_kommune;
