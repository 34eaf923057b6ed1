"""Checks about an adult (``:who``, ``:adult``) and a child: foreldreansvar, grants, suspensions, blocks."""

from typing import Any
from uuid import UUID

from dataflyt.warehouse import people
from dataflyt.why.asking import Asked
from dataflyt.why.check import Found, Rows, check, failed, passed
from dataflyt.why.flow import BEFORE, quarantine_of, set_aside
from dataflyt.why.pupils import hidden
from dataflyt.why.texts import laws
from dataflyt.why.when import day_in_words

_ACCESS = """
select g.state, g.basis, g.ansvar, g.of_age_on, b.from_run
from why_guardian_access g
left join golden.guardian_access b on b.owner = :owner and b.child_id = g.child_id and b.adult = g.adult
    and b.from_run <= :released and coalesce(b.to_run > :released, true)
where g.child_id = :child and g.adult = :adult
"""
_GRANTS = """
select g.access_grant, g.basis, g.from_run, g.until, cast(g.withdrawn_at at time zone 'Europe/Oslo' as date) as ended,
    (
        select max(cast(c.withdrawn_at at time zone 'Europe/Oslo' as date)) from control.consent c
        where c.owner = g.owner and c.access_grant = g.access_grant
    ) as consent_ended,
    exists (select from now_access_by_grant h where h.access_grant = g.access_grant) as holds
from control.access_grant g
where g.owner = :owner
    and (g.child_id = :child or g.child_id in (select other_id from now_kin where person_id = :child))
    and (g.adult = :adult or g.adult in (select other_id::text from now_kin where person_id = :who))
order by g.access_grant desc
"""
_SAID = """
select g.adult, g.ansvar from why_guardian_access g where g.child_id = :child and g.basis = 'foreldreansvar'
"""


def ansvar_in_words(asked: Asked, rows: Any) -> str:
    """Return the kinds of foreldreansvar that a child's adults have, of those adults whom the visitor may see."""
    adults = [UUID(row.adult) for row in rows if len(row.adult) == 36]
    # Not named in the answer: no row in the audit.
    seen = {one for one in adults if one in visible(asked, adults)}
    kinds = sorted({row.ansvar for row in rows if row.ansvar and (len(row.adult) != 36 or UUID(row.adult) in seen)})
    words = [asked.word_for("ansvar", kind) for kind in kinds]
    if not words:
        return asked.word_for("ansvar", "nobody")
    if len(words) == 1 and kinds[0] in ("mor", "far"):
        return asked.word_for("ansvar", "alone", ansvar=words[0])
    return ", ".join(words)


def visible(asked: Asked, adults: list[UUID]) -> set[UUID]:
    """Return those of the adults whom the visitor may see."""
    return {*adults} if asked.graded else {*adults} - people.hidden(asked.here.now, adults, unknown=True)


@check(access=_ACCESS)
def may_be_asked(asked: Asked, rows: Rows) -> Found | None:
    """Check that the kommune may ask FREG about foreldreansvar, where the adult has no access on another basis."""
    if asked.kommune.legal_basis.freg == "med_hjemmel":
        return passed()
    return None if rows["access"] else failed("no_legal_basis")


@check(
    access=_ACCESS,
    grants=_GRANTS,
    said=_SAID,
    before=(
        "select to_run, basis from golden.guardian_access where owner = :owner and child_id = :child "
        "and adult = :adult and to_run <= :released order by to_run desc limit 1"
    ),
    veto=(
        "select v.run, cast(v.learned_at at time zone 'Europe/Oslo' as date) as day from control.veto v "
        "where v.owner = :owner and v.kind = 'access_ended' and v.person_id = :child and v.adult = :adult "
        "and v.lifted_at is null order by v.veto desc limit 1"
    ),
    not_named=(
        "select w.other from now_work_item w "
        "where w.kind = 'responsible_not_named' and w.subject = cast(:child as text)"
    ),
    quarantine=quarantine_of(":child"),
    family=(
        "select f.relatertPersonsRolle as role, f.from_run from now_person_link c "
        "join history.freg_familierelasjon f on f.owner = :owner and f.subject = c.value and f.to_run is null "
        "join now_person_link a on a.scheme = 'number' and a.value = f.relatertPerson and a.person_id = :who "
        "where c.scheme = 'number' and c.person_id = :child and f.erGjeldende is not false"
    ),
    enrolled="select from why_enrolment where person_id = :child",
)
def responsible(asked: Asked, rows: Rows) -> Found | None:
    """Check that the adult has foreldreansvar for the child, or a grant."""
    if not asked.pupil.known or not rows["enrolled"]:
        return None
    access = rows["access"][0] if rows["access"] else None
    if access and access.state != "ended":
        source = "freg" if access.basis == "foreldreansvar" else "people"
        value = asked.word_for("ansvar", access.ansvar) if access.ansvar else ""
        basis = asked.word_for("bases", access.basis) + (f" ({value})" if value else "")
        return passed(source, access.from_run, value, basis=basis)
    if found := _of_grants(asked, rows["grants"]):
        return found
    if found := set_aside(asked, rows["quarantine"], ("freg_foreldreansvar",)):
        return found
    if rows["not_named"]:
        return failed(
            "foreldreansvar_not_named", "freg", value=asked.word_for("ansvar", rows["not_named"][0].other or "ukjent")
        )
    said = {"ansvar": ansvar_in_words(asked, rows["said"]), "law": laws()["access"][asked.language]}
    said["unseen"] = "" if asked.who.known else f" {asked.word_for('words', 'unseen')}"
    if access and rows["veto"]:
        veto = rows["veto"][0]
        return failed("foreldreansvar_ended", "freg", veto.run, day=day_in_words(veto.day), **said)
    if rows["before"] and rows["before"][0].basis == "foreldreansvar":
        run = rows["before"][0].to_run
        return failed("foreldreansvar_ended", "freg", run, day=day_in_words(asked.run_day(run)), **said)
    if rows["family"]:
        return failed("parent_without_foreldreansvar", "freg", rows["family"][0].from_run, said["ansvar"], **said)
    return failed("no_foreldreansvar", "freg", asked.released, said["ansvar"], **said)


