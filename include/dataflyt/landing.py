"""Landing: raw answers and files as they were received, one folder a run and source.

A name exists only when it is complete: bytes go to a temporary name in the same folder, which is then renamed. On a
disk the rename is atomic and follows a sync; an object store copies, and shows the copy only when it is whole.
What lies here holds personal data: the folder is made for its owner only.
"""

import contextlib
import io
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, TypeAlias, cast

from dataflyt.errors import SourceUnavailable

AnyPath: TypeAlias = Any
"""Anything with pathlib's methods: Path, UPath, Airflow's ObjectStoragePath."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEMPORARY = ".part"
_CHUNK = 1024 * 1024

_UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
_STILL = 60.0
"""A file younger than this (seconds) may still be growing."""


class Landing:
    """The landed pages of one run and source."""

    def __init__(self, folder: AnyPath) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of all complete pages, sorted."""
        try:
            found = [path.name for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):  # fsspec says the latter of a folder that is not there
            return []
        return sorted(name for name in found if _NAME.fullmatch(name) and not name.endswith(_TEMPORARY))

    def has(self, name: str) -> bool:
        """Whether a page is there, complete."""
        return bool(self._path(name).is_file())

    def write(self, name: str, content: bytes) -> None:
        """Land a page, whole or not at all; an earlier one of that name is replaced."""
        self.write_stream(name, (content,))

    def write_stream(self, name: str, chunks: Iterable[bytes]) -> None:
        """Land a page from pieces, whole or not at all: when ``chunks`` raises, nothing has landed."""
        target = self._path(name)
        self._make()
        temporary = self.folder / f".{name}.{uuid.uuid4().hex}{_TEMPORARY}"
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                stream.flush()
                with contextlib.suppress(AttributeError, OSError, io.UnsupportedOperation):  # not on a disk
                    os.fsync(stream.fileno())
            temporary.rename(target)
        except BaseException:
            with contextlib.suppress(Exception):
                temporary.unlink()
            raise

    def open(self, name: str) -> BinaryIO:
        """Open a page for reading; raises FileNotFoundError."""
        return cast("BinaryIO", self._path(name).open("rb"))

    def _make(self) -> None:
        if self.folder.is_dir():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if getattr(self.folder, "protocol", "") in ("", "file", "local"):
            os.chmod(getattr(self.folder, "path", None) or self.folder, 0o700)

    def _path(self, name: str) -> AnyPath:
        if not _NAME.fullmatch(name) or name.endswith(_TEMPORARY):
            raise ValueError(f"not a name for a landed page: {name!r}")
        return self.folder / name


def land_newest(folder: AnyPath, pattern: str, landing: Landing, name: str, *, look_again: float = 1.0) -> None:
    """Copy the newest complete file of a folder that matches ``pattern`` into landing as ``name``, unless it is there.

    Newest by the numbers in the file's name (dates, serials), then by when it was changed. Empty files and those with
    the name of an unfinished transfer are passed over. Raises SourceUnavailable when there is none, or when the newest
    is still growing: taking an older one instead would be last week's school.
    """
    if landing.has(name):
        return
    where = re.sub(r"//[^/@]*@", "//", str(folder))
    source, size = _newest(folder, pattern, where)
    age = time.time() - source.stat().st_mtime
    if age < _STILL:
        time.sleep(look_again)
    landing.write_stream(name, _copied(source, size, where))


def _newest(folder: AnyPath, pattern: str, where: str) -> tuple[AnyPath, int]:
    found: list[tuple[AnyPath, Any]] = []
    there = True
    try:
        for path in folder.iterdir():
            if _finished(path.name) and fnmatchcase(path.name, pattern):
                with contextlib.suppress(FileNotFoundError):  # taken away while we look
                    if path.is_file():
                        found.append((path, path.stat()))
    except (FileNotFoundError, NotADirectoryError):
        there = False
    except OSError as error:
        raise SourceUnavailable(
            f"Mappen {where} kan ikke leses: gi Dataflyt lov til å lese den, eller sjekk at filområdet er koblet til.",
            error=type(error).__name__,
        ) from None
    if not there:
        raise SourceUnavailable(
            f"Mappen {where} finnes ikke: sjekk at filområdet er koblet til, eller rett adressen i tilkoblingen."
        )
    candidates = [(path, stat) for path, stat in found if stat.st_size > 0]
    if not candidates:
        raise SourceUnavailable(
            f"Ingen ferdig fil i {where} passer til «{pattern}»: "
            "sjekk at systemet har levert filen, eller rett filnavnet i kommunefilen."
        )
    path, stat = max(candidates, key=lambda one: (_numbers(one[0].name), one[1].st_mtime, one[0].name))
    return path, int(stat.st_size)


def _finished(name: str) -> bool:
    return not name.startswith((".", "~")) and not name.lower().endswith(_UNFINISHED)


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]+", name)]


def _copied(source: AnyPath, size: int, where: str) -> Iterator[bytes]:
    """Yield a file's bytes; raises SourceUnavailable at the end when it has not stayed the size it was."""
    copied = 0
    try:
        if source.stat().st_size == size:
            with source.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    copied += len(chunk)
                    yield chunk
        same = copied == size == source.stat().st_size
    except FileNotFoundError:
        same = False
    if not same:
        raise SourceUnavailable(f"Filen {source.name} i {where} er ikke ferdig skrevet: Dataflyt prøver igjen senere.")
