"""What must be done before somebody without foreldreansvar, as a stepfather, gets access."""

from uuid import UUID

from dataflyt.why import access, flow
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Found, Rows, check, failed, passed


@check(access="select state from why_guardian_access where child_id = :child and adult = :adult and state = 'active'")
def consent_allowed(asked: Asked, rows: Rows) -> Found | None:
    """Check that the kommune gives access by consent: its own choice."""
    if rows["access"]:
        return None
    return passed() if asked.kommune.consent else failed("consent_not_used")


@check(block="select from now_block where child_id = :child and adult = :adult")
def not_blocked(asked: Asked, rows: Rows) -> Found | None:
    """Check that no block stands between the two: it must be lifted first."""
    if not asked.pupil.known:
        return None
    return failed("access_blocked", "people") if rows["block"] else passed("people")


@check(
    open="select level from why_protection where person_id = :child",
    access="select state from why_guardian_access where child_id = :child and adult = :adult and state = 'active'",
)
def child_open(asked: Asked, rows: Rows) -> Found | None:
    """Check that the child is one to whom access is given by consent: never a protected one."""
    if not rows["open"] or rows["access"]:
        return None
    return failed("child_protected", "freg") if rows["open"][0].level >= 2 else passed()


@check(
    link="select from now_person_link where person_id = :who",
    access="select state from why_guardian_access where child_id = :child and adult = :adult and state = 'active'",
)
def adult_registered(asked: Asked, rows: Rows) -> Found | None:
    """Check that the adult is known here: a grant is about a person of the warehouse."""
    if rows["access"]:
        return None
    return passed("sas") if rows["link"] else failed("adult_not_registered", "sas")


@check(
    access="select state from why_guardian_access where child_id = :child and adult = :adult and state = 'active'",
    waiting=(
        "select from_run from control.access_grant where owner = :owner and child_id = :child and adult = :adult "
        "and withdrawn_at is null and from_run > :released"
    ),
    responsible=(
        "select g.adult from why_guardian_access g where g.child_id = :child and g.basis = 'foreldreansvar' "
        # Values of their own: by a join PostgreSQL would read everybody.
        "and g.adult <> all (array(select p.person_id::text from now_person p where p.dead and p.person_id = any ("
        "array(select cast(a.adult as uuid) from why_guardian_access a "
        "where a.child_id = :child and length(a.adult) = 36))))"
    ),
    child=(
        "select birth_date + interval '15 years' <= :day as fifteen, birth_date + interval '18 years' <= :day as grown "
        "from why_person where person_id = :child"
    ),
)
def consents(asked: Asked, rows: Rows) -> Found | None:
    """Find everybody who must consent: those with foreldreansvar, and the pupil from 15 (from 18 the pupil alone)."""
    if not asked.pupil.known:
        return None
    if rows["access"]:
        return passed("people")
    if rows["waiting"]:
        basis = asked.word_for("bases", "grant:consent")
        return failed("grant_waiting", "people", rows["waiting"][0].from_run, basis=basis)
    child = rows["child"][0] if rows["child"] else None
    if child and child.grown:
        return failed("consents_missing", "people", who=asked.word_for("words", "pupil_alone"))
    adults = [UUID(row.adult) for row in rows["responsible"] if len(row.adult) == 36]
    names = asked.names_of(adults)
    who = sorted(names.values())
    if len(names) < len(rows["responsible"]) or not asked.graded:
        who.append(asked.word_for("words", "others"))
    if child and child.fifteen:
        who.append(asked.word_for("words", "pupil_too"))
    return failed("consents_missing", "people", who=", ".join(who))


def chain() -> list[Check]:
    """Return what must be in place, in the order in which it is done."""
    return [
        flow.run_stands(access.WAITING),
        *access.PUPIL,
        not_blocked,
        child_open,
        consent_allowed,
        adult_registered,
        consents,
    ]
