-- needs: {p}candidate, {p}employment, {p}membership, {p}school_group, {p}shown_unit
-- grain: one row a position held
-- columns: person_id uuid, unit_id text, main boolean, from_date date, to_date date, teaches boolean, teaches_here
--   boolean, affiliate boolean, staff_role text, subrole text, teacher_subrole text
-- makes: view
-- Employees who are shown, at their schools, and whether they teach any group at all, and any group of that school. The
-- group need not be shown. A student teacher, whom people have registered by hand, is an affiliate. The roles and subroles
-- are PIFU's words.
select
    w.person_id, w.unit_id, w.main, w.from_date, w.to_date,
    t.person_id is not null as teaches,
    h.person_id is not null as teaches_here,
    w.manual is not null and w.position_name = 'student_teacher' as affiliate,
    w.staff_role,
    w.subrole,
    case when w.manual is null then w.teacher_subrole else
        case w.position_name when 'student_teacher' then 'lærerstudent' when 'substitute' then 'vikar' end
    end as teacher_subrole
from {p}employment w
join {p}shown_unit u on u.unit_id = w.unit_id
join {p}candidate c on c.person_id = w.person_id
left join (select distinct person_id from {p}membership where role = 'faculty') as t on t.person_id = w.person_id
left join (
    select distinct m.person_id, g.unit_id from {p}membership m join {p}school_group g using (group_id) where m.role = 'faculty'
) as h on h.person_id = w.person_id and h.unit_id = w.unit_id
where not c.hidden
