"""The changes that bring a receiver from the OneRoster file that it had last to the one published now.

In: two zip files of ``oneroster``, and the moment of the new one. Out: a zip file of the same tables, each of which has
only the rows that are new, changed or gone. Its manifest says ``delta`` of them, and ``absent`` of a table without such
rows. The zip file's comment gives the sha256 of the full file that it leads from, and of the one that it leads to: the
changes fit no other state.

Source: 1EdTech OneRoster CSV Binding 1.2.1: ``status`` is ``active`` of a row that is to be added or replaced, and
``tobedeleted`` of one that is to go; ``dateLastModified`` is filled in, as it is not in bulk; a file without rows is
not there. ``dateLastModified`` is the run's ``as_of``, in UTC: the same run gives the same bytes.

In each table the rows that go come first. A row that goes has its id, and of other columns those that must have a
value. The names of a person who goes are the id, as is the user name: the file says nothing more of somebody who has
been hidden than which rows go, of users, roles, profiles and enrolments. The binding knows no delete that takes others
along.

Both files are read side by side, and only rows that have not met their like are remembered: memory follows the changes,
not the people. Unreadable is raised when more than ``MOST`` rows of a table wait for their like, as where most of a
kommune of Oslo's size is new: the full file is then the better way. It is raised too for a file that ``oneroster`` did
not write, and for files of different school owners.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from itertools import zip_longest
from typing import BinaryIO, Final, NamedTuple
from zipfile import ZipFile

from dataflyt.errors import Unreadable
from dataflyt.exports import rosters
from dataflyt.exports.checking import lines_of, opened, opened_zip
from dataflyt.exports.model import Openable, Written

MOST: Final = 100_000
_NOT_OURS: Final = "Filen er ikke en OneRoster-fil fra Dataflyt."
_KEPT: Final = {
    "orgs": ("type",),
    "academicSessions": ("type", "startDate", "endDate", "schoolYear"),
    "courses": ("orgSourcedId",),
    "classes": ("courseSourcedId", "classType", "schoolSourcedId", "termSourcedIds"),
    "users": (),
    "roles": ("userSourcedId", "roleType", "role", "orgSourcedId"),
    "userProfiles": ("userSourcedId", "profileType", "vendorId", "credentialType"),
    "enrollments": ("classSourcedId", "schoolSourcedId", "userSourcedId", "role"),
    "demographics": (),
}
"""The tables in order, each with the columns that must have a value, and keep it in a row that goes."""
_NAMES: Final = ("name", "title", "username", "givenName", "familyName")
"""Columns that must have a value where a table has them: in a row that goes it is the id."""

Row = list[str]


def write(before: Written, now: Written, out: BinaryIO) -> None:
    """Write the changes from ``before`` to ``now``; raise Unreadable when there are none that could be applied."""
    if now.as_of is None:
        raise ValueError("the moment of the new file is not known")
    moment = now.as_of.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with _opened(before.path) as old, _opened(now.path) as new, ZipFile(out, "w") as archive:
        before_said, said = _manifest(old), _manifest(new)
        if before_said["source.systemCode"] != said["source.systemCode"]:
            raise Unreadable("Filene er ikke av samme skoleeier.")
        archive.comment = f"from: {before.sha256}\nto: {now.sha256}\n".encode("ascii")
        for name in _KEPT:
            rows = _changes(name, old, new, moment)
            heads = next(rows, [])
            written = rosters.put(archive, f"{name}.csv", heads, rows)
            said[f"file.{name}"] = "delta" if written else "absent"
        rosters.put(archive, "manifest.csv", ("propertyName", "value"), said.items())


def named(path: Openable) -> Iterator[tuple[bytes, bool]]:
    """Yield the row of each line of a file of changes, and whether the line gives it values."""
    with _opened(path) as archive:
        for name in _KEPT:
            if f"{name}.csv" in archive.namelist():
                for at, cells in enumerate(lines_of(archive, f"{name}.csv")):
                    if at:
                        yield f"{name} {cells[1][0]}".encode(), cells[1][1] != "tobedeleted"


@contextmanager
def _opened(path: Openable) -> Iterator[ZipFile]:
    with opened(path) as file, opened_zip(file) as archive:
        yield archive


def _manifest(archive: ZipFile) -> dict[str, str]:
    """Return what a full file's manifest says; raise Unreadable when it is not one."""
    if "manifest.csv" not in archive.namelist():
        raise Unreadable(_NOT_OURS)
    lines = [cells for _, cells in lines_of(archive, "manifest.csv")]
    said = {cells[0]: cells[1] for cells in lines if len(cells) == 2}
    files = {value for name, value in said.items() if name.startswith("file.")}
    if said.pop("propertyName", "") != "value" or not files <= {"bulk", "absent"} or "source.systemCode" not in said:
        raise Unreadable(_NOT_OURS)
    return said


