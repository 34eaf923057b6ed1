"""Why a guardian's envelope is red: whether an ordinary message, and a formal notice, can be sent.

An ordinary message needs an e-mail or a mobile, however old. A formal notice also needs an active entry in KRR, no
reservation, and one of the two fresh by the rule of 18 months. ``exports/shown_envelope.sql`` has the rule, for
this chain and for the list of access: it says ``no_contact`` where the details are withheld too. A visitor without
``graded`` hears then what is heard of everybody who has none, and nothing of the entry in KRR.

Assumption, since Vigilo's meaning of the colours is not confirmed: these are the two purposes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataflyt.why import flow
from dataflyt.why.asking import Asked
from dataflyt.why.check import Check, Found, Rows, check, failed, passed
from dataflyt.why.employees import person_known
from dataflyt.why.flow import quarantine_of, set_aside
from dataflyt.why.guardians import visible
from dataflyt.why.texts import laws
from dataflyt.why.when import day_in_words

# What an unreleased run would bring: an envelope that is wholly green. Never of one whose details are withheld.
WAITING = """
select 'krr_entry krr_address krr_reserved krr_fresh' as mends
from golden.contact c left join why_contact n using (person_id)
where c.owner = :owner and c.person_id = :who and c.from_run = :newest
    and (c.email_fresh or c.mobile_fresh) and not c.reserved
    and not coalesce((n.email_fresh or n.mobile_fresh) and not n.reserved, false)
    and exists (select from why_seen_access where adult = :adult)
    and not exists (select from why_shown_envelope where person_id = :who and withheld)
"""
_CONTACT = """
select c.*, k.from_run as since from why_contact c
left join golden.contact k on k.owner = :owner and k.person_id = c.person_id
    and k.from_run <= :released and coalesce(k.to_run > :released, true)
where c.person_id = :who and exists (select from why_seen_access where adult = :adult)
"""
_ENTRY = """
select k.status, k.from_run from now_person_link l
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
_ENVELOPE = """
select e.message, e.withheld from why_shown_envelope e
where e.person_id = :who and exists (select from why_seen_access where adult = :adult)
"""


def _has_access(asked: Asked, rows: Rows) -> bool:
    """Return whether the adult has access to a child whom the visitor may see: KRR is asked about nobody else."""
    return bool(visible(asked, [row.child_id for row in rows["access"]]))


@check(
    access=_ACCESS,
    taken=(
        "select from why_guardian_access g join why_seen_access s using (child_id, adult) "
        "where g.adult = :adult and g.state in ('blocked', 'suspended')"
    ),
)
def is_guardian(asked: Asked, rows: Rows) -> Found | None:
    """Check that the adult has access to a child. An access that people have blocked is theirs to give back."""
    if not asked.who.known:
        return None
    if _has_access(asked, rows):
        return passed("freg")
    return replace(failed("not_a_guardian"), corrector="system_owner" if rows["taken"] else "")


def _no_contact(asked: Asked, rows: Rows) -> bool:
    """Return whether the visitor may hear only that there is nothing to use, as of everybody without details."""
    return not asked.graded and any(not row.message for row in rows["envelope"])


def _ordinary(asked: Asked, rows: Rows) -> str:
    """Return the sentence that an ordinary message can be sent; "" where it cannot."""
    sent = any(row.message for row in rows["envelope"])
    return f" {asked.word_for('words', 'ordinary')}" if sent else ""


@check(
    entry=_ENTRY,
    access=_ACCESS,
    envelope=_ENVELOPE,
    quarantine=quarantine_of(":who"),
)
def krr_entry(asked: Asked, rows: Rows) -> Found | None:
    """Check that KRR has an entry of the guardian."""
    if not _has_access(asked, rows):
        return None
    if found := set_aside(asked, rows["quarantine"], ("krr_contact",)):
        return found
    if not rows["entry"]:
        return failed("krr_not_answered", "krr")
    if _no_contact(asked, rows):
        return None
    entry = rows["entry"][0]
    ordinary = _ordinary(asked, rows)
    if entry.status == "IKKE_REGISTRERT":
        return failed("krr_missing", "krr", entry.from_run, ordinary=ordinary)
    if entry.status == "SLETTET":
        return failed("krr_deleted", "krr", entry.from_run, ordinary=ordinary)
    if entry.status != "AKTIV":
        return failed("krr_status_unknown", "krr", entry.from_run, ordinary=ordinary)
    return passed("krr", entry.from_run)


