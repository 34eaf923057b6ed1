-- grain: one row
-- key: label
-- columns: label text, from_date date, to_date date
-- makes: golden
-- The school year of the run: 1 August to 31 July.
select
    y || '/' || (y + 1) as label,
    make_date(y, 8, 1) as from_date,
    make_date(y + 1, 7, 31) as to_date
from (select extract(year from cast(:today as date) - interval '7 months')::int as y) as started
