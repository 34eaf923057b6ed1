-- grain: one row a subrole
-- columns: role text, subrole text
-- makes: table
-- PIFU-IMS 1.3's subroles, each with the role type that it belongs to.
select r.key as role, s.subrole
from json_each(cast(:subroles as json)) r
cross join json_array_elements_text(r.value) as s (subrole)