@check(contact=_CONTACT, entry=_ENTRY, access=_ACCESS, envelope=_ENVELOPE)
def krr_address(asked: Asked, rows: Rows) -> Found | None:
    """Check that the entry has an e-mail or a mobile."""
    if not rows["entry"] or not _has_access(asked, rows):
        return None
    if _no_contact(asked, rows):
        return failed("no_contact", "krr", asked.released)
    if rows["entry"][0].status != "AKTIV":
        return None
    for contact in rows["contact"]:
        has = [name for name, value in (("email", contact.email_hash), ("mobile", contact.mobile_hash)) if value]
        if has:
            return passed("krr", contact.since, what=asked.word_for("words", " and ".join(has)))
    return failed("krr_empty", "krr", rows["entry"][0].from_run)


def _told(asked: Asked, rows: Rows) -> Sequence[Any]:
    """Return the contact rows that the visitor may hear of."""
    return rows["contact"] if _has_access(asked, rows) and not _no_contact(asked, rows) else ()


@check(contact=_CONTACT, access=_ACCESS, envelope=_ENVELOPE)
def message_sent(asked: Asked, rows: Rows) -> Found | None:
    """Check that an ordinary message can be sent: the details are not withheld."""
    for contact in _told(asked, rows):
        if contact.email_hash is None and contact.mobile_hash is None:
            return None
        if any(row.withheld for row in rows["envelope"]):
            return failed("contact_withheld")
        return passed("krr", contact.since)
    return None


@check(contact=_CONTACT, access=_ACCESS, envelope=_ENVELOPE)
def krr_reserved(asked: Asked, rows: Rows) -> Found | None:
    """Check that the guardian takes formal notices digitally."""
    for contact in _told(asked, rows):
        return failed("krr_reserved", "krr", contact.since) if contact.reserved else passed("krr", contact.since)
    return None


@check(contact=_CONTACT, access=_ACCESS, envelope=_ENVELOPE)
def krr_fresh(asked: Asked, rows: Rows) -> Found | None:
    """Check that the e-mail or the mobile is fresh by the rule of 18 months: a formal notice needs that."""
    for contact in _told(asked, rows):
        if contact.email_hash is None and contact.mobile_hash is None:
            return None
        law = laws()["eighteen_months"][asked.language]
        newest = max(filter(None, (contact.email_at, contact.mobile_at)), default=None)
        day = day_in_words(newest.date()) if newest else ""
        if contact.email_fresh or contact.mobile_fresh:
            return passed("krr", contact.since, day, day=day, law=law)
        return failed("krr_expired", "krr", contact.since, day, law=law)
    return None


@check(
    shown="select from why_shown_contact where person_id = :who",
    contact=_CONTACT,
    access=_ACCESS,
    envelope=_ENVELOPE,
    role="select pupil or employee as inside, hidden, level from why_candidate where person_id = :who",
)
def contact_shown(asked: Asked, rows: Rows) -> Found | None:
    """Check that the exports' rules show the guardian's contact details."""
    if not any(one.email_fresh or one.mobile_fresh for one in _told(asked, rows)):
        return None
    if rows["shown"]:
        return passed()
    if rows["role"] and rows["role"][0].inside and rows["role"][0].level < 2:
        return failed("contact_of_employee")
    return None


def chain() -> list[Check]:
    """Return the checks in the order of the flow: what an ordinary message needs comes first."""
    return [
        flow.run_stands(WAITING),
        person_known,
        is_guardian,
        krr_entry,
        krr_address,
        message_sent,
        krr_reserved,
        krr_fresh,
        contact_shown,
        flow.in_file("in_pifu_file", flow.PIFU, ":who"),
        flow.delivered(flow.PIFU),
    ]
