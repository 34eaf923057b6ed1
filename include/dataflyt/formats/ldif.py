"""LDIF, the text form of a directory: read one entry at a time, and written one value at a time.

In: a binary file of entries (RFC 2849). Out: ``Entry``, streamed, so that memory does not grow with the file.

- Understood: folded lines, base64, comments, ``version: 1``, CRLF and plain UTF-8; ``changetype: add``, which ldifde
  writes; and the blocks without a dn in which ldapsearch describes the search itself (``search``, ``result``, ``ref``).
- Refused: other changes (``changes`` reads those), the result of a search that failed, and values that point to another
  file (``attribute:< file:///…``): no other file is ever opened.

Distinguished names follow RFC 4514. A file that cannot be read raises ``errors.Unreadable`` with one sentence that
names the line and never shows its text; the error's fact is ``line``.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable

MAX_ENTRY = 16 * 1024**2
"""The largest entry that is read, in bytes. The entries of a school owner are smaller, photographs included."""
_TOO_LARGE = f"oppføringen er større enn {MAX_ENTRY // 1024**2} MB"
_NOT_UTF8 = "linjen er ikke i UTF-8: lagre filen i UTF-8, eller eksporter med base64 («::»)"

_NAME = re.compile(rb"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9-]+)*")
_PLAIN = re.compile(r"[!-9;=-~](?:[ -~]*[!-~])?")
_WIDTH = 76
_SPECIAL = re.compile(r'["+,;<>\\]')
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")
_DN_PIECE = re.compile(r"\\[0-9A-Fa-f]{2}|\\.|[^\\]|\\", re.DOTALL)


_ABOUT_THE_SEARCH = frozenset(("search", "result", "text", "matcheddn", "ref", "control", "pagedresults"))
"""Names in the blocks without a dn in which ldapsearch describes the search when it is called without ``-LLL``."""


class Value(NamedTuple):
    """One value and the line it begins on. Bytes that are not UTF-8 (photographs) become lone surrogates."""

    line: int
    text: str


class Entry(NamedTuple):
    """An entry. ``line`` is where its ``dn:`` stands; names of attributes are in lower case, without options."""

    line: int
    dn: str
    attributes: dict[str, list[Value]]


def read(file: BinaryIO) -> Iterator[Entry]:
    """Yield the entries of an LDIF file in order; raise Unreadable where the file is not LDIF, or has no entries."""
    entry: Entry | None = None
    in_block = False
    size = found = 0
    for number, line in _unfolded(file):
        if not line:
            if entry is not None:
                yield entry
                entry = None
            in_block = False
            continue
        if line.startswith(b"#"):
            continue
        raw_name, colon, rest = line.partition(b":")
        name = _name(raw_name)
        if not colon or name is None:
            raise _fault(number, "linjen skulle hatt et attributt, et kolon og en verdi")
        text = _text(number, rest)
        if entry is None:
            if name in _ABOUT_THE_SEARCH or in_block:
                in_block = True
                _refuse_half_a_search(number, name, text)
                continue
            if name == "version":
                if text.strip() != "1":
                    raise _fault(number, "filen sier en annen LDIF-versjon enn 1")
                continue
            if name != "dn":
                raise _fault(number, "oppføringen har ingen dn")
            if not text.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in text):
                raise _fault(number, _NOT_UTF8)
            entry, size, found = Entry(number, text, {}), len(line), found + 1
            continue
        if name == "dn":
            raise _fault(number, "oppføringen har ingen tom linje foran seg")
        if name == "control" or (name == "changetype" and text.strip().lower() == "add"):
            continue  # the whole entry follows; a control says how to apply it
        if name == "changetype":
            raise _fault(number, "linjen er en endring: eksporter hele katalogen, ikke endringer i den")
        size += len(line)
        if size > MAX_ENTRY:
            raise _fault(entry.line, _TOO_LARGE)
        entry.attributes.setdefault(name, []).append(Value(number, text))
    if entry is not None:
        yield entry
    if not found:
        raise _fault(1, "filen har ingen oppføringer")


class Change(NamedTuple):
    """One change. ``lines`` are what follows ``changetype``: names in lower case, and ``-`` between the parts."""

    line: int
    dn: str
    kind: str
    lines: list[tuple[str, Value]]


def changes(file: BinaryIO) -> Iterator[Change]:
    """Yield the changes of an LDIF file in order; raise Unreadable where it is not LDIF, or has a plain entry."""
    change: Change | None = None
    dn: Value | None = None
    size = 0
    for number, line in _unfolded(file):
        if line.startswith(b"#"):
            continue
        if not line:
            if dn is not None and change is None:
                raise _fault(dn.line, "oppføringen har ingen changetype")
            if change is not None:
                yield change
            change, dn = None, None
            continue
        if line == b"-" and change is not None:
            change.lines.append(("-", Value(number, "")))
            continue
        raw_name, colon, rest = line.partition(b":")
        name = _name(raw_name)
        if not colon or name is None:
            raise _fault(number, "linjen skulle hatt et attributt, et kolon og en verdi")
        text = _text(number, rest)
        size += len(line)
        if change is not None:
            if size > MAX_ENTRY:
                raise _fault(change.line, _TOO_LARGE)
            change.lines.append((name, Value(number, text)))
        elif dn is None:
            if name != "dn":
                raise _fault(number, "oppføringen har ingen dn")
            dn, size = Value(number, text), len(line)
        elif name != "changetype":
            raise _fault(number, "oppføringen har ingen changetype")
        else:
            change = Change(dn.line, dn.text, text.strip().lower(), [])
    if dn is not None and change is None:
        raise _fault(dn.line, "oppføringen har ingen changetype")
    if change is not None:
        yield change


def _fault(line: int, what: str) -> Unreadable:
    return Unreadable(f"Linje {line}: {what}.", line=line)


def _refuse_half_a_search(number: int, name: str, text: str) -> None:
    """Raise Unreadable if the file says that the search behind it did not find everything."""
    if name == "result" and text.split()[:1] != ["0"]:
        raise _fault(
            number, "søket som laget filen, gikk ikke bra (result er ikke 0): søk på nytt, uten grense for antall"
        )


@lru_cache(maxsize=512)
def _name(raw: bytes) -> str | None:
    """Return an attribute's name in lower case, without its options; None when it is not one."""
    return raw.partition(b";")[0].decode("ascii").lower() if _NAME.fullmatch(raw) else None


