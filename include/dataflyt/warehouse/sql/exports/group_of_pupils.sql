-- needs: {p}candidate, {p}membership, {p}school_group, {p}shown_unit
-- grain: one row a group
-- columns: group_id text, unit_id text, group_type text, feide_type text, name text, grep_code text, year_level
--   integer, from_date date, to_date date, timetabled boolean
-- makes: table
-- Groups of schools with a pupil who is shown: the name of a group for one pupil can tell of that pupil. Other kinds of
-- groups (extra language teaching) are left out: they tell much about their members, and no access rests on them.
select g.*
from {p}school_group g
join {p}shown_unit u on u.unit_id = g.unit_id
where g.group_type in ('basisgruppe', 'undervisningsgruppe', 'kontaktlærergruppe', 'trinn', 'fag')
    and g.group_id in (
        select m.group_id
        from {p}membership m
        join {p}candidate c on c.person_id = m.person_id
        where m.role = 'student' and c.pupil and not c.hidden
    )
