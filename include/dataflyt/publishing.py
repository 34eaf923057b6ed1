"""Publishing a released run: files under the publication's own folder, checked, and then the manifest.

``exports/<owner>/<run>-<digest>/feide.ldif`` and ``exports/<owner>/manifest.json``. Readers follow the manifest, which
is written last, since object stores have no rename. A publication is named by its run and the digest of its files, so
the same state has the same name and the same bytes, and no name tells how many vetoes there are.
"""

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from dataflyt.errors import CheckFailed
from dataflyt.exports.golden import Golden
from dataflyt.exports.registry import EXPORTS
from dataflyt.kommune import Kommune
from dataflyt.warehouse import serving, shown, veto
from dataflyt.warehouse.runs import Run


def publish(
    connection: Connection, kommune: Kommune, run: Run, environment: Any, *, must_pass: bool
) -> list[dict[str, Any]]:
    """Write the kommune's exports of a released run under all vetoes, check them, and publish them.

    Returns a record per file: file, sha256, bytes, entries, counts. Raises CheckFailed when a file does not pass its
    check and ``must_pass``; nothing is then published. Kept publications from before the newest raised protection are
    thrown away: they may hold somebody who is now protected; so are all but the last two. Needs the kommune's lock.
    """
    root = environment.folder("exports") / run.owner
    serving.views(connection, run.owner, run.number, "now_")
    shown.views(connection, run.owner, "now_")
    files: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="dataflyt-") as work:
        for export in kommune.exports:
            write, check, file = EXPORTS[export]
            local = Path(work) / file
            with local.open("wb") as out:
                counts = write(Golden(connection, kommune, run.as_of), out)
            # When somebody is to be taken out, nothing that a check says or takes time for may hold it up.
            findings = [finding for finding in check(local) if finding.blocks] if must_pass else []
            if findings:
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
        digest = hashlib.sha256("".join(f"{file['file']}:{file['sha256']};" for file in files).encode()).hexdigest()
        name = f"{run.number:06d}-{digest[:12]}"
        for record in files:
            target = root / name / record["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            with (Path(work) / record["file"]).open("rb") as source, target.open("wb") as sink:
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
            "values (:owner, :name, :run, :veto, clock_timestamp(), :manifest) on conflict (owner, publication) "
            "do update set last_veto = excluded.last_veto, published_at = excluded.published_at, "
            "manifest = excluded.manifest, withdrawn_at = null"
        ),
        {
            "owner": run.owner,
            "name": name,
            "run": run.number,
            "veto": veto.last(connection, run.owner),
            "manifest": manifest.decode(),
        },
    )
    _withdraw_older(connection, run.owner, root)
    return files


class Published(NamedTuple):
    """What is published now: its folder's name, its run, and the newest veto laid over it."""

    publication: str
    run: int
    last_veto: int


def published(connection: Connection, owner: str) -> Published | None:
    """Return what is published, None when nothing is."""
    found = connection.execute(
        text(
            "select publication, run, last_veto from control.publication "
            "where owner = :owner and withdrawn_at is null order by published_at desc limit 1"
        ),
        {"owner": owner},
    ).one_or_none()
    return Published(*found) if found else None


def _withdraw_older(connection: Connection, owner: str, root: Any) -> None:
    """Throw away publications from before the newest raised protection, all but the last two, and what is not known."""
    connection.execute(
        text(
            "update control.publication set withdrawn_at = now() where owner = :owner and withdrawn_at is null "
            "and (last_veto < (select max(veto) from control.veto where owner = :owner and kind = 'protection') "
            "or publication not in (select publication from control.publication where owner = :owner "
            "and withdrawn_at is null order by published_at desc limit 2))"
        ),
        {"owner": owner},
    )
    kept = set(
        connection.execute(
            text("select publication from control.publication where owner = :owner and withdrawn_at is null"),
            {"owner": owner},
        ).scalars()
    )
    for folder in list(root.iterdir()):
        if folder.is_dir() and folder.name not in kept:
            remove(folder)


def purge_landing(folder: Any, *, keep: int) -> None:
    """Throw away the raw answers of runs before ``keep``: they have done their work, and hold protected people too."""
    for run in list(folder.iterdir()) if folder.exists() else []:
        if run.is_dir() and run.name < f"{keep:06d}":
            remove(run)


def write_atomically(path: Any, content: bytes) -> None:
    """Write a small file so that a reader sees the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path) or path.protocol in ("", "file", "local"):
        local = Path(path if isinstance(path, Path) else path.path)
        temporary = local.with_name(f".{local.name}.tmp")
        temporary.write_bytes(content)
        temporary.replace(local)
    else:  # object stores show a file when it is complete
        path.write_bytes(content)


def remove(folder: Any) -> None:
    """Throw away a folder and all that is in it; nothing when it is not there."""
    for entry in list(folder.iterdir()) if folder.exists() else []:
        if entry.is_dir():
            remove(entry)
        else:
            entry.unlink()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # in an object store it goes with its last file
        folder.rmdir()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
