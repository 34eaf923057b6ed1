"""The questions that can be asked: a chain each, and the text that its caller may hear."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dataflyt.why import access, changed, envelope, field, missing, resources, stepfather, teacher
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Verdict


class Question(NamedTuple):
    """A question: its chain, the key of the caller's text, and what is asked about besides the person.

    ``caller`` may look at the verdict only where the person asks about themselves and is not protected, or has the
    access that is asked about: everybody else hears one text, whatever is true.
    """

    chain: Callable[[], Sequence[Check]]
    caller: Callable[[Asked, Verdict], str]
    about: str = ""
    """``child``, ``field`` or ``group``; "" for the person alone."""
    optional: bool = False
    """Whether ``about`` may be left out."""


def _of_access(asked: Asked, verdict: Verdict) -> str:
    if asked.child is None or not (asked.child.open and asked.who.open):
        return "nothing_found"
    if verdict.causes == ("guardian_not_in_school_file",):  # with access all the same
        return "access_at_school"
    return "access_in_order" if verdict.status == "fine" else "nothing_found"


def _of_teacher(asked: Asked, verdict: Verdict) -> str:
    # A pupil and a guardian are known here too: the caller would hear it, if it were not said as of nobody.
    if not asked.who.open or {"person_unknown", "employee_not_in_hr", "not_an_employee"} & {*verdict.causes}:
        return "teacher_unknown"
    if verdict.status == "fine":
        return "teacher_in_order"
    if verdict.causes == ("position_not_begun",):
        return "teacher_not_begun"
    who = verdict.corrector.id if verdict.corrector else ""
    return f"teacher_{who if who in ('hr', 'school_office', 'school_leader') else 'system_owner'}"


def _of_field(asked: Asked, verdict: Verdict) -> str:
    # By the field alone: the person's own record would tell that the person is known. Vigilo's "e-post" is a
    # guardian's, unless the caller is an employee whom anybody may know of.
    wanted = field.named(asked.word)
    employee = asked.who.open and "field_of_hr" in verdict.causes
    return f"field_of_{field.source_of(wanted, employee=employee, guardian=True)}"


def _always(key: str) -> Callable[[Asked, Verdict], str]:
    return lambda asked, verdict: key


QUESTIONS: dict[str, Question] = {
    "access": Question(access.chain, _of_access, "child"),
    "resources": Question(resources.chain, _always("resources"), "group", optional=True),
    "teacher": Question(teacher.chain, _of_teacher, "group", optional=True),
    "envelope": Question(envelope.chain, _always("envelope")),
    "field": Question(field.chain, _of_field, "field"),
    "changed": Question(changed.chain, _of_access, "child"),
    "stepfather": Question(stepfather.chain, _always("stepfather"), "child"),
    "missing": Question(missing.chain, _always("pupil_missing")),
    "group": Question(missing.group_chain, _always("group"), "group"),
    "row": Question(missing.row_chain, _always("pupil_missing")),
}
"""All questions, by name."""
