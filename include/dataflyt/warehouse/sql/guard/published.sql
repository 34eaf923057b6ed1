-- needs: {p}account, {p}membership, {p}person, {p}protection
-- grain: one row
-- columns: people bigint, groups bigint
-- makes: answer
-- People with an account, and groups with a pupil, who are not hidden: the contents of the exports, before these are
-- written. {p} is the prefix of the vetoed views.
select
    (
        select count(*)
        from {p}account a
        join {p}person p on p.person_id = a.person_id
        join {p}protection x on x.person_id = a.person_id
        where a.state = 'active' and not p.dead and x.level < 3 and not x.held_back
    ) as people,
    (
        select count(distinct m.group_id)
        from {p}membership m
        join {p}protection x on x.person_id = m.person_id
        where m.role = 'student' and x.level < 3 and not x.held_back
    ) as groups
