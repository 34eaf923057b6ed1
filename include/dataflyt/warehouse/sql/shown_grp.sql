-- Groups as they are shown. A name that tells of somebody hidden gives way to the group's id; a group whose id tells is
-- not shown, since other systems know it by that.
select
    g.group_id, g.unit_id, g.group_type, g.feide_type,
    case when t.group_id is null then g.name else g.group_id end as name,
    case when g.feide_type = 'u' then g.grep_code end as grep_code,
    g.year_level, g.from_date, g.to_date
from {p}group_of_pupils g
left join (select group_id, bool_or(by_id) as by_id from {p}group_tells group by group_id) as t
    on t.group_id = g.group_id
where t.by_id is not true
