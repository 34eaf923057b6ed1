-- Groups that are shown by their id, or not at all, since they are named after somebody hidden: rows as in work_item, for
-- those who may see protection. "other" is the hidden person.
select distinct 'group_name_tells' as kind, g.group_id as subject, t.person_id::text as other, g.unit_id
from {p}group_tells t
join {p}group_of_pupils g on g.group_id = t.group_id
