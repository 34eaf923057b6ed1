"""Publishing a released run: files under the publication's own folder, checked, and then the manifest.

``exports/<owner>/<run>-<last veto>/feide.ldif`` and ``exports/<owner>/manifest.json``. Readers follow the manifest,
which is written last, since object stores have no rename. A publication is named by the run and the newest veto laid
over it, so the same state has the same name and the same bytes.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, text

from dataflyt.errors import CheckFailed
from dataflyt.exports.golden import Golden
from dataflyt.exports.registry import EXPORTS
from dataflyt.kommune import Kommune
from dataflyt.warehouse import serving, veto
from dataflyt.warehouse.runs import Run


def publish(
    connection: Connection, kommune: Kommune, run: Run, environment: Any, *, must_pass: bool
) -> list[dict[str, Any]]:
    """Write the kommune's exports of a released run under all vetoes, check them, and publish them.

    Returns a record per file: file, sha256, bytes, entries, counts. Raises CheckFailed when a file does not pass its
    check and ``must_pass``; nothing is then published. Needs the kommune's lock.
    """
    name = f"{run.number:06d}-{veto.last(connection, run.owner):06d}"
    root = environment.folder("exports") / run.owner
    serving.views(connection, run.owner, run.number, "now_")
    files = []
    with tempfile.TemporaryDirectory(prefix="dataflyt-") as work:
        for export in kommune.exports:
            write, check, file = EXPORTS[export]
            local = Path(work) / file
            with local.open("wb") as out:
                counts = write(Golden(connection, kommune), out)
            findings = [finding for finding in check(local) if finding.blocks]
            if findings and must_pass:
                names = ", ".join(sorted({finding.name for finding in findings}))
                raise CheckFailed(
                    f"{file} ble ikke publisert: {len(findings)} funn ({names}). Det som er publisert fra før, står."
                )
            files.append(
                {
                    "file": file,
                    "sha256": _sha256(local),
                    "bytes": local.stat().st_size,
                    "entries": counts.owners + counts.schools + counts.people,
                    "counts": counts._asdict(),
                }
            )
            target = root / name / file
            target.parent.mkdir(parents=True, exist_ok=True)
            with local.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    manifest = orjson.dumps(
        {
            "owner": run.owner,
            "name": kommune.display_name,
            "run": run.number,
            "as_of": run.as_of.isoformat(),
            "publication": name,
            "files": files,
        },
        option=orjson.OPT_INDENT_2,
    )
    write_atomically(root / "manifest.json", manifest)
    connection.execute(
        text(
            "insert into control.publication (owner, publication, run, last_veto, published_at, manifest) "
            "values (:owner, :name, :run, :veto, now(), :manifest) on conflict (owner, publication) do update "
            "set manifest = excluded.manifest, withdrawn_at = null"
        ),
        {"owner": run.owner, "name": name, "run": run.number, "veto": int(name[7:]), "manifest": manifest.decode()},
    )
    return files


def published(connection: Connection, owner: str) -> str | None:
    """Return the name of the newest publication that has not been withdrawn, None when there is none."""
    found: str | None = connection.scalar(
        text(
            "select publication from control.publication where owner = :owner and withdrawn_at is null "
            "order by run desc, last_veto desc limit 1"
        ),
        {"owner": owner},
    )
    return found


def withdraw_older(connection: Connection, owner: str, environment: Any) -> None:
    """Throw away all kept publications but the newest: they hold somebody who is now protected."""
    current = published(connection, owner)
    root = environment.folder("exports") / owner
    for folder in list(root.iterdir()) if root.exists() else []:
        if folder.is_dir() and folder.name != current:
            _remove(folder)
    connection.execute(
        text(
            "update control.publication set withdrawn_at = now() "
            "where owner = :owner and publication <> :current and withdrawn_at is null"
        ),
        {"owner": owner, "current": current},
    )


def purge_landing(folder: Any, *, keep: int) -> None:
    """Throw away the raw answers of all runs but ``keep``: they have done their work, and hold protected people too."""
    for run in list(folder.iterdir()) if folder.exists() else []:
        if run.is_dir() and run.name != f"{keep:06d}":
            _remove(run)


def write_atomically(path: Any, content: bytes) -> None:
    """Write a small file so that a reader sees the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path):
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(content)
        temporary.replace(path)
    else:  # object stores show a file when it is complete
        path.write_bytes(content)


def _remove(folder: Any) -> None:
    for entry in list(folder.iterdir()):
        if entry.is_dir():
            _remove(entry)
        else:
            entry.unlink()
    folder.rmdir()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
