-- needs: control.account_name, control.former_name, {p}candidate, {p}shown_account
-- grain: one row a person and a name
-- columns: person_id uuid, name text
-- makes: view
-- Former FEIDE names after a merger or a change of realm (Feide, "Krav til endringer i Feide-katalog ved fusjonering").
-- A protected person has none: the name would tell where the person comes from. A person who has been given a new name
-- here has none either: the former one would tell of a name that the person has left.
select f.person_id, f.name
from control.former_name f
join {p}shown_account a on a.person_id = f.person_id
join {p}candidate c on c.person_id = f.person_id
where f.owner = '{owner}' and c.level < 2 and not exists (
    select from control.account_name n
    join control.account_name m on m.owner = n.owner and m.person_id = n.person_id and m.uid <> n.uid
    where n.owner = '{owner}' and n.person_id = f.person_id
)
