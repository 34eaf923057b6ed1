"""The audit: every look at a person and every change of something about a person, in the transaction that does it.

The rows are append-only for every role of the application; rows older than five years can be deleted. Texts that people
type (reasons, purposes) are here and in decisions, and nowhere else: not in Airflow, in mail, or in a log.
"""

import getpass
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.storage.database import copied


@dataclass(frozen=True)
class Visitor:
    """A person who looks or decides: ``id`` and ``name`` as in the kommune's file, the ``purpose``, and the ``place``.

    ``place`` is the command, page or task (``dataflyt show person``). ``login`` is the user of the operating system.
    """

    id: str
    name: str
    purpose: str
    place: str
    login: str = ""


def login() -> str:
    """Return the name of the operating system's user, or the user's number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return str(os.getuid())


def record(
    connection: Connection,
    owner: str,
    visitor: Visitor,
    action: str,
    about: Iterable[UUID] = (),
    detail: str = "",
    beside: Iterable[UUID] = (),
) -> None:
    """Write a row for each person that ``action`` is about, or one row when it is about nobody in particular.

    ``beside`` are the people whom the answer names beside these. Each has a row too, with an action of its own.

    Must be called in the transaction that reads or changes: neither then happens without the other. ``detail`` says
    what was seen or changed.
    """
    user, place = (visitor.id, visitor.name, visitor.login or login()), (detail, visitor.purpose, visitor.place)
    people: list[str | None] = [*sorted({str(person) for person in about})]
    rows = [(person, *user, action, *place) for person in people or [None]]
    rows += [(person, *user, "named beside", *place) for person in sorted({str(person) for person in beside})]
    copied(
        connection,
        "looked",
        "person_id uuid, user_id text, user_name text, login text, action text, detail text, purpose text, place text",
        rows,
    )
    columns = "person_id, user_id, user_name, login, action, detail, purpose, place"
    connection.execute(
        text(f"insert into control.audit (owner, {columns}) select :owner, {columns} from looked"), {"owner": owner}
    )
