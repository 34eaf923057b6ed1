-- needs: new_manual_person, new_pifu_subrole, new_position_held, new_sas_identity, new_unit, sas_membership
-- grain: one row a position held
-- key: employee_id, employment_id
-- columns: employee_id text, employment_id text, person_id uuid, unit_id text, position_name text, percentage double
--   precision, main boolean, from_date date, to_date date, manual bigint, staff_role text,
--   subrole text, teacher_subrole text
-- makes: golden
-- Positions held at schools, by HR and by people's registrations (position_name is then their kind). "staff_role" is PIFU's
-- role type of staff other than 04, "subrole" the word that belongs to it, and "teacher_subrole" the word for a teacher.
-- They are the school system's about that school, unless its rows disagree, and else the position's.
with said as (
    select
        person_id,
        unit_id,
        case when min(staff) = max(staff) then min(staff) end as staff,
        case when min(teacher_subrole) = max(teacher_subrole) then min(teacher_subrole) end as teacher_subrole
    from (
        select
            i.person_id,
            u.unit_id,
            case
                when m.role in ('05', '07', '08') or m.role = '04' and s.subrole is not null
                    then m.role || coalesce(' ' || s.subrole, '')
            end as staff,
            case when m.role = '02' then s.subrole end as teacher_subrole
        from sas_membership m
        join new_unit u on u.sas_id = m.group_id
        join new_sas_identity i on i.sas_id = m.person_id
        left join new_pifu_subrole s on s.role = m.role and s.subrole = lower(m.subrole)
        where m.role <> '01'
            and m.active is not false
            and coalesce(control.as_date(m.begin_date), '-infinity') <= cast(:today as date)
            and coalesce(control.as_date(m.end_date), 'infinity') >= cast(:today as date)
    ) as part
    group by person_id, unit_id
)
select
    held.employee_id,
    held.employment_id,
    held.person_id,
    held.unit_id,
    held.position_name,
    held.percentage,
    -- HR may mark several positions as main, or none: the largest position is then the main one.
    row_number() over (
        partition by held.person_id
        order by held.manual is not null, held.main_position desc nulls last, held.percentage desc nulls last,
            held.employee_id, held.employment_id
    ) = 1 as main,
    held.from_date,
    held.to_date,
    held.manual,
    nullif(left(coalesce(s.staff, held.staff), 2), '04') as staff_role,
    nullif(substr(coalesce(s.staff, held.staff), 4), '') as subrole,
    coalesce(s.teacher_subrole, held.teacher_subrole) as teacher_subrole
from (
    select
        employee_id, employment_id, person_id, unit_id, position_name, percentage, main_position, from_date, to_date,
        cast(null as bigint) as manual, staff, teacher_subrole
    from new_position_held
    union all
    select
        'manual:' || m.manual_person, 'manual', m.person_id, m.unit_id, m.kind, null, null, null, m.until,
        m.manual_person, null, null
    from new_manual_person m
    join new_unit u on u.unit_id = m.unit_id and u.kind = 'school'
    where m.role = 'employee'
) as held
left join said s on s.person_id = held.person_id and s.unit_id = held.unit_id and held.manual is null
