"""Landing: raw answers and files as they were received, one folder a run and source.

A page exists whole or not at all: its bytes go to a temporary file in the same folder, which is then renamed. On a disk
the rename is atomic and comes after a sync. An object store copies the file, and shows the copy only when it is whole.
Pages hold personal data, so only their owner may read them (``private``).

A page that is a copy of a delivered file (``newest_file``) has ``<name>.file.json`` beside it, with the facts of that
file.
"""

import contextlib
import io
import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, TypeAlias, cast

import orjson

AnyPath: TypeAlias = Any
"""Anything with pathlib's methods: Path, UPath, Airflow's ObjectStoragePath."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEMPORARY = ".part"
FACTS = ".file.json"
"""The ending of the name of a facts file: it describes the delivered file that a page is a copy of."""


@dataclass(frozen=True)
class Stamp:
    """The size, time and version that a storage reports for a file.

    Two stamps that differ mean two contents, and neither file has to be read. ``size`` is in bytes, ``modified`` in
    seconds since 1970, or None where the storage does not report it. ``version`` is an object store's ETag, or the
    file's number (inode) on a disk.
    """

    size: int
    modified: float | None
    version: str


@dataclass(frozen=True)
class Delivered:
    """A delivered file: its name, the stamp from its storage, and the sha256 of its bytes."""

    name: str
    stamp: Stamp
    sha256: str


class Landing:
    """The landed pages of one run and source."""

    def __init__(self, folder: AnyPath) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all pages, sorted."""
        try:
            found = [path.name for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):  # fsspec raises the latter for a folder that does not exist
            return []
        return sorted(name for name in found if _NAME.fullmatch(name) and not name.endswith(_TEMPORARY))

    def has(self, name: str) -> bool:
        """Tell whether a page exists."""
        return bool(self._path(name).is_file())

    def write(self, name: str, content: bytes) -> None:
        """Land a page. It replaces an earlier page of the same name."""
        self.write_stream(name, (content,))

    def write_stream(self, name: str, chunks: Iterable[bytes]) -> None:
        """Land a page from pieces. If ``chunks`` raises, nothing is landed."""
        target = self._path(name)
        self._make()
        temporary = self.folder / f".{name}.{uuid.uuid4().hex}{_TEMPORARY}"
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                stream.flush()
                with contextlib.suppress(AttributeError, OSError, io.UnsupportedOperation):  # only disks have a sync
                    os.fsync(stream.fileno())
            temporary.rename(target)
        except BaseException:
            with contextlib.suppress(Exception):
                temporary.unlink()
            raise

    def open(self, name: str) -> BinaryIO:
        """Open a page for reading. Raises FileNotFoundError."""
        return cast("BinaryIO", self._path(name).open("rb"))

    def write_facts(self, name: str, delivered: Delivered) -> None:
        """Write the facts of the file that a page copies. Call it before the page exists: no page then lacks them."""
        self.write(name + FACTS, orjson.dumps(asdict(delivered)))

    def delivered(self, name: str) -> Delivered | None:
        """Return the file that a page is a copy of; None if the page does not exist or is not a copy of a file."""
        if not (self.has(name) and self.has(name + FACTS)):
            return None
        with self.open(name + FACTS) as stream:
            said = orjson.loads(stream.read())
        return Delivered(said["name"], Stamp(**said["stamp"]), said["sha256"])

    def take_over(self, name: str, earlier: "Landing") -> bool:
        """Land an earlier run's page without reading its bytes. Return False if the storage cannot do that.

        A disk gives the file a second name (a hard link); an object store copies it on its own side.
        """
        self._make()
        source, target = earlier._path(name), self._path(name)
        try:
            if self._on_disk:
                os.link(_address(source), _address(target))
            else:
                target.fs.copy(source.path, target.path)
        except (OSError, NotImplementedError):
            return False
        return True

    @property
    def _on_disk(self) -> bool:
        return getattr(self.folder, "protocol", "") in ("", "file", "local")

    def _make(self) -> None:
        if self.folder.is_dir():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._on_disk:
            os.chmod(_address(self.folder), 0o700)

    def _path(self, name: str) -> AnyPath:
        if not _NAME.fullmatch(name) or name.endswith(_TEMPORARY):
            raise ValueError(f"not a name for a landed page: {name!r}")
        return self.folder / name


def _address(path: AnyPath) -> str:
    """Return a path as the operating system takes it."""
    return str(getattr(path, "path", None) or path)


def forget_listing(path: AnyPath) -> None:
    """Clear fsspec's cache of a storage: otherwise its object stores list from the cache as long as a process lives."""
    file_system = getattr(path, "fs", None)
    if file_system is not None:
        file_system.invalidate_cache()
