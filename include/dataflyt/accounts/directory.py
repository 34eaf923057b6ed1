"""The kommune's present directory as a file: each person's FEIDE name. Read before Dataflyt takes over the naming.

In: an LDIF file (norEdu: the people and, for their schools, the organizational units), or a CSV file (comma, semicolon
or tab; UTF-8 or windows-1252; after Excel's ``sep=;`` or PowerShell's ``#TYPE``) whose first line names the columns,
letter case, blanks and hyphens aside:

- the name: ``eduPersonPrincipalName``, feide, feideid, feidenavn, eppn; else ``uid``, brukernavn, feidebrukernavn,
  username
- the number: ``norEduPersonNIN``, fødselsnummer, fnr, personnummer, nin
- affiliation, if any: ``eduPersonAffiliation``, tilhørighet, rolle
- the school's organisation number, if any: ``norEduOrgUnitUniqueIdentifier``, orgnr, organisasjonsnummer, skole

Out: an ``Entry`` a person and a ``School`` a school, in the order of the file. People's own names and all other fields
are skipped. A file that cannot be read raises ``errors.Unreadable`` with one Norwegian sentence, which names the file
and the line and repeats nothing of the line. Nothing but the file itself is opened: no URL in an LDIF is followed.

Sources: "Feides informasjonsmodell for grunnopplæringa" 2018-03; RFC 2849. The CSV's form is our own.
"""

import codecs
import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import BinaryIO, NamedTuple, NoReturn

from dataflyt.errors import Unreadable
from dataflyt.formats import ldif
from dataflyt.formats.csv_rows import heading
from dataflyt.formats.letters import WINDOWS_1252
from dataflyt.formats.text import from_windows_1252
from dataflyt.identity import numbers


class Entry(NamedTuple):
    """A person in the directory.

    ``principal`` is ``name@realm`` or a bare name, as written. ``number`` is eleven digits. ``role`` is ``pupil``,
    ``employee``, both with a blank between, or None where the file does not say. ``schools`` are keys of ``School``.
    """

    line: int
    principal: str | None
    number: str | None
    role: str | None
    schools: tuple[str, ...]


class School(NamedTuple):
    """A school: ``orgnr`` is nine digits. It may come after the people who belong to it."""

    key: str
    orgnr: str


_ROLES = {
    "student": "pupil",
    "pupil": "pupil",
    "elev": "pupil",
    "faculty": "employee",
    "staff": "employee",
    "employee": "employee",
    "ansatt": "employee",
    "lærer": "employee",
}
_PERSON_CLASSES = frozenset(("person", "inetorgperson", "eduperson", "noreduperson"))
_COLUMNS = {
    "principal": ("edupersonprincipalname", "feide", "feideid", "feidenavn", "eppn"),
    "uid": ("uid", "brukernavn", "feidebrukernavn", "username"),
    "number": ("noredupersonnin", "fødselsnummer", "fodselsnummer", "fnr", "personnummer", "nin"),
    "role": ("edupersonaffiliation", "tilhørighet", "rolle"),
    "schools": ("noreduorgunituniqueidentifier", "orgnr", "organisasjonsnummer", "skole"),
}
_FIELD = {alias: field for field, aliases in _COLUMNS.items() for alias in aliases}

_OTHER_FILES = (
    (b"PK\x03\x04", "en zip- eller Excel-fil"),
    (b"\xd0\xcf\x11\xe0", "en Excel-fil av eldre slag"),
    (b"\x1f\x8b", "komprimert"),
    (b"%PDF", "en PDF-fil"),
    (b"<", "XML eller en nettside"),
    (b"\xff\xfe", "i UTF-16"),
    (b"\xfe\xff", "i UTF-16"),
)

_LONGEST_LINE = 64 * 1024
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def rows(file: BinaryIO, name: str) -> Iterator[Entry | School]:
    """Yield people and schools of a directory. ``file`` must be seekable; ``name`` is its name in errors.

    Raises Unreadable, also when the file has no people.
    """
    start = file.read(4096)
    file.seek(0)
    for sign, what in _OTHER_FILES:
        if start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(sign):
            _refuse(name, 1, f"filen er {what}: lagre katalogen som LDIF, eller som CSV i UTF-8")
    found = False
    for row in _ldif(file, name) if _is_ldif(start) else _csv(file, name):
        found = found or isinstance(row, Entry)
        yield row
    if not found:
        _refuse(name, 1, "filen er uten personer: eksporter katalogen med personene i")


def realm(file: BinaryIO, name: str) -> str | None:
    """Return the realm of the first name that has one, in lower case; None when no name has."""
    for row in rows(file, name):
        if isinstance(row, Entry) and row.principal and "@" in row.principal:
            return row.principal.partition("@")[2].strip().lower()
    return None


def _refuse(name: str, line: int, what: str) -> NoReturn:
    raise Unreadable(f"{name}, linje {line}: {what}.", line=line)


def _number(value: str | None) -> str | None:
    return numbers.told(value).number


def _role(words: Iterable[str]) -> str | None:
    return " ".join(sorted({_ROLES[word.strip().lower()] for word in words if word.strip().lower() in _ROLES})) or None


