-- needs: {p}candidate, {p}enrolment, {p}guardian_access, {p}shown_envelope
-- grain: one row a guardian or a pupil
-- columns: kind text, subject text
-- makes: answer
-- What the exports tell of somebody protected as they tell it of others, now: contact details that are withheld, and a
-- pupil whose guardians are all in no export. {day} is a date literal, {p} the prefix of the vetoed views.
select 'guardian_not_reached' as kind, person_id::text as subject
from {p}shown_envelope
where withheld
union all
select 'pupil_without_guardian', a.child_id::text
from {p}guardian_access a
join {p}candidate c on c.person_id = a.child_id and c.level < 2 and not c.hidden
    and coalesce(c.birth_date + interval '18 years' > {day}, true)
left join {p}candidate g on g.person_id::text = a.adult
where a.state = 'active'
    and exists (select from {p}enrolment e where e.person_id = a.child_id and e.manual is null)
group by a.child_id
having bool_and(a.adult_kind = 'person' and coalesce(g.hidden, false))
