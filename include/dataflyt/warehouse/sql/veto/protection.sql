-- needs: meant, new_protection, now_protection
-- grain: one row a veto written
-- makes: rows
-- Raised protection. The protection by known words is one veto, and the addition by an unknown word is another: a clean
-- answer lifts the latter.
insert into control.veto (owner, kind, person_id, level, cause, cause_person_id, run, learned_at, outside_run, unknown)
select :owner, 'protection', m.target_id, p.level, p.cause, p.cause_person_id, :run, now(), :outside_run, p.unknown
from (
    select person_id, known_level as level, false as unknown,
        case when level = known_level then cause else 'known_word' end as cause,
        case when level = known_level then cause_person_id end as cause_person_id
    from new_protection
    where known_level in (2, 3)
    union all
    select person_id, level, true, cause, cause_person_id
    from new_protection
    where level > known_level and level in (2, 3) and :believed
) as p
join meant m on m.person_id = p.person_id
left join now_protection n on n.person_id = m.target_id
where p.level > coalesce(case when p.unknown then n.level else n.known_level end, 0)
    -- HR's marks and people's overrides can be taken back, so they do not replace FREG's word.
    or not p.unknown and p.level = n.known_level and n.cause in ('hr', 'override', 'held_back')
        and p.cause not in ('hr', 'override')
order by m.target_id, p.unknown
