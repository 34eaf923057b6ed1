"""What all readers share: taking JSON, XML and CSV from strangers without being hurt.

In comes a stream of bytes that a register, an HR system or a school system made, or that somebody altered; out go plain
Python values or lxml elements, one record at a time. Anything that cannot be read raises ``Unreadable`` with one
sentence that says what is wrong and where (line, byte), never what stood there. Nothing here opens another file or the
network, expands an entity, or holds more of an XML file than one record.
"""

import codecs
import contextlib
import csv
import io
import itertools
import re
from collections.abc import Container, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, BinaryIO, NoReturn, TypeAlias, TypeGuard
from zoneinfo import ZoneInfo

import orjson
from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.formats.letters import WINDOWS_1252

CHUNK = 64 * 1024
MAX_JSON = 64 * 1024 * 1024
"""A bulk answer of 1000 persons is 5-10 MB; a page above this is no page."""
MAX_RECORD = 2 * 1024 * 1024
MAX_PROLOG = 1024 * 1024
_ENOUGH_TO_TELL = 256

Json: TypeAlias = dict[str, Any]

# --- both ------------------------------------------------------------------------------------------------------------


def tidy(value: str | None) -> str | None:
    """Return the text without blanks at the ends and without U+0000, which PostgreSQL cannot store; None when empty."""
    if value is None:
        return None
    if "\0" in value:
        value = value.replace("\0", "")
    return value.strip() or None


