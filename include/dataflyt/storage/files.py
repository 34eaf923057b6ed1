"""Files and folders on a disk or in an object store: written whole, measured, removed."""

import contextlib
import hashlib
from pathlib import Path
from typing import Any


def write_atomically(path: Any, content: bytes) -> None:
    """Write a small file. A reader sees the whole old file or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path) or path.protocol in ("", "file", "local"):
        local = Path(path if isinstance(path, Path) else path.path)
        temporary = local.with_name(f".{local.name}.tmp")
        temporary.write_bytes(content)
        temporary.replace(local)
    else:  # an object store shows a file when it is complete
        path.write_bytes(content)


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
