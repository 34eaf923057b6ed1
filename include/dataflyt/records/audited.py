"""Reading the audit: who has looked, who has decided, about whom, when and why. Reading it is a look as well."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.formats.dates import OSLO
from dataflyt.run.environment import Environment
from dataflyt.run.looking import Looking, looking
from dataflyt.storage.database import copied
from dataflyt.warehouse import audit, people
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals


class Look(NamedTuple):
    """A row of the audit. ``person`` is the warehouse's id, None when the look was at nobody in particular."""

    at: datetime
    user_id: str
    user_name: str
    login: str
    action: str
    person: UUID | None
    detail: str
    purpose: str
    place: str


def looks(
    kommune: Kommune,
    environment: Environment,
    visitor: Visitor,
    *,
    who: str | None = None,
    since: date | None = None,
    user: str | None = None,
) -> list[Look]:
    """Return the audit's rows, the oldest first: about one person, since a day (in Norway), by one user.

    ``who`` names a person as ``people.find`` reads it, or is the warehouse's id of somebody who has left. Raises
    NotAllowed without the right ``graded``: the audit tells who is protected. Raises NotFound.
    """
    with (
        refusals(kommune, environment.connect, visitor, "read audit", [who] if who else ()),
        looking(kommune, environment) as at,
    ):
        kommune.case_worker(visitor.id, "graded")
        about = _ids(at, who) if who else []
        copied(at.connection, "asked_about", "person uuid", [(one,) for one in about])
        found = at.connection.execute(
            text(
                "select at, user_id, user_name, login, action, person_id, detail, purpose, place from control.audit "
                "where owner = :owner and (cast(:since as timestamptz) is null or at >= :since) "
                "and (cast(:user_id as text) is null or user_id = :user_id) "
                "and (not :one_person or person_id in (select person from asked_about)) order by at, audit"
            ),
            {
                "owner": kommune.id,
                "since": since and datetime.combine(since, time(), OSLO),
                "user_id": user,
                "one_person": bool(who),
            },
        )
        listed = [Look(*row) for row in found]
        asked = [f"fra {since:%d.%m.%Y}"] if since else []
        asked += [f"bruker {user}"] if user else []
        audit.record(at.connection, kommune.id, visitor, "read audit", about[:1], ", ".join(asked))
        return listed


def _ids(at: Looking, who: str) -> Sequence[UUID]:
    """Return the person's id, and the ids of those whom the person is or has been one with."""
    try:
        first = UUID(who)
    except ValueError:
        first = people.find(at.now, who, graded=True, realm=at.kommune.feide.realm).person_id
    kin = at.connection.execute(text("select other_id from now_kin where person_id = :one"), {"one": first}).scalars()
    return [first, *(one for one in kin if one != first)]
