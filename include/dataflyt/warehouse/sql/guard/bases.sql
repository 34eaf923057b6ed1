-- needs: before_account, before_contact, before_employment, before_enrolment, before_guardian_access,
--   before_membership, before_person, before_school_group
-- grain: one row
-- columns: guardian_access bigint, enrolment bigint, employment bigint, person bigint, contact bigint, school_group
--   bigint, membership bigint, account bigint
-- makes: answer
-- The bases of the limits in percent. Each column is a base, as guard.py names it.
select
    (select count(*) from before_guardian_access where state in ('active', 'suspended')) as guardian_access,
    (select count(distinct person_id) from before_enrolment) as enrolment,
    (select count(distinct person_id) from before_employment) as employment,
    (select count(*) from before_person) as person,
    (select count(*) from before_contact) as contact,
    (select count(*) from before_school_group) as school_group,
    (select count(*) from before_membership) as membership,
    (select count(*) from before_account where state = 'active') as account
