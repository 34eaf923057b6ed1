"""Which published file a person was in, who receives it, and from when to when: for a notice within 72 hours.

The rows are written by each publication (``exports.disclosing``), so they hold for files that are withdrawn and deleted
too. GDPR art. 33 and 34.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.config.exports import EXPORTS
from dataflyt.config.kommune import Kommune
from dataflyt.records.fields import RECIPIENTS
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import audit, everyone
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals


class Disclosed(NamedTuple):
    """A time in which a person was in an export's file.

    ``until`` is None while the person is in the file that is published. ``on_disk`` tells that a file with the person
    still lies in the storage, also when another file has taken its place. ``publications`` are the file's folders.
    """

    export: str
    recipients: tuple[str, ...]
    since: datetime
    until: datetime | None
    publications: tuple[str, ...]
    on_disk: bool


def disclosed(
    kommune: Kommune, environment: Environment, who: str, visitor: Visitor, *, graded: bool = False
) -> list[Disclosed]:
    """Return the files that a person is or has been in, the newest first. The look is kept in the audit.

    An erased person is found by number, with ``graded``: the rows are kept under the id, which is a keyed hash.
    Raises NotAllowed without the right ``persons`` (and ``graded``), NotFound for nobody, more than one, or somebody
    protected when ``graded`` is False.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with (
        refusals(kommune, environment.connect, visitor, "disclosed", [who]),
        database.transaction(db, kommune.id, lock=False) as connection,
    ):
        kommune.case_worker(visitor.id, "persons")
        if graded:
            kommune.case_worker(visitor.id, "graded")
        # Of an erased person nothing is left that tells of protection: only those who may see it are answered.
        person = everyone.erased(connection, kommune.id, who) if graded else None
        person = person or everyone.find(connection, kommune.id, who, graded=graded, realm=kommune.feide.realm)
        audit.record(connection, kommune.id, visitor, "disclosed", [person])
        return of_person(connection, kommune, person)


def of_person(connection: Connection, kommune: Kommune, person: UUID) -> list[Disclosed]:
    """Return the files that a person is or has been in, the newest first."""
    rows = connection.execute(text(_TIMES), {"owner": kommune.id, "person": person})
    return [
        Disclosed(
            EXPORTS.get(row.file, row.file),
            kommune.receivers(row.file) or RECIPIENTS.get(row.file, ("ikke oppgitt i kommunefilen",)),
            row.from_at,
            row.to_at,
            tuple(row.publications),
            row.on_disk,
        )
        for row in rows
    ]


# A publication that is written again with the same bytes keeps its name and gets a new time: it counts from its first.
_TIMES = """
select d.file, d.from_at, d.to_at,
    array_remove(array[d.first_publication, case when d.last_publication <> d.first_publication then d.last_publication
        end], null) as publications,
    d.to_at is null or exists (
        select from control.publication p
        where p.owner = :owner and p.withdrawn_at is null and d.file <> all(p.gone)
            and (p.publication in (d.first_publication, d.last_publication)
                or p.published_at >= d.from_at and p.published_at < d.to_at)
    ) as on_disk
from control.disclosure d
where d.owner = :owner and d.person_id = :person
order by d.from_at desc, d.file
"""