# --- LDIF ------------------------------------------------------------------------------------------------------------


def _is_ldif(start: bytes) -> bool:
    """Tell LDIF from CSV by the first line that is neither blank nor a comment."""
    for line in start.removeprefix(codecs.BOM_UTF8).splitlines():
        if line.strip() and not line.startswith(b"#"):
            return line.lower().startswith((b"dn:", b"version:", b"search:", b"ref:"))
    return start.startswith(b"#")


def _ldif(file: BinaryIO, name: str) -> Iterator[Entry | School]:
    try:
        for entry in ldif.read(file):
            classes = {value.text.lower() for value in entry.attributes.get("objectclass", ())}
            if classes & _PERSON_CLASSES or "edupersonprincipalname" in entry.attributes:
                yield Entry(
                    entry.line,
                    _one(entry, "edupersonprincipalname") or _one(entry, "uid"),
                    _number(_one(entry, "noredupersonnin")),
                    _role(value.text for value in entry.attributes.get("edupersonaffiliation", ())),
                    tuple(sorted({_key(value.text) for value in entry.attributes.get("edupersonorgunitdn", ())})),
                )
            elif "noreduorgunit" in classes:
                orgnr = numbers.orgnr(_one(entry, "noreduorgunituniqueidentifier") or "")
                if orgnr:
                    yield School(_key(entry.dn), orgnr)
        return
    except Unreadable as unreadable:
        raise Unreadable(f"{name}, {unreadable.clause}", **unreadable.facts) from None


def _one(entry: ldif.Entry, attribute: str) -> str | None:
    """Return an attribute's value when it has exactly one."""
    values = {value.text for value in entry.attributes.get(attribute, ())}
    return _letters(values.pop()) if len(values) == 1 else None


def _letters(value: str) -> str:
    """Return a value as it is, or decoded from windows-1252 where its base64 was not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return from_windows_1252(value.encode("utf-8", "surrogateescape"))
    return value


@lru_cache(maxsize=4096)
def _key(dn: str) -> str:
    """Return a short key of a distinguished name. All spellings of the name give the same key."""
    return hashlib.sha256(ldif.normal_dn(dn).encode("utf-8", "surrogatepass")).hexdigest()[:32]


# --- CSV -------------------------------------------------------------------------------------------------------------


def _csv(file: BinaryIO, name: str) -> Iterator[Entry | School]:
    encoding = _encoding(file)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    lines = _lines(text, name, WINDOWS_1252 if encoding == "iso-8859-1" else {})
    first, separator, above = heading(lines)
    reader = csv.reader(_again(first, lines), delimiter=separator, strict=True)
    schools: set[str] = set()
    try:
        header = [_FIELD.get(_bare(title)) for title in next(reader, [])]
        places = {field: header.index(field) for field in _COLUMNS if field in header}
        if not places.keys() & {"principal", "uid"}:
            _refuse(name, above + 1, "ingen kolonne har FEIDE-navn: kall en av dem eduPersonPrincipalName eller uid")
        if "number" not in places:
            _refuse(
                name, above + 1, "ingen kolonne har fødselsnummer: kall en av dem norEduPersonNIN eller fødselsnummer"
            )
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if any(cells[len(header) :]):
                _refuse(
                    name,
                    above + reader.line_num,
                    "raden har flere felt enn det er kolonner: sett felt med skilletegn i anførselstegn",
                )
            cell = {field: cells[place] for field, place in places.items() if place < len(cells)}
            orgnrs = sorted({found for word in _words(cell.get("schools")) if (found := numbers.orgnr(word))})
            for orgnr in orgnrs:
                if orgnr not in schools:
                    schools.add(orgnr)
                    yield School(orgnr, orgnr)
            yield Entry(
                above + reader.line_num,
                cell.get("principal") or cell.get("uid") or None,
                _number(cell.get("number")),
                _role(_words(cell.get("role"))),
                tuple(orgnrs),
            )
        return
    except csv.Error:
        line = above + reader.line_num
    finally:
        text.detach()  # the caller closes the file
    _refuse(name, max(line, 1), "filen er ikke CSV: et anførselstegn er ikke lukket, eller et felt er for langt")


def _encoding(file: BinaryIO) -> str:
    """Return the encoding: UTF-8 with or without a mark, else ISO-8859-1. Leave the file at its beginning."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(1 << 20):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "iso-8859-1"
    finally:
        file.seek(0)
    return "utf-8-sig"


def _lines(text: io.TextIOWrapper, name: str, letters: Mapping[int, str]) -> Iterator[str]:
    number = 0
    while line := text.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            _refuse(name, number, "linjen er for lang til å være en oppføring")
        if _UNPRINTABLE.search(line):
            _refuse(name, number, "linjen har binære data")
        yield line.translate(letters)


def _again(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _bare(title: str) -> str:
    """Return the letters and digits of a column's title, in lower case."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", title).lower())


def _words(cell: str | None) -> list[str]:
    return re.split(r"[\s|,;/]+", cell or "")
