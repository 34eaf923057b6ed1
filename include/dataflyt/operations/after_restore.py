"""After a warehouse has been restored from a backup: bring the storage in line with what it knows.

A backup is older than what stands in the storage. Two things there would then be taken for what they are not:

- Raw answers landed by runs that the warehouse does not know any more. The next run gets the number of one of them and
  would go on with its pages, hence with answers of an earlier day. They are thrown away; the sources are asked again.
- What is published, when the warehouse does not know it. It may have been written anew since the backup, without
  somebody whose protection was raised then; the warehouse, which has lost that veto, must not write it again from the
  older run. It stays as it is until the next run is released: only then does the warehouse publish again.
"""

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.storage.files import purge_landing
from dataflyt.warehouse import runs


def reconcile_after_restore(kommune: Kommune, environment: Environment) -> dict[str, int]:
    """Do both for a kommune. Returns its newest run, its newest released run, and whether what is published is known.

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
