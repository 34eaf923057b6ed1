-- needs: after_account, after_block, after_contact, after_employment, after_enrolment, after_guardian_access,
--   after_membership, after_person, after_person_link, after_protection, after_quiet, after_school_group,
--   after_work_item, before_account, before_block, before_contact, before_employment, before_enrolment,
--   before_guardian_access, before_membership, before_person, before_person_link, before_protection,
--   before_school_group, before_work_item, changed, fortrolig, hidden, hidden_group
-- grain: one row a change
-- columns: kind text, subject text, other text, unit_id text, inferred boolean, graded boolean
-- makes: table
-- The changes that releasing the run would make. "graded" rows are for readers who may see protection ({graded_kinds}
-- always are).
select kind, subject::text as subject, other::text as other, unit_id, inferred,
    kind in ({graded_kinds})
    or kind in ('guardian_gains_access', 'guardian_loses_access')
        and subject in (select person_id from fortrolig)
    or kind = 'sas_guardian_without_basis' and (subject, other) in (select child, adult from after_quiet)
    -- The work list has no fortrolig people: a count here that had them would tell how many they are.
    or kind in ('sas_guardian_without_basis', 'sas_guardian_missing')
        and (subject in (select person_id from fortrolig) or other in (select person_id from fortrolig))
    -- What KRR has changed. The details of a fortrolig guardian, and of a fortrolig child's, are in no export: other
    -- readers get the rows of contact_shown.
    or kind = 'contact_changes'
    or kind <> 'pupil_published' and subject in (select person_id from hidden)
    or other in (select person_id from hidden)
    or kind in ('group_appears', 'group_vanishes', 'group_loses_resources')
        and subject in (select group_id from hidden_group) as graded
