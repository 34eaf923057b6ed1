"""Access to files that hold people: only their owner may read them, and one group may read the exports.

Our processes call ``close`` before they write anything: files are then 0600 and folders 0700. The group in
DATAFLYT_EXPORTS_GROUP (a name or a number) may read what is published: files 0640 in folders 0750. ``lies_open`` finds
files that others can read all the same. An object store has its own access rights; nothing here changes them.
"""

import contextlib
import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataflyt.errors import ConfigError

GROUP = "DATAFLYT_EXPORTS_GROUP"


def close() -> None:
    """Set the umask: from now on only the owner can read the files that this process and its children write."""
    os.umask(0o077)


def group() -> int | None:
    """Return the number of the group that may read the exports; None if no group is named. Raises ConfigError."""
    named = os.environ.get(GROUP, "").strip()
    if not named or named.isdigit():
        return int(named) if named else None
    try:
        return grp.getgrnam(named).gr_gid
    except KeyError:
        raise ConfigError(
            f"Gruppen {named} i {GROUP} finnes ikke på denne maskinen: lag den, eller rett navnet."
        ) from None


def share(*paths: Any, follow: bool = True) -> None:
    """Let the group read these files and folders if they are on a disk. Raises ConfigError.

    Without ``follow`` a link is no file: others who may write in the folder could lay one to a file of ours.
    """
    reader = group()
    if reader is None:
        return
    for path in map(on_disk, paths):
        if path is None or (follow and readable(path, reader)):
            continue
        try:
            opened = os.open(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW | os.O_NONBLOCK))
            try:
                os.fchown(opened, -1, reader)
                os.fchmod(opened, 0o750 if stat.S_ISDIR(os.fstat(opened).st_mode) else 0o640)
            finally:
                os.close(opened)
        except OSError:
            raise ConfigError(
                f"Gruppen i {GROUP} får ikke lese {path}: la brukeren som Dataflyt kjører som, eie den og være medlem "
                "av gruppen."
            ) from None


def readable(path: Path, reader: int) -> bool:
    """Tell whether a group (by number) may read a file or folder."""
    there = path.stat()
    return bool(there.st_mode & 0o004 or (there.st_mode & 0o040 and there.st_gid == reader))


def on_disk(path: Any) -> Path | None:
    """Return a path of this machine's disks; None for a path of an object store."""
    if isinstance(path, Path):
        return path
    return Path(path.path) if getattr(path, "protocol", None) in ("", "file", "local") else None


def can_be_reached(path: Path) -> bool:
    """Tell whether others than the owner can enter every folder that leads to a path."""
    return all(folder.stat().st_mode & 0o011 for folder in path.resolve().parents)


def everybody_can_read(path: Path) -> bool:
    """Tell whether everybody on the machine can read a file or folder."""
    return bool(path.stat().st_mode & (0o005 if path.is_dir() else 0o004)) and can_be_reached(path)


def lies_open(folder: Path, reader: int | None = None) -> Iterator[Path]:
    """Yield the files and folders, from ``folder`` down, that others than their owner can read or change.

    ``reader`` is the number of a group that may read. A file is not open if others cannot enter its folder.
    """
    with contextlib.suppress(OSError):  # deleted meanwhile, or not readable
        there = folder.lstat()
        rights = stat.S_IMODE(there.st_mode)
        if not stat.S_ISLNK(there.st_mode):
            if rights & (0o066 if there.st_gid != reader else 0o026):
                yield folder
            if stat.S_ISDIR(there.st_mode) and rights & 0o011:
                for entry in sorted(folder.iterdir()):
                    yield from lies_open(entry, reader)
