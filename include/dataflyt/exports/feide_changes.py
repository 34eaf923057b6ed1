"""The changes that bring a directory from the FEIDE file published before to the one published now.

In: two files of ``feide_ldif``. Out: LDIF with ``changetype`` (RFC 2849), for ``ldapmodify``. After it the directory
holds exactly what the new file holds; what the files never hold, such as passwords, is not touched. The two comments at
the top give the sha256 of the full file it leads from, and of the one it leads to: the changes fit no other state.

The order, so that one pass loads it:

1. deletes of the people who are no longer in the file, whatever the reason;
2. deletes of schools;
3. values that must be unique are taken from those who lose them, before anybody is given them;
4. the owner; the schools (``modrdn`` for a school with a new name, which keeps its entry); the people by user name.

The file says nothing of a person that the new file does not say, but for the name of a deleted entry: a value that goes
is replaced, never named. A person with a new user name is deleted and added: a ``modrdn`` would write the former name
beside the new one. A step that has been done can be done again, so ``ldapmodify -c`` goes on where it was stopped.

Memory does not grow with the people, but for those with a value of step 3. Entries that are the same in both files are
compared as bytes and not parsed. Another suffix (a new realm) is another directory: Unreadable is raised, and so it is
for a file that ``feide_ldif`` did not write.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import BinaryIO, Final, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import opened
from dataflyt.exports.model import Openable, Written
from dataflyt.formats.ldif import MAX_ENTRY, attribute, normal_dn

UNIQUE: Final = (b"norEduPersonNIN", b"norEduPersonLIN", b"mail", b"norEduOrgUnitUniqueIdentifier")
"""Attributes that a directory may demand unique. ``uid`` and ``eduPersonPrincipalName`` are, and follow the dn."""

_ID = b"norEduOrgUnitUniqueIdentifier"
_LINE = re.compile(rb"\n(?! )")
_PERSON = re.compile(r"uid=((?:[^,\\]|\\.)+),(ou=people,.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(?:([0-9A-F]{2})|(.))", re.DOTALL)
_READ_AT_ONCE = 1 << 20


def write(before: Written, now: Written, out: BinaryIO) -> None:
    """Write the changes from ``before`` to ``now``; raise Unreadable when there are none that could be applied."""
    out.write(f"# from: {before.sha256}\n# to: {now.sha256}\n\n".encode("ascii"))
    taken: list[bytes] = []
    with opened_directory(before.path) as old, opened_directory(now.path) as new:
        schools = _Schools(old.head, new.head)
        for left, came in _differing(old.people, new.people):
            if came is None and left is not None:
                out.write(_delete(left))
            elif left is not None and came is not None and (record := _take(left, came)):
                taken.append(record)
    out.write(schools.deleted())
    out.writelines(taken)
    out.write(schools.changed())
    with opened_directory(before.path) as old, opened_directory(now.path) as new:
        for left, came in _differing(old.people, new.people):
            if came is not None:
                out.write(_add(came) if left is None else _modify(left, came))


class _Entry(NamedTuple):
    """An entry as its lines stand in the file, folded as they are: by attribute, in the file's order."""

    dn_line: bytes
    dn: str
    values: dict[bytes, list[bytes]]

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield each attribute and value of the entry."""
        for name, lines in self.values.items():
            for line in lines:
                yield name.decode("ascii"), _text(line)


class _Directory(NamedTuple):
    """A file of ``feide_ldif``: the entries before the people; the people, each with user name, one at a time."""

    head: list[_Entry]
    people: Iterator[tuple[str, bytes]]


def named(path: Openable) -> Iterator[tuple[bytes, bool]]:
    """Yield the entry of each record of a file of changes, and whether the record gives it values."""
    entry, folded = b"", False
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"dn:"):
                entry, folded = line.rstrip(b"\n"), True
            elif folded and line.startswith(b" "):
                entry += line[1:].rstrip(b"\n")
            else:
                folded = False
                if line.startswith(b"changetype:"):
                    yield entry, line != b"changetype: delete\n"


@contextmanager
def opened_directory(path: Openable) -> Iterator[_Directory]:
    """Open a file of ``feide_ldif``. Raises Unreadable for another file, also while the people are read."""
    with opened(path) as file:
        blocks = _blocks(file)
        head: list[_Entry] = []
        for block in blocks:
            head.append(_entry(block))
            if head[-1].dn == f"ou=people,{head[0].dn}":
                break
        else:
            raise Unreadable("Filen er ikke en FEIDE-katalog fra Dataflyt.")
        yield _Directory(head, _people(blocks, head[-1].dn))


def _people(blocks: Iterator[bytes], below: str) -> Iterator[tuple[str, bytes]]:
    last = ""
    for block in blocks:
        found = _PERSON.fullmatch(_text(_LINE.split(block, 1)[0]))
        if not found or found[2] != below:
            raise Unreadable("Filen har noe annet enn personer under ou=people.")
        uid = _ESCAPED.sub(lambda pair: pair[2] or chr(int(pair[1], 16)), found[1])
        if uid <= last:
            raise Unreadable("Personene i filen står ikke etter brukernavn.")
        last = uid
        yield uid, block


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the entries of a file, without the blank lines between them."""
    rest = b""
    while chunk := file.read(_READ_AT_ONCE):
        *whole, rest = (rest + chunk).split(b"\n\n")
        if len(rest) > MAX_ENTRY:
            raise Unreadable("Filen har en oppføring som er for stor.")
        yield from filter(None, (block.strip(b"\n") for block in whole))
    if rest := rest.strip(b"\n"):
        yield rest


