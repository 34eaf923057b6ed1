-- needs: new_school_year, new_unit, sas_group, sas_timetable
-- grain: one row a group
-- key: group_id
-- columns: group_id text, unit_id text, group_type text, feide_type text, name text, grep_code text, year_level
--   integer, from_date date, to_date date, timetabled boolean
-- makes: golden
-- Groups with the group's own dates, never a member's. Feide's type is b for a class and u for a subject group, which
-- must have a Grep code (Feide's information model for GO, appendix on group values) and, where the kommune says so, a
-- timetable; other kinds have no type. The type is part of the group's id in Feide, so that no group has another for a
-- while.
select
    g.group_id,
    u.unit_id,
    g.group_type,
    case
        when g.group_type = 'basisgruppe' then 'b'
        when g.group_type = 'undervisningsgruppe' and g.grep_code ~ :code
            and (t.group_id is not null or not :resources_need_timetable) then 'u'
    end as feide_type,
    coalesce(g.name, g.long_name, g.group_id) as name,
    g.grep_code,
    g.year_level,
    coalesce(control.as_date(g.begin_date), y.from_date) as from_date,
    coalesce(control.as_date(g.end_date), y.to_date) as to_date,
    t.group_id is not null as timetabled
from sas_group g
join new_unit u on u.sas_id = g.school_id
left join (select distinct group_id from sas_timetable) as t on t.group_id = g.group_id
cross join new_school_year y
where coalesce(control.as_date(g.end_date), y.to_date) >= cast(:today as date)
