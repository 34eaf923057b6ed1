-- needs: control.account_name, control.directory_name, control.owner, listed, new_inherited_name, wanted_name
-- grain: one row a user name given
-- makes: rows
-- A name for each person who still has none, or whose name is renewed. It is the base alone for the first person and the base with a number from
-- the second on, so that "kari2" can never be another person's base. The numbers continue from the numbers given
-- before. A name that is taken, or has been in an imported directory, is passed over. So is the name of an erased
-- person, of which only keyed hashes are left.
with waiting as (
    select w.base, w.person_id, row_number() over (partition by w.base order by w.n) as turn
    from wanted_name w
    where w.renew
        or not exists (
            select from control.account_name n
            where n.owner = :owner and n.person_id = w.person_id and n.uid not in (select uid from new_inherited_name)
        )
        and not exists (select from listed l where l.person_id = w.person_id)
),
taken as (
    select uid from control.account_name where owner = :owner
    union
    select uid from control.directory_name where owner = :owner
),
-- One place for each person, and one more for each name that may be in the way.
size as (
    select w.base, max(w.turn) + coalesce(max(t.names), 0) + coalesce(max(x.erased), 0) as places,
        coalesce(max(g.given), 0) + coalesce(max(x.erased), 0) as given
    from waiting w
    left join (select rtrim(uid, '0123456789') as base, count(*) as names from taken group by 1) t on t.base = w.base
    left join (select base, count(*) as given from control.account_name where owner = :owner group by 1) g
        on g.base = w.base
    left join (
        select base, count(*) as erased from control.account_name where owner = :owner and erased_hash is not null
        group by 1
    ) x on x.base = control.keyed_hash((select secret from control.owner where owner = :owner), 'base:' || w.base)
    group by w.base
),
free as (
    select p.base, p.uid, row_number() over (partition by p.base order by p.place) as turn
    from (
        select s.base, place, s.base || case when place = 1 then '' else place::text end as uid
        from size s
        cross join lateral generate_series(s.given + 1, s.given + s.places) as place
    ) as p
    where not exists (select from taken t where t.uid = p.uid)
        and not exists (
            select from control.account_name x
            where x.owner = :owner and x.erased_hash = control.keyed_hash((select secret from control.owner where owner = :owner), 'uid:' || p.uid)
        )
)
insert into control.account_name (owner, uid, base, person_id, run)
select :owner, f.uid, f.base, w.person_id, :run
from waiting w
join free f on f.base = w.base and f.turn = w.turn
