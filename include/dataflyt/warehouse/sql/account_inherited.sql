-- The name of somebody who has become another, for that other where there is none yet: the oldest.
select distinct on (h.became) h.became as person_id, n.uid
from new_heir h
join control.account_name n on n.owner = :owner and n.person_id = h.person_id
where not exists (select from control.account_name m where m.owner = :owner and m.person_id = h.became)
order by h.became, n.run, n.uid
