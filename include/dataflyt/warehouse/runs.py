"""The line of runs of a kommune: opening, releasing, undoing. At most one run is unreleased: the newest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson
from sqlalchemy import Connection, text

from dataflyt.errors import NotApproved
from dataflyt.storage.database import copied
from dataflyt.warehouse import merge, plan, veto

UNSETTLED = ("open", "merged")

Answer: TypeAlias = Literal["asked", "not_needed", "approved", "rejected", "unanswered"]
"""An answer to a run's plan. The first two are the guard's own, one for each merge."""
Channel: TypeAlias = Literal["airflow", "command_line", "guard"]
"""The way by which an answer came."""


class User(NamedTuple):
    """An approver: the person's id in the kommune's file, and the name that is shown."""

    id: str
    name: str


@dataclass(frozen=True)
class Run:
    """A run: ``state`` is open, merged, released, rejected, unanswered, failed, superseded or undone.

    An undone run has been released, and two people have undone it since. ``realm`` is the FEIDE realm in the kommune's
    file when the run was merged; None before that.
    """

    owner: str
    number: int
    as_of: datetime
    state: str
    digest: str | None
    asks: str | None
    decisions: str | None
    realm: str | None = None


def open_run(connection: Connection, owner: str, key: str, as_of: datetime, config_version: str) -> Run:
    """Return the run that ``key`` names, and open it if it is new.

    Before a new run is opened, an unreleased one is undone and superseded. ``as_of`` counts the first time only, so
    that a repeated run is the same run. The caller must hold the kommune's lock.
    """
    draw_key(connection, owner)
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


def draw_key(connection: Connection, owner: str) -> None:
    """Make the key of the kommune's hashes and ids, the first time. The server draws it: no statement of ours has it.

    The caller must hold the kommune's lock.
    """
    connection.execute(
        text(
            "insert into control.owner (owner, secret, created_at) "
            "values (:owner, replace(concat(gen_random_uuid(), gen_random_uuid()), '-', ''), now()) "
            "on conflict do nothing"
        ),
        {"owner": owner},
    )


def resume(connection: Connection, owner: str, number: int) -> str:
    """Return a run's state, after reopening the run if it was undone and no newer run has begun.

    Raises NotApproved for a run that a newer run has replaced, and for one that two people have undone. The caller must
    hold the kommune's lock.
    """
    state = get(connection, owner, number).state
    if state in UNSETTLED or state == "released":
        return state
    if state == "undone":
        raise NotApproved("Kjøringen er angret av to personer, og kan ikke tas opp igjen: start en ny kjøring.")
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
            "select run, as_of, state, plan_digest, asks, decisions, realm from control.run "
            "where owner = :owner and run = :run"
        ),
        {"owner": owner, "run": number},
    ).one()
    return Run(owner, row.run, row.as_of, row.state, row.plan_digest, row.asks, row.decisions, row.realm)


def is_known(connection: Connection, owner: str, key: str) -> bool:
    """Tell whether a kommune has a run that ``key`` names."""
    found = text("select exists (select from control.run where owner = :owner and key = :key)")
    return bool(connection.scalar(found, {"owner": owner, "key": key}))


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


def newest_as_of(connection: Connection, owner: str) -> datetime | None:
    """Return the latest ``as_of`` of the runs that have been released, also of those that were undone since."""
    found: datetime | None = connection.scalar(
        text("select max(as_of) from control.run where owner = :owner and state in ('released', 'undone')"),
        {"owner": owner},
    )
    return found


def set_merged(connection: Connection, run: Run, digest: str, asks: str, realm: str) -> None:
    """Keep the digest of a merged run's plan, its realm, and the reasons to ask about it, if there are any."""
    connection.execute(
        text(
            "update control.run set state = 'merged', plan_digest = :digest, asks = :asks, decisions = :decisions, "
            "realm = :realm "
            "where owner = :owner and run = :run"
        ),
        {
            "owner": run.owner,
            "run": run.number,
            "digest": digest,
            "asks": asks,
            "realm": realm,
            "decisions": decisions(connection, run.owner),
        },
    )


def decisions(connection: Connection, owner: str) -> str:
    """Return a digest of the blocks and overrides in force, since they decide whether a plan must be asked about."""
    found = connection.scalar(
        text(
            "select md5(coalesce(string_agg(said, ',' order by said collate \"C\"), '')) from ("
            "select 'block ' || access_block as said from control.access_block "
            "where owner = :owner and lifted_at is null "
            "union all select 'override ' || override from control.override where owner = :owner and ended_at is null "
            # The others count from a later run.
            "and (field = 'adressebeskyttelse' or from_run <= (select max(run) from control.run where owner = :owner))"
            ") as decided"
        ),
        {"owner": owner},
    )
    return str(found)


