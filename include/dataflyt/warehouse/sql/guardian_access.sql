-- Who may see a pupil: by foreldreansvar in FREG, or by a recorded grant, and by nothing else. Being mother or father
-- (familierelasjon) or standing in the school system gives none. Vetoes (suspensions, ended access) are laid over this
-- when it is read. Barnelova §§ 30-38; Datatilsynet 20/02183 (Bergen).
with pupil as (
    select distinct e.person_id from new_enrolment e
),
answered as (
    select
        l.person_id,
        bool_or(f.doed) as dead,
        min(coalesce(control.as_date(f.foedselsdato), control.as_date(f.foedselsaar || '-01-01'))) as birth_date
    from freg_person f
    join new_person_link l on l.scheme = 'number' and l.value = f.foedselsEllerDNummer
    group by l.person_id
),
in_school as (
    select i.person_id, min(control.as_date(s.birth_date)) as birth_date
    from sas_person s join sas_identity i on i.sas_id = s.person_id
    group by i.person_id
),
by_register as (
    select
        c.person_id as child_id,
        coalesce(a.person_id::text, 'org:' || f.ansvarligOrganisasjon, 'uten:' || control.keyed_hash(
            :secret,
            concat_ws(
                '|',
                f.ansvarligUtenIdentifikator_fornavn,
                f.ansvarligUtenIdentifikator_mellomnavn,
                f.ansvarligUtenIdentifikator_etternavn,
                f.ansvarligUtenIdentifikator_foedselsdato
            )
        )) as adult,
        case
            when a.person_id is not null then 'person'
            when f.ansvarligOrganisasjon is not null then 'organisation'
            else 'without_number'
        end as adult_kind,
        'foreldreansvar' as basis,
        f.ansvar
    from freg_foreldreansvar f
    join new_person_link c on c.scheme = 'number' and c.value = f.foedselsEllerDNummer
    join pupil on pupil.person_id = c.person_id
    left join new_person_link a on a.scheme = 'number' and a.value = f.ansvarlig
    where f.erGjeldende is not false
        -- A word that we do not know may say that somebody has lost it.
        and f.ansvar in ('felles', 'mor', 'far', 'medmor', 'andre', 'ukjent')
        -- In a parent's own document the record speaks of somebody else's child.
        and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsEllerDNummer or exists (
            select from new_person_link s
            where s.scheme = 'number' and s.value = f.ansvarssubjekt and s.person_id = c.person_id
        ))
        and a.person_id is distinct from c.person_id
        -- The adult whose number cannot be linked is not guessed.
        and (f.ansvarlig is null or a.person_id is not null)
),
by_grant as (
    select g.child_id, g.adult, g.adult_kind, 'grant:' || g.basis as basis, null as ansvar
    from control.access_grant g
    join pupil on pupil.person_id = g.child_id
    where g.owner = :owner
        and g.from_run <= :run
        and g.withdrawn_at is null
        and coalesce(g.until, 'infinity') >= cast(:today as date)
),
every as (
    select * from by_register where adult is not null
    union all
    select * from by_grant
),
judged as (
    select
        e.child_id,
        e.adult,
        e.adult_kind,
        e.basis,
        e.ansvar,
        case
            when exists (
                select from control.access_block b
                where b.owner = :owner and b.child_id = e.child_id and b.adult = e.adult and b.lifted_at is null
            ) then 'blocked'
            when adult.dead or child.dead then 'dead'
            -- Of whom FREG has never said anything we do not know who it is: a blocked adult's new number, perhaps.
            when e.basis = 'foreldreansvar' and e.adult_kind = 'person' and adult.person_id is null then 'unanswered'
            -- From 18 the pupil decides (the pupil's own consent is a grant).
            when e.basis = 'foreldreansvar' and coalesce(child.birth_date, in_school.birth_date) + interval '18 years'
                <= cast(:today as date) then 'of_age'
            else 'active'
        end as state
    from every e
    left join answered child on child.person_id = e.child_id
    left join in_school on in_school.person_id = e.child_id
    left join answered adult on adult.person_id::text = e.adult
)
-- What gives access goes before what gives none: a pupil of 18 may consent to a parent.
select distinct on (child_id, adult) child_id, adult, adult_kind, basis, ansvar, state
from judged
order by child_id, adult, state = 'active' desc, basis = 'foreldreansvar' desc, ansvar
