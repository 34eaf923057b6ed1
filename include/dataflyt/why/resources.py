"""Why a pupil has got, or has not got, digital learning resources."""

from dataflyt.why import accounts, flow, groups, pupils
from dataflyt.why.check import Check

WAITING = """
select from golden.membership where owner = :owner and person_id = :who and from_run = :newest
    and not exists (select from why_membership n where n.person_id = :who and n.group_id = membership.group_id)
union all
select from golden.enrolment where owner = :owner and person_id = :who and from_run = :newest
    and not exists (select from why_enrolment n where n.person_id = :who)
union all
select from golden.account where owner = :owner and person_id = :who and from_run = :newest and state = 'active'
union all
select from golden.school_group g
join why_school_group n on n.group_id = g.group_id and n.group_type = 'undervisningsgruppe'
    and (g.timetabled and not n.timetabled or g.feide_type is not null and n.feide_type is null)
where g.owner = :owner and g.from_run = :newest
    and g.group_id in (select group_id from why_membership where person_id = :who)
    and (:word = '' or g.group_id = :word)
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
    ]
