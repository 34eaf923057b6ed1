"""The changes that bring a receiver from the PIFU file that it had last to the one published now.

In: two full files of ``pifu``, of one version. Out: PIFU-IMS SAS of type ``delta``. After it the receiver has exactly
what the new file has. The two comments at the top give the sha256 of the full file that it leads from, and of the one
that it leads to: the changes fit no other state. Its ``datetime`` is the new file's.

Source: the XSDs of PIFU-IMS SAS 1.1, 1.2 and 1.3: ``recstatus`` (1 add, 2 update, 3 delete) of person, group and role;
membership and member have none. What the XSDs do not say is decided here, and told to receivers:

- an update has the whole element: what does not stand in it, such as a guardian who has lost access, is gone;
- a deleted person is in no group and nobody's guardian any more, and a deleted group has no members: neither is written
  for each member. So the file says nothing more of somebody who has been hidden than the id;
- a role is known by its group, person, ``roletype`` and ``subrole``.

The order, which is the XSD's, and within it what takes before what gives:

1. deletes of the people who are no longer in the file, whatever the reason. The XSD demands a name: it is the id;
2. people who lose a number or a user name, before anybody is given it; the other people by id;
3. deletes of groups; the organisations and groups that are new or changed;
4. roles that are taken and given, by school and group.

Ids are the warehouse's own: a person with a new number is updated under the same id, and the old number stands nowhere.
A person with another id and the same number or user name is one person still: an update with the two ids, of which the
old one has the ``sourcedidtype`` Old. The receiver gives the person the new id, wherever the old one stands.

Memory does not grow with the people, but for those who come, go, or lose a number. Lines that are the same in both
files are not parsed. Unreadable is raised when no changes lead from one file to the other: another version, realm or
school owner; a file that ``pifu`` did not write; two people who exchange a number or user name, or become one.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import opened
from dataflyt.exports.model import Openable, Written

_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_LONGEST: Final = 1 << 20
"""Bytes of a line, which is a person, a group or a member."""
_PROPERTIES = re.compile(
    rb'<properties lang="no">(<datasource>[^<]*</datasource>)((?:<target>[^<]*</target>)*)'
    rb"<type>full</type>(<datetime>[^<]*</datetime></properties>\n)"
)
_SYSTEM = re.compile(rb"<sourcedid>(<source>[^<]*</source>)")
_UNIQUE = re.compile(rb'<userid useridtype="(?:personNIN|personLIN|username)">[^<]*</userid>')
_IDS = re.compile(rb"<id>([^<]*)</id>")
_LOCAL: Final = b'<userid useridtype="personLIN">'
"""A local number, which schools may give to another: it does not tell that two are one person."""
_GROUPTYPES = re.compile(rb"(?:<grouptype>.*?</grouptype>)+")
_PARENT = re.compile(rb'<relationship relation="1">(<sourcedid>.*?<id>([^<]*)</id></sourcedid>)')
_ROLE = re.compile(rb'<role (roletype="\d\d")>((?:<subrole>[^<]*</subrole>)?)(.*?</role>)')
_OF_ORGANISATION: Final = (b"skole:", b"skoleeier:")
_NOT_OURS: Final = "Filen er ikke en PIFU-fil fra Dataflyt."


def write(before: Written, now: Written, out: BinaryIO) -> None:
    """Write the changes from ``before`` to ``now``; raise Unreadable when there are none that could be applied."""
    with _opened(before.path) as old, _opened(now.path) as new:
        if old.kind != new.kind:
            raise Unreadable("Filene har ikke samme versjon av PIFU, eller er ikke av samme skoleeier.")
        out.write(_HEAD + f"<!-- from: {before.sha256} -->\n<!-- to: {now.sha256} -->\n".encode("ascii"))
        enterprise, source, system = new.kind
        out.write(enterprise + b'<properties lang="no">' + source + new.targets + b"<type>delta</type>" + new.moment)
        people = _People(system, old.people(), new.people())
    out.writelines(_deleted(system, person_id) for person_id in sorted(people.gone))
    out.writelines(_with_status(b"person", 2, line) for line in people.losing.values())
    with _opened(before.path) as old, _opened(now.path) as new:
        out.writelines(people.written(old.people(), new.people()))
        groups = dict(old.groups())
        out.writelines(_changed_groups(groups, dict(new.groups())))
        out.writelines(_changed_members(old.memberships(), new.memberships(), people, groups.keys()))
    out.write(b"</enterprise>\n")


def named(path: Openable) -> Iterator[tuple[bytes, bool]]:
    """Yield the person, group or member of each element of a file of changes, and whether it is given values."""
    group = b""
    with path.open("rb") as file:
        for line in file:
            gives = b'recstatus="1"' in line or b'recstatus="2"' in line
            if line.startswith(b"<person"):
                for person_id in _IDS.findall(line.partition(b"<name>")[0]):  # two where the id is a new one
                    yield b"person " + person_id, gives
            elif line.startswith(b"<group"):
                yield b"group " + _id(line), gives
            elif line.startswith(b"<membership"):
                group = _id(line)
            elif line.startswith(b"<member"):
                yield b"member " + group + b" " + _id(line), gives


# --- the full files ---------------------------------------------------------------------------------------------------


class _Membership(NamedTuple):
    """The members of a school or a group: each one's line, by id. ``key`` is what memberships are sorted by."""

    key: tuple[bool, bytes]
    head: bytes
    members: dict[bytes, bytes]


