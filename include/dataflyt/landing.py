"""Landing: raw answers and files as they were received, one folder a run and source.

A name exists only when it is complete: bytes go to a temporary name in the same folder, which is then renamed. On a
disk the rename is atomic and follows a sync; an object store copies, and shows the copy only when it is whole.
What lies here holds personal data: the folder is made for its owner only.

Files that systems deliver are copied here from any storage that fsspec knows: a folder, SFTP, S3, Azure. Beside each
lies ``<name>.file.json``, which says what it is a copy of.
"""

import contextlib
import hashlib
import io
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, BinaryIO, TypeAlias, cast

import orjson

from dataflyt.errors import SourceUnavailable

AnyPath: TypeAlias = Any
"""Anything with pathlib's methods: Path, UPath, Airflow's ObjectStoragePath."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEMPORARY = ".part"
_CHUNK = 1024 * 1024

_UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
_STILL = 60.0
"""A file younger than this (seconds) may still be growing."""
FACTS = ".file.json"


@dataclass(frozen=True)
class Stamp:
    """What a storage says of a file: all that tells one content from another without reading it.

    ``modified`` is in seconds since 1970, None where the storage does not say; ``version`` an object store's ETag, or
    a disk's number of the file.
    """

    size: int
    modified: float | None
    version: str


@dataclass(frozen=True)
class Delivered:
    """A delivered file: its name, what its storage said of it, and the sha256 of its bytes."""

    name: str
    stamp: Stamp
    sha256: str


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

    def delivered(self, name: str) -> Delivered | None:
        """Return what a landed page is a copy of; None when it is not here, or was no file."""
        if not (self.has(name) and self.has(name + FACTS)):
            return None
        with self.open(name + FACTS) as stream:
            said = orjson.loads(stream.read())
        return Delivered(said["name"], Stamp(**said["stamp"]), said["sha256"])

    def take_over(self, name: str, earlier: "Landing") -> bool:
        """Land the page that an earlier run has landed, without copying its bytes through here; False if it cannot be.

        A disk gives the file a second name; an object store copies it by itself.
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
    """Return what the disk calls a path."""
    return str(getattr(path, "path", None) or path)


def land_newest(
    folder: AnyPath,
    pattern: str,
    landing: Landing,
    name: str,
    *,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
    look_again: float = 1.0,
) -> None:
    """Copy the newest complete file of a folder that matches ``pattern`` into landing as ``name``, unless it is there.

    Newest by the numbers in the file's name (dates, serials), then by when it was changed. Empty files and those with
    the name of an unfinished transfer are passed over. A file that ``earlier`` has landed already is not copied again.
    Raises SourceUnavailable when there is none, when the newest is still growing or is replaced meanwhile (taking an
    older one instead would be last week's school), or when it is more than ``max_age_days`` old at ``as_of``.
    """
    if landing.has(name):
        return
    where = re.sub(r"//[^/@]*@", "//", str(folder))
    source, stamp = _newest(folder, pattern, where)
    if as_of and max_age_days is not None and stamp.modified is not None:
        days = int((as_of.timestamp() - stamp.modified) // 86_400)
        if days > max_age_days:
            raise SourceUnavailable(
                f"Filen {source.name} i {where} er {days} dager gammel, og kommunen godtar {max_age_days}: "
                "sjekk hvorfor systemet ikke har levert en ny, eller endre max_age_days i kommunefilen."
            )
    if stamp.modified is None or time.time() - stamp.modified < _STILL:
        time.sleep(look_again)
    known = earlier.delivered(name) if earlier else None
    if (
        earlier
        and known
        and known.name == source.name
        and known.stamp == stamp == _stamp_now(source)
        and (stamp.modified is not None or stamp.version)
    ):
        _write_facts(landing, name, known)
        if landing.take_over(name, earlier):
            return
    landing.write_stream(name, _copied(source, stamp, where, landing, name))


def newest(folder: AnyPath, pattern: str) -> tuple[str, Stamp]:
    """Name the file that ``land_newest`` would copy, and what its storage says of it. Raises SourceUnavailable."""
    path, stamp = _newest(folder, pattern, re.sub(r"//[^/@]*@", "//", str(folder)))
    return path.name, stamp


def _newest(folder: AnyPath, pattern: str, where: str) -> tuple[AnyPath, Stamp]:
    found: list[tuple[AnyPath, Stamp]] = []
    there = True
    _forget_listing(folder)
    try:
        for path in folder.iterdir():
            if _finished(path.name) and fnmatchcase(path.name, pattern):
                with contextlib.suppress(FileNotFoundError):  # taken away while we look
                    if path.is_file():
                        found.append((path, _stamp(path)))
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
    candidates = [(path, stamp) for path, stamp in found if stamp.size > 0]
    if not candidates:
        raise SourceUnavailable(
            f"Ingen ferdig fil i {where} passer til «{pattern}»: "
            "sjekk at systemet har levert filen, eller rett filnavnet i kommunefilen."
        )
    return max(candidates, key=lambda one: (_numbers(one[0].name), one[1].modified or 0, one[0].name))


def _finished(name: str) -> bool:
    return not name.startswith((".", "~")) and not name.lower().endswith(_UNFINISHED)


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]+", name)]


def _stamp(path: AnyPath) -> Stamp:
    stat = path.stat()
    said: dict[str, Any] = stat if isinstance(stat, dict) else getattr(stat, "as_info", dict)()
    version = next((said[key] for key in ("ETag", "etag", "content_md5", "ino") if said.get(key)), None)
    modified = next((said[key] for key in _TIMES if said.get(key)), None)
    if not said:  # a disk, by pathlib
        version, modified = stat.st_ino, stat.st_mtime
    return Stamp(int(stat.st_size), _seconds(modified), str(version or ""))


_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
"""What fsspec's file systems call the time of the last change: local and SFTP, S3, Azure, others."""


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None


def _stamp_now(path: AnyPath) -> Stamp | None:
    """Ask the storage anew; None when the file is gone."""
    _forget_listing(path)
    with contextlib.suppress(FileNotFoundError):
        return _stamp(path)
    return None


def _forget_listing(path: AnyPath) -> None:
    """Make fsspec forget what it has listed: object stores answer from that, for as long as a process lives."""
    file_system = getattr(path, "fs", None)
    if file_system is not None:
        file_system.invalidate_cache()


def _copied(source: AnyPath, stamp: Stamp, where: str, landing: Landing, name: str) -> Iterator[bytes]:
    """Yield a file's bytes and write down what it was; raises SourceUnavailable at the end if it has not stayed so."""
    copied, digest = 0, hashlib.sha256()
    same = False
    if _stamp_now(source) == stamp:
        with contextlib.suppress(FileNotFoundError):
            with source.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    copied += len(chunk)
                    digest.update(chunk)
                    yield chunk
            same = copied == stamp.size and _stamp_now(source) == stamp
    if not same:
        raise SourceUnavailable(
            f"Filen {source.name} i {where} er ikke ferdig skrevet, eller ble byttet ut mens den ble lest: "
            "Dataflyt prøver igjen senere."
        )
    _write_facts(landing, name, Delivered(source.name, stamp, digest.hexdigest()))


def _write_facts(landing: Landing, name: str, delivered: Delivered) -> None:
    """Before the page itself is there: whoever finds the page finds what it is."""
    landing.write(name + FACTS, orjson.dumps(asdict(delivered)))
