"""Checks about an employee (``:who``): in HR, with a position at a school, with an e-mail, in the school system."""

from dataflyt.why.asking import Asked
from dataflyt.why.check import Found, Rows, check, failed, passed, unknown
from dataflyt.why.flow import quarantine_of, set_aside
from dataflyt.why.pupils import hidden
from dataflyt.why.when import day_in_words

_HR = """
select h.employee_id, h.from_run, control.as_date(h.date_to) as ends
from now_person_link l
join history.hr_employee h on h.owner = :owner and h.subject = l.value and h.from_run <= :released
    and coalesce(h.to_run > :released, true)
where l.scheme = 'hr' and l.person_id = :who
"""
_SAS = """
select s.person_id as sas_id, s.recstatus, s.from_run
from now_person_link l
join history.sas_person s on s.owner = :owner and s.subject = l.value and s.from_run <= :released
    and coalesce(s.to_run > :released, true)
where l.scheme = 'sas' and l.person_id = :who
"""
_EMPLOYED = """
select coalesce(u.name, e.unit_id) as school, e.manual
from why_employment e join now_unit u using (unit_id) where e.person_id = :who order by e.main desc
"""


@check()
def person_known(asked: Asked, rows: Rows) -> Found:
    """Check that the person is somebody whom the visitor may see."""
    return passed() if asked.who.known else failed("person_unknown")


@check(
    hr=_HR,
    employed=_EMPLOYED,
    left=(
        "select h.to_run from now_person_link l join history.hr_employee h on h.owner = :owner "
        "and h.subject = l.value and h.to_run <= :released "
        "where l.scheme = 'hr' and l.person_id = :who order by h.to_run desc limit 1"
    ),
    pupil="select from why_enrolment where person_id = :who",
    quarantine=quarantine_of(":who"),
)
def in_hr_file(asked: Asked, rows: Rows) -> Found | None:
    """Check that the employee is in the HR system's file, or registered by hand."""
    if not asked.who.known:
        return None
    if rows["hr"]:
        return passed("hr", rows["hr"][0].from_run)
    if rows["employed"]:
        return passed("people")
    if found := set_aside(asked, rows["quarantine"], ("hr_employee",)):
        return found
    if rows["left"]:
        return failed("employee_left_hr", "hr", rows["left"][0].to_run)
    return failed("not_an_employee", "sas") if rows["pupil"] else failed("employee_not_in_hr", "hr")


@check(
    hr=_HR,
    employed=_EMPLOYED,
    positions=(
        "select e.employment_type, e.percentage, e.from_run, control.as_date(e.date_from) as begins, "
        "control.as_date(e.date_to) as ends from now_person_link l "
        "join history.hr_employment e on e.owner = :owner and e.subject = l.value and e.from_run <= :released "
        "and coalesce(e.to_run > :released, true) where l.scheme = 'hr' and l.person_id = :who"
    ),
    quarantine=quarantine_of(":who"),
)
def has_position(asked: Asked, rows: Rows) -> Found | None:
    """Check that the employee holds a position at a school now."""
    if rows["employed"]:
        one = rows["employed"][0]
        return passed("hr" if one.manual is None else "people", value=one.school, school=one.school)
    if not rows["hr"]:
        return None
    if found := set_aside(asked, rows["quarantine"], ("hr_employment",)):
        return found
    if all(row.ends and row.ends < asked.day for row in rows["hr"]):
        return failed("position_ended", "hr", rows["hr"][0].from_run, day=day_in_words(rows["hr"][0].ends))
    positions = rows["positions"]
    if not positions:
        return failed("without_position", "hr", rows["hr"][0].from_run)
    run = positions[0].from_run
    held = [one for one in positions if not (one.ends and one.ends < asked.day)]
    if not held:
        return failed("position_ended", "hr", run, day=day_in_words(max(one.ends for one in positions)))
    begun = [one for one in held if not (one.begins and one.begins > asked.day)]
    if not begun:
        return failed("position_not_begun", "hr", run, day=day_in_words(min(one.begins for one in held)))
    if all(one.employment_type == "inaktiv" and not one.percentage for one in begun):
        return failed("position_inactive", "hr", run)
    return failed("position_not_at_school", "hr", run)


@check(
    candidate="select hidden from why_candidate where person_id = :who and employee",
    dead="select dead from why_person where person_id = :who",
    protection="select level, held_back, cause from why_protection where person_id = :who",
    employed=_EMPLOYED,
)
def employee_shown(asked: Asked, rows: Rows) -> Found | None:
    """Check that the exports' rules show the employee."""
    if not rows["employed"]:
        return None
    if rows["dead"] and rows["dead"][0].dead:
        return failed("person_dead", "freg")
    if rows["candidate"] and not rows["candidate"][0].hidden:
        return passed()
    return hidden(asked, rows["protection"])


@check(person="select work_email from why_person where person_id = :who", employed=_EMPLOYED)
def has_email(asked: Asked, rows: Rows) -> Found | None:
    """Check that HR has the employee's e-mail at work."""
    if not rows["employed"] or rows["employed"][0].manual is not None:
        return None
    if rows["person"] and rows["person"][0].work_email:
        return passed("hr")
    return failed("without_work_email", "hr")


@check(
    sas=_SAS,
    employed=_EMPLOYED,
    other=(
        "select s.from_run from why_person p "
        "join history.sas_person s on s.owner = :owner and s.to_run is null "
        # A value of its own: by a join PostgreSQL would read everybody's names.
        "and s.birth_date = (select cast(birth_date as text) from why_person where person_id = :who) "
        "and lower(s.family_name) = lower(p.etternavn) and lower(split_part(s.given_name, ' ', 1)) "
        "= lower(split_part(p.fornavn, ' ', 1)) "
        "join now_person_link l on l.scheme = 'sas' and l.value = s.person_id and l.person_id <> :who "
        "where p.person_id = :who limit 1"
    ),
    quarantine=quarantine_of(":who"),
)
def teacher_in_school_file(asked: Asked, rows: Rows) -> Found | None:
    """Check that the teacher is in the school system's file, as the same person as in HR's."""
    if not rows["employed"]:
        return None
    if rows["sas"]:
        disabled = all(row.recstatus == "disabled" for row in rows["sas"])
        run = rows["sas"][0].from_run
        return failed("user_disabled", "sas", run) if disabled else passed("sas", run)
    if rows["other"]:
        return unknown("numbers_differ", "sas", rows["other"][0].from_run)
    return set_aside(asked, rows["quarantine"], ("sas_person",)) or failed("employee_not_in_school_file", "sas")


@check(
    teaches="select m.group_id from why_membership m where m.person_id = :who and m.role = 'faculty' "
    "and (:word = '' or m.group_id = :word)",
    sas=_SAS,
    employed=_EMPLOYED,
    quarantine=quarantine_of(":who"),
)
def teaches(asked: Asked, rows: Rows) -> Found | None:
    """Check that the teacher teaches a group, or the one that is asked about."""
    if not rows["employed"] or not rows["sas"]:
        return None
    if rows["teaches"]:
        return passed("sas")
    if found := set_aside(asked, rows["quarantine"], ("sas_membership",)):
        return found
    if asked.kommune.groups_not_ready(asked.day):
        return failed("groups_being_made", "sas")
    return failed("not_in_this_group" if asked.word else "teacher_without_group", "sas")
