"""Landing the newest file that a system has delivered, from any storage that fsspec knows: a folder, SFTP, S3, Azure.

In: a folder and a file pattern. Out: the landed copy, and the facts of the original (``Landing.write_facts``). The
newest file is the file delivered last, or the file with the latest date in its name where the kommune file says
``newest: name``. If the two disagree and the kommune file does not choose, the run stops and names both files.
"""

import contextlib
import hashlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from dataflyt.config.kommune import Newest
from dataflyt.errors import ConfigError, SourceUnavailable
from dataflyt.formats.dates import OSLO
from dataflyt.storage.landing import AnyPath, Delivered, Landing, Stamp, forget_listing

_CHUNK = 1024 * 1024
_DAY = 86_400
_UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
"""The endings of file names while a transfer is under way."""
_STILL = 60.0
"""Seconds. A file younger than this may still be growing."""


class _File(NamedTuple):
    """A delivered file that may be taken. ``stated`` is the date in its name, as digits: ``202611280300``."""

    path: AnyPath
    stamp: Stamp
    stated: str | None

    def delivered(self, by: Newest | None) -> float | None:
        """Return the time of delivery, in seconds since 1970. Where names decide, it is the date in the file's name."""
        if by == "name" and self.stated:
            whole = self.stated.ljust(14, "0")
            return datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=OSLO).timestamp()
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
    """Copy the newest file of a folder that matches ``pattern`` into landing as ``name``, unless that page exists.

    ``by`` decides which file is the newest: ``time`` (of delivery), ``name`` (the date in it), or None. With None the
    time decides, and the name must not contradict it. A date in a name counts only if it can be read in one way.
    Unfinished transfers, known by their names, are passed over. A file that the run of ``earlier`` has landed is taken
    from that run. ``max_age_days`` is measured at ``as_of``, or now if a simulated ``as_of`` is in the future.
    ``look_again`` is the wait in seconds before a second look at a young file.

    Raises ConfigError if the newest file cannot be determined, and if its time is in the future. Raises
    SourceUnavailable if there is no file, and if the newest file is empty, growing, replaced meanwhile or too old. An
    older file is never taken instead: it would bring back last week's school.
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
        landing.write_facts(name, known)
        if landing.take_over(name, earlier):
            return
    landing.write_stream(name, _copied(source, stamp, where, landing, name))


def _check_age(file: _File, where: str, by: Newest | None, as_of: datetime, max_age_days: int | None) -> None:
    """Raise for a file that is too old, and for a file with a time in the future: it would hide all later files."""
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
    """Return the name of the file that ``land_newest`` would copy, its size in bytes, and its time of delivery.

    The time is in seconds since 1970. Raises the errors that ``land_newest`` raises while it chooses.
    """
    found = _newest(folder, pattern, _shown(folder), by)
    return found.path.name, found.stamp.size, found.delivered(by)


def _shown(folder: AnyPath) -> str:
    """Return a folder's address without the part that may be a password."""
    return re.sub(r"//[^/@]*@", "//", str(folder))


def _newest(folder: AnyPath, pattern: str, where: str, by: Newest | None) -> _File:
    found: list[_File] = []
    there = True
    forget_listing(folder)
    try:
        for path in folder.iterdir():
            if _finished(path.name) and fnmatchcase(path.name, pattern):
                with contextlib.suppress(FileNotFoundError):  # removed since the listing
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
    if chosen.stamp.size == 0:  # the export has just begun, or it failed
        raise SourceUnavailable(
            f"Den nyeste filen i {where}, {chosen.path.name}, er tom: sjekk at systemet fikk levert hele filen, "
            "og be leverandøren levere den på nytt."
        )
    return chosen


def _chosen(files: list[_File], where: str, by: Newest | None) -> _File:
    """Return the newest file. Raises ConfigError if it is in doubt, or if name and time disagree without ``by``."""
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
    """Return the files with the last time of delivery, or all files if the storage reports no times."""
    times = [file.stamp.modified for file in files]
    last = None if None in times else max(filter(None, times), default=None)
    return files if last is None else [file for file in files if file.stamp.modified == last]


def _last_by_name(files: list[_File]) -> list[_File]:
    """Return the files with the latest date in their names, and the files without a date."""
    last = max((file.stated for file in files if file.stated), default=None)
    return [file for file in files if not _later(last, file.stated)]


def _later(one: str | None, other: str | None) -> bool:
    """Tell whether a date is later than another. A day is neither before nor after a time on that day."""
    common = min(len(one or ""), len(other or ""))
    return (one or "")[:common] > (other or "")[:common]


def _clock(file: _File) -> str:
    modified = file.stamp.modified
    return "ukjent tid" if modified is None else f"{datetime.fromtimestamp(modified, OSLO):%d.%m.%Y kl. %H.%M.%S}"


_DATE = re.compile(
    r"(?<!\d)(?:"
    r"(?P<year>20\d\d)(?P<sign>[-_.])(?P<month>\d\d)(?P=sign)(?P<day>\d\d)(?!\d)"
    r"(?:[T _-]*(?P<hour>\d\d)[-_.:hH]?(?P<minute>\d\d)(?:[-_.:mM]?(?P<second>\d\d))?(?!\d))?"
    r"|(?P<run>20\d{6})(?:[T _-]*(?P<time>\d\d\d\d(?:\d\d(?:\d{3})?)?))?(?!\d)"
    r")"
)
_DAY_BEFORE = re.compile(r"(?<!\d)\d{1,2}([-_.])$")
_DAY_AND_MONTH_BEFORE = re.compile(r"(?<!\d)\d{1,2}([-_.])\d{1,2}\1$")
"""Text before a year that makes the year the end of a date. ``28-10-2026-03-15`` is not 15 March, nor is
``28-10-20260315``."""


def _stated(name: str) -> str | None:
    """Return the date in a file name as digits, with the time if there is one; None if the date is in doubt.

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
"""The names of the time of the last change in fsspec's file systems: local and SFTP, S3, Azure, others."""


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None


def _stamp_now(path: AnyPath) -> Stamp | None:
    """Return the storage's present stamp of a file; None if the file is gone."""
    forget_listing(path)
    with contextlib.suppress(FileNotFoundError):
        return _stamp(path)
    return None


def _copied(source: AnyPath, stamp: Stamp, where: str, landing: Landing, name: str) -> Iterator[bytes]:
    """Yield a file's bytes, then write its facts. Raises SourceUnavailable at the end if the file changed meanwhile."""
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
    landing.write_facts(name, Delivered(source.name, stamp, digest.hexdigest()))
