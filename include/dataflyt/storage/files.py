"""Files and folders on a disk or in an object store: written whole, measured, removed."""

import contextlib
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from dataflyt.storage import private

OBJECT_STORES: Final = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "memory"))
"""fsspec's names of storage without folders, where a file is shown when it is complete."""


def write_atomically(path: Any, content: bytes) -> None:
    """Write a small file. A reader sees the whole old file or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path) or path.protocol in ("", "file", "local"):
        local = Path(path if isinstance(path, Path) else path.path)
        temporary = local.with_name(f".{local.name}.tmp")
        temporary.write_bytes(content)
        temporary.replace(local)
    elif path.protocol in OBJECT_STORES:
        path.write_bytes(content)
    else:
        _put(path, lambda out: out.write(content))


def copy_whole(source: Any, target: Any) -> None:
    """Copy a file, from any storage to any other. A reader of ``target`` never sees a part of the new file.

    The bytes go to a file beside it, ``.<name>.part``, which then takes its place: by a rename on a disk and over SFTP,
    by a copy on its own side in an object store. When that fails, the old file stands.
    """
    with source.open("rb") as file:
        _put(target, lambda out: shutil.copyfileobj(file, out, 1 << 20))


def _put(target: Any, write: Callable[[BinaryIO], object]) -> None:
    beside = target.with_name(f".{target.name}.part")
    try:
        with beside.open("wb") as out:
            write(out)
        disk = private.on_disk(beside)
        if disk is not None:
            disk.replace(disk.with_name(target.name))
        else:
            beside.fs.mv(beside.path, target.path)
    except BaseException:
        with contextlib.suppress(Exception):
            beside.unlink()
        raise


def measured(path: Any) -> tuple[str, int]:
    """Return a file's sha256 and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def remove(folder: Any) -> None:
    """Remove a folder and everything in it; do nothing if the folder does not exist."""
    for entry in list(folder.iterdir()) if folder.exists() else []:
        if entry.is_dir():
            remove(entry)
        else:
            entry.unlink()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # an object store's goes with its last file
        folder.rmdir()


def purge_landing(folder: Any, *, keep: int) -> None:
    """Remove the raw answers of runs before run ``keep``: they are not needed again, and they name protected people."""
    for run in list(folder.iterdir()) if folder.exists() else []:
        if run.is_dir() and run.name < f"{keep:06d}":
            remove(run)
