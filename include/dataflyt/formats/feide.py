"""Write and read Feide's values for primary and lower secondary school (GO).

They are the groups, group ids and Grep codes in ``eduPersonEntitlement``::

    urn:mace:feide.no:go:group:<type>:<grep>:<org>:<local id>:<from>:<to>:<role>:<name>
    urn:mace:feide.no:go:groupid:<type>:<org>:<local id in lower case>:<from>:<to>
    urn:mace:feide.no:go:grep:<Grep address, or uuid:…>

and a kommune's own numbers (``local_number``).

Source: "Feides informasjonsmodell for grunnopplæringa" 2018-03, appendices 2, 3 and 4.
Assumptions, since Feide does not say: everything but ``A-Z a-z 0-9 - . _ ~`` is percent-encoded, and Unicode is in NFC.

An error of this module names the part of the value that is wrong and never repeats the data.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from dataflyt.identity import numbers

Kind: TypeAlias = Literal["group", "groupid", "grep", "other"]

PREFIX: Final = "urn:mace:feide.no:go"
FORMER_NAME: Final = "urn:mace:feide.no:operational:merge:formerEduPersonPrincipalName"
TYPES: Final = ("b", "u", "a")
"""``b`` basisgruppe (class), ``u`` undervisningsgruppe (subject), ``a`` annen gruppe (other)."""
ROLES: Final = ("student", "faculty", "member", "employee", "staff")
YEAR_LEVEL: Final = "http://psi.udir.no/laereplan/aarstrinn/aarstrinn"

NO_CODE: Final = "en undervisningsgruppe (u) må ha en Grep-kode"
BAD_CODE: Final = "Grep-koden må være tre store bokstaver og fire sifre"
CODE_NOT_ALLOWED: Final = "bare en undervisningsgruppe (u) kan ha en Grep-kode"
CHECK_DIGIT: Final = "organisasjonsnummeret har feil kontrollsiffer"
NOT_CANONICAL: Final = "gruppe-id-en er ikke på kanonisk form"
CODE_ERRORS: Final = frozenset((NO_CODE, BAD_CODE, CODE_NOT_ALLOWED))
"""Errors in a Grep code. The school corrects them; the rest of the group can still be read."""

CODE: Final = "[A-Z]{3}[0-9]{4}"
"""The form of a Grep code, as Python and PostgreSQL read it."""
_CODE = re.compile(CODE)
_ORG = re.compile(r"NO[0-9]{9}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LOWER_ESCAPE = re.compile(r"%(?:[a-f][0-9A-Fa-f]|[0-9A-F][a-f])")
_UNENCODED = re.compile(r"[^A-Za-z0-9._~%-]")
_UUID = re.compile(r"uuid:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_GREP_ADDRESS = re.compile(r"https?://psi\.udir\.no/[A-Za-z0-9._~/%#-]+")
_AARSTRINN = re.compile(r"https?://psi\.udir\.no/(?:laereplan/)?aarstrinn/(.*)")
_YEAR = re.compile(r"aarstrinn(?:[1-9]|10)|vg[1-3]")
_PREFIXED = re.compile(r"([^\s:.]+(?:\.[^\s:.]+)+) ?: ?([A-Za-z]+) ?: ?(.*)")


@dataclass(frozen=True, slots=True)
class Group:
    """The content of a ``go:group`` value: a group, and the role of one member in it.

    ``type`` is one of TYPES, ``role`` one of ROLES. ``grep`` is the short code (``MAT0006``) of a subject group; it is
    None for the others. ``orgnr`` is nine digits (a prefix ``NO`` is accepted). ``from_date`` and ``to_date`` are the
    group's, never the member's. ``local_id`` and ``name`` are plain text; services know a group by its exact name.
    """

    type: str
    grep: str | None
    orgnr: str
    local_id: str
    from_date: date
    to_date: date
    role: str
    name: str

    @property
    def value(self) -> str:
        """The ``go:group`` value. Raises ValueError if Feide could not read the value.

        A missing or wrong Grep code does not raise: the school corrects it, and the check of the file finds it.
        """
        parts = (
            self.type,
            (self.grep or "").upper(),
            _org(self.orgnr),
            _encode(self.local_id),
            self.from_date.isoformat(),
            self.to_date.isoformat(),
            self.role,
            _encode(self.name),
        )
        value = f"{PREFIX}:group:{':'.join(parts)}"
        wrong = [error for error in parse(value).errors if error not in CODE_ERRORS]
        if wrong:
            raise ValueError(f"A group cannot be written for Feide: {'; '.join(wrong)}.")
        return value

    @property
    def groupid(self) -> str:
        """The canonical ``go:groupid`` value, the same for all members of the group."""
        return _groupid(self.type, _org(self.orgnr), self.local_id, self.from_date, self.to_date)


@dataclass(frozen=True, slots=True)
class Value:
    """The result of ``parse``. ``errors`` are short clauses; a right value has none.

    ``groupid`` is the canonical id of a group or of a group id; it is None when type, organisation, local id or dates
    cannot be read. ``group`` is set when every part of the group could be read. ``warnings`` are about values that
    Feide accepts.
    """

    kind: Kind
    errors: tuple[str, ...] = ()
    groupid: str | None = None
    group: Group | None = None
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """True when there are no errors."""
        return not self.errors


def local_number(realm: str, kind: Literal["localnin", "employee"], number: str) -> str | None:
    """Return ``<realm>:<kind>:<number>``, the value of ``norEduPersonLIN``; None when the number is blank.

    A number that already has a prefix keeps it, even one of another realm: the kommune may have had another realm when
    it issued the number. If there are several prefixes, the last one is kept.
    """
    number, prefix = " ".join(number.split()), f"{realm}:{kind}"
    while prefixed := _PREFIXED.fullmatch(number):
        prefix, number = f"{prefixed[1]}:{prefixed[2]}".lower(), prefixed[3]
    return f"{prefix}:{number}" if number else None


def former_name(name: str) -> str:
    """Return the value of ``eduPersonEntitlement`` for a full FEIDE name at a school owner that has merged into this.

    Source: Feide, "Krav til endringer i Feide-katalog ved fusjonering" (feide.no/en/node/93).
    """
    return f"{FORMER_NAME}:{name}"


def parse(value: str) -> Value:
    """Read a value of ``eduPersonEntitlement``. Never raises; a value of another kind is ``other`` and not valid."""
    head = value.split(":", 5)
    if ":".join(head[:4]) == PREFIX and len(head) > 4:
        if head[4] == "group":
            return _parse_group(value.split(":"))
        if head[4] == "groupid":
            return _parse_groupid(value)
        if head[4] == "grep":
            return Value("grep", tuple(_grep_errors(head[5] if len(head) > 5 else "")))
    return Value("other", (f"verdien begynner ikke med {PREFIX}:group:, :groupid: eller :grep:",))


def year_level(level: int) -> str:
    """Return the Grep value of a year level of grunnskolen, 1 to 10."""
    if not 1 <= level <= 10:
        raise ValueError("Grunnskolen has the year levels 1 to 10.")
    return f"{PREFIX}:grep:{YEAR_LEVEL}{level}"


def _parse_group(parts: list[str]) -> Value:
    if len(parts) != 13:
        return Value("group", (f"en gruppe har 13 deler med kolon mellom, denne har {len(parts)}",))
    kind, code, org, local, begin, end, role, name = parts[5:]
    errors = _type_errors(kind)
    if kind.lower() == "u" and not code:
        errors.append(NO_CODE)
    elif kind.lower() in {"a", "b"} and code:
        errors.append(CODE_NOT_ALLOWED)
    elif code and not _CODE.fullmatch(code):
        errors.append(BAD_CODE)
    errors += _org_errors(org)
    local_id = _decode(local, "den lokale id-en", errors)
    from_date, to_date = _dates(begin, end, errors)
    if role not in ROLES:
        errors.append(f"rollen må være en av {', '.join(ROLES)}")
    text = _decode(name, "navnet", errors)
    groupid = _canonical(kind, org, local_id, from_date, to_date)
    group = None
    if local_id and text and from_date and to_date and kind in TYPES and role in ROLES and _ORG.fullmatch(org):
        group = Group(kind, code or None, org[2:], local_id, from_date, to_date, role, text)
    return Value("group", tuple(errors), groupid, group, _org_warnings(org))


def _parse_groupid(value: str) -> Value:
    parts = value.split(":")
    if len(parts) != 10:
        return Value("groupid", (f"en gruppe-id har 10 deler med kolon mellom, denne har {len(parts)}",))
    kind, org, local, begin, end = parts[5:]
    errors = _type_errors(kind) + _org_errors(org)
    local_id = _decode(local, "den lokale id-en", errors)
    from_date, to_date = _dates(begin, end, errors)
    groupid = _canonical(kind, org, local_id, from_date, to_date)
    if groupid is not None and groupid != value:
        why = ""
        if local_id is not None and local_id != _canonical_id(local_id):
            why = ": den lokale id-en må skrives med små bokstaver (og Unicode NFC) før den prosentkodes"
        errors.append(NOT_CANONICAL + why)
    return Value("groupid", tuple(errors), groupid, warnings=_org_warnings(org))


def _grep_errors(code: str) -> list[str]:
    if not code:
        return ["Grep-koden er tom"]
    if code != code.strip():
        return ["det er mellomrom rundt Grep-koden"]
    if code.startswith("uuid:"):
        return [] if _UUID.fullmatch(code) else ["etter uuid: må det stå én UUID"]
    if not _GREP_ADDRESS.fullmatch(code):
        return ["Grep-koden må være en adresse hos http://psi.udir.no/, eller uuid: og en UUID"]
    level = _AARSTRINN.fullmatch(code)
    if level and not _YEAR.fullmatch(level[1]):
        return ["trinnet må være aarstrinn1 til aarstrinn10 eller vg1 til vg3"]
    return []


def _type_errors(kind: str) -> list[str]:
    return [] if kind in TYPES else ["typen må være b, u eller a"]


def _org_errors(org: str) -> list[str]:
    return [] if _ORG.fullmatch(org) else ["organisasjonen må være NO og ni sifre"]


def _org_warnings(org: str) -> tuple[str, ...]:
    return (CHECK_DIGIT,) if _ORG.fullmatch(org) and not numbers.orgnr(org[2:]) else ()


def _decode(text: str, what: str, errors: list[str]) -> str | None:
    """Return the percent-decoded text, or None; add what is wrong with it to ``errors``."""
    if not text:
        errors.append(f"{what} mangler")
        return None
    if _UNENCODED.search(text):
        errors.append(f"{what} har tegn som må prosentkodes")
    if _LOWER_ESCAPE.search(text):
        errors.append(f"{what} har prosentkoding med små bokstaver")
    if _BAD_ESCAPE.search(text):
        errors.append(f"{what} har et % som ikke følges av to heksadesimale sifre")
        return None
    try:
        plain = unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        errors.append(f"{what} er ikke UTF-8 bak prosentkodingen")
        return None
    if not plain.strip():
        errors.append(f"{what} mangler")
        return None
    return plain


def _dates(begin: str, end: str, errors: list[str]) -> tuple[date | None, date | None]:
    from_date, to_date = _date(begin), _date(end)
    if from_date is None:
        errors.append("den første datoen er ikke en dato (ÅÅÅÅ-MM-DD)")
    if to_date is None:
        errors.append("den siste datoen er ikke en dato (ÅÅÅÅ-MM-DD)")
    if from_date and to_date and from_date > to_date:
        errors.append("den første datoen er etter den siste")
    return from_date, to_date


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _canonical(kind: str, org: str, local_id: str | None, begin: date | None, end: date | None) -> str | None:
    kind, org = kind.lower(), org.upper()
    if kind not in TYPES or not _ORG.fullmatch(org) or local_id is None or begin is None or end is None:
        return None
    return _groupid(kind, org, local_id, begin, end)


def _groupid(kind: str, org: str, local_id: str, begin: date, end: date) -> str:
    return f"{PREFIX}:groupid:{kind}:{org}:{_encode(_canonical_id(local_id))}:{begin.isoformat()}:{end.isoformat()}"


def _canonical_id(local_id: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local_id).lower())


def _encode(text: str) -> str:
    return quote(unicodedata.normalize("NFC", text), safe="")


def _org(orgnr: str) -> str:
    return "NO" + orgnr.strip().upper().removeprefix("NO")
