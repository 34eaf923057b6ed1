"""KRR's newest e-mails and phones in clear. History and golden keep only keyed hashes, which point here.

Digdir's advice: look up at each use rather than building a register of one's own.
"""

from sqlalchemy import Connection, text

from dataflyt.storage.database import OWN_KEY
from dataflyt.warehouse.guard import rounded
from dataflyt.warehouse.merge import CleanRows


def keep(clean: CleanRows) -> None:
    """Keep KRR's newest e-mail and mobile in clear beside their keyed hashes."""
    for column in ("epostadresse", "mobiltelefonnummer"):
        clean.connection.execute(
            text(
                "insert into control.contact_value (owner, hash, value) "
                f"select distinct :owner, control.keyed_hash({OWN_KEY}, {column}), {column} "
                f"from {clean.unheld['krr_contact']} c where {column} <> '' and not exists ("
                f"select from control.contact_value v where v.owner = :owner and v.value = c.{column}) "
                "on conflict do nothing"
            ),
            {"owner": clean.owner},
        )


def forget(connection: Connection, owner: str) -> None:
    """Delete the values in clear that no current contact refers to any more.

    A contact is current if it is in the newest run, or in the published run. The published run may be older, and its
    files are written anew whenever its state changes.
    """
    connection.execute(
        text(
            # One "not exists" for each column: PostgreSQL joins for these, and loops for an "or".
            "with stands as (select email_hash, mobile_hash from golden.contact where owner = :owner "
            "and (to_run is null or to_run > (select run from control.publication where owner = :owner "
            "and withdrawn_at is null order by published_at desc limit 1))) "
            "delete from control.contact_value v where owner = :owner "
            "and not exists (select from stands c where c.email_hash = v.hash) "
            "and not exists (select from stands c where c.mobile_hash = v.hash)"
        ),
        {"owner": owner},
    )


def envelopes(connection: Connection) -> dict[str, int]:
    """Count the guardians who may be shown, and those with a red envelope for each purpose, all rounded.

    ``message``: an ordinary message cannot be sent. ``notice``: a formal notice cannot. They are counted as the list of
    access (``exports.guardians``) has them: a difference from that file would tell how many are fortrolig. Numbers are
    rounded, since exact ones would show from run to run how many are hidden. Needs the views of ``shown``, of prefix
    ``now_``.
    """
    found = connection.execute(text(_ENVELOPES)).one()
    return {name: rounded(count) for name, count in found._mapping.items()}


_ENVELOPES = """
select
    count(*) as guardians, count(*) filter (where not message) as message, count(*) filter (where not notice) as notice
from now_shown_envelope
"""