def _differing(
    old: Iterator[tuple[str, bytes]], new: Iterator[tuple[str, bytes]]
) -> Iterator[tuple[_Entry | None, _Entry | None]]:
    """Yield the people who are not the same in both files, by user name; None stands for nobody."""
    left, came = next(old, None), next(new, None)
    while left is not None or came is not None:
        if left is not None and came is not None and left[0] == came[0]:
            if left[1] != came[1]:
                yield _entry(left[1]), _entry(came[1])
            left, came = next(old, None), next(new, None)
        elif came is None or (left is not None and left[0] < came[0]):
            yield _entry(left[1]) if left else None, None
            left = next(old, None)
        else:
            yield None, _entry(came[1])
            came = next(new, None)


class _Schools:
    """What becomes of the entries before the people: the owner, the schools, ``ou=people``.

    Two entries are one when they have the same dn. Of the others, two with the same organisation number are a school
    that has a new name. The new dn was nobody's, so renames never stand in each other's way.
    """

    def __init__(self, old: list[_Entry], new: list[_Entry]) -> None:
        if old[0].dn != new[0].dn:
            raise Unreadable("Filene er av hver sin katalog: FEIDE-realmet er et annet.")
        self._suffix = new[0].dn
        before = {normal_dn(entry.dn): entry for entry in old}
        kept = {normal_dn(entry.dn) for entry in new}
        gone = [entry for dn, entry in before.items() if dn not in kept]
        moved = {line: entry for entry in gone for line in entry.values.get(_ID, ())}
        self._pairs: list[tuple[_Entry | None, _Entry]] = []
        for entry in new:
            same = before.get(normal_dn(entry.dn))
            if same is None:
                same = next((moved.pop(line) for line in entry.values.get(_ID, ()) if line in moved), None)
            self._pairs.append((same, entry))
        paired = [id(same) for same, _ in self._pairs]
        self._gone = [entry for entry in gone if id(entry) not in paired]

    def deleted(self) -> bytes:
        """Return the deletes of schools, and what takes unique values from the schools that stay."""
        stays = [_take(same, entry) for same, entry in self._pairs if same is not None]
        return b"".join([*map(_delete, self._gone), *stays])

    def changed(self) -> bytes:
        """Return the records that make the other entries those of the new file."""
        records = []
        for same, entry in self._pairs:
            if same is None:
                records.append(_add(entry))
                continue
            if normal_dn(same.dn) != normal_dn(entry.dn):
                records.append(self._rename(same, entry))
            records.append(_modify(same, entry))
        return b"".join(records)

    def _rename(self, same: _Entry, entry: _Entry) -> bytes:
        # The old name stays as a value until the modify that follows: so this step never takes a value that is to stay.
        name = attribute("newrdn", entry.dn.removesuffix(f",{self._suffix}")).encode("ascii")
        return same.dn_line + b"\nchangetype: modrdn\n" + name + b"deleteoldrdn: 0\n\n"


def _delete(entry: _Entry) -> bytes:
    return entry.dn_line + b"\nchangetype: delete\n\n"


def _add(entry: _Entry) -> bytes:
    lines = [line for of_one in entry.values.values() for line in of_one]
    return b"\n".join([entry.dn_line, b"changetype: add", *lines]) + b"\n\n"


def _modify(old: _Entry, new: _Entry) -> bytes:
    """Return the record that makes an entry the new one; nothing when no value differs."""
    names = [name for name in {**new.values, **old.values} if set(_of(new, name)) != set(_of(old, name))]
    return _replace(new.dn_line, {name: _of(new, name) for name in names})


def _take(old: _Entry, new: _Entry) -> bytes:
    """Return the record that leaves an entry the unique values that it keeps; nothing when it loses none.

    The dn is the old one: a school is renamed later.
    """
    lost = {}
    for name in UNIQUE:
        kept = [line for line in _of(old, name) if line in _of(new, name)]
        if len(kept) < len(_of(old, name)):
            lost[name] = kept
    return _replace(old.dn_line, lost)


def _replace(dn_line: bytes, values: dict[bytes, list[bytes]]) -> bytes:
    """Return a modify. An attribute without values is taken away, and need not be there (RFC 4511, 4.6)."""
    if not values:
        return b""
    parts = [line for name, lines in values.items() for line in (b"replace: " + name, *lines, b"-")]
    return b"\n".join([dn_line, b"changetype: modify", *parts]) + b"\n\n"


def _of(entry: _Entry, name: bytes) -> list[bytes]:
    return entry.values.get(name, [])


def _entry(block: bytes) -> _Entry:
    dn_line, *lines = _LINE.split(block)
    if not dn_line.startswith(b"dn:"):
        raise Unreadable("Filen er ikke en FEIDE-katalog fra Dataflyt.")
    values: dict[bytes, list[bytes]] = {}
    for name, of_one in groupby(lines, lambda line: line.partition(b":")[0]):
        values.setdefault(name, []).extend(of_one)
    return _Entry(dn_line, _text(dn_line), values)


def _text(line: bytes) -> str:
    """Return the value of a line that ``formats.ldif.attribute`` has written."""
    value = line.replace(b"\n ", b"").partition(b":")[2]
    try:
        return (base64.b64decode(value[1:]) if value.startswith(b":") else value.removeprefix(b" ")).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Unreadable("Filen har en linje som ikke kan leses.") from None
