-- needs: control.contact_value, krr_contact, new_guardian_access, new_person_link
-- grain: one row a person
-- key: person_id
-- columns: person_id uuid, email_hash text, email_at timestamp with time zone, email_fresh boolean, mobile_hash text,
--   mobile_at timestamp with time zone, mobile_fresh boolean, reserved boolean, status text, spraak text
-- makes: golden
-- E-mail and mobile of the people who may see a pupil, as keyed hashes. Each is fresh if it was updated or verified
-- within 18 months (eForvaltningsforskriften § 32; Digdir, 18-månedersregelen). A malformed one reaches nobody, and is
-- none (formats/reaching.py has the forms).
select
    l.person_id,
    u.email_hash,
    t.email_at,
    coalesce(u.email_hash is not null and t.email_at > cast(:as_of as timestamptz) - interval '18 months', false)
        as email_fresh,
    u.mobile_hash,
    t.mobile_at,
    coalesce(u.mobile_hash is not null and t.mobile_at > cast(:as_of as timestamptz) - interval '18 months', false)
        as mobile_fresh,
    coalesce(c.reservasjon <> 'NEI', false) as reserved,
    c.status,
    c.spraak
from krr_contact c
join new_person_link l on l.scheme = 'number' and l.value = c.personidentifikator and l.current
left join control.contact_value e on e.owner = :owner and e.hash = c.epostadresse
    and e.value !~ :krr_mail
left join control.contact_value m on m.owner = :owner and m.hash = c.mobiltelefonnummer
    and m.value !~ :krr_mobile
cross join lateral (
    select
        case when e.hash is null then c.epostadresse end as email_hash,
        case when m.hash is null then c.mobiltelefonnummer end as mobile_hash
) as u
cross join lateral (
    select
        greatest(control.as_time(c.epostadresse_oppdatert), control.as_time(c.epostadresse_sist_verifisert)) as email_at,
        greatest(
            control.as_time(c.mobiltelefonnummer_oppdatert), control.as_time(c.mobiltelefonnummer_sist_verifisert)
        ) as mobile_at
) as t
where exists (select from new_guardian_access a where a.adult = l.person_id::text)
