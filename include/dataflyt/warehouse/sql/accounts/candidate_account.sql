-- needs: after_account, after_candidate, after_employment, after_enrolment, after_shown_unit, before_protection
-- grain: one row a person
-- columns: person_id uuid, uid text, schools text, role text, hidden boolean
-- makes: table
-- The accounts that the run would publish, and those that it would publish if their people were not hidden
-- (strengtFortrolig or held back, before the run or after it). A fortrolig person is in the exports, and is counted
-- like other people.
select
    a.person_id, a.uid, s.schools, a.role,
    c.hidden or coalesce(b.level >= 3, false) or coalesce(b.held_back, false) as hidden
from after_candidate c
join after_account a on a.person_id = c.person_id and a.state = 'active'
join (
    select person_id, string_agg(distinct unit_id, ' ' order by unit_id) as schools
    from (
        select person_id, unit_id from after_enrolment
        union all
        select person_id, unit_id from after_employment
    ) as part
    join after_shown_unit using (unit_id)
    group by person_id
) as s on s.person_id = c.person_id
left join before_protection b on b.person_id = c.person_id
