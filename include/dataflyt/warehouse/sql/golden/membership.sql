-- needs: new_sas_identity, new_school_group, sas_membership
-- grain: one row a person's role in a group
-- key: group_id, person_id, role
-- columns: group_id text, person_id uuid, role text, contact_teacher boolean
-- makes: golden
-- Members of groups now. PIFU-IMS 1.3 role types: 01 pupil, 02 teacher, 06 contact teacher; all other types are staff.
-- A private candidate is not a pupil of the group.
select
    m.group_id,
    i.person_id,
    case m.role when '01' then 'student' when '02' then 'faculty' when '06' then 'faculty' else 'staff' end as role,
    bool_or(m.role = '06' or g.group_type = 'kontaktlærergruppe' and m.role = '02') as contact_teacher
from sas_membership m
join new_school_group g on g.group_id = m.group_id
join new_sas_identity i on i.sas_id = m.person_id
where m.role is not null
    and m.active is not false
    and not (m.role = '01' and m.subrole is not distinct from 'privatist')
    and coalesce(control.as_date(m.begin_date), '-infinity') <= cast(:today as date)
    and coalesce(control.as_date(m.end_date), 'infinity') >= cast(:today as date)
group by 1, 2, 3
