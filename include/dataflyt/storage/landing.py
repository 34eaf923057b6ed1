"""Landing: raw answers and files as they were received, one folder a run and source.

A name exists only when it is complete: bytes go to a temporary name in the same folder, which is then renamed. On a
disk the rename is atomic and follows a sync; an object store copies, and shows the copy only when it is whole.
What lies here holds personal data: it is for its owner only (``private``).

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
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast
from zoneinfo import ZoneInfo

import orjson

from dataflyt.config.kommune import Newest
from dataflyt.errors import ConfigError, SourceUnavailable

AnyPath: TypeAlias = Any
"""Anything with pathlib's methods: Path, UPath, Airflow's ObjectStoragePath."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEMPORARY = ".part"
_CHUNK = 1024 * 1024

_UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
_STILL = 60.0
"""A file younger than this (seconds) may still be growing."""
FACTS = ".file.json"
_DAY = 86_400


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


class _File(NamedTuple):
    """A delivered file that may be taken. ``stated`` is the date in its name, as digits: ``202611280300``."""

    path: AnyPath
    stamp: Stamp
    stated: str | None

    def delivered(self, by: Newest | None) -> float | None:
        """Return when it was delivered, in seconds since 1970: where names decide, at the date in its name."""
        if by == "name" and self.stated:
            whole = self.stated.ljust(14, "0")
            return datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=_OSLO).timestamp()
        return self.stamp.modified


def land_newest(
    folder: AnyPath,
    pattern: str,
    landing: Landing,
    name: str,
    *,
    by: Newest | None = None,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
    look_again: float = 1.0,
) -> None:
    """Copy the newest complete file of a folder that matches ``pattern`` into landing as ``name``, unless it is there.

    Newest is the one delivered last, unless ``by`` says that names decide. A date in a name counts where it can be read
    in one way only: year, month, day. Those with the name of an unfinished transfer are passed over. A file that
    ``earlier`` has landed already is not copied again.
    Raises ConfigError when nobody can tell which is the newest, when name and time say different files and ``by`` does
    not choose between them, or when its time lies ahead. Raises SourceUnavailable when there is none, when the newest
    is empty, still growing or replaced meanwhile (taking an older one instead would be last week's school), or more
    than ``max_age_days`` old at ``as_of`` (now, where a simulated ``as_of`` lies ahead).
    """
    if landing.has(name):
        return
    where = _shown(folder)
    found = _newest(folder, pattern, where, by)
    source, stamp = found.path, found.stamp
    if as_of:
        _check_age(found, where, by, as_of, max_age_days)
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


