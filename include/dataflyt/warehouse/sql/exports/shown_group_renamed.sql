-- needs: {p}group_of_pupils, {p}group_tells
-- grain: one row a group and a hidden person
-- columns: kind text, subject text, other text, unit_id text
-- makes: view
-- Groups that are named after a hidden person, and are therefore shown by their id or not at all. The rows are as in
-- work_item, for readers who may see protection. "other" is the hidden person.
select distinct 'group_name_tells' as kind, g.group_id as subject, t.person_id::text as other, g.unit_id
from {p}group_tells t
join {p}group_of_pupils g on g.group_id = t.group_id