EARLIEST, LATEST = "1900-01-01", "2100-12-31"
"""What lies outside is no date of anybody's: a mistyped year, or a system's word for "always"."""
_ALWAYS = "0001-"
_OPEN = ("2099-", "2100-", "9999-")
_OSLO = ZoneInfo("Europe/Oslo")
_ZONED = re.compile(r"(.{10})[T ](\d\d:?\d\d(?::?\d\d)?)(?:[.,]\d+)? ?(Z|[+-]\d\d(?::?\d\d)?)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def day(value: str | None) -> str | None:
    """Return the date of an ISO date or time (``2020-01-31T00:00:00.0000000`` too); other text as it stands.

    Of a time with a zone, the day it is in Norway: ``2026-08-16T22:00:00Z`` is 17 August.
    """
    if value is None or len(value) < 10 or (len(value) > 10 and value[10] not in "Tt Z+"):
        return value
    try:
        if value[4] != "-":
            return value
        zoned = _ZONED.fullmatch(value)
        if zoned:
            with contextlib.suppress(OverflowError, ValueError):  # year 1 and 9999, which are no dates, and 24:00
                moment = datetime.fromisoformat(f"{zoned[1]}T{zoned[2]}{zoned[3].upper()}")
                return moment.astimezone(_OSLO).date().isoformat()
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        return value


def from_windows_1252(data: bytes) -> str:
    """Return the text of bytes in windows-1252, or in ISO-8859-1; five bytes stay control characters."""
    return data.decode("iso-8859-1").translate(WINDOWS_1252)


def start_day(value: str | None) -> str | None:
    """Return the date something began, or somebody was born; None for the placeholder "since always" (year 1)."""
    found = day(value)
    return None if found is not None and found.startswith(_ALWAYS) else found


def end_day(value: str | None) -> str | None:
    """Return the last date of something; None for "until further notice" (years 2099, 2100, 9999, and year 1)."""
    found = day(value)
    return None if found is not None and found.startswith((_ALWAYS, *_OPEN)) and len(found) == 10 else found


def is_date(value: str | None) -> bool:
    """Tell whether a value is an ISO date of somebody's time; the checks set the others aside."""
    try:
        return value is not None and value == date.fromisoformat(value).isoformat() and EARLIEST <= value <= LATEST
    except ValueError:
        return False


def refuse_other_formats(start: bytes, expected: str) -> None:
    """Raise Unreadable when the first bytes are not of what is ``expected``, in Norwegian («en kalender»)."""
    bare = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if not bare:
        raise Unreadable(f"Filen er tom, og skulle vært {expected}.")
    for signs, name in (
        ((b"\x1f\x8b",), "pakket med gzip"),
        ((b"pk\x03\x04",), "en zip-fil"),
        ((b"%pdf-",), "en PDF-fil"),
        ((b"<!doctype html", b"<html"), "en nettside (HTML)"),
    ):
        if start.lower().startswith(signs) or bare.startswith(signs):
            raise Unreadable(f"Filen er {name}, og skulle vært {expected}.")
    if expected != "XML" and bare.startswith((b"<?xml", b"<")):
        raise Unreadable(f"Filen er XML, og skulle vært {expected}.")
    if expected == "XML" and bare.startswith((b"{", b"[")):
        raise Unreadable(f"Filen er JSON, og skulle vært {expected}.")


# --- JSON ------------------------------------------------------------------------------------------------------------


def load_json(stream: BinaryIO) -> object:
    """Parse a whole JSON page; Unreadable when it is broken, is something else, or holds more brackets than data."""
    data = stream.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise Unreadable(f"Siden er større enn {MAX_JSON // 1024**2} MB, og det er ikke noe svar fra registeret.")
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise Unreadable("Siden er i UTF-16, og skulle vært JSON i UTF-8.")
    refuse_other_formats(data[:512], "JSON")
    # Python's objects are many times larger than the signs that make them. An answer is mostly text: of what registers
    # give and describe, the densest comes to 7 bytes by this estimate for each of its own.
    if 220 * data.count(b"{") + 80 * data.count(b"[") + 60 * data.count(b",") > 9 * len(data) + 1_000_000:
        raise Unreadable("Siden har langt flere klammer enn data, og ble ikke lest.")
    try:
        return orjson.loads(data.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        line, place = error.lineno, error.pos
    try:
        length = len(data.decode().rstrip())
    except UnicodeDecodeError as error:
        place = error.start
        sentence = f"Siden er ikke i UTF-8 (byte {place})."
    else:
        sentence = (
            f"Siden er ikke hel JSON, for den slutter for tidlig, etter {len(data)} byte."
            if place >= length - 1
            else f"Siden er ikke gyldig JSON (linje {line}, tegn {place})."
        )
    raise Unreadable(sentence)


def is_object(value: object) -> TypeGuard[Json]:
    """Tell whether the value is a JSON object with something in it."""
    return isinstance(value, dict) and bool(value)


def part(value: Mapping[str, Any], name: str) -> Json:
    """Return the object under ``name``; the first one of an array; an empty one when there is none."""
    found = value.get(name)
    if isinstance(found, list):
        return next((item for item in found if is_object(item)), {})
    return found if is_object(found) else {}


def parts(value: Mapping[str, Any], name: str) -> list[Json]:
    """Return the non-empty objects under ``name``, whether an array, a single object or nothing stands there."""
    found = value.get(name)
    if isinstance(found, list):
        return [item for item in found if item and isinstance(item, dict)]
    return [found] if is_object(found) else []


def text(value: Mapping[str, Any], name: str) -> str | None:
    """Return the text (or whole number, as text) under ``name``; None for anything else."""
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, str):  # as tidy, which is too slow to call for every field
        return (found.replace("\0", "") if "\0" in found else found).strip() or None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def number(value: Mapping[str, Any], name: str) -> str | None:
    """Return the identity number under ``name``; one written as a JSON number gets its leading zeros back."""
    found = text(value, name)
    return found.zfill(11) if found is not None and not isinstance(value[name], str) else found


def flag(value: Mapping[str, Any], name: str) -> bool | None:
    """Return the boolean under ``name`` (``"true"`` as text too); None for anything else."""
    found = value.get(name)
    if found is None or found is True or found is False:
        return found
    if isinstance(found, str):
        return {"true": True, "false": False}.get(found.strip().lower())
    return None


# --- XML -------------------------------------------------------------------------------------------------------------

Element: TypeAlias = etree._Element

_ENCODINGS = re.compile(r"(utf-?8|utf-?16(le|be)?|iso-?8859-(1|4|10|15)|latin-?1|windows-125[27]|(us-)?ascii)$", re.I)
_SINGLE_BYTE = re.compile(r"(iso|latin|windows)", re.I)
_WINDOWS_1252 = re.compile(r"(iso-?8859-1|latin-?1|windows-1252)$", re.I)
_DECLARATION = re.compile(rb"""[\xef\xbb\xbf\xff\xfe]*\s*<\?xml[^>]*?encoding\s*=\s*["']([^"'>]*)["']""")
_DOCTYPE = re.compile(  # blanks, comments and instructions, then a document type up to its [ or >
    rb"""[\xef\xbb\xbf\xff\xfe]*+(?>\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE((?>[^"'>\[]++|"[^"]*+"|'[^']*+')*+)([\[>]?)""",
    re.DOTALL | re.IGNORECASE,
)
_ELSEWHERE = re.compile(rb"""["'][^"']*[:/\\][^"']*["']\s*$""")
_FOREIGN = "Filen har egne entiteter eller regler (DOCTYPE) eller viser til en annen fil, og blir ikke lest."
_ENTITY = "Filen bruker en entitet som ikke er forklart, og slike blir ikke løst opp"
_ENCODING = "Filen oppgir et tegnsett som ikke blir lest, og skulle vært i UTF-8, UTF-16 eller ISO-8859-1."
_NOT_WELL_FORMED = "Filen er ikke velformet XML"
_I18N_CONVERSION_FAILED = 6003
_RESOURCE_LIMIT = 114
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}$")


