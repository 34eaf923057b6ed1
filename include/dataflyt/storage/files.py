"""Files and folders on a disk or in an object store: written whole, measured, removed."""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

from dataflyt.storage import private
from dataflyt.storage.landing import forget_listing

OBJECT_STORES: Final = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "memory"))
"""fsspec's names of storage without folders, where a file is shown when it is complete."""
_PART = ".part"


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
        put_whole(path, lambda out: out.write(content))


def copy_whole(source: Any, target: Any, moved: Callable[[], object] = lambda: None) -> None:
    """Copy a file, from any storage to any other. A reader of ``target`` never sees a part of the new file.

    The bytes go to a file beside it (``parts_of``), which then takes its place: by a rename on a disk and over SFTP, by
    a copy on its own side in an object store. When that fails, the old file stands. ``moved`` is called after each
    piece, and before the file takes its place; it may raise to stop.
    """
    with source.open("rb") as file:

        def write(out: BinaryIO) -> None:
            while chunk := file.read(1 << 20):
                out.write(chunk)
                moved()

        put_whole(target, write, moved)


def put_whole(target: Any, write: Callable[[BinaryIO], object], moved: Callable[[], object] = lambda: None) -> None:
    """Let ``write`` write a file, as ``copy_whole`` copies one. The folder must be there.

    The name of the file beside it is another each time: nobody can lay a link in its way, and a try that has been given
    up never writes in the file of the next.
    """
    beside = target.with_name(f".{target.name}.{secrets.token_hex(6)}{_PART}")
    disk = private.on_disk(beside)
    try:
        with beside.open("wb") if disk is None else disk.open("xb") as out:
            write(out)
        moved()
        if disk is not None:
            disk.replace(disk.with_name(target.name))
        else:
            beside.fs.mv(beside.path, target.path)
    except BaseException:
        with contextlib.suppress(Exception):
            beside.unlink()
        raise


def parts_of(folder: Any, names: Iterable[str]) -> list[Any]:
    """Return what writes of files of these names have left in a folder when their process was killed."""
    beginnings = tuple(f".{name}." for name in names)
    forget_listing(folder)
    there = list(folder.iterdir()) if folder.exists() else []
    return [path for path in there if path.name.startswith(beginnings) and path.name.endswith(_PART)]


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
