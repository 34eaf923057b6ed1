-- needs: {p}shown_account, {p}shown_employment, {p}shown_enrolment, {p}shown_membership, {p}shown_school_group
-- grain: one row a kind and a school
-- columns: kind text, subject text, other text, unit_id text, since timestamp with time zone
-- makes: answer
-- What Feide's validator finds in the published directory and a school corrects ("Missing Grep codes for student",
-- "Missing groups for teacher or pupil"). A pupil without a class has a kind of its own. The rows are of
-- the schools, and of those who are in the exports: whoever reads both learns nothing of anybody who is protected, and
-- no gap in the list tells of anybody. A substitute may have no group. {p} is the prefix of the vetoed views.
select distinct
    'pupils_without_year_level' as kind, e.unit_id as subject, '' as other, e.unit_id,
    cast(null as timestamptz) as since
from {p}shown_account a
join {p}shown_enrolment e on e.person_id = a.person_id
where not exists (
    select from {p}shown_enrolment o where o.person_id = a.person_id and o.year_level between 1 and 10
)
union all
select distinct 'teachers_without_group', w.unit_id, '', w.unit_id, cast(null as timestamptz)
from {p}shown_account a
join {p}shown_employment w on w.person_id = a.person_id
where w.teaches and not w.affiliate and w.teacher_subrole is distinct from 'vikar'
    and not exists (
        select from {p}shown_membership m
        join {p}shown_school_group g on g.group_id = m.group_id
        where m.person_id = a.person_id and g.feide_type is not null
    )
