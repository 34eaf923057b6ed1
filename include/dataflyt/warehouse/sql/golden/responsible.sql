-- needs: control.owner, freg_foreldreansvar, new_person_link
-- grain: one row a child, an adult and a kind of foreldreansvar
-- columns: child_id uuid, adult text, adult_kind text, ansvar text
-- makes: table
-- Foreldreansvar for all children in FREG's answers, pupils here or not. An adult is a person with a number, an
-- organisation, or a person without a number. A parent's own document may be about a child instead of its own person.
select distinct on (child_id, adult, ansvar) child_id, adult, adult_kind, ansvar
from (
    select
        c.person_id as child_id,
        coalesce(a.person_id::text, 'org:' || f.ansvarligOrganisasjon, 'uten:' || control.keyed_hash(
            (select secret from control.owner where owner = :owner),
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
        f.ansvar
    from freg_foreldreansvar f
    join new_person_link c on c.scheme = 'number' and c.value = f.foedselsEllerDNummer
    left join new_person_link a on a.scheme = 'number' and a.value = f.ansvarlig
    where f.erGjeldende is not false
        -- Only known words count: an unknown word may mean that foreldreansvar is lost.
        and f.ansvar in ('felles', 'mor', 'far', 'medmor', 'andre', 'ukjent')
        -- In a parent's own document the record is about another person as the child.
        and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsEllerDNummer or exists (
            select from new_person_link s
            where s.scheme = 'number' and s.value = f.ansvarssubjekt and s.person_id = c.person_id
        ))
        and a.person_id is distinct from c.person_id
        -- An adult whose number cannot be linked is left out, never guessed.
        and (f.ansvarlig is null or a.person_id is not null)
) as told
where adult is not null
order by child_id, adult, ansvar