def _changes(name: str, old: ZipFile, new: ZipFile, moment: str) -> Iterator[Row]:
    """Yield a table's heads and then its rows: those that go, and those that are new or changed."""
    (heads, was), (other, becomes) = _table(name, old), _table(name, new)
    if heads and other and heads != other:
        raise Unreadable(_NOT_OURS)
    heads = heads or other
    yield heads
    difference = _compared(was, becomes)
    tombstone = _Tombstone(name, heads)
    for line in difference.gone:
        yield [line[0], "tobedeleted", moment, *tombstone(line)]
    if difference.given:
        for line in _table(name, new)[1]:
            if line[0] in difference.given:
                yield [line[0], "active", moment, *line[3:]]


def _table(name: str, archive: ZipFile) -> tuple[Row, Iterator[Row]]:
    """Return heads and rows of a table; nothing of one that is not there."""
    if f"{name}.csv" not in archive.namelist():
        return [], iter(())
    lines = (cells for _, cells in lines_of(archive, f"{name}.csv"))
    heads = next(lines, [])
    if heads[:3] != ["sourcedId", "status", "dateLastModified"]:
        raise Unreadable(_NOT_OURS)
    return heads, lines


class _Difference(NamedTuple):
    """The rows that are gone, and the ids of those that are new or changed."""

    gone: list[Row]
    given: set[str]


def _compared(old: Iterator[Row], new: Iterator[Row]) -> _Difference:
    left: dict[str, Row] = {}
    came: dict[str, bytes] = {}
    given: set[str] = set()
    for was, becomes in zip_longest(old, new):
        if was == becomes:
            continue
        if was is not None:
            like = came.pop(was[0], None)
            if like is None:
                left[was[0]] = was
            elif like != _digest(was):
                given.add(was[0])
        if becomes is not None:
            before = left.pop(becomes[0], None)
            if before is None:
                came[becomes[0]] = _digest(becomes)
            elif before != becomes:
                given.add(becomes[0])
        if len(left) + len(came) + len(given) > MOST:
            raise Unreadable("Det meste er nytt: hele filen er en bedre vei.")
    return _Difference(list(left.values()), given | came.keys())


def _digest(row: Iterable[str]) -> bytes:
    return hashlib.blake2b("\x1f".join(row).encode(), digest_size=16).digest()


class _Tombstone:
    """What stands in a row that goes, after the first three columns."""

    def __init__(self, name: str, heads: Row) -> None:
        self._kept = [head in _KEPT[name] for head in heads[3:]]
        self._names = [head in _NAMES for head in heads[3:]]
        self._fixed = {heads.index("enabledUser") - 3: "false"} if "enabledUser" in heads else {}

    def __call__(self, row: Row) -> Row:
        return [
            self._fixed.get(at) or (value if kept else row[0] if named else "")
            for at, (value, kept, named) in enumerate(zip(row[3:], self._kept, self._names, strict=True))
        ]
