"""A register's answer: status, headers and bytes, unpacked within bounds, and a test of the bytes' shape.

An answer may be about people. Only its status and the register's own error code are ever logged or put into an
exception.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
import msgspec
import orjson

Shape: TypeAlias = Callable[[bytes], bool]
"""Tells whether the content of an answer has the expected shape."""

_BOM = b"\xef\xbb\xbf"
PACKED = {"": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
"""The encodings that are unpacked. Only one layer is unpacked, because one layer packs a thousand to one at most."""
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """A server's answer; the names in ``headers`` are in small letters. It may be about people and is never shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def html(self) -> bool:
        """Whether the answer is a web page, as firewalls and proxies send."""
        return self.content.lstrip()[:1] == b"<"

    @property
    def code(self) -> str:
        """The register's own error code after a comma, or nothing. Its message is left out: it may name a person."""
        try:
            body = json_of(self.content)
        except orjson.JSONDecodeError:
            return ""
        values = [body.get(key) for key in ("kode", "feilkode", "code")] if isinstance(body, dict) else []
        found = [value for value in values if isinstance(value, str) and re.fullmatch(r"[A-Z]{2,10}-[0-9]{1,6}", value)]
        return f", {found[0]}" if found else ""


def json_of(content: bytes) -> Any:
    """Parse an answer's JSON, which may begin with a byte order mark; raises orjson.JSONDecodeError."""
    return orjson.loads(content.removeprefix(_BOM))


def parsed(accepts: Callable[[Any], bool]) -> Shape:
    """Return the shape of an answer that is JSON and that ``accepts`` approves of."""

    def shape(content: bytes) -> bool:
        try:
            return accepts(json_of(content))
        except orjson.JSONDecodeError:
            return False

    return shape


def list_under(name: str | None) -> Shape:
    """Return the shape of a large answer: whole JSON with a list under ``name``, or a list itself if ``name`` is None.

    Under a name, one object counts as a list of one, as in the readers. The answer is parsed without building Python
    values, which takes a twentieth of the time.
    """

    def shape(content: bytes) -> bool:
        content = content.removeprefix(_BOM)
        try:
            content.decode()  # msgspec does not check that a raw value is UTF-8
            found = (
                msgspec.json.decode(content, type=msgspec.Raw)
                if name is None
                else msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get(name, b"")
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        return bytes(found).lstrip()[:1] in ((b"[",) if name is None else (b"[", b"{"))

    return shape


whole_json = parsed(lambda _: True)


def unpacked(pieces: Iterable[bytes], packing: str) -> Iterator[bytes]:
    """Unpack the pieces of an answer and yield at most a megabyte at a time; b"" for a piece that adds nothing.

    ``gzip`` may have several members (RFC 1952) and zeros after the last one; ``deflate`` may have zlib's head or not.
    Raises httpx.DecodingError.
    """
    unpacker, rest, first, full = None, b"", True, False
    for piece in pieces:
        if not packing:
            yield piece
            continue
        rest = rest + piece if first or unpacker else (rest + piece).lstrip(b"\0")
        while full or len(rest) > (unpacker is None):  # a member begins with two bytes that say how it is packed
            if unpacker is None:
                unpacker, first = zlib.decompressobj(_bits(rest, packing if first else "gzip")), False
            try:
                out = unpacker.decompress(rest, _PIECE)
            except zlib.error:
                raise httpx.DecodingError("what was sent is not packed as it says") from None
            rest, full = unpacker.unconsumed_tail, len(out) == _PIECE and not unpacker.eof
            if unpacker.eof:
                rest, unpacker = unpacker.unused_data.lstrip(b"\0"), None
            yield out
    if unpacker is not None or rest:
        raise httpx.DecodingError("what was sent ends too early")


def _bits(start: bytes, packing: str) -> int:
    has_zlib_head = start[0] & 15 == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
    return 16 + zlib.MAX_WBITS if packing == "gzip" else zlib.MAX_WBITS if has_zlib_head else -zlib.MAX_WBITS
