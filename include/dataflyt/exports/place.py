"""A recipient's place: a folder on a disk, over SFTP, in an object store. Files are put there, and taken away.

``Place`` knows files and no warehouse. Each call of it may hang as long as the place does, and is therefore done by
``patiently``: by a thread that is given up when nothing has moved for a while.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

import orjson

from dataflyt.errors import ConfigError, SourceUnavailable
from dataflyt.storage import private
from dataflyt.storage.files import OBJECT_STORES, copy_whole, measured, parts_of, put_whole
from dataflyt.storage.landing import forget_listing

Moved: TypeAlias = Callable[[], None]
_T = TypeVar("_T")
AT_MOST = 45 * 60
"""Seconds that a delivery may take, also one that moves: its lock is a transaction, which may last an hour."""
_MANIFEST_AT_MOST = 1 << 20


class File(NamedTuple):
    """A file to be delivered: its name there, where it is, and its sha256."""

    name: str
    source: Any
    sha256: str


class Withdrawn(Exception):
    """A file to be delivered has been withdrawn meanwhile."""


class Silent(SourceUnavailable):
    """Nothing has moved at the place for too long."""


def address_of(url: str) -> str:
    """Return an address as the name of its place: without a password, and without what can be written in two ways.

    >>> address_of("sftp://haugesund:secret@example.com/in/"), address_of("/srv/../srv/in")
    ('sftp://haugesund@example.com/in', 'file:///srv/in')
    """
    scheme, has_scheme, _ = url.partition("://")
    if not has_scheme or scheme in ("file", "local"):
        return f"file://{os.path.abspath(url.partition('://')[2] if has_scheme else url)}"
    said = urlsplit(url)
    user, at, host = said.netloc.rpartition("@")
    return f"{said.scheme}://{user.partition(':')[0]}{at}{host.lower()}{said.path.rstrip('/')}"


def host_of(address: str) -> str:
    """Return what places share that fall silent together: a server, or the folder above.

    >>> host_of("sftp://haugesund@example.com/in"), host_of("file:///srv/in")
    ('sftp://example.com', 'file:///srv')
    """
    said = urlsplit(address)
    host = said.netloc.rpartition("@")[2]
    return f"{said.scheme}://{host or said.path.rpartition('/')[0]}"


def is_inside(address: str, root: str) -> bool:
    """Tell whether a place is in another folder, or is that folder. Both are named by ``address_of``."""
    return address == root or address.startswith(f"{root}/")


def patiently(work: Callable[[Moved], _T], seconds: float) -> _T:
    """Do the work in a thread; return what it returns, or raise what it raises.

    ``work`` gets a function to call whenever something has moved. Raises Silent when that has not been for ``seconds``.
    The thread is then left, since nothing can stop one that waits for a disk; it stops itself when it moves again.
    """
    done, came = threading.Event(), dict[str, Any]()
    moved_at, given_up = [time.monotonic()], threading.Event()

    def moved() -> None:
        if given_up.is_set():
            raise Silent("stedet svarte for sent.")
        moved_at[0] = time.monotonic()

    def worked() -> None:
        try:
            came["back"] = work(moved)
        except BaseException as error:
            came["error"] = error
        finally:
            done.set()

    began = time.monotonic()
    threading.Thread(target=worked, name="delivery", daemon=True).start()
    while not done.wait(min(seconds, 1.0)):
        now = time.monotonic()
        if now - moved_at[0] > seconds or now - began > AT_MOST:
            given_up.set()
            raise Silent("stedet svarer ikke, eller for sakte. Dataflyt prøver igjen.")
    if "error" in came:
        raise came["error"]
    return cast("_T", came["back"])


class Place:
    """The files of one export at a recipient's place."""

    def __init__(self, folder: Any, owner: str, export: str, names: Collection[str]) -> None:
        """``names`` are those of all files that the export may have there, but the manifest's."""
        self._folder = folder
        self._owner = owner
        self._names = names
        self._manifest = f"{export}.manifest.json"

    def put(self, files: Sequence[File], manifest: bytes, moved: Moved) -> str | None:
        """Put the files there, then the manifest, and take away the export's other files.

        Returns a sentence when they could not be shared with the group that reads exports. Raises ConfigError when the
        place holds another kommune's files, SourceUnavailable for a folder that is not there, and Withdrawn.
        """
        self._must_be_there()
        if self._is_of_another():
            raise ConfigError("mappen har filene til en annen kommune. Bruk én mappe til hver mottaker og kommune.")
        moved()
        for file in files:
            self._copy(file, moved)
        for name in self._names:
            if name not in {file.name for file in files}:
                (self._folder / name).unlink(missing_ok=True)
        self._take_parts()
        moved()
        put_whole(self._folder / self._manifest, lambda out: out.write(manifest), moved)
        try:
            private.share(
                *(self._folder / name for name in (*(one.name for one in files), self._manifest)), follow=False
            )
        except ConfigError as error:  # the place is the recipient's, and so may its rights be
            return error.sentence
        return None

    def take_away(self, moved: Moved) -> None:
        """Remove the export's files, the manifest first. The files of another kommune stay."""
        self._must_be_there()
        if self._is_of_another():
            return
        for name in (self._manifest, *self._names):
            moved()
            (self._folder / name).unlink(missing_ok=True)
        self._take_parts()

    def _must_be_there(self) -> None:
        """Raise SourceUnavailable for a folder that is not there: a disk may not be connected."""
        forget_listing(self._folder)
        if getattr(self._folder, "protocol", "") not in OBJECT_STORES and not self._folder.is_dir():
            raise SourceUnavailable("mappen finnes ikke. Sjekk at den er koblet til. Dataflyt prøver igjen.")

    def _is_of_another(self) -> bool:
        manifest = self._folder / self._manifest
        try:
            if not manifest.is_file():
                return False
            with manifest.open("rb") as file:
                said = orjson.loads(file.read(_MANIFEST_AT_MOST))
        except (PermissionError, orjson.JSONDecodeError):  # a place where we may only write; the recipient's own file
            return False
        return isinstance(said, dict) and said.get("owner") not in (None, self._owner)

    def _copy(self, file: File, moved: Moved) -> None:
        try:
            if measured(file.source)[0] != file.sha256:
                raise ConfigError("filen er ikke lenger slik den ble publisert: start en kjøring.")
            moved()
            copy_whole(file.source, self._folder / file.name, moved)
        except FileNotFoundError:
            if file.source.exists():  # it is the place that is not there
                raise
            raise Withdrawn from None

    def _take_parts(self) -> None:
        with suppress(PermissionError):  # a place where we may not look
            for path in parts_of(self._folder, (*self._names, self._manifest)):
                path.unlink(missing_ok=True)


def at(path: Callable[[str], Any], url: str, work: Callable[[Any, Moved], _T], seconds: float) -> _T:
    """Do work in the folder of an address, ``patiently``. An SFTP connection that was opened for it is closed."""
    connected: list[Any] = []

    def worked(moved: Moved) -> _T:
        folder = path(url)
        if getattr(folder, "protocol", "") in ("sftp", "ssh"):
            connected.append(folder.fs)  # connects
        return work(folder, moved)

    try:
        return patiently(worked, seconds)
    finally:
        for file_system in connected:
            _hang_up(file_system)


def _hang_up(file_system: Any) -> None:
    """Close an SFTP connection: fsspec keeps one a thread, as long as the process lives.

    A thread that has been given up then gets an error, and ends.
    """
    type(file_system).clear_instance_cache()
    client = getattr(file_system, "client", None)
    if client is not None:
        client.close()
