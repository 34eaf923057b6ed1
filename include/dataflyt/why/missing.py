"""Why somebody, or a group, is not in the files, or has no account. And why rows about somebody were set aside."""

from dataflyt.why import accounts, employees, flow, groups, pupils, resources, teacher
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Found, Rows, check, failed, passed
from dataflyt.why.flow import quarantine_of, set_aside

_ROLE = """
select
    exists (
        select from now_person_link l
        join history.sas_membership m on m.owner = :owner and m.subject = l.value and m.role = '01'
        where l.scheme = 'sas' and l.person_id = :who
    ) or exists (select from why_enrolment where person_id = :who) as pupil,
    exists (select from now_person_link l where l.scheme = 'hr' and l.person_id = :who)
        or exists (select from why_employment where person_id = :who) as employee,
    exists (
        select from now_work_item w where w.kind = 'resident_not_enrolled' and w.subject = cast(:who as text)
    ) as resident,
    exists (select from now_person_link l where l.scheme = 'sas' and l.person_id = :who) as in_sas,
    exists (
        select from now_person_link l
        join history.sas_membership m on m.owner = :owner and m.subject = l.value and m.role <> '01'
            and m.from_run <= :released and coalesce(m.to_run > :released, true)
        where l.scheme = 'sas' and l.person_id = :who
    ) as staff,
    exists (select from why_seen_access where adult = cast(:who as text)) as guardian
"""


@check(role=_ROLE, quarantine=quarantine_of(":who"))
def not_resident_only(asked: Asked, rows: Rows) -> Found | None:
    """Check that somebody is a pupil or an employee by one of the files at all."""
    if not asked.who.known:
        return None
    role = rows["role"][0]
    if role.pupil or role.employee:
        return passed("sas" if role.pupil else "hr")
    if found := set_aside(asked, rows["quarantine"]):
        return found
    if role.resident:
        return failed("resident_not_enrolled", "freg")
    if role.staff:
        return failed("employee_not_in_hr", "hr")
    if role.guardian:
        return failed("guardian_alone", "sas")
    return failed("pupil_without_school" if role.in_sas else "pupil_not_in_file", "sas")


def _only(part: Check, role: str) -> Check:
    """Return a check that is made of pupils, or of employees, alone."""

    def judge(asked: Asked, rows: Rows) -> Found | list[Found] | None:
        return part.judge(asked, rows) if getattr(rows["role"][0], role) else None

    return Check(part.name, {**part.queries, "role": _ROLE}, judge)


def chain() -> list[Check]:
    """Return the checks about a person: the pupil's part, the employee's part, the account, the file."""
    pupil = (
        pupils.in_school_file,
        pupils.enrolled,
        pupils.has_number,
        pupils.in_register,
        pupils.pupil_shown,
        pupils.has_class,
    )
    employee = (employees.in_hr_file, employees.has_position, employees.employee_shown)
    return [
        flow.run_stands(f"{resources.WAITING} union all {teacher.WAITING}"),
        flow.file_is_new("sas"),
        flow.file_is_new("hr"),
        employees.person_known,
        pupils.pupil_alive,
        not_resident_only,
        *(_only(one, "pupil") for one in pupil),
        *(_only(one, "employee") for one in employee),
        flow.nothing_set_aside(":who", "sas_person", "sas_membership", "hr_employee", "hr_employment"),
        accounts.account,
        flow.in_file("in_feide_file", flow.FEIDE, ":who"),
        flow.delivered(flow.FEIDE),
    ]


def group_chain() -> list[Check]:
    """Return the checks about a group (``:word``)."""
    waiting = (
        "select case when n.group_id is null then 'group_known group_holds group_kind group_shown ' else '' end || "
        "case when g.timetabled then 'group_timetable ' else '' end || "
        "case when g.feide_type is not null then 'group_code' else '' end as mends "
        "from golden.school_group g left join why_school_group n using (group_id) "
        "where g.owner = :owner and g.group_id = :word and g.from_run = :newest"
    )
    return [
        flow.run_stands(waiting),
        flow.file_is_new("sas"),
        groups.group_known,
        groups.group_holds,
        groups.group_kind,
        groups.group_shown,
        groups.group_code,
        groups.group_timetable,
    ]


@check(quarantine=quarantine_of(":who"))
def rows_set_aside(asked: Asked, rows: Rows) -> list[Found]:
    """Check that every row about somebody that the newest checked run has set aside, each with its rule."""
    if not asked.who.known:
        return []
    found = [one for row in rows["quarantine"] if (one := set_aside(asked, [row])) is not None]
    return found or [passed()]


def row_chain() -> list[Check]:
    """Return the checks about rows that were set aside."""
    return [employees.person_known, rows_set_aside]