class _Names(dict[Any, str]):
    """Names by tag, in lower case and without namespace: a look-up is what a reader does most."""

    def __missing__(self, tag: object) -> str:
        if not isinstance(tag, str):  # an entity that was not expanded: its text would be lost
            raise Unreadable(f"{_ENTITY}.")
        if len(self) >= _MOST_NAMES:
            self.clear()
        name = self[tag] = tag.rpartition("}")[2].lower()
        return name


_MOST_NAMES = 4096
_NAMES = _Names()


def name_of(element: Element) -> str:
    """Return the element's name in lower case, without its namespace."""
    return _NAMES[element.tag]


def children(element: Element) -> Iterator[tuple[str, Element]]:
    """Yield the name and element of each child."""
    for child in element:
        yield _NAMES[child.tag], child


def texts(element: Element, only: Container[str] | None = None) -> dict[str, str | None]:
    """Return the text of each child (of those named in ``only``) by name, tidied; the first one that has any counts."""
    found: dict[str, str | None] = {}
    for child in element:
        name = _NAMES[child.tag]
        if found.get(name) is None and (only is None or name in only):
            found[name] = tidy(child.text)
    return found


def text_in(element: Element, name: str) -> str | None:
    """Return the text of the first child of this name that has any, tidied."""
    for child in element:
        if _NAMES[child.tag] == name and (found := tidy(child.text)):
            return found
    return None


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute of an element, its name in any case and namespace."""
    value = element.get(name)
    if value is None:
        for key, other in element.items():
            if _NAMES[key] == name.lower():
                value = str(other)
                break
    return tidy(value)


def records(
    stream: BinaryIO, root: str, containers: Mapping[str, Container[str]], what: str
) -> Iterator[tuple[Element, Element]]:
    """Yield (parent, record) for each record of an XML file, in the order of the file, and forget it afterwards.

    ``root`` is the name of the outermost element; ``containers`` are the names of the elements that hold records, the
    root among them, each with the names of its small children that must stay until it ends (a heading). Every other
    child of a container is a record. Names are compared in lower case and without namespaces. ``what`` names the format
    in Norwegian. Elements are only valid until the next one is asked for.
    """
    return _Records(stream, root, containers, what).read()


class _Records:
    """An XML file on its way through: fed in chunks, what is complete is handed out and removed from the tree."""

    def __init__(self, stream: BinaryIO, root: str, containers: Mapping[str, Container[str]], what: str) -> None:
        self.stream = stream
        self.root_name = root
        self.containers = containers
        self.what = what
        self.declared = "UTF-8"
        self.has_doctype = False
        self.disguise: codecs.IncrementalDecoder | None = None
        self.is_windows_1252 = False

    def read(self) -> Iterator[tuple[Element, Element]]:
        chunk, tag = self._prolog()
        parser = _parser(tag, self._encoding())
        root: Element | None = None
        size = since = 0
        while chunk:
            self._check_disguise(chunk)
            _feed(parser, self._decoded(chunk))
            size += len(chunk)
            since += len(chunk)
            root = _first(parser) if root is None else root
            if root is None:
                raise Unreadable(f"Begynnelsen av filen er ikke til å forstå, og skulle vært {self.what}.")
            for pair in self._complete(root, final=False):
                since = 0
                yield pair
            if since > MAX_RECORD + MAX_PROLOG:
                raise Unreadable(f"Filen har en oppføring på mer enn {MAX_RECORD // 1024**2} MB nær byte {size}.")
            for _ in parser.read_events():
                pass  # an element inside that is called as the outermost one
            chunk = self.stream.read(CHUNK)
        _close(parser, size)
        if root is not None:
            yield from self._complete(root, final=True)

    def _complete(self, parent: Element, *, final: bool) -> Iterator[tuple[Element, Element]]:
        """Hand out and remove what is complete under ``parent``: all but its last child, or all when ``final``."""
        headings = self.containers[name_of(parent)]
        child = parent[0] if len(parent) else None
        while child is not None:
            following = child.getnext()
            complete = final or following is not None
            name = name_of(child)
            if name not in headings:
                if name in self.containers:
                    yield from self._complete(child, final=complete)
                elif complete:
                    if self.has_doctype:
                        for entity in child.iter(etree.Entity):
                            name_of(entity)
                    yield parent, child
                if complete:
                    parent.remove(child)
            child = following

    def _prolog(self) -> tuple[bytes, str]:
        """Read up to the outermost element and check what stands before it; return the bytes read and the tag."""
        prolog = b""
        while len(prolog) < _ENOUGH_TO_TELL and (chunk := self.stream.read(CHUNK)):
            prolog += chunk
        chunk = prolog
        refuse_other_formats(prolog[:4096], "XML")
        self._check_encoding(prolog)
        parser = _parser(None, self._encoding())
        while True:
            self._check_encoding(prolog)
            self._check_doctype(prolog)
            _feed(parser, self._decoded(chunk))
            root = _first(parser)
            if root is not None:
                break
            if len(prolog) > MAX_PROLOG:
                raise Unreadable(f"Filen har ikke noe element i de første {MAX_PROLOG // 1024} kB.")
            chunk = self.stream.read(CHUNK)
            if not chunk:
                _close(parser, len(prolog))
                raise Unreadable(f"Filen har ikke noe innhold, og skulle vært {self.what}.")
            prolog += chunk
        if not self.has_doctype and root.getroottree().docinfo.internalDTD is not None:
            raise Unreadable(_FOREIGN)
        name = str(root.tag).rpartition("}")[2]
        if name.lower() != self.root_name.lower():
            shown = f"<{name}>" if _PLAIN_NAME.match(name) else "et annet element"
            raise Unreadable(f"Filen begynner med {shown}, men {self.what} begynner med <{self.root_name}>.")
        return prolog, str(root.tag)

    def _check_doctype(self, prolog: bytes) -> None:
        """Refuse a document type that declares anything: entities and default values of attributes can be bombs.

        One that only names its DTD by a file name, as files of IMS Enterprise do, is let through; the DTD is never
        fetched. One that points elsewhere, by an address or a path, is refused.
        """
        doctype = _DOCTYPE.match(prolog.replace(b"\0", b""))
        self.has_doctype = doctype is not None
        if doctype is not None and (doctype[2] == b"[" or (doctype[2] == b">" and _ELSEWHERE.search(doctype[1]))):
            raise Unreadable(_FOREIGN)

    def _check_encoding(self, prolog: bytes) -> None:
        """Refuse encodings that hide what stands there, and a UTF-16 that is none."""
        declaration = _DECLARATION.match(prolog.replace(b"\0", b""))
        self.declared = declaration[1].decode("ascii", "replace") if declaration else "UTF-8"
        if not _ENCODINGS.match(self.declared):
            raise Unreadable(_ENCODING)
        if self.declared.lower().startswith("utf-16") and b"\0" not in prolog[:64]:
            raise Unreadable("Filen sier at den er i UTF-16, og er det ikke.")
        if declaration and not self.declared.lower().startswith("utf-16") and b"\0" in prolog[:4]:
            raise Unreadable("Filen er i UTF-16, men oppgir et annet tegnsett.")
        if _SINGLE_BYTE.match(self.declared) and not prolog.startswith(codecs.BOM_UTF8) and b"\0" not in prolog[:4]:
            self.disguise = codecs.getincrementaldecoder("utf-8")()
            self.is_windows_1252 = bool(_WINDOWS_1252.match(self.declared))

    def _encoding(self) -> str | None:
        """Return what the parser must be told; None where the file's own word holds."""
        return "utf-8" if self.is_windows_1252 else None

    def _decoded(self, chunk: bytes) -> bytes:
        """Give UTF-8 for ISO-8859-1, whose bytes 80-9F are windows-1252's, as every browser takes them."""
        return chunk if chunk.isascii() or not self.is_windows_1252 else from_windows_1252(chunk).encode()

    def _check_disguise(self, chunk: bytes) -> None:
        """Catch UTF-8 that calls itself ISO-8859-1: its first letters beyond ASCII happen to be right UTF-8."""
        if self.disguise is None or chunk.isascii():
            return
        decoder, self.disguise = self.disguise, None
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            return
        raise Unreadable(f"Filen sier at den er i {self.declared}, men er i UTF-8.")