from (
    {access}
    union all
    select case when coalesce(a.level, 0) > coalesce(b.level, 0) then 'protection_raised' else 'protection_lowered' end,
        person_id::text, '', null, false
    from before_protection b
    full join after_protection a using (person_id)
    where coalesce(a.level, 0) <> coalesce(b.level, 0)
    union all
    select 'pupil_starts', e.person_id::text, '', e.unit_id, false
    from after_enrolment e
    where e.main and not exists (select from before_enrolment b where b.person_id = e.person_id)
    union all
    select 'pupil_leaves', e.person_id::text, '', e.unit_id, true
    from before_enrolment e
    where e.main and not exists (select from after_enrolment a where a.person_id = e.person_id)
    union all
    select 'pupil_changes_school', person_id::text, b.units, a.units, false
    from (select person_id, string_agg(unit_id, ' ' order by unit_id) as units from before_enrolment group by 1) b
    join (select person_id, string_agg(unit_id, ' ' order by unit_id) as units from after_enrolment group by 1) a
        using (person_id)
    where a.units <> b.units
    union all
    -- Whom FREG cannot be asked about, and people have decided to publish. Nobody is told of a protection by it.
    select 'pupil_published', a.person_id::text, '', e.unit_id, false
    from after_protection a
    join before_protection b on b.person_id = a.person_id
    join after_enrolment e on e.person_id = a.person_id and e.main
    where a.unasked and b.held_back and not a.held_back and a.level < 2 and b.level < 2
    union all
    select 'employee_starts', e.person_id::text, '', e.unit_id, false
    from after_employment e
    where e.main and not exists (select from before_employment b where b.person_id = e.person_id)
    union all
    select 'employee_leaves', e.person_id::text, '', e.unit_id, true
    from before_employment e
    where e.main and not exists (select from after_employment a where a.person_id = e.person_id)
    union all
    select 'name_changes', person_id::text, '', null, false
    from before_person b
    join after_person a using (person_id)
    where (a.fornavn, a.mellomnavn, a.etternavn, a.display_name)
        is distinct from (b.fornavn, b.mellomnavn, b.etternavn, b.display_name)
    union all
    select 'number_changes', person_id::text, '', null, false
    from before_person b
    join after_person a using (person_id)
    where a.number is distinct from b.number
    union all
    -- Also for a person who has been away since, and was known only by a local id.
    select 'number_changes', a.person_id::text, '', null, false
    from after_person a
    where a.number is not null
        and a.person_id not in (select person_id from before_person)
        and a.person_id in (select person_id from before_person_link)
        and a.person_id not in (select person_id from before_person_link where scheme = 'number')
    union all
    select
        case when exists (select from before_person_link r where r.person_id = a.person_id)
            then 'persons_join' else 'person_splits' end,
        b.person_id::text, a.person_id::text, null, false
    from before_person_link b
    join after_person_link a on a.scheme = b.scheme and a.value = b.value
    where a.person_id <> b.person_id
    union all
    -- The effects of the change of identity itself: people in it who are protected under either id, before or after;
    -- blocks that come to hold for another person; access that appears or goes.
    select 'identity_protection', c.became::text, c.person_id::text, null, false
    from changed c
    where exists (select from before_protection p where p.person_id in (c.person_id, c.became) and p.level >= 2)
        or exists (select from after_protection p where p.person_id in (c.person_id, c.became) and p.level >= 2)
    union all
    select 'identity_block', a.child_id::text, a.adult, null, false
    from after_block a
    where not exists (select from before_block b where b.child_id = a.child_id and b.adult = a.adult)
    union all
    select 'identity_access', coalesce(a.child_id, b.child_id)::text, coalesce(a.adult, b.adult), null, false
    from (select child_id, adult from after_guardian_access where state = 'active') as a
    full join (select child_id, adult from before_guardian_access where state = 'active') as b using (child_id, adult)
    where (a.child_id is null or b.child_id is null) and exists (
        select from changed c
        where coalesce(a.child_id, b.child_id) in (c.person_id, c.became)
            or coalesce(a.adult, b.adult) in (c.person_id::text, c.became::text)
    )
    union all
    select 'contact_changes', person_id::text, '', null, false
    from before_contact b
    full join after_contact a using (person_id)
    where (a.email_hash, a.mobile_hash, a.reserved) is distinct from (b.email_hash, b.mobile_hash, b.reserved)
    union all
    select 'group_appears', a.group_id, '', a.unit_id, false
    from after_school_group a
    where not exists (select from before_school_group b where b.group_id = a.group_id)
    union all
    select 'group_vanishes', b.group_id, '', b.unit_id, true
    from before_school_group b
    where not exists (select from after_school_group a where a.group_id = b.group_id)
    union all
    select 'group_loses_resources', a.group_id, '', a.unit_id, true
    from before_school_group b
    join after_school_group a using (group_id)
    where b.feide_type = 'u' and a.feide_type is distinct from 'u'
    union all
    select 'membership_changes', person_id::text, group_id, role, a.person_id is null
    from before_membership b
    full join after_membership a using (person_id, group_id, role)
    where (a.role is null or b.role is null)
    union all
    select 'account_created', a.person_id::text, '', null, false
    from after_account a
    where a.state = 'active' and not exists (
        select from before_account b where b.person_id = a.person_id and b.state = 'active')
    union all
    select 'account_disabled', b.person_id::text, '', null, true
    from before_account b
    where b.state = 'active' and not exists (
        select from after_account a where a.person_id = b.person_id and a.state = 'active')
    union all
    select 'account_renamed', a.person_id::text, '', null, false
    from before_account b
    join after_account a using (person_id)
    where a.uid <> b.uid and a.state = 'active'
    union all
    select a.kind, a.subject, a.other, a.unit_id, false
    from after_work_item a
    where a.kind in ('sas_guardian_without_basis', 'sas_guardian_missing') and not exists (
        select from before_work_item b where b.kind = a.kind and b.subject = a.subject and b.other = a.other)
) as rows
