"""Checks about a pupil (``:pupil``): in the school system, at a school, with a number, known to FREG, shown."""

from collections.abc import Sequence
from typing import Any

from dataflyt.why.asking import Asked
from dataflyt.why.check import Found, Rows, check, failed, passed
from dataflyt.why.flow import quarantine_of, set_aside
from dataflyt.why.when import day_in_words

_SAS = """
select s.person_id as sas_id, s.recstatus, s.number_kind, s.from_run, s.to_run
from now_person_link l
join history.sas_person s on s.owner = :owner and s.subject = l.value and s.from_run <= :released
    and coalesce(s.to_run > :released, true)
where l.scheme = 'sas' and l.person_id = :pupil
"""
_LEFT_SAS = """
select s.to_run from now_person_link l
join history.sas_person s on s.owner = :owner and s.subject = l.value and s.to_run <= :released
where l.scheme = 'sas' and l.person_id = :pupil order by s.to_run desc limit 1
"""
_PARTS = """
select m.group_id, m.role, m.subrole, m.active, m.from_run,
    control.as_date(m.begin_date) as begins, control.as_date(m.end_date) as ends
from now_person_link l
join history.sas_membership m on m.owner = :owner and m.subject = l.value and m.from_run <= :released
    and coalesce(m.to_run > :released, true) and m.role = '01'
where l.scheme = 'sas' and l.person_id = :pupil
order by 1
"""


@check()
def child_known(asked: Asked, rows: Rows) -> Found:
    """Check that the child is somebody whom the visitor may see."""
    return passed() if asked.pupil.known else failed("child_unknown")


@check(
    sas=_SAS,
    left=_LEFT_SAS,
    quarantine=quarantine_of(":pupil"),
    enrolled="select from why_enrolment where person_id = :pupil",
    resident=(
        "select w.kind from now_work_item w where w.kind = 'resident_not_enrolled' and w.subject = cast(:pupil as text)"
    ),
)
def in_school_file(asked: Asked, rows: Rows) -> Found | None:
    """Check that the pupil is in the school system's file, and is not switched off there."""
    if not asked.pupil.known:
        return None
    if not rows["sas"]:
        if rows["enrolled"]:
            return passed("people")  # registered by hand
        if found := set_aside(asked, rows["quarantine"], ("sas_person",)):
            return found
        if rows["left"]:
            return failed("pupil_left_file", "sas", rows["left"][0].to_run)
        return failed("resident_not_enrolled" if rows["resident"] else "pupil_not_in_file", "sas")
    newest = rows["sas"][0]
    # A row held over from before is used while the new one is set aside: that is no fault in what holds.
    if newest.recstatus == "disabled":
        return failed("user_disabled", "sas", newest.from_run)
    return passed("sas", newest.from_run)


@check(
    enrolled=(
        "select coalesce(u.name, e.unit_id) as school, u.kind from why_enrolment e join now_unit u using (unit_id) "
        "where e.person_id = :pupil order by e.main desc"
    ),
    parts=_PARTS,
    sas=_SAS,
    adult=(
        "select from why_seen_access where adult = cast(:pupil as text) "
        "union all select from why_employment where person_id = :pupil"
    ),
    quarantine=quarantine_of(":pupil"),
)
def enrolled(asked: Asked, rows: Rows) -> Found | None:
    """Check that the pupil is at a school now."""
    if not asked.pupil.known:
        return None
    if rows["enrolled"]:
        return passed("sas", value=rows["enrolled"][0].school, school=rows["enrolled"][0].school)
    if not rows["sas"]:
        return None  # not in the file at all
    parts = rows["parts"]
    if found := set_aside(asked, rows["quarantine"], ("sas_membership",)):
        return found
    if not parts:
        return failed("not_a_pupil" if rows["adult"] else "pupil_without_school", "sas")
    run = parts[0].from_run
    if all(part.subrole == "privatist" for part in parts):
        return failed("private_candidate", "sas", run)
    if all(part.active is False for part in parts):
        return failed("membership_inactive", "sas", run)
    if all(part.begins and part.begins > asked.day for part in parts):
        return failed("membership_not_begun", "sas", run, day=day_in_words(min(part.begins for part in parts)))
    if all(part.ends and part.ends < asked.day for part in parts):
        return failed("membership_ended", "sas", run, day=day_in_words(max(part.ends for part in parts)))
    return failed("school_not_in_file", "sas", run)


