-- needs: {p}group_of_pupils, {p}group_tells
-- grain: one row a group
-- columns: group_id text, unit_id text, group_type text, feide_type text, name text, grep_code text, year_level
--   integer, from_date date, to_date date
-- makes: table
-- Groups as they are shown. A name that tells of a hidden person is replaced by the group's id. A group whose id tells
-- of a hidden person is not shown, since other systems know it by that id.
select
    g.group_id, g.unit_id, g.group_type, g.feide_type,
    case when t.group_id is null then g.name else g.group_id end as name,
    case when g.feide_type = 'u' or g.group_type = 'fag' and g.grep_code ~ '^[A-Z]{{3}}[0-9]{{4}}$' then g.grep_code end
        as grep_code,
    g.year_level, g.from_date, g.to_date
from {p}group_of_pupils g
left join (select group_id, bool_or(by_id) as by_id from {p}group_tells group by group_id) as t
    on t.group_id = g.group_id
where t.by_id is not true
