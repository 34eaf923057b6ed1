"""Refused looks and decisions, kept in the audit: who tried what, and about whom.

The refusal ends the transaction of the look or the decision, so the audit is written in one of its own, after it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from dataflyt.config.connections import Connect
from dataflyt.config.kommune import Kommune
from dataflyt.errors import NotAllowed
from dataflyt.storage import database
from dataflyt.warehouse import actions, audit, everyone
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound


@contextmanager
def refusals(
    kommune: Kommune, connect: Connect, visitor: Visitor, action: str, asked: Iterable[str] = ()
) -> Iterator[set[UUID]]:
    """Keep in the audit that what is done inside was refused: a NotAllowed or NotFound, which is raised again.

    ``asked`` names people as ``everyone.find`` reads them. Ids of others can be added to the set that is given. Must be
    opened before the transaction of the look or decision.
    """
    about: set[UUID] = set()
    try:
        yield about
    except (NotAllowed, NotFound):
        db = database.engine(connect(kommune.warehouse).url)
        with database.transaction(db, kommune.id, lock=False) as connection:
            for who in asked:
                with suppress(NotFound):  # protected people too: the audit is read by those who may see them
                    about.add(everyone.find(connection, kommune.id, who, graded=True, realm=kommune.feide.realm))
            audit.record(connection, kommune.id, visitor, f"{actions.DENIED} {action}", about)
        raise
