"""LDIF, the text form of a directory: read, one entry at a time, and the pieces to write it.

In: a binary file of entries (RFC 2849). Out: ``Entry``, streamed, so that memory does not grow with the file.
Folded lines, base64, comments, ``version: 1``, CRLF and plain UTF-8 are understood. So is what tools write around the
entries: ``changetype: add`` (ldifde), and without a dn the blocks of ldapsearch about the search itself (``search``,
``result``, ``ref``). Other changes are refused, and so are a search that did not end well, and values that point to
another file (``attribute:< file:///…``): nothing but the file itself is ever opened.
Distinguished names: RFC 4514. Everything that cannot be read raises ``errors.Unreadable`` with one sentence that names
the line and never shows what stands on it; its facts are ``line`` and, in a word, ``problem``.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable

MAX_ENTRY = 16 * 1024**2
"""No entry of a school owner's directory is larger than this many bytes, photographs included."""

_NAME = re.compile(rb"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9-]+)*")
_PLAIN = re.compile(r"[!-9;=-~](?:[ -~]*[!-~])?")
_WIDTH = 76
_SPECIAL = re.compile(r'["+,;<>\\]')
_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")
_DN_PIECE = re.compile(r"\\[0-9A-Fa-f]{2}|\\.|[^\\]|\\", re.DOTALL)


_ABOUT_THE_SEARCH = frozenset(("search", "result", "text", "matcheddn", "ref", "control", "pagedresults"))
"""What ldapsearch writes of the search itself when it is called without ``-LLL``, in blocks that have no dn."""


class Value(NamedTuple):
    """One value and the line it begins on. Bytes that are not UTF-8 (photographs) stand as lone surrogates."""

    line: int
    text: str


class Entry(NamedTuple):
    """An entry. ``line`` is where its ``dn:`` stands; names of attributes are in lower case, without options."""

    line: int
    dn: str
    attributes: dict[str, list[Value]]


def read(file: BinaryIO) -> Iterator[Entry]:
    """Yield the entries of an LDIF file as they come; raise Unreadable where the file is not LDIF, or holds none."""
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
            raise Unreadable(
                f"Line {number} is not LDIF: an attribute, a colon and a value were expected.",
                line=number,
                problem="not_ldif",
            )
        text = _text(number, rest)
        if entry is None:
            if name in _ABOUT_THE_SEARCH or in_block:
                in_block = True
                _refuse_half_a_search(number, name, text)
                continue
            if name == "version":
                if text.strip() != "1":
                    raise Unreadable(
                        f"Line {number} says an LDIF version other than 1, the only one there is.",
                        line=number,
                        problem="version",
                    )
                continue
            if name != "dn":
                raise Unreadable(
                    f"The entry in line {number} has no dn: an entry begins with its dn.", line=number, problem="no_dn"
                )
            if not text.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in text):
                raise Unreadable(f"The dn in line {number} is not UTF-8.", line=number, problem="not_utf8")
            entry, size, found = Entry(number, text, {}), len(line), found + 1
            continue
        if name == "dn":
            raise Unreadable(
                f"Line {number} begins an entry without a blank line before it.", line=number, problem="no_blank_line"
            )
        if name == "control" or (name == "changetype" and text.strip().lower() == "add"):
            continue  # the whole entry follows; a control says how to apply it
        if name == "changetype":
            raise Unreadable(
                f"Line {number} is a change: the file is a list of changes, not the entries of a directory.",
                line=number,
                problem="changes",
            )
        size += len(line)
        if size > MAX_ENTRY:
            raise Unreadable(
                f"The entry in line {entry.line} is larger than {MAX_ENTRY // 1024**2} MB.",
                line=entry.line,
                problem="too_large",
            )
        entry.attributes.setdefault(name, []).append(Value(number, text))
    if entry is not None:
        yield entry
    if not found:
        raise Unreadable("The file holds no entries.", line=1, problem="empty")


def _refuse_half_a_search(number: int, name: str, text: str) -> None:
    """Raise Unreadable when the search that made the file says that it did not find everything."""
    if name == "result" and text.split()[:1] != ["0"]:
        raise Unreadable(
            f"The search that made the file did not end well (line {number}): the directory is not whole.",
            line=number,
            problem="half",
        )


@lru_cache(maxsize=512)
def _name(raw: bytes) -> str | None:
    """Return an attribute's name in lower case, without its options; None when it is not one."""
    return raw.partition(b";")[0].decode("ascii").lower() if _NAME.fullmatch(raw) else None


def _unfolded(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield line number and line, continuation lines joined to the line they continue."""
    start = number = size = 0
    parts: list[bytes] = []
    while raw := file.readline(MAX_ENTRY + 2):
        number += 1
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if b"\0" in raw:
            raise Unreadable(
                f"Line {number} holds binary data; LDIF in UTF-8 was expected.", line=number, problem="binary"
            )
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        size += len(line)
        if line.startswith(b" "):
            if not parts or not parts[0]:
                raise Unreadable(
                    f"Line {number} begins with a blank but continues no line.", line=number, problem="blank"
                )
            parts.append(line[1:])
        else:
            if parts:
                yield start, parts[0] if len(parts) == 1 else b"".join(parts)
            parts, start, size = [line], number, len(line)
        if size > MAX_ENTRY:
            raise Unreadable(f"Line {start} is longer than {MAX_ENTRY // 1024**2} MB.", line=start, problem="too_large")
    if parts:
        yield start, b"".join(parts)


def _text(number: int, rest: bytes) -> str:
    """Return the value after ``attribute:``, plain or base64."""
    if rest.startswith(b":"):
        try:
            return base64.b64decode(rest[1:].strip(b" "), validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error:
            raise Unreadable(
                f"The value in line {number} is not base64, which `::` says it is.", line=number, problem="base64"
            ) from None
    if rest.startswith(b"<"):
        raise Unreadable(
            f"The value in line {number} is in another file, which is not opened.", line=number, problem="other_file"
        )
    try:
        return rest.lstrip(b" ").decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(f"Line {number} is not UTF-8.", line=number, problem="not_utf8") from None


def attribute(name: str, value: str) -> str:
    """Return the line or folded lines of one value, base64 where plain text cannot hold it."""
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
    """Return a form that is equal for two ways to write the same distinguished name (letter case, blanks, escapes)."""
    names: list[list[str]] = []
    pairs: list[str] = []
    value = bytearray()
    kept = 0  # what is escaped is not trimmed

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