@check(
    sas=_SAS,
    unasked="select held_back from why_protection where person_id = :pupil and unasked",
)
def has_number(asked: Asked, rows: Rows) -> Found | None:
    """Check that the pupil has a number to ask FREG by, or that people have decided to publish the pupil without."""
    if not asked.pupil.known or not rows["sas"]:
        return None
    if not rows["unasked"] or not rows["unasked"][0].held_back:
        return passed("sas", rows["sas"][0].from_run)
    kind = rows["sas"][0].number_kind
    known = {"duf", "provisional", "encrypted", "miswritten"}
    cause = f"pupil_with_{kind}_number" if kind in known else "pupil_without_number"
    return failed(cause, "sas", rows["sas"][0].from_run)


@check(
    person="select answered, number, dead, from_run from golden.person where owner = :owner and person_id = :pupil "
    "and from_run <= :released and coalesce(to_run > :released, true)",
    quarantine=quarantine_of(":pupil"),
    waiting="select cause from why_protection where person_id = :pupil and cause = 'never_answered' and held_back",
)
def in_register(asked: Asked, rows: Rows) -> Found | None:
    """Check that FREG has answered about the pupil."""
    if not rows["person"] or rows["person"][0].number is None:
        return None
    if not rows["waiting"]:
        return passed("freg", rows["person"][0].from_run)
    if found := set_aside(asked, rows["quarantine"], ("freg_person", "freg_identifikasjonsnummer")):
        return found
    return failed("pupil_not_in_register", "freg")


@check(dead="select dead from why_person where person_id = :pupil")
def pupil_alive(asked: Asked, rows: Rows) -> Found | None:
    """Check that the pupil is not dead."""
    if rows["dead"] and rows["dead"][0].dead:
        return failed("child_dead" if asked.child else "person_dead", "freg")
    return None


@check(
    candidate="select hidden from why_candidate where person_id = :pupil and pupil",
    protection="select level, held_back, cause from why_protection where person_id = :pupil",
    enrolled="select from why_enrolment where person_id = :pupil",
)
def pupil_shown(asked: Asked, rows: Rows) -> Found | None:
    """Check that the exports' rules show the pupil."""
    if not rows["enrolled"]:
        return None
    if rows["candidate"] and not rows["candidate"][0].hidden:
        return passed()
    return hidden(asked, rows["protection"])


def hidden(asked: Asked, protection: Sequence[Any]) -> Found:
    """Return the finding for a person whom the exports' rules hide; only ``graded`` comes here."""
    for row in protection:
        if row.level < 3:
            return failed("person_held_back", "people")
        if row.cause in ("override", "held_back"):
            return failed("person_held_back", "people")
        return failed("person_hidden", "hr" if row.cause == "hr" else "freg", why=asked.words("hidden")[row.cause])
    return failed("person_held_back", "people")


@check(
    without=(
        "select u.name from now_work_item w left join now_unit u on u.unit_id = w.unit_id "
        "where w.kind = 'pupil_without_class' and w.subject = cast(:pupil as text)"
    ),
    enrolled="select from why_enrolment where person_id = :pupil",
)
def has_class(asked: Asked, rows: Rows) -> Found | None:
    """Check that the pupil is in a class."""
    if not rows["enrolled"]:
        return None
    if not rows["without"]:
        return passed("sas")
    if asked.kommune.groups_not_ready(asked.day):
        return failed("groups_being_made", "sas")
    return failed("pupil_without_class", "sas")
