"""Bring the storage in line with a warehouse that has been restored from a backup.

A backup is older than the storage. Two things in the storage would then mislead the next run:

- Raw answers of runs that the warehouse no longer knows. The next run gets the number of such a run, and would go on
  with its pages, which are answers of an earlier day. They are deleted; the sources are asked again.
- Exports that the warehouse does not know. They may have been written anew since the backup, without a person whose
  protection was raised then. The warehouse has lost that veto, so it must not write the exports again from the older
  run. They stay as they are until the next run is released: only then does the warehouse publish again.
"""

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.storage.files import purge_landing
from dataflyt.warehouse import runs


def reconcile_after_restore(kommune: Kommune, environment: Environment) -> dict[str, int]:
    """Bring a kommune's storage in line; return its newest run, the newest released run, and if its exports are known.

    Repeating it changes nothing more. Raises ConfigError, SourceUnavailable or WarehouseError.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    manifest = environment.folder("exports") / kommune.id / "manifest.json"
    with database.transaction(db, kommune.id) as connection:
        published = connection.scalar(
            text(
                "select manifest from control.publication where owner = :owner and withdrawn_at is null "
                "order by published_at desc limit 1"
            ),
            {"owner": kommune.id},
        )
        stands = manifest.read_bytes() if manifest.exists() else None
        known = stands == (published.encode() if published is not None else None)
        if not known:
            connection.execute(
                text(
                    "update control.publication set withdrawn_at = now() where owner = :owner and withdrawn_at is null"
                ),
                {"owner": kommune.id},
            )
        newest = runs.newest(connection, kommune.id)
        released = runs.released_before(connection, kommune.id)
    purge_landing(environment.folder("landing") / kommune.id, keep=10**9)
    return {"newest": newest, "released": released, "published_is_known": int(known)}
