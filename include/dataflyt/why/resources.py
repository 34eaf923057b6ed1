"""Why a pupil has got, or has not got, digital learning resources."""

from dataflyt.why import accounts, flow, groups, pupils
from dataflyt.why.check import Check

WAITING = f"""
select case g.group_type
    when 'basisgruppe' then 'has_class' when 'undervisningsgruppe' then 'in_subject_group' else '' end as mends
from golden.membership m
join golden.school_group g on g.owner = :owner and g.group_id = m.group_id and g.to_run is null
where m.owner = :owner and m.person_id = :who and m.from_run = :newest and (:word = '' or m.group_id = :word)
    and not exists (select from why_membership n where n.person_id = :who and n.group_id = m.group_id)
union all
select 'in_school_file enrolled has_number in_register pupil_shown' from golden.enrolment
where owner = :owner and person_id = :who and from_run = :newest
    and not exists (select from why_enrolment n where n.person_id = :who)
union all
{accounts.WAITING}
union all
{groups.WAITING}
"""


def chain() -> list[Check]:
    """Return the checks in the order of the flow."""
    return [
        flow.run_stands(WAITING),
        flow.file_is_new("sas"),
        pupils.child_known,
        pupils.pupil_alive,
        pupils.in_school_file,
        pupils.enrolled,
        pupils.has_number,
        pupils.in_register,
        pupils.pupil_shown,
        pupils.has_class,
        groups.in_subject_group,
        groups.timetabled,
        groups.has_grep,
        groups.grep_known,
        flow.nothing_set_aside(":who", "sas_person", "sas_membership"),
        accounts.account,
        flow.in_file("in_feide_file", flow.FEIDE, ":who"),
        flow.delivered(flow.FEIDE),
    ]
