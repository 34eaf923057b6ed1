"""Why a teacher has, or has not, what a teacher needs: account, groups, digital learning resources."""

from dataflyt.why import accounts, employees, flow, groups
from dataflyt.why.check import Check

WAITING = f"""
select 'teaches teacher_in_school_file' as mends from golden.membership
where owner = :owner and person_id = :who and from_run = :newest and (:word = '' or group_id = :word)
    and not exists (select from why_membership n where n.person_id = :who and n.group_id = membership.group_id)
union all
select 'in_hr_file has_position employee_shown not_resident_only' from golden.employment
where owner = :owner and person_id = :who and from_run = :newest
    and not exists (select from why_employment n where n.person_id = :who)
union all
select 'has_email' from golden.person p join why_person n using (person_id)
where p.owner = :owner and p.person_id = :who and p.from_run = :newest
    and p.work_email is not null and n.work_email is null
union all
{accounts.WAITING}
union all
{groups.WAITING}
"""


def chain() -> list[Check]:
    """Return the checks in the order of the flow."""
    return [
        flow.run_stands(WAITING),
        flow.file_is_new("hr"),
        flow.file_is_new("sas"),
        employees.person_known,
        employees.in_hr_file,
        employees.has_position,
        employees.employee_shown,
        employees.has_email,
        employees.teacher_in_school_file,
        employees.teaches,
        groups.timetabled,
        groups.has_grep,
        groups.grep_known,
        flow.nothing_set_aside(":who", "sas_person", "sas_membership", "hr_employee", "hr_employment"),
        accounts.account,
        flow.in_file("in_feide_file", flow.FEIDE, ":who"),
        flow.delivered(flow.FEIDE),
    ]