def _parser(tag: str | None, encoding: str | None) -> etree.XMLPullParser:
    # Not collect_ids=False: lxml 6 then loads external document types in spite of load_dtd=False.
    parser = etree.XMLPullParser(
        events=("start",),
        tag=tag,
        encoding=encoding,
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    parser.resolvers.add(_NothingOutside())
    return parser


class _NothingOutside(etree.Resolver):
    """Refuses whatever the parser would fetch, should its options ever let it."""

    def resolve(self, *_: object) -> NoReturn:
        raise Unreadable(_FOREIGN)


def _first(parser: etree.XMLPullParser) -> Element | None:
    for _, found in parser.read_events():
        if isinstance(found, etree._Element):
            return found
    return None


def _feed(parser: etree.XMLPullParser, chunk: bytes) -> None:
    try:
        parser.feed(chunk)
        return
    except (etree.LxmlError, LookupError, ValueError) as error:
        sentence = _sentence(error, parser)
    raise Unreadable(sentence)


def _close(parser: etree.XMLPullParser, size: int) -> None:
    try:
        parser.close()
        return
    except (etree.LxmlError, LookupError, ValueError) as error:
        sentence = _sentence(error, parser)
    if sentence.startswith(_NOT_WELL_FORMED):
        sentence = f"Filen er ikke hel, for den slutter for tidlig, etter {size} byte."
    raise Unreadable(sentence)


def _sentence(error: Exception, parser: etree.XMLPullParser) -> str:
    """Say in our own words what libxml2 found: its messages can quote the file."""
    code = getattr(error, "code", None)
    line = (getattr(error, "position", None) or (None,))[0]
    for entry in parser.feed_error_log:
        if entry.level_name == "FATAL" or code in (None, 0, 1):
            code, line = entry.type, entry.line
            break
    where = f" (linje {line})" if line else ""
    types = etree.ErrorTypes
    if code in (types.ERR_INVALID_ENCODING, types.ERR_INVALID_CHAR, _I18N_CONVERSION_FAILED):
        return f"Filen har tegn som ikke hører til tegnsettet den oppgir, eller som XML ikke tillater{where}."
    if code in (types.ERR_UNKNOWN_ENCODING, types.ERR_UNSUPPORTED_ENCODING):
        return _ENCODING
    if code in (types.ERR_UNDECLARED_ENTITY, types.WAR_UNDECLARED_ENTITY, types.ERR_ENTITY_LOOP):
        return f"{_ENTITY}{where}."
    if code in (_RESOURCE_LIMIT, types.ERR_INTERNAL_ERROR, types.ERR_NAME_TOO_LONG):
        return f"Filen har for mange nivåer eller en for lang tekst{where}."
    if code == types.ERR_DOCUMENT_END:
        return f"Filen fortsetter etter at den er slutt{where}."
    return f"{_NOT_WELL_FORMED}{where}."


# --- CSV -------------------------------------------------------------------------------------------------------------

_LONGEST_LINE = 64 * 1024
_MOST_LINES = 200
"""A record that goes on over more lines than this has a quotation mark that is not closed."""


def csv_rows(stream: BinaryIO, what: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each record, the heading first; ``what`` names the file in Norwegian.

    The separator, comma, semicolon or tab, is the one the first line has most of, or the one that a line before it says
    (``sep=;``, which Excel reads and writes). UTF-8 with or without a BOM, or, where the first letters beyond ASCII are
    no UTF-8, windows-1252, of which ISO-8859-1's letters are part. What is a letter in neither becomes a control
    character, for the checks to find.
    """
    start = stream.read(4096)
    refuse_other_formats(start, f"{what} i CSV")
    if b"\0" in start:
        raise Unreadable(f"Filen ({what}) er ikke i UTF-8 eller ISO-8859-1.")
    whole = io.BufferedReader(_Resumed(start, stream))
    lines = _Lines(io.TextIOWrapper(whole, encoding="utf-8-sig", errors="surrogateescape", newline=""))
    try:
        first, separator, above = heading(lines)
        reader = csv.reader(itertools.chain([first], lines), delimiter=separator)
        for row in reader:
            lines.since = 0
            yield above + reader.line_num, row
        return
    except UnicodeError:
        sentence = f"Filen ({what}) er i flere tegnsett om hverandre (linje {lines.number}), og skulle vært i UTF-8."
    except csv.Error:
        where = f"linje {lines.number - lines.since + 1}"
        sentence = (
            f"Filen ({what}) er ikke CSV, for en celle er for lang eller et anførselstegn er ikke lukket ({where})."
        )
    raise Unreadable(sentence)


_SAID_SEPARATOR = re.compile(r"\"?sep=([;,\t])\"?[;,\t]*\r?\n?", re.IGNORECASE)


def heading(lines: Iterator[str]) -> tuple[str, str, int]:
    """Take the line with the columns' names; return it, the separator, and how many lines stood above it.

    Those that may are Excel's about the separator (``sep=;``) and PowerShell's about a type (``#TYPE …``). Where none
    says it, the separator is what the columns' names have most of: comma, semicolon or tab.
    """
    said: re.Match[str] | None = None
    line, above = next(lines, ""), 0
    while above < 2 and ((found := _SAID_SEPARATOR.fullmatch(line)) or line.startswith("#TYPE ")):
        said = said or found
        line, above = next(lines, ""), above + 1
    return line, said[1] if said else max(",;\t", key=line.count), above


class _Resumed(io.RawIOBase):
    """A stream again from its beginning, of which ``start`` has been read."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start = start
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._start[: len(buffer)] or self._stream.read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Lines:
    """Lines of text in the encoding that the first letters beyond ASCII are in.

    ``number`` counts them, ``since`` those of the record that is being read.
    """

    def __init__(self, lines: io.TextIOWrapper) -> None:
        self._lines = lines
        self._is_utf8: bool | None = None
        self.number = self.since = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._lines.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        self.number += 1
        self.since += 1
        if len(line) >= _LONGEST_LINE or self.since > _MOST_LINES:
            raise csv.Error
        if not line.isascii():
            line = self._decoded(line)
        return line.replace("\0", "")

    def _decoded(self, line: str) -> str:
        raw = line.encode("utf-8", "surrogateescape")
        if self._is_utf8 is None:
            with contextlib.suppress(UnicodeDecodeError):
                raw.decode("utf-8")
                self._is_utf8 = True
            self._is_utf8 = bool(self._is_utf8)
        return raw.decode() if self._is_utf8 else from_windows_1252(raw)
