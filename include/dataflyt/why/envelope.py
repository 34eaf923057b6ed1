"""Why a guardian's envelope is red: whether an ordinary message, and a formal notice, can be sent.

Assumptions, since Vigilo's meaning of the colours is not confirmed: an ordinary message needs an e-mail or a mobile
that was updated or confirmed within 18 months; a formal notice also needs somebody who is not reserved.
"""

from dataflyt.why import flow
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Found, Rows, check, failed, passed
from dataflyt.why.employees import person_known
from dataflyt.why.flow import quarantine_of, set_aside
from dataflyt.why.guardians import visible
from dataflyt.why.texts import laws
from dataflyt.why.when import day_in_words

WAITING = """
select from golden.contact c left join why_contact n using (person_id)
where c.owner = :owner and c.person_id = :who and c.from_run = :newest
    and (c.email_fresh or c.mobile_fresh) and not coalesce(n.email_fresh or n.mobile_fresh, false)
    and exists (select from why_seen_access where adult = :adult)
"""
_CONTACT = """
select c.*, k.from_run as since from why_contact c
left join golden.contact k on k.owner = :owner and k.person_id = c.person_id
    and k.from_run <= :released and coalesce(k.to_run > :released, true)
where c.person_id = :who and exists (select from why_seen_access where adult = :adult)
"""
_ENTRY = """
select k.status, k.reservasjon, k.from_run from now_person_link l
join history.krr_contact k on k.owner = :owner and k.subject = l.value and k.from_run <= :released
    and coalesce(k.to_run > :released, true)
where l.scheme = 'number' and l.person_id = :who and l.current
    and exists (select from why_seen_access where adult = :adult)
"""
_ACCESS = """
select s.child_id from why_seen_access s
join why_guardian_access g on g.child_id = s.child_id and g.adult = s.adult and g.state = 'active'
where s.adult = :adult
"""


def _has_access(asked: Asked, rows: Rows) -> bool:
    """Return whether the adult has access to a child whom the visitor may see: KRR is asked about nobody else."""
    return bool(visible(asked, [row.child_id for row in rows["access"]]))


@check(access=_ACCESS)
def is_guardian(asked: Asked, rows: Rows) -> Found | None:
    """Check that the adult has access to a child."""
    if not asked.who.known:
        return None
    return passed("freg") if _has_access(asked, rows) else failed("not_a_guardian")


@check(
    entry=_ENTRY,
    access=_ACCESS,
    quarantine=quarantine_of(":who"),
)
def krr_entry(asked: Asked, rows: Rows) -> Found | None:
    """Check that KRR has an entry of the guardian."""
    if not _has_access(asked, rows):
        return None
    if found := set_aside(rows["quarantine"], ("krr_contact",)):
        return found
    if not rows["entry"]:
        return failed("krr_not_answered", "krr")
    entry = rows["entry"][0]
    if entry.status == "IKKE_REGISTRERT":
        return failed("krr_missing", "krr", entry.from_run)
    if entry.status == "SLETTET":
        return failed("krr_deleted", "krr", entry.from_run)
    return passed("krr", entry.from_run)


@check(contact=_CONTACT, entry=_ENTRY, access=_ACCESS)
def krr_address(asked: Asked, rows: Rows) -> Found | None:
    """Check that the entry has an e-mail or a mobile."""
    if not rows["entry"] or rows["entry"][0].status != "AKTIV" or not _has_access(asked, rows):
        return None
    for contact in rows["contact"]:
        has = [name for name, value in (("email", contact.email_hash), ("mobile", contact.mobile_hash)) if value]
        if has:
            return passed("krr", contact.since, what=asked.word_for("words", " and ".join(has)))
    return failed("krr_empty", "krr", rows["entry"][0].from_run)


@check(contact=_CONTACT, access=_ACCESS)
def krr_fresh(asked: Asked, rows: Rows) -> Found | None:
    """Check that the e-mail or the mobile is fresh by the rule of 18 months."""
    for contact in rows["contact"] if _has_access(asked, rows) else ():
        if contact.email_hash is None and contact.mobile_hash is None:
            return None
        law = laws()["eighteen_months"][asked.language]
        newest = max(filter(None, (contact.email_at, contact.mobile_at)), default=None)
        day = day_in_words(newest.date()) if newest else ""
        if contact.email_fresh or contact.mobile_fresh:
            return passed("krr", contact.since, day, day=day, law=law)
        return failed("krr_expired", "krr", contact.since, day, law=law)
    return None


@check(contact=_CONTACT, access=_ACCESS)
def krr_reserved(asked: Asked, rows: Rows) -> Found | None:
    """Check that the guardian takes formal notices digitally."""
    for contact in rows["contact"] if _has_access(asked, rows) else ():
        return failed("krr_reserved", "krr", contact.since) if contact.reserved else passed("krr", contact.since)
    return None


@check(
    shown="select from why_shown_contact where person_id = :who",
    contact=_CONTACT,
    access=_ACCESS,
    role="select pupil or employee as inside, hidden, level from why_candidate where person_id = :who",
)
def contact_shown(asked: Asked, rows: Rows) -> Found | None:
    """Check that the exports' rules show the guardian's contact details."""
    if not _has_access(asked, rows) or not rows["contact"]:
        return None
    if not (rows["contact"][0].email_fresh or rows["contact"][0].mobile_fresh):
        return None
    if rows["shown"]:
        return passed()
    if rows["role"] and rows["role"][0].inside and rows["role"][0].level < 2:
        return failed("contact_of_employee")
    # Without graded, somebody here has a child with access who is not protected: another of the children may be.
    return failed("contact_withheld") if asked.graded else None


def chain() -> list[Check]:
    """Return the checks in the order of the flow."""
    return [
        flow.run_stands(WAITING),
        person_known,
        is_guardian,
        krr_entry,
        krr_address,
        krr_fresh,
        contact_shown,
        krr_reserved,
        flow.in_file("in_pifu_file", flow.PIFU, ":who"),
    ]
