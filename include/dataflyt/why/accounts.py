"""Checks about the FEIDE account of somebody (``:who``)."""

from dataflyt.why.asking import Asked
from dataflyt.why.check import Found, Rows, check, failed, passed

WAITING = """
select 'account in_feide_file' as mends from golden.account
where owner = :owner and person_id = :who and from_run = :newest and state = 'active'
    and not exists (select from why_account n where n.person_id = :who and n.state = 'active')
"""
"""The account that an unreleased run would give."""


@check(
    shown="select uid from why_shown_account where person_id = :who",
    account="select uid, state from why_account where person_id = :who",
    entitled="select from why_candidate where person_id = :who and not hidden and (pupil or employee)",
)
def account(asked: Asked, rows: Rows) -> Found | None:
    """Check that somebody who is shown has an account in use."""
    if rows["shown"]:
        return passed(value=rows["shown"][0].uid, uid=rows["shown"][0].uid)
    if not rows["entitled"]:
        return None
    if rows["account"]:
        return failed("account_disabled")
    return failed("account_not_named")
