-- needs: control.identity_change, control.run, new_identity_change, new_person_link
-- grain: one row a person and the person that the first has become in the end
-- columns: person_id uuid, became uuid
-- makes: table
-- The person that a person has become in the end. The joinings that count are confirmed by people (the plan of a
-- released run named them, and was answered) or named by this run's plan. A joining that has been undone does not
-- count: the two have been parted again, or a number stands for the first person again.
with recursive change as (
    select c.run, c.person_id, c.became, c.joined
    from control.identity_change c
    join control.run r on r.owner = c.owner and r.run = c.run
    where c.owner = :owner and r.state = 'released'
    union
    select cast(:run as bigint), person_id, became, joined from new_identity_change
),
standing as (
    select c.person_id, c.became
    from change c
    where c.joined and not exists (
        select from change parted
        where not parted.joined and parted.person_id = c.became and parted.run > c.run
    )
    and not exists (select from new_person_link l where l.person_id = c.person_id and l.scheme = 'number')
),
line as (
    select person_id, became from standing
    union
    select l.person_id, s.became from line l join standing s on s.person_id = l.became
)
select person_id, became
from line l
where not exists (select from standing s where s.person_id = l.became)