def _unfolded(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number; continuation lines are joined to the line that they continue."""
    start = number = size = 0
    parts: list[bytes] = []
    while raw := file.readline(MAX_ENTRY + 2):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in raw:
            raise _fault(number, "linjen har binære data")
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        size += len(line)
        if line.startswith(b" "):
            if not parts or not parts[0]:
                raise _fault(number, "linjen begynner med mellomrom, men fortsetter ingen linje")
            parts.append(line[1:])
        else:
            if parts:
                yield start, parts[0] if len(parts) == 1 else b"".join(parts)
            parts, start, size = [line], number, len(line)
        if size > MAX_ENTRY:
            raise _fault(start, _TOO_LARGE)
    if parts:
        yield start, b"".join(parts)


def _text(number: int, rest: bytes) -> str:
    """Return the value after ``attribute:``, plain or base64."""
    if rest.startswith(b":"):
        try:
            return base64.b64decode(rest[1:].strip(b" "), validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error:
            raise _fault(number, "verdien er ikke base64, som «::» sier at den er") from None
    if rest.startswith(b"<"):
        raise _fault(number, "verdien viser til en annen fil, og den blir ikke åpnet")
    try:
        return rest.lstrip(b" ").decode("utf-8")
    except UnicodeDecodeError:
        raise _fault(number, _NOT_UTF8) from None


def attribute(name: str, value: str) -> str:
    """Return the line of one value: folded if it is long, in base64 if plain text cannot hold it."""
    if _PLAIN.fullmatch(value):
        line = f"{name}: {value}\n"
    else:
        line = f"{name}:: {base64.b64encode(value.encode()).decode('ascii')}\n"
    return line if len(line) <= _WIDTH + 1 else _fold(line)


def _fold(line: str) -> str:
    pieces = [line[:_WIDTH]]
    pieces.extend(line[at : at + _WIDTH - 1] for at in range(_WIDTH, len(line) - 1, _WIDTH - 1))
    return "\n ".join(pieces).removesuffix("\n") + "\n"


def escape(value: str) -> str:
    """Return a value as it can stand in a distinguished name (RFC 4514)."""
    escaped = _UNSEEN.sub(lambda found: f"\\{ord(found[0]):02X}", _SPECIAL.sub(r"\\\g<0>", value))
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if value.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


@lru_cache(maxsize=4096)
def normal_dn(dn: str) -> str:
    """Return the normal form of a distinguished name: letter case, blanks and escapes make no difference."""
    names: list[list[str]] = []
    pairs: list[str] = []
    value = bytearray()
    kept = 0  # the number of bytes not to trim: the last of them was escaped

    def end_pair() -> None:
        nonlocal kept
        text = bytes(value[:kept]) + bytes(value[kept:]).rstrip(b" ")
        kind, _, content = text.decode("utf-8", "replace").partition("=")
        pairs.append(f"{kind.strip().casefold()}={' '.join(content.split()).casefold()}")
        value.clear()
        kept = 0

    for piece in _DN_PIECE.findall(dn):
        if piece in {",", ";", "+"}:
            end_pair()
            if piece != "+":
                names.append(sorted(pairs))
                pairs = []
        elif len(piece) == 3:
            value.append(int(piece[1:], 16))
            kept = len(value)
        elif len(piece) == 2:
            value += piece[1].encode("utf-8", "surrogateescape")
            kept = len(value)
        else:
            value += piece.encode("utf-8", "surrogateescape")
    end_pair()
    names.append(sorted(pairs))
    return "\x00".join("\x01".join(name) for name in names)
