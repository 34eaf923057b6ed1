"""The beginning of every look at a person: the right to it, and the released golden record as of now."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from dataflyt.config.kommune import Kommune, Right
from dataflyt.errors import DataflytError
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import runs, shown, vetoed_views
from dataflyt.warehouse.vetoed_views import Views


class MayNotLook(DataflytError):
    """Somebody who has not the right to look, or an answer that a person has to give."""


def must_have(kommune: Kommune, user_id: str, *rights: Right) -> None:
    """Raise MayNotLook unless the kommune's file gives this person all the rights."""
    has = next((one.may for one in kommune.people if one.id == user_id), ())
    for right in rights:
        if right not in has:
            raise MayNotLook(
                f"Du har ikke retten «{right}» i {kommune.display_name}: den står under people i kommunefilen."
            )


@contextmanager
def looking(kommune: Kommune, environment: Environment) -> Iterator[tuple[Connection, Views]]:
    """Open a transaction with the views ``now_…`` of the released run, and of what may be shown (``now_shown_…``)."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        released = runs.released_before(connection, kommune.id)
        if not released:
            raise MayNotLook(f"{kommune.display_name} har ikke frigitt noen kjøring ennå: der er ingen å slå opp.")
        day = environment.day(runs.get(connection, kommune.id, released).as_of)
        hold = kommune.pupils_without_number == "ask"
        views = vetoed_views.views(connection, kommune.id, released, "now_", day=day, hold_unasked=hold)
        shown.views(views)
        yield connection, views