def keep_answer(
    connection: Connection,
    run: Run,
    answer: Answer,
    channel: Channel,
    *,
    user: User | None = None,
    approvers: Sequence[str] = (),
) -> None:
    """Keep an answer to a merged run's plan, by its digest: evidence, never changed or deleted.

    ``user`` answered; None if nobody did. ``approvers`` are the ids that the kommune's file named then: the database
    refuses an approval by anyone else.
    """
    said = (run.digest, answer, user and user.id, user and user.name, channel, list(approvers))
    columns = "digest text, answer text, user_id text, user_name text, channel text, approvers text[]"
    copied(connection, "said", columns, [said])
    connection.execute(
        text(
            "insert into control.approval (owner, run, digest, answer, user_id, user_name, channel, approvers) "
            "select :owner, :run, digest, answer, user_id, user_name, channel, approvers from said"
        ),
        {"owner": run.owner, "run": run.number},
    )


def answer_to(connection: Connection, run: Run) -> Answer | None:
    """Return the newest answer to a run's plan, None if it answers another plan than the present one."""
    found = connection.execute(
        text(
            "select answer, digest from control.approval where owner = :owner and run = :run "
            "order by approval desc limit 1"
        ),
        {"owner": run.owner, "run": run.number},
    ).one_or_none()
    return found.answer if found and found.digest == run.digest else None


def may_be_released(connection: Connection, run: Run) -> bool:
    """Tell whether the warehouse holds an approval of a merged run's plan, or the guard's answer that it needs none."""
    answer = answer_to(connection, run)
    return answer == "approved" or (answer == "not_needed" and not run.asks)


def release(connection: Connection, owner: str, number: int) -> None:
    """Move the kommune's pointer to this run and lift the vetoes that its plan named.

    Raises NotApproved unless the run is merged and the newest, its plan is still the plan that was answered, and the
    answer in the warehouse allows it. A second call for a released run does nothing.
    """
    run = get(connection, owner, number)
    if run.state == "released":
        return
    if run.state != "merged" or newest(connection, owner) != number:
        raise NotApproved("Kjøringen er ikke den nyeste som er flettet, og kan ikke frigis.")
    if not may_be_released(connection, run):
        raise NotApproved(
            "Kjøringen er ikke godkjent, og blir ikke frigitt. Den må godkjennes av en som kommunefilen navngir som "
            "godkjenner, i oppgaven «Godkjenn» eller med «dataflyt run --approve»."
        )
    if run.decisions != decisions(connection, owner):
        raise NotApproved(
            "Noen har satt eller hevet en sperring eller en overstyring siden planen ble regnet ut: kjør «Flett» på "
            "nytt, så planen tar hensyn til det."
        )
    planned = plan.build(connection, owner, number, released_before(connection, owner, number))
    if run.digest != plan.digest(planned):
        raise NotApproved("Planen er ikke lenger den som ble godkjent. Kjør på nytt, og svar på den nye planen.")
    veto.lift(connection, owner, number)
    _keep_former_names(connection, run)
    connection.execute(
        text("update control.run set state = 'released' where owner = :owner and run = :run"),
        {"owner": owner, "run": number},
    )


def _keep_former_names(connection: Connection, run: Run) -> None:
    """Keep everybody's full FEIDE name of the released run before this one, if this run has another realm."""
    before = released_before(connection, run.owner, run.number)
    realm = get(connection, run.owner, before).realm if before else None
    if realm is None or realm == run.realm:
        return
    connection.execute(
        text(
            "insert into control.former_name (owner, person_id, name, origin) "
            "select owner, person_id, lower(uid) || '@' || :realm, owner from golden.account "
            "where owner = :owner and from_run <= :before and (to_run is null or to_run > :before) "
            "on conflict do nothing"
        ),
        {"owner": run.owner, "before": before, "realm": realm},
    )


def undo(connection: Connection, owner: str, number: int, state: str) -> None:
    """Take back everything that an unreleased run wrote, and set its ``state``. Its vetoes stay."""
    before = get(connection, owner, number).state
    if before == "merged":
        merge.undo(connection, owner, number)
    if before in UNSETTLED:
        connection.execute(
            text("update control.run set state = :state where owner = :owner and run = :run"),
            {"owner": owner, "run": number, "state": state},
        )


def keep_figures(connection: Connection, run: Run, outcome: str, figures: Mapping[str, Any]) -> None:
    """Keep what came of a closed run, and the figures of its report that the page of all kommuner shows."""
    connection.execute(
        text("update control.run set outcome = :outcome, figures = :figures where owner = :owner and run = :run"),
        {"owner": run.owner, "run": run.number, "outcome": outcome, "figures": orjson.dumps(figures).decode()},
    )
