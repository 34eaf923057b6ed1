-- needs: new_manual_person, new_pifu_subrole, new_sas_identity, new_school_group, sas_membership
-- grain: one row a person's role in a group
-- key: group_id, person_id, role
-- columns: group_id text, person_id uuid, role text, contact_teacher boolean, manual bigint, staff_role text,
--   subrole text
-- makes: golden
-- Members of groups now. PIFU-IMS 1.3 role types: 01 pupil, 02 teacher, 06 contact teacher; all other types are staff.
-- A private candidate is not a pupil of the group. Members registered by hand have the number of the registration in
-- "manual". "staff_role" is the role type of staff other than 04, and "subrole" PIFU's word that belongs to the type. A
-- person whose rows about a group disagree has neither in it. PIFU has no subrole for a contact teacher.
select
    group_id,
    person_id,
    role,
    contact_teacher,
    manual,
    case when role = 'staff' and left(said, 2) in ('05', '07', '08') then left(said, 2) end as staff_role,
    case when contact_teacher is not true then nullif(substr(said, 4), '') end as subrole
from (
    select
        group_id,
        person_id,
        role,
        bool_or(contact_teacher) as contact_teacher,
        case when bool_and(manual is not null) then max(manual) end as manual,
        case when min(said) = max(said) then min(said) end as said
    from (
        select
            m.group_id,
            i.person_id,
            case m.role when '01' then 'student' when '02' then 'faculty' when '06' then 'faculty' else 'staff' end as role,
            m.role = '06' or g.group_type = 'kontaktlærergruppe' and m.role = '02' as contact_teacher,
            cast(null as bigint) as manual,
            case when m.role <> '01' then m.role || coalesce(' ' || s.subrole, '') end as said
        from sas_membership m
        join new_school_group g on g.group_id = m.group_id
        join new_sas_identity i on i.sas_id = m.person_id
        left join new_pifu_subrole s on s.role = m.role and s.subrole = lower(m.subrole)
        where m.role is not null
            and m.active is not false
            and not (m.role = '01' and m.subrole is not distinct from 'privatist')
            and coalesce(control.as_date(m.begin_date), '-infinity') <= cast(:today as date)
            and coalesce(control.as_date(m.end_date), 'infinity') >= cast(:today as date)
        union all
        select
            m.group_id, m.person_id, case m.role when 'pupil' then 'student' else 'faculty' end, false, m.manual_person,
            null
        from new_manual_person m
        join new_school_group g on g.group_id = m.group_id and g.unit_id = m.unit_id
    ) as part
    group by group_id, person_id, role
) as member
