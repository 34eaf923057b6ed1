"""The line of runs of a kommune: opening, releasing, undoing. At most one run is unreleased, and it is the newest."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

from dataflyt.errors import NotApproved
from dataflyt.warehouse import merge, plan, veto

UNSETTLED = ("open", "merged")


@dataclass(frozen=True)
class Run:
    """A run: ``state`` is open, merged, released, rejected, unanswered, failed or superseded."""

    owner: str
    number: int
    as_of: datetime
    state: str
    secret: str = field(repr=False)
    digest: str | None
    asks: str | None


def open_run(connection: Connection, owner: str, key: str, as_of: datetime, config_version: str) -> Run:
    """Return the run that ``key`` names, opening it when it is new.

    A new run first undoes an unreleased one, which is then superseded. ``as_of`` counts the first time only, so that a
    run repeated is the same run. Must hold the kommune's lock.
    """
    secret_of(connection, owner)
    known = connection.execute(
        text("select run from control.run where owner = :owner and key = :key"), {"owner": owner, "key": key}
    ).scalar()
    if known is None:
        for unreleased in connection.execute(
            text("select run from control.run where owner = :owner and state in ('open', 'merged')"), {"owner": owner}
        ).scalars():
            undo(connection, owner, unreleased, "superseded")
        known = connection.scalar(
            text(
                "insert into control.run (owner, run, key, as_of, state, config_version) "
                "select :owner, coalesce(max(run), 0) + 1, :key, :as_of, 'open', :version "
                "from control.run where owner = :owner returning run"
            ),
            {"owner": owner, "key": key, "as_of": as_of, "version": config_version},
        )
    return get(connection, owner, int(known or 0))


def secret_of(connection: Connection, owner: str) -> str:
    """Return the key of the kommune's hashes and ids, making it the first time. Must hold the kommune's lock."""
    connection.execute(
        text(
            "insert into control.owner (owner, secret, created_at) values (:owner, :secret, now()) "
            "on conflict do nothing"
        ),
        {"owner": owner, "secret": secrets.token_hex(32)},
    )
    found = text("select secret from control.owner where owner = :owner")
    return str(connection.scalar(found, {"owner": owner}))


def resume(connection: Connection, owner: str, number: int) -> str:
    """Return a run's state, after opening it again if it was undone and no newer one has begun.

    Raises NotApproved for a run that a newer one has replaced. Must hold the kommune's lock.
    """
    state = get(connection, owner, number).state
    if state in UNSETTLED or state == "released":
        return state
    if newest(connection, owner) != number:
        raise NotApproved("En nyere kjøring har begynt for kommunen: denne kan ikke tas opp igjen.")
    connection.execute(
        text("update control.run set state = 'open' where owner = :owner and run = :run"),
        {"owner": owner, "run": number},
    )
    return "open"


def get(connection: Connection, owner: str, number: int) -> Run:
    """Return one run of a kommune."""
    row = connection.execute(
        text(
            "select r.run, r.as_of, r.state, o.secret, r.plan_digest, r.asks from control.run r "
            "join control.owner o on o.owner = r.owner where r.owner = :owner and r.run = :run"
        ),
        {"owner": owner, "run": number},
    ).one()
    return Run(owner, row.run, row.as_of, row.state, row.secret, row.plan_digest, row.asks)


def exists(connection: Connection, owner: str, number: int) -> bool:
    """Tell whether a kommune has a run of this number."""
    return bool(
        connection.scalar(
            text("select 1 from control.run where owner = :owner and run = :run"), {"owner": owner, "run": number}
        )
    )


def newest(connection: Connection, owner: str) -> int:
    """Return the number of the newest run, 0 when there is none."""
    return (
        connection.scalar(text("select coalesce(max(run), 0) from control.run where owner = :owner"), {"owner": owner})
        or 0
    )


def released_before(connection: Connection, owner: str, number: int | None = None) -> int:
    """Return the newest released run (before run ``number``), 0 when there is none."""
    return (
        connection.scalar(
            text(
                "select coalesce(max(run), 0) from control.run where owner = :owner and state = 'released' "
                "and run < coalesce(cast(:run as bigint), 9223372036854775807)"
            ),
            {"owner": owner, "run": number},
        )
        or 0
    )


def set_merged(connection: Connection, run: Run, digest: str, asks: str) -> None:
    """Keep the digest of a merged run's plan and why it must be asked about (empty: it need not)."""
    connection.execute(
        text(
            "update control.run set state = 'merged', plan_digest = :digest, asks = :asks "
            "where owner = :owner and run = :run"
        ),
        {"owner": run.owner, "run": run.number, "digest": digest, "asks": asks},
    )


def release(connection: Connection, owner: str, number: int, digest: str) -> None:
    """Move the kommune's pointer to this run and lift what its plan said it would.

    Raises NotApproved unless the run is merged, the newest, and ``digest`` names its plan as it is now. Repeating it
    for a released run with the same digest does nothing.
    """
    run = get(connection, owner, number)
    if run.state == "released" and run.digest == digest:
        return
    if run.state != "merged" or newest(connection, owner) != number:
        raise NotApproved("Kjøringen er ikke den nyeste som er flettet, og kan ikke frigis.")
    plan.build(connection, owner, number, released_before(connection, owner, number))
    if not run.digest == digest == plan.digest(connection):
        raise NotApproved("Planen er ikke lenger den som ble godkjent. Kjør på nytt, og svar på den nye planen.")
    veto.lift(connection, owner, number)
    connection.execute(
        text("update control.run set state = 'released' where owner = :owner and run = :run"),
        {"owner": owner, "run": number},
    )


def undo(connection: Connection, owner: str, number: int, state: str) -> None:
    """Take back what an unreleased run wrote and say why by ``state``. Its vetoes stand."""
    before = get(connection, owner, number).state
    if before == "merged":
        merge.undo(connection, owner, number)
    if before in UNSETTLED:
        connection.execute(
            text("update control.run set state = :state where owner = :owner and run = :run"),
            {"owner": owner, "run": number, "state": state},
        )
