-- needs: control.override, history.freg_navn, history.hr_employee, history.sas_person, {p}group_of_pupils,
--   {p}membership, {p}person, {p}person_link, {p}protection, {p}school_group
-- grain: one row a group and a hidden person that its name or its id tells of
-- columns: group_id text, person_id uuid, by_id boolean
-- makes: table
-- Groups whose name or id ("by_id") tells of a hidden person. A text tells of a person in three cases. It holds a given
--   name and a family name, in any order and with anything between; a mellomnavn counts as both. It holds the two
--   written together, or one of them with initials: "O. Nordmann", "ONordmann", "Ola N.". It holds one name alone, and
--   the person is in that very group, or the text also holds the name of a class that the person is in. Every name that
--   any source or any override has ever given counts. Names of five letters and more count within words too (genitive
-- and "Nordmannsgruppa"), shorter ones as a word, with or without an s. Letters are compared without case, accents and
-- spelling: å, aa and a are one, so are ø, oe, ö and o, and æ, ae, ä and a.
with hidden as materialized (
    select person_id from {p}protection where level >= 3 or held_back
),
link as materialized (
    select l.person_id, l.scheme, l.value from {p}person_link l join hidden h on h.person_id = l.person_id
),
named as (
    select p.person_id, p.fornavn as given, p.mellomnavn as middle, p.etternavn as family
    from {p}person p join hidden h on h.person_id = p.person_id
    union
    select l.person_id, n.fornavn, n.mellomnavn, n.etternavn
    from link l
    join history.freg_navn n on n.owner = '{owner}' and n.subject = l.value
    where l.scheme = 'number'
    union
    select l.person_id, s.given_name, case when s.family_name is null then s.full_name end, s.family_name
    from link l
    join history.sas_person s on s.owner = '{owner}' and s.number = l.value
    where l.scheme = 'number'
    union
    select l.person_id, s.given_name, case when s.family_name is null then s.full_name end, s.family_name
    from link l
    join history.sas_person s on s.owner = '{owner}' and s.subject = l.value
    where l.scheme = 'sas'
    union
    select l.person_id, e.given_name, null, e.family_name
    from link l
    join history.hr_employee e on e.owner = '{owner}' and e.number = l.value
    where l.scheme = 'number'
    union
    select l.person_id, e.given_name, null, e.family_name
    from link l
    join history.hr_employee e on e.owner = '{owner}' and e.subject = l.value
    where l.scheme = 'hr'
    union
    select
        o.person_id,
        case when o.field = 'fornavn' then o.value end,
        case when o.field in ('mellomnavn', 'display_name') then o.value end,
        case when o.field = 'etternavn' then o.value end
    from control.override o
    join hidden h on h.person_id = o.person_id
    where o.owner = '{owner}' and o.field in ('fornavn', 'mellomnavn', 'etternavn', 'display_name')
),
-- A name as a whole, and each part of it between blanks.
field as (
    select distinct n.person_id, f.given, f.family, x.value, x.is_whole
    from named n
    cross join lateral (
        values (n.given, true, false), (n.middle, true, true), (n.family, false, true),
            (n.given || ' ' || n.middle, true, false)
    ) as f (value, given, family)
    cross join lateral (
        select f.value, true as is_whole
        union all
        select part, part = f.value from regexp_split_to_table(f.value, '\s+') as part
    ) as x
    where x.value <> ''
),
member as materialized (
    select distinct m.group_id, m.person_id from {p}membership m join hidden h on h.person_id = m.person_id
),
class as (
    select distinct m.person_id, g.name as value, g.year_level
    from member m
    join {p}school_group g on g.group_id = m.group_id
    where g.group_type = 'basisgruppe'
),
wording as (
    select group_id, name as value, false as by_id from {p}group_of_pupils
    union all
    select group_id, group_id, true from {p}group_of_pupils
    where group_id ~ '[^0-9[:punct:] ][^0-9[:punct:] ]'
),
folded as materialized (
    select value, array_remove(regexp_split_to_array(f.plain, '[^a-z0-9]+'), '') as words,
        array_remove(regexp_split_to_array(f.cut, '[^a-z0-9]+'), '') as cut_words
    from (select value from field union select value from class union select value from wording) as every
    cross join lateral (
        select translate(regexp_replace(normalize(value, NFKD), U&'[\0300-\036f]', '', 'g'),
            'ÆæØøĐđÐðŁłŊŋŦŧĦħıŒœßÞþ', 'AaOoDdDdLlNnTtHhiOosTt') collate "C" as latin
    ) as l
    cross join lateral (
        -- Digits are words of their own. In "cut" a capital begins a word: OlaNordmann, 7BNordmann.
        select regexp_replace(l.latin, '([0-9])(?=[A-Za-z])|([A-Za-z])(?=[0-9])', '\1\2 ', 'g') as split
    ) as s
    cross join lateral (
        select
            regexp_replace(regexp_replace(lower(s.split), 'a[ae]+', 'a', 'g'), '([ou])e+', '\1', 'g') as plain,
            regexp_replace(regexp_replace(lower(
                regexp_replace(s.split, '([a-z])(?=[A-Z])|([A-Z])(?=[A-Z][a-z])', '\1\2 ', 'g')
            ), 'a[ae]+', 'a', 'g'), '([ou])e+', '\1', 'g') as cut
    ) as f
),
part as materialized (
    select x.person_id, x.part, bool_or(x.given) as given, bool_or(x.family) as family
    from (
        select f.person_id, f.given, f.family, p.part
        from field f
        join folded t on t.value = f.value
        cross join lateral (
            select array_to_string(t.words, '') as part, f.is_whole
            union all
            select word, false from unnest(t.words) as word
        ) as p
        -- "de" and "al" are parts of names, but also words.
        where length(p.part) >= case when p.is_whole then 2 else 3 end
    ) as x
    group by x.person_id, x.part
),
initials as (
    select f.person_id, array_to_string(t.words, ' ') as letters, array_to_string(t.words, '') as together
    from (
        select person_id, given, family, value, array(select left(w, 1) from unnest(words) as w) as words
        from field f join folded using (value) where is_whole and given
    ) as f
    cross join lateral (
        select f.words union select array[f.words[1]]
    ) as t (words)
),
-- Texts that tell of a person by themselves.
whole as (
    select distinct person_id, needle, within from (
        select g.person_id, n.needle, true as within
        from part g
        join part f on f.person_id = g.person_id and f.family and g.part <> f.part
        cross join lateral (values (g.part || f.part), (f.part || g.part)) as n (needle)
        where g.given
        union all
        select f.person_id, n.needle, false
        from part f
        join initials i on i.person_id = f.person_id
        cross join lateral (
            values (i.letters || ' ' || f.part), (f.part || ' ' || i.letters), (i.together || f.part),
                (f.part || i.together), (i.together || ' ' || f.part), (f.part || ' ' || i.together)
        ) as n (needle)
        where f.family
        union all
        select g.person_id, g.part || ' ' || left(f.part, 1), false
        from part g
        join part f on f.person_id = g.person_id and f.family and g.part <> f.part
        where g.given
    ) as n
),
needle as materialized (
    select person_id, part as needle, true as within, given, family, false as alone from part
    union all
    select person_id, needle, within, false, false, true from whole
),
said as materialized (
    select distinct w.value, t.words, regexp_replace(array_to_string(t.words, ''), 'a[ae]+', 'a', 'g') as together,
        t.cut_words
    from wording w join folded t on t.value = w.value
),
-- Every run of up to four words.
run as materialized (
    select distinct v.value, array_to_string(v.words[i:i + n], ' ') as run
    from (
        select value, words from said union all select value, cut_words from said where cut_words <> words
    ) as v
    cross join lateral generate_subscripts(v.words, 1) as i
    cross join lateral generate_series(0, least(3, cardinality(v.words) - i)) as n
),
beginning as materialized (
    select distinct s.value, substr(s.together, i, 5) as letters
    from said s
    cross join lateral generate_series(1, length(s.together) - 4) as i
),
found as (
    select r.value, n.person_id, n.needle, n.given, n.family, n.alone
    from needle n
    cross join lateral (values (n.needle), (n.needle || 's')) as e (run)
    join run r on r.run = e.run
    union
    select b.value, n.person_id, n.needle, n.given, n.family, n.alone
    from needle n
    join beginning b on b.letters = left(n.needle, 5)
    join said s on s.value = b.value
    where n.within and length(n.needle) >= 5 and strpos(s.together, n.needle) > 0
),
telling as materialized (
    select
        value, person_id,
        bool_or(alone)
            or bool_or(given) and bool_or(family) and count(distinct needle) filter (where not alone) > 1 as alone
    from found
    group by value, person_id
),
-- A class by its whole name, by "7 b" in it, and by the pupils' year with the last letter of the name.
class_run as (
    select distinct c.person_id, n.run
    from class c
    join folded t on t.value = c.value
    cross join lateral (select array_to_string(t.words, ' ') as name) as w
    cross join lateral (
        values (w.name), (substring(w.name from '[0-9]+ [a-z](?![a-z])')),
            (c.year_level || ' ' || substring(w.name from '(?:^| )([a-z])$'))
    ) as n (run)
    where n.run is not null
)
-- One select for each case, so that PostgreSQL joins.
select w.group_id, t.person_id, w.by_id
from telling t
join wording w on w.value = t.value
where t.alone
union
select w.group_id, t.person_id, w.by_id
from telling t
join wording w on w.value = t.value
join member m on m.person_id = t.person_id and m.group_id = w.group_id
union
select w.group_id, t.person_id, w.by_id
from telling t
join class_run c on c.person_id = t.person_id
join run r on r.value = t.value and r.run = c.run
join wording w on w.value = t.value
