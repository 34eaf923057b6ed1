-- needs: control.owner, new_person
-- grain: one row a user name given in the run
-- makes: rows
-- The given name and the gender that the run's user names were given under.
update control.account_name n
set named_kjoenn = p.kjoenn,
    named_given = control.keyed_hash(
        (select secret from control.owner where owner = :owner), 'given:' || lower(split_part(p.fornavn, ' ', 1))
    )
from new_person p
where n.owner = :owner and n.run = :run and n.person_id = p.person_id
