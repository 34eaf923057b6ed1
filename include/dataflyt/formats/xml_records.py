"""XML from strangers: its records as lxml elements, one at a time.

In comes a stream of bytes that an HR system or a school system made, and that may have been altered since. A file that
cannot be read raises ``Unreadable`` with one sentence that tells the fault and its place (line, byte), and never
repeats the data. Nothing here opens another file or the network, expands an entity, or holds more of a file than one
record.
"""

import codecs
import re
from collections.abc import Callable, Container, Iterator, Mapping
from itertools import pairwise
from operator import itemgetter
from typing import Any, BinaryIO, NoReturn, TypeAlias

from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.formats.text import from_windows_1252, refuse_other_formats, tidy

CHUNK = 64 * 1024
"""Bytes of a file that are read at a time."""
MAX_RECORD = 2 * 1024 * 1024
MAX_PROLOG = 1024 * 1024
_ENOUGH_TO_TELL = 256

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
    """Names by tag, in lower case and without namespace: a cache, because readers look up names all the time.

    Where most of a file's elements are, ``inside`` with ``NAMES[child.tag]`` is quicker than ``children``.
    """

    def __missing__(self, tag: object) -> str:
        if not isinstance(tag, str):  # an entity that was not expanded: its text would be lost
            raise Unreadable(f"{_ENTITY}.")
        if len(self) >= _MOST_NAMES:
            self.clear()
        name = self[tag] = tag.rpartition("}")[2].lower()
        return name


_MOST_NAMES = 4096
NAMES = _Names()

inside: Callable[[Element], list[Element]] = itemgetter(slice(None))
"""Return an element's children. A slice is a list made in C, in half the time of lxml's iterator."""


def name_of(element: Element) -> str:
    """Return the element's name in lower case, without its namespace."""
    return NAMES[element.tag]


def children(element: Element) -> Iterator[tuple[str, Element]]:
    """Yield the name and element of each child."""
    for child in inside(element):
        yield NAMES[child.tag], child


def texts(element: Element, only: Container[str] | None = None) -> dict[str, str | None]:
    """Return the tidied text of each child (named in ``only``) by name; the first child that has text counts."""
    found: dict[str, str | None] = {}
    for child in inside(element):
        name = NAMES[child.tag]
        if (only is None or name in only) and found.get(name) is None:
            found[name] = tidy(child.text)
    return found


def text_in(element: Element, name: str) -> str | None:
    """Return the tidied text of the first child of this name that has text."""
    for child in inside(element):
        if NAMES[child.tag] == name and (found := tidy(child.text)):
            return found
    return None


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute of an element; the case and namespace of its name do not matter."""
    value = element.get(name)
    if value is None:
        for key in element.keys():  # noqa: SIM118 - an element without ``keys`` yields its children
            if NAMES[key] == name.lower():
                return tidy(element.get(key))
        return None
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
    """An XML file that is fed to the parser in chunks; complete records are yielded and removed from the tree."""

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
                pass  # an inner element with the outermost one's name
            chunk = self.stream.read(CHUNK)
        _close(parser, size)
        if root is not None:
            yield from self._complete(root, final=True)

    def _complete(self, parent: Element, *, final: bool) -> Iterator[tuple[Element, Element]]:
        """Yield and remove the complete records under ``parent``: all but its last child, or all when ``final``."""
        headings = self.containers[name_of(parent)]
        ready = len(parent) if final else len(parent) - 1
        kept = [-1]
        for place, child in enumerate(parent):
            complete = place < ready
            name = NAMES[child.tag]
            if complete and self.has_doctype and name not in self.containers:
                for entity in child.iter(etree.Entity):
                    name_of(entity)
            if name in headings:
                kept.append(place)
            elif name in self.containers:
                yield from self._complete(child, final=complete)
            elif complete:
                yield parent, child
        # A slice is removed at a fifth of the cost of its elements one by one. The last stretch first: places move.
        for before, after in reversed([*pairwise((*kept, ready))]):
            del parent[before + 1 : after]

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

        A document type that only names its DTD by a file name, as files of IMS Enterprise do, is let through; the DTD
        is never fetched. A document type that points elsewhere, by an address or a path, is refused.
        """
        doctype = _DOCTYPE.match(prolog.replace(b"\0", b""))
        self.has_doctype = doctype is not None
        if doctype is not None and (doctype[2] == b"[" or (doctype[2] == b">" and _ELSEWHERE.search(doctype[1]))):
            raise Unreadable(_FOREIGN)

    def _check_encoding(self, prolog: bytes) -> None:
        """Refuse encodings that we do not read, and a file that is not in the UTF-16 it declares."""
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
        """Return the encoding to tell the parser; None to let it read the file's declaration."""
        return "utf-8" if self.is_windows_1252 else None

    def _decoded(self, chunk: bytes) -> bytes:
        """Return UTF-8 for ISO-8859-1, with bytes 80-9F read as windows-1252, as every browser does."""
        return chunk if chunk.isascii() or not self.is_windows_1252 else from_windows_1252(chunk).encode()

    def _check_disguise(self, chunk: bytes) -> None:
        """Refuse UTF-8 that calls itself ISO-8859-1: its first letters beyond ASCII are valid UTF-8."""
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
    """Refuses everything that the parser would fetch if its options ever allowed it."""

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
    """Return our own words for what libxml2 found: its messages can quote the file."""
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
