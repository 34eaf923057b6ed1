"""The causes that an explanation can name: for each the one who corrects it, and when a correction shows.

Their sentences are in the catalogue (``texts/``), one for each language.
"""

from typing import Literal, NamedTuple, TypeAlias

When: TypeAlias = Literal[
    "next_run", "approval", "decision", "configured", "never", "mended", "begins", "comes", "there"
]
"""When a correction shows: at the next run; when the waiting run is approved; at the next run after two people have
decided; at the next run after the kommune file has been changed; never, since it is right as it is; when the run or the
publication has been mended. Or nothing is to be corrected: it begins on a day (``{day}``), or comes by the next run.
Or it shows there, in the school system."""


class Cause(NamedTuple):
    """The corrector's id (``correcting.CORRECTORS``), and when a correction shows."""

    corrector: str
    when: When = "next_run"


CAUSES: dict[str, Cause] = {
    # The run
    "waiting_for_approval": Cause("approver", "approval"),
    "run_rejected": Cause("system_owner", "mended"),
    "run_unanswered": Cause("approver", "mended"),
    "run_stopped": Cause("system_owner", "mended"),
    "run_under_way": Cause("nobody", "mended"),
    "run_undone": Cause("system_owner", "mended"),
    "file_not_new": Cause("vendor"),
    # Any row
    "row_set_aside": Cause("school_office"),
    # The person
    "person_unknown": Cause("school_office"),
    "child_unknown": Cause("school_office"),
    "person_dead": Cause("nobody", "never"),
    "child_dead": Cause("nobody", "never"),
    # The pupil
    "pupil_not_in_file": Cause("school_office"),
    "pupil_left_file": Cause("school_office"),
    "user_disabled": Cause("school_office"),
    "pupil_without_school": Cause("school_office"),
    "not_a_pupil": Cause("nobody", "never"),
    "private_candidate": Cause("nobody", "never"),
    "membership_inactive": Cause("school_office"),
    "membership_not_begun": Cause("nobody", "begins"),
    "membership_ended": Cause("school_office"),
    "school_not_in_file": Cause("system_owner"),
    "pupil_without_number": Cause("school_office"),
    "pupil_with_miswritten_number": Cause("school_office"),
    "pupil_with_provisional_number": Cause("school_office"),
    "pupil_with_duf_number": Cause("school_office"),
    "pupil_with_encrypted_number": Cause("vendor"),
    "pupil_not_in_register": Cause("school_office"),
    "person_hidden": Cause("nobody", "never"),
    "person_held_back": Cause("system_owner", "decision"),
    "pupil_without_class": Cause("school_office"),
    "not_in_subject_group": Cause("school_office"),
    "not_in_this_group": Cause("school_office"),
    "not_a_subject_group": Cause("nobody", "never"),
    # The groups
    "group_unknown": Cause("school_office"),
    "group_ended": Cause("school_office"),
    "group_without_pupils": Cause("school_office"),
    "group_of_other_kind": Cause("nobody", "never"),
    "group_not_shown": Cause("system_owner"),
    "group_without_timetable": Cause("school_leader"),
    "groups_being_made": Cause("school_leader"),
    "group_without_grep": Cause("school_leader"),
    "group_not_in_grep": Cause("school_leader"),
    "some_groups_not_in_grep": Cause("school_leader"),
    "some_groups_without_timetable": Cause("school_leader"),
    "some_groups_without_grep": Cause("school_leader"),
    # The guardian
    "no_legal_basis": Cause("system_owner", "configured"),
    "no_foreldreansvar": Cause("guardian_freg"),
    "parent_without_foreldreansvar": Cause("guardian_freg"),
    "foreldreansvar_ended": Cause("guardian_freg"),
    "foreldreansvar_not_named": Cause("guardian_freg"),
    "grant_waiting": Cause("nobody", "comes"),
    "grant_ended": Cause("system_owner", "decision"),
    "grant_expired": Cause("system_owner", "decision"),
    "consent_withdrawn": Cause("system_owner", "decision"),
    "consent_fallen": Cause("system_owner", "decision"),
    "access_suspended": Cause("system_owner", "decision"),
    "access_blocked": Cause("system_owner", "decision"),
    "pupil_of_age": Cause("nobody", "never"),
    "adult_not_answered": Cause("register"),
    "adult_without_number": Cause("guardian_freg"),
    "guardian_not_in_school_file": Cause("school_office", "there"),
    # The envelope
    "not_a_guardian": Cause("guardian_freg"),
    "krr_missing": Cause("guardian_krr"),
    "krr_deleted": Cause("guardian_krr"),
    "krr_status_unknown": Cause("engineer", "mended"),
    "krr_not_answered": Cause("register"),
    "krr_empty": Cause("guardian_krr"),
    "no_contact": Cause("guardian_krr"),
    "krr_expired": Cause("guardian_krr"),
    "krr_reserved": Cause("guardian_krr"),
    "contact_withheld": Cause("nobody", "never"),
    "contact_of_employee": Cause("nobody", "never"),
    # The employee
    "employee_not_in_hr": Cause("hr"),
    "employee_left_hr": Cause("hr"),
    "not_an_employee": Cause("nobody", "never"),
    "without_position": Cause("hr"),
    "position_ended": Cause("hr"),
    "position_not_begun": Cause("nobody", "begins"),
    "position_inactive": Cause("hr"),
    "position_not_at_school": Cause("hr"),
    "without_work_email": Cause("hr"),
    "employee_not_in_school_file": Cause("school_office"),
    "numbers_differ": Cause("school_office"),
    "teacher_without_group": Cause("school_leader"),
    # Account and publication
    "account_not_named": Cause("system_owner"),
    "account_disabled": Cause("system_owner"),
    "on_trial": Cause("system_owner", "configured"),
    "file_not_ordered": Cause("system_owner", "configured"),
    "not_published": Cause("engineer", "mended"),
    "not_in_published_file": Cause("engineer", "mended"),
    "not_delivered": Cause("engineer", "mended"),
    "delivery_waits": Cause("nobody", "comes"),
    # The stepfather
    "consent_not_used": Cause("system_owner", "configured"),
    "adult_not_registered": Cause("school_office"),
    "child_protected": Cause("nobody", "never"),
    "consents_missing": Cause("system_owner", "decision"),
    # The field
    "field_overridden": Cause("system_owner", "decision"),
    "field_of_freg": Cause("guardian_freg"),
    "field_of_krr": Cause("guardian_krr"),
    "field_of_hr": Cause("hr"),
    "field_of_sas": Cause("school_office"),
    "field_of_dataflyt": Cause("system_owner", "decision"),
    # The child is not enrolled
    "resident_not_enrolled": Cause("school_office"),
    "guardian_alone": Cause("nobody", "never"),
}
"""All causes, by their names."""