def _check_age(file: _File, where: str, by: Newest | None, as_of: datetime, max_age_days: int | None) -> None:
    """Refuse a file that is too old, and one from a clock that is ahead: it would hide all that come after it."""
    name, stamp, now = file.path.name, file.stamp, time.time()
    if by != "name" and (stamp.modified or 0) > max(as_of.timestamp(), now) + _DAY:
        raise ConfigError(
            f"Filen {name} i {where} har et tidspunkt fram i tid ({_clock(file)}), og ville skygget for dem som kommer "
            "etter: be leverandøren stille klokken og levere den på nytt, eller skriv newest: name i kommunefilen."
        )
    delivered = file.delivered(by)
    if max_age_days is None or delivered is None:
        return
    days = int((min(as_of.timestamp(), now) - delivered) // _DAY)
    if days > max_age_days:
        raise SourceUnavailable(
            f"Filen {name} i {where} er {days} dager gammel, og kommunen godtar {max_age_days}: "
            "sjekk hvorfor systemet ikke har levert en ny, eller endre max_age_days i kommunefilen."
        )


def newest(folder: AnyPath, pattern: str, by: Newest | None = None) -> tuple[str, int, float | None]:
    """Name the file that ``land_newest`` would copy, its size, and when it was delivered (seconds since 1970).

    Raises what ``land_newest`` raises of the choice.
    """
    found = _newest(folder, pattern, _shown(folder), by)
    return found.path.name, found.stamp.size, found.delivered(by)


def _shown(folder: AnyPath) -> str:
    """Return a folder's address without what may be a password in it."""
    return re.sub(r"//[^/@]*@", "//", str(folder))


def _newest(folder: AnyPath, pattern: str, where: str, by: Newest | None) -> _File:
    found: list[_File] = []
    there = True
    forget_listing(folder)
    try:
        for path in folder.iterdir():
            if _finished(path.name) and fnmatchcase(path.name, pattern):
                with contextlib.suppress(FileNotFoundError):  # taken away while we look
                    if path.is_file():
                        found.append(_File(path, _stamp(path), _stated(path.name)))
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
    if not found:
        raise SourceUnavailable(
            f"Ingen ferdig fil i {where} passer til «{pattern}»: "
            "sjekk at systemet har levert filen, eller rett filnavnet i kommunefilen."
        )
    chosen = _chosen(found, where, by)
    if chosen.stamp.size == 0:  # begun and not yet written, or its export failed
        raise SourceUnavailable(
            f"Den nyeste filen i {where}, {chosen.path.name}, er tom: sjekk at systemet fikk levert hele filen, "
            "og be leverandøren levere den på nytt."
        )
    return chosen


def _chosen(files: list[_File], where: str, by: Newest | None) -> _File:
    """Return the newest file; raises ConfigError where nobody can tell, or name and time disagree unasked."""
    if len(files) == 1:
        return files[0]
    if by == "name":
        undated = min((file.path.name for file in files if not file.stated), default=None)
        if undated:
            raise ConfigError(
                f"Filen {undated} i {where} har ikke en dato i navnet som 2026-11-28 eller 20261128, og kommunefilen "
                "sier newest: name: ta bort filen, eller skriv newest: time i kommunefilen."
            )
        left = _last_by_time(_last_by_name(files))
    else:
        left = _last_by_name(_last_by_time(files))
    if len(left) > 1:
        one, other = sorted(file.path.name for file in left)[:2]
        raise ConfigError(
            f"Filene {one} og {other} i {where} er levert på samme tid, og navnene sier ikke hvilken som er nyest: la "
            "bare den nyeste ligge der, og be leverandøren skrive datoen i filnavnet som 2026-11-28."
        )
    chosen = left[0]
    if by is None and chosen.stated:
        named = max(_last_by_name(files), key=lambda file: (file.stated or "", file.path.name))
        if _later(named.stated, chosen.stated):
            raise ConfigError(
                f"Navn og leveringstid er ikke enige om hvilken fil i {where} som er nyest: {chosen.path.name} er "
                f"levert sist ({_clock(chosen)}), men {named.path.name} ({_clock(named)}) har nyeste dato i navnet. "
                "Spør leverandøren hvilken som er riktig, og ta bort den andre, eller skriv newest: name eller "
                "newest: time i kommunefilen."
            )
    return chosen


def _last_by_time(files: list[_File]) -> list[_File]:
    """Return those that none was delivered after; all of them where the storage does not tell times."""
    times = [file.stamp.modified for file in files]
    last = None if None in times else max(filter(None, times), default=None)
    return files if last is None else [file for file in files if file.stamp.modified == last]


def _last_by_name(files: list[_File]) -> list[_File]:
    """Return those that none has a later date in its name than, and those without a date."""
    last = max((file.stated for file in files if file.stated), default=None)
    return [file for file in files if not _later(last, file.stated)]


def _later(one: str | None, other: str | None) -> bool:
    """Tell whether a date is later than another; a day is not earlier than a time on it."""
    common = min(len(one or ""), len(other or ""))
    return (one or "")[:common] > (other or "")[:common]


def _clock(file: _File) -> str:
    modified = file.stamp.modified
    return "ukjent tid" if modified is None else f"{datetime.fromtimestamp(modified, _OSLO):%d.%m.%Y kl. %H.%M.%S}"


_OSLO = ZoneInfo("Europe/Oslo")
_DATE = re.compile(
    r"(?<!\d)(?:"
    r"(?P<year>20\d\d)(?P<sign>[-_.])(?P<month>\d\d)(?P=sign)(?P<day>\d\d)(?!\d)"
    r"(?:[T _-]*(?P<hour>\d\d)[-_.:hH]?(?P<minute>\d\d)(?:[-_.:mM]?(?P<second>\d\d))?(?!\d))?"
    r"|(?P<run>20\d{6})(?:[T _-]*(?P<time>\d\d\d\d(?:\d\d(?:\d{3})?)?))?(?!\d)"
    r")"
)
_DAY_BEFORE = re.compile(r"(?<!\d)\d{1,2}([-_.])$")
_DAY_AND_MONTH_BEFORE = re.compile(r"(?<!\d)\d{1,2}([-_.])\d{1,2}\1$")
"""What stands before a year that ends a date: ``28-10-2026-03-15`` is no 15 March, nor is ``28-10-20260315``."""


def _stated(name: str) -> str | None:
    """Return the date that a file name states, with the time where it has one, as digits; None where it is in doubt.

    >>> _stated("pifu_1106_2026-11-28T0300.xml"), _stated("pifu_28102026.xml"), _stated("31-12-2026.xml")
    ('202611280300', None, None)
    """
    found: list[str] = []
    for match in _DATE.finditer(name):
        before = (_DAY_BEFORE if match["sign"] else _DAY_AND_MONTH_BEFORE).search(name[: match.start()])
        if before and match["sign"] in (None, before[1]):
            return None
        day = match["run"] or f"{match['year']}{match['month']}{match['day']}"
        clock = (match["time"] or "".join(filter(None, match.group("hour", "minute", "second"))))[:6]
        if _is_time(day, "%Y%m%d"):
            found.append(day + clock if clock and _is_time(clock, "%H%M%S"[: len(clock)]) else day)
    return max(found) if len({one[:8] for one in found}) == 1 else None


def _is_time(digits: str, form: str) -> bool:
    try:
        datetime.strptime(digits, form)
    except ValueError:
        return False
    return True


def _finished(name: str) -> bool:
    return not name.startswith((".", "~")) and not name.lower().endswith(_UNFINISHED)


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
    forget_listing(path)
    with contextlib.suppress(FileNotFoundError):
        return _stamp(path)
    return None


def forget_listing(path: AnyPath) -> None:
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
