-- needs: new_school_group, sas_timetable
-- grain: one row a lesson of a group in a week
-- key: group_id, weekday, starts, ends, room
-- columns: group_id text, weekday integer, starts text, ends text, room text
-- makes: golden
-- The timetable of the groups. Weekdays are 1 (Monday) to 7, times are HH:MM in Norway. A lesson without a weekday or a
-- start is left out: it is on the work list. A lesson without an end, or with an end before its start, ends as it
-- starts; a lesson without a room has an empty one.
select distinct
    t.group_id, t.weekday, t.start as starts,
    case when t."end" ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' and t."end" collate "C" > t.start collate "C"
        then t."end" else t.start end as ends,
    coalesce(t.room, '') as room
from sas_timetable t
join new_school_group g on g.group_id = t.group_id
where t.weekday between 1 and 7 and t.start ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
