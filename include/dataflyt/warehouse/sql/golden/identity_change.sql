-- needs: golden.person_link, new_person_link, new_stands_for
-- grain: one row a person and the person that the first has become
-- columns: person_id uuid, became uuid, joined boolean
-- makes: table
-- Changes of identity since the released run. "joined": the first person now exists only as the other, so that the
-- grants of the first can become the other's. Otherwise the two have been parted, or an id has changed hands.
select
    s.known_id as person_id,
    s.person_id as became,
    count(*) over (partition by s.known_id) = 1 and not exists (
        select from new_person_link l
        where l.person_id = s.known_id and (
            l.scheme = 'number' or s.known_id not in (
                select o.person_id from golden.person_link o
                where o.owner = :owner and o.to_run is null and o.scheme = 'number'
            )
        )
    ) as joined
from new_stands_for s