def _of_grants(asked: Asked, grants: Any) -> Found | None:
    """Return why the newest grant gives no access; None where there is none."""
    for grant in grants:
        said = {"basis": asked.word_for("bases", f"grant:{grant.basis}")}
        if grant.ended:
            return failed("grant_ended", "people", grant.from_run, **said, day=day_in_words(grant.ended))
        if grant.consent_ended:
            return failed("consent_withdrawn", "people", grant.from_run, day=day_in_words(grant.consent_ended))
        if grant.until and grant.until < asked.day:
            return failed("grant_expired", "people", grant.from_run, **said, day=day_in_words(grant.until))
        if grant.from_run > asked.released:
            return failed("grant_waiting", "people", grant.from_run, **said)
        return failed("consent_fallen", "people", grant.from_run)
    return None


@check(access=_ACCESS)
def not_suspended(asked: Asked, rows: Rows) -> Found | None:
    """Check that protection has not suspended the adult's access."""
    return _state(rows, "suspended", "access_suspended", "people")


@check(access=_ACCESS)
def not_blocked(asked: Asked, rows: Rows) -> Found | None:
    """Check that no block stands between the two."""
    return _state(rows, "blocked", "access_blocked", "people")


@check(access=_ACCESS)
def of_age(asked: Asked, rows: Rows) -> Found | None:
    """Check that the pupil is under 18, or has consented."""
    return _state(rows, "of_age", "pupil_of_age", "freg")


@check(access=_ACCESS)
def adult_answered(asked: Asked, rows: Rows) -> Found | None:
    """Check that FREG has answered about the adult."""
    return _state(rows, "unanswered", "adult_not_answered", "freg")


def _state(rows: Rows, state: str, cause: str, source: str) -> Found | None:
    for access in rows["access"]:
        if access.state == state:
            return failed(cause, source, access.from_run)
        return passed(source, access.from_run) if access.state == "active" else None
    return None


@check(
    access=_ACCESS,
    child="select dead from why_person where person_id = :child",
    adult="select dead from why_person where person_id = :who",
)
def alive(asked: Asked, rows: Rows) -> Found | None:
    """Check that neither of the two is dead."""
    if rows["child"] and rows["child"][0].dead:
        return failed("child_dead", "freg")
    if rows["adult"] and rows["adult"][0].dead:
        return failed("person_dead", "freg")
    return passed("freg") if rows["access"] else None


@check(
    access=_ACCESS,
    pair="select from why_shown_relation where child_id = :child and adult_id = :who",
    adult="select hidden, number from why_candidate where person_id = :who",
    protection="select level, held_back, cause from why_protection where person_id = :who",
)
def both_shown(asked: Asked, rows: Rows) -> Found | None:
    """Check that the exports' rules show the pair."""
    if not rows["access"] or rows["access"][0].state != "active":
        return None
    if rows["pair"]:
        return passed()
    if rows["adult"] and rows["adult"][0].hidden:
        return hidden(asked, rows["protection"])
    if rows["adult"] and rows["adult"][0].number is None:
        return failed("adult_without_number", "freg")
    return None


@check(
    pair="select from why_shown_relation where child_id = :child and adult_id = :who",
    missing=(
        "select from_run from golden.work_item where owner = :owner and kind = 'sas_guardian_missing' "
        "and subject = cast(:child as text) and other = :adult and from_run < :released "
        "and coalesce(to_run > :released, true)"
    ),
    before=BEFORE,
)
def in_school_system(asked: Asked, rows: Rows) -> Found | None:
    """Check that the school system has the guardian on the child: it has had the file of the run before.

    A file from before that run cannot tell.
    """
    delivered = asked.delivered.get("sas")
    if not rows["pair"] or delivered is None or not rows["before"] or delivered < rows["before"][0].as_of:
        return None
    if rows["missing"]:
        return failed("guardian_not_in_school_file", "sas", asked.released)
    return passed("sas", asked.released)
