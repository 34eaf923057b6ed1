"""Why a guardian sees, or does not see, a child."""

from dataflyt.why import flow, guardians, pupils
from dataflyt.why.check import Check

WAITING = """
select 'may_be_asked responsible alive not_suspended not_blocked adult_answered of_age both_shown in_pifu_file '
    'adult_registered consents' as mends
from golden.guardian_access where owner = :owner and child_id = :child and adult = :adult
    and from_run = :newest and state = 'active' and not exists (
        select from why_guardian_access n where n.child_id = :child and n.adult = :adult and n.state = 'active')
union all
select 'in_school_file enrolled has_number in_register pupil_shown' from golden.enrolment
where owner = :owner and person_id = :child and from_run = :newest
    and not exists (select from why_enrolment n where n.person_id = :child)
"""
"""What an unreleased run would give the pair."""

_SHOWN = "select from why_shown_relation where child_id = :child and adult_id = :who"

PUPIL: tuple[Check, ...] = (
    pupils.child_known,
    pupils.pupil_alive,
    pupils.in_school_file,
    pupils.enrolled,
    pupils.has_number,
    pupils.in_register,
)
"""The links of a child before the guardian comes in."""
GUARDIAN: tuple[Check, ...] = (
    guardians.responsible,
    guardians.alive,
    guardians.not_suspended,
    guardians.not_blocked,
    guardians.adult_answered,
    guardians.of_age,
)
"""The links between the two."""


def chain() -> list[Check]:
    """Return the checks in the order of the flow."""
    return [
        flow.run_stands(WAITING),
        *PUPIL,
        guardians.may_be_asked,
        *GUARDIAN,
        pupils.pupil_shown,
        guardians.both_shown,
        flow.in_file("in_pifu_file", flow.PIFU, ":child", ":who", where=_SHOWN),
        flow.delivered(flow.PIFU, where=_SHOWN),
        guardians.in_school_system,
    ]
