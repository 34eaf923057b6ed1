"""Erasing people from a kommune's warehouse and from its files, and the list that outlives a restored backup.

``reports/<owner>/erased.json`` names the erased by the warehouse's own ids, which are keyed hashes. A backup is older
than the list: the next night erases again whom a restored backup has brought back (``operations.retention``).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.exports import publishing
from dataflyt.run.environment import Environment
from dataflyt.storage.files import purge_landing, write_atomically
from dataflyt.warehouse import contact, erasure, runs

_REMEMBERED = timedelta(days=5 * 366)


def oldest_run_read(connection: Connection, owner: str) -> int:
    """Return the oldest run that is still read: the released run, or the published run when that is older."""
    released, published = runs.released_before(connection, owner), publishing.published(connection, owner)
    return min(released, published.run) if published else released


def erase_people(connection: Connection, owner: str, people: Iterable[UUID]) -> int:
    """Erase people from the warehouse, and withdraw the older publications, whose files may hold them.

    Returns how many of them were not protected. ``erase_files`` completes it when the transaction is committed.
    """
    erased = erasure.erase(connection, owner, people)
    contact.forget(connection, owner)
    erasure.withdraw_older_publications(connection, owner)
    return erased


def erase_files(connection: Connection, kommune: Kommune, environment: Environment) -> None:
    """Delete the files that may hold the erased, and bring the list of the erased up to date. Needs the lock.

    They are those of withdrawn publications, and the changes that led to the one in force when they name an erased one.
    """
    root = environment.folder("exports") / kommune.id
    publishing.delete_changes(connection, kommune.id, root)
    publishing.put_forward(connection, kommune.id, root)
    remember(connection, kommune, environment)


def erase_landing(environment: Environment, owner: str) -> None:
    """Delete all raw answers and delivered files of settled runs: some of them may hold an erased person."""
    purge_landing(environment.folder("landing") / owner, keep=10**9)


def remember(connection: Connection, kommune: Kommune, environment: Environment) -> dict[UUID, datetime]:
    """Return who has been erased, and when, by the list on disk and by the warehouse; keep both in the list."""
    path = environment.folder("reports") / kommune.id / "erased.json"
    on_disk = orjson.loads(path.read_bytes()) if path.exists() else {}
    known = {UUID(person): datetime.fromisoformat(at) for person, at in on_disk.items()}
    rows = connection.execute(
        text("select person_id, max(erased_at) from control.erased_id where owner = :owner group by person_id"),
        {"owner": kommune.id},
    )
    for person, at in rows:
        known[person] = max(at, known.get(person, at))
    oldest = environment.now() - _REMEMBERED
    said = {str(person): at.astimezone(UTC).isoformat() for person, at in sorted(known.items()) if at > oldest}
    if said != on_disk:
        write_atomically(path, orjson.dumps(said, option=orjson.OPT_INDENT_2))
    return known