class _File:
    """A file of ``pifu``, read from the top a line at a time. Its three parts are read in order, each once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head, enterprise, properties = self._next(), self._next(), self._next()
        self._line = self._next()
        found, system = _PROPERTIES.fullmatch(properties), _SYSTEM.search(self._line)
        if head != _HEAD or not enterprise.startswith(b"<enterprise ") or not found or not system:
            raise Unreadable(_NOT_OURS)
        self.kind = (enterprise, found[1], system[1])
        self.targets, self.moment = found[2], found[3]

    def people(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield id and line of each person, by id."""
        last = b""
        for person_id, line in self._lines(b"<person>", b"</person>\n"):
            if person_id <= last:
                raise Unreadable("Personene i filen står ikke etter id.")
            last = person_id
            yield person_id, line

    def groups(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield id and line of each organisation and group, in the file's order."""
        return self._lines(b"<group>", b"</group>\n")

    def memberships(self) -> Iterator[_Membership]:
        """Yield the members of each school, and then of each group, by id."""
        last: tuple[bool, bytes] = (False, b"")
        while self._line.startswith(b"<membership>"):
            head, target = self._line, _id(self._line)
            self._line = self._next()
            members = dict(self._lines(b"<member>", b"</member>\n"))
            key = (not target.startswith(_OF_ORGANISATION), _plain(target))
            if self._line != b"</membership>\n" or not members or key <= last:
                raise Unreadable("Medlemskapene i filen er ikke hele, eller står ikke etter gruppe.")
            last = key
            yield _Membership(key, head, members)
            self._line = self._next()
        if self._line != b"</enterprise>\n" or self._file.read(1):
            raise Unreadable(_NOT_OURS)

    def _lines(self, begins: bytes, ends: bytes) -> Iterator[tuple[bytes, bytes]]:
        while self._line.startswith(begins):
            if not self._line.endswith(ends):
                raise Unreadable(_NOT_OURS)
            yield _id(self._line), self._line
            self._line = self._next()

    def _next(self) -> bytes:
        line = self._file.readline(_LONGEST)
        if not line.endswith(b"\n"):
            raise Unreadable(_NOT_OURS)
        return line


@contextmanager
def _opened(path: Openable) -> Iterator[_File]:
    with opened(path) as file:
        yield _File(file)


def _id(line: bytes) -> bytes:
    """Return the id that a line begins with: a person's, a group's or a member's."""
    found = line.partition(b"<id>")[2].partition(b"</id>")[0]
    if not found:
        raise Unreadable(_NOT_OURS)
    return found


def _plain(escaped: bytes) -> bytes:
    """Return the letters that stand in an element."""
    if b"&" in escaped:
        for word, letter in ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&#13;", b"\r"), (b"&#10;", b"\n"), (b"&amp;", b"&")):
            escaped = escaped.replace(word, letter)
    return escaped


# --- people -----------------------------------------------------------------------------------------------------------

_Lines = Iterator[tuple[bytes, bytes]]


def _differing(old: _Lines, new: _Lines) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield id and lines of the people who are not the same in both files, by id; an empty line stands for nobody."""
    nobody = (b"", b"")
    left, came = next(old, nobody), next(new, nobody)
    while left[0] or came[0]:
        if left[0] == came[0]:
            if left[1] != came[1]:
                yield left[0], left[1], came[1]
            left, came = next(old, nobody), next(new, nobody)
        elif left[0] and (not came[0] or left[0] < came[0]):
            yield left[0], left[1], b""
            left = next(old, nobody)
        else:
            yield came[0], b"", came[1]
            came = next(new, nobody)


class _People:
    """What becomes of the people of a system, which gave them their ids.

    ``gone`` are the ids of those who are deleted; ``renamed`` has the new id of each old one; ``losing`` has the new
    lines of those who keep their id and lose a number or a user name.
    """

    def __init__(self, system: bytes, old: _Lines, new: _Lines) -> None:
        self.system = system
        self.losing: dict[bytes, bytes] = {}
        left: dict[bytes, set[bytes]] = {}  # those who are gone, with numbers and user name
        came: dict[bytes, bytes] = {}  # number or user name -> the id of one who is new
        lost: set[bytes] = set()
        gained: set[bytes] = set()
        gained_by_losing: set[bytes] = set()
        for person_id, was, becomes in _differing(old, new):
            had, has = set(_UNIQUE.findall(was)), set(_UNIQUE.findall(becomes))
            if not becomes:
                left[person_id] = had
            else:
                gained |= has - had
            if not was:
                came.update(dict.fromkeys(has, person_id))
            elif becomes and had - has:
                lost |= had - has
                gained_by_losing |= has - had
                self.losing[person_id] = becomes
        pairs = {
            (person_id, came[same])
            for person_id, had in left.items()
            for same in had & came.keys()
            if not same.startswith(_LOCAL)
        }
        self.renamed = dict(pairs)
        lost_by_renamed = {
            value for old_id, new_id in pairs for value in left[old_id] if came.get(value) not in (None, new_id)
        } | ({value for old_id, _ in pairs for value in left[old_id] if value not in came} & gained)
        if (
            lost & gained_by_losing
            or lost_by_renamed
            or not len(pairs) == len(self.renamed) == len(set(self.renamed.values()))
        ):
            raise Unreadable("To personer har byttet nummer eller brukernavn, eller er blitt til én.")
        self.gone = left.keys() - self.renamed.keys()

    def written(self, old: _Lines, new: _Lines) -> Iterator[bytes]:
        """Yield the elements of the people who are new or changed, but for those in ``losing``."""
        before = {new_id: old_id for old_id, new_id in self.renamed.items()}
        for person_id, was, becomes in _differing(old, new):
            if not becomes or person_id in self.losing:
                continue
            if person_id in before:
                two = _sourcedid(self.system, before[person_id], "Old")
                two += _sourcedid(self.system, person_id, "New")
                rest = becomes.partition(b"</sourcedid>")[2]
                yield b'<person recstatus="2">' + two + rest
            else:
                yield _with_status(b"person", 2 if was else 1, becomes)


def _sourcedid(system: bytes, person_id: bytes, kind: str = "") -> bytes:
    attribute = f' sourcedidtype="{kind}"'.encode() if kind else b""
    return b"<sourcedid" + attribute + b">" + system + b"<id>" + person_id + b"</id></sourcedid>"


def _deleted(system: bytes, person_id: bytes) -> bytes:
    name = b"<fn>%b</fn><n><family>%b</family><given>%b</given></n>" % ((person_id,) * 3)
    return b'<person recstatus="3">' + _sourcedid(system, person_id) + b"<name>" + name + b"</name></person>\n"


def _with_status(name: bytes, status: int, line: bytes) -> bytes:
    return b'<%b recstatus="%d">' % (name, status) + line.removeprefix(b"<%b>" % name)


# --- groups and members -----------------------------------------------------------------------------------------------


def _changed_groups(old: dict[bytes, bytes], new: dict[bytes, bytes]) -> Iterator[bytes]:
    """Yield the deletes, a school's after its groups', then what is new or changed. ``old`` keeps the deleted."""
    kept = old.keys() & new.keys()
    for group_id in reversed([group_id for group_id in old if group_id not in kept]):
        yield _deleted_group(group_id, old[group_id])
    for group_id, line in new.items():
        was = old.get(group_id)
        if was != line:
            yield _with_status(b"group", 2 if was else 1, line)
    for group_id in kept:
        del old[group_id]


def _deleted_group(group_id: bytes, line: bytes) -> bytes:
    """Return a delete: id, kind and parent. The XSD demands a description and a label: they are the ids."""
    kinds, parent = _GROUPTYPES.search(line), _PARENT.search(line)
    if not kinds or not parent:
        raise Unreadable(_NOT_OURS)
    sourcedid = line.removeprefix(b"<group>").partition(b"</sourcedid>")[0] + b"</sourcedid>"
    description = b"<description><short>" + _cut(group_id, 60) + b"</short></description>"
    relationship = parent[0] + b"<label>" + _cut(parent[2], 128) + b"</label></relationship>"
    return b'<group recstatus="3">' + sourcedid + kinds[0] + description + relationship + b"</group>\n"


def _cut(escaped: bytes, longest: int) -> bytes:
    """Return the first letters of an id, escaped."""
    letters = _plain(escaped).decode("utf-8", "replace")[:longest]
    for letter, word in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"), ("\n", "&#10;")):
        letters = letters.replace(letter, word)
    return letters.encode()


def _changed_members(
    old: Iterator[_Membership], new: Iterator[_Membership], people: _People, gone: Collection[bytes]
) -> Iterator[bytes]:
    """Yield the roles that are taken and given. ``gone`` are the groups that are deleted."""
    nothing = _Membership((True, b"\xff"), b"", {})  # no id has this byte: it comes last
    left, came = next(old, nothing), next(new, nothing)
    while left is not nothing or came is not nothing:
        if left.key < came.key:
            if _id(left.head) not in gone:
                yield from _members(left.head, left.members, {}, people)
            left = next(old, nothing)
        elif came.key < left.key:
            yield from _members(came.head, {}, came.members, people)
            came = next(new, nothing)
        else:
            if left.members != came.members:
                yield from _members(came.head, left.members, came.members, people)
            left, came = next(old, nothing), next(new, nothing)


def _members(head: bytes, old: dict[bytes, bytes], new: dict[bytes, bytes], people: _People) -> Iterator[bytes]:
    renamed = people.renamed
    before = {renamed.get(one, one): line for one, line in old.items() if one not in people.gone}
    written = []
    for person_id in sorted(before.keys() | new.keys()):
        roles = _roles(before.get(person_id, b""), new.get(person_id, b""))
        if roles:
            sourcedid = _sourcedid(people.system, person_id)
            written.append(b"<member>" + sourcedid + b"<idtype>1</idtype>" + roles + b"</member>\n")
    if written:
        yield head
        yield from written
        yield b"</membership>\n"


def _roles(old: bytes, new: bytes) -> bytes:
    """Return the roles that lead from one member's line to another's: those taken first."""
    was, becomes = _by_kind(old), _by_kind(new)
    taken, given = [], []
    for (roletype, subrole), rests in was.items():
        now = becomes.get((roletype, subrole), [])
        if now != rests and not len(now) == len(rests) == 1:
            taken.append(b'<role recstatus="3" ' + roletype + b">" + subrole + b"<status>0</status></role>")
    for (roletype, subrole), rests in becomes.items():
        before = was.get((roletype, subrole), [])
        if before != rests:
            status = b'<role recstatus="%d" ' % (2 if len(before) == len(rests) == 1 else 1)
            given += [status + roletype + b">" + subrole + rest for rest in rests]
    return b"".join(taken + given)


def _by_kind(line: bytes) -> dict[tuple[bytes, bytes], list[bytes]]:
    found: dict[tuple[bytes, bytes], list[bytes]] = {}
    for roletype, subrole, rest in _ROLE.findall(line):
        found.setdefault((roletype, subrole), []).append(rest)
    return found
