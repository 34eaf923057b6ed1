-- needs: {p}unit
-- grain: one row a school
-- columns: unit_id text, name text
-- makes: view
-- Schools. Barnehage, SFO and adult education are left out.
select unit_id, name from {p}unit where kind = 'school'
