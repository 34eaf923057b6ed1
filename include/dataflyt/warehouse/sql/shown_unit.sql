-- Schools. Barnehage, SFO and adult education get nothing from here.
select unit_id, name from {p}unit where kind = 'school'
