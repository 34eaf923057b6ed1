"""Feide's values for primary and lower secondary school (GO), and a check of a whole directory.

Values: the groups, group ids and Grep codes that stand in ``eduPersonEntitlement``::

    urn:mace:feide.no:go:group:<type>:<grep>:<org>:<local id>:<from>:<to>:<role>:<name>
    urn:mace:feide.no:go:groupid:<type>:<org>:<local id in lower case>:<from>:<to>
    urn:mace:feide.no:go:grep:<Grep address, or uuid:…>

and a kommune's own numbers (``local_number``).

Check: an LDIF file in, findings out, by the names that Feide's own LDAP validator gives them, before Feide finds them.

Sources: "Feides informasjonsmodell for grunnopplæringa" 2018-03, attributes and appendices 2, 3 and 4; Feide, "LDAP
validator, Validator errors"; Feide, "Sjekkliste for god datakvalitet".
Assumptions, since Feide does not say: all is percent-encoded but ``A-Z a-z 0-9 - . _ ~``, and Unicode is in NFC.

No text that this module gives out (errors, findings) repeats what stands in the data: it names the part and the line.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import BinaryIO, Final, Literal, Protocol, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from dataflyt.errors import Unreadable
from dataflyt.formats import ldif
from dataflyt.identity import numbers

Kind: TypeAlias = Literal["group", "groupid", "grep", "other"]

PREFIX: Final = "urn:mace:feide.no:go"
TYPES: Final = ("b", "u", "a")
"""``b`` basisgruppe (class), ``u`` undervisningsgruppe (subject), ``a`` annen gruppe (other)."""
ROLES: Final = ("student", "faculty", "member", "employee", "staff")
YEAR_LEVEL: Final = "http://psi.udir.no/laereplan/aarstrinn/aarstrinn"

NO_CODE: Final = "en undervisningsgruppe (u) må ha en Grep-kode"
BAD_CODE: Final = "Grep-koden må være tre store bokstaver og fire sifre"
CODE_NOT_ALLOWED: Final = "bare en undervisningsgruppe (u) kan ha en Grep-kode"
CHECK_DIGIT: Final = "organisasjonsnummeret har feil kontrollsiffer"
NOT_CANONICAL: Final = "gruppe-id-en er ikke på kanonisk form"
_CODE_ERRORS = frozenset((NO_CODE, BAD_CODE, CODE_NOT_ALLOWED))

_CODE = re.compile(r"[A-Z]{3}[0-9]{4}")
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
    """A person's part in a group, as Feide writes it.

    ``type`` is one of TYPES, ``role`` one of ROLES. ``grep`` is the short code (``MAT0006``) of a subject group,
    None for the others. ``orgnr`` is nine digits (a prefix ``NO`` is accepted). ``from_date`` and ``to_date`` are the
    group's, never the member's. ``local_id`` and ``name`` are plain text; services know groups by their exact name.
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
        """The ``go:group`` value. Raises ValueError when Feide could not read it.

        A missing or wrong Grep code does not raise: it is the school's to correct, and the check names it.
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
        wrong = [error for error in parse(value).errors if error not in _CODE_ERRORS]
        if wrong:
            raise ValueError(f"A group cannot be written for Feide: {'; '.join(wrong)}.")
        return value

    @property
    def groupid(self) -> str:
        """The canonical ``go:groupid`` value, the same for all members of the group."""
        return _groupid(self.type, _org(self.orgnr), self.local_id, self.from_date, self.to_date)


@dataclass(frozen=True, slots=True)
class Value:
    """What ``parse`` made of a value.

    ``errors`` are short clauses, empty when the value is right. ``groupid`` is the canonical group id of a group or of
    a group id, wherever type, organisation, local id and dates can be understood, right or not; else None.
    ``group`` is set for a group whose every part could be read. ``warnings`` are ours alone: Feide takes the value.
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
    """Return ``<realm>:<kind>:<number>``, as ``norEduPersonLIN`` has a number that a kommune gave; None of blanks.

    A number that has a prefix keeps it, another realm's too: who gave the number tells it from others', and a kommune
    may have had another realm when it did. Of several prefixes the last stands.
    """
    number, prefix = " ".join(number.split()), f"{realm}:{kind}"
    while prefixed := _PREFIXED.fullmatch(number):
        prefix, number = f"{prefixed[1]}:{prefixed[2]}".lower(), prefixed[3]
    return f"{prefix}:{number}" if number else None


def parse(value: str) -> Value:
    """Read a value of ``eduPersonEntitlement``. Never raises; what is none of the three is ``other`` and not valid."""
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
    """Return the text behind the percent-encoding, or None; add what is wrong with it to ``errors``."""
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


# --- the check of a directory -------------------------------------------------------------------------------------

DUPLICATE_IDENTIFIER: Final = "Duplicate identifier in norEduOrgUnitUniqueIdentifier"
GROUP_ID_NOT_CANONICAL: Final = "Group ID not in canonical form"
GROUP_ID_WITHOUT_GROUP: Final = "Group IDs without a corresponding group"
INVALID_CODE: Final = "Group with invalid code"
WITHOUT_CODE: Final = "Group without code"
GROUP_WITHOUT_ID: Final = "Groups without a corresponding group ID"
MISSING_GREP: Final = "Missing Grep codes for student"
MISSING_GROUP_IDS: Final = "Missing group IDs"
MISSING_GROUPS: Final = "Missing groups for teacher or pupil"
MISSING_UNIT: Final = "Missing organization unit"
MISSING_ATTRIBUTE: Final = "Missing required attribute"
WHITESPACE: Final = "Extra whitespace in attribute"
MALFORMED_GROUP: Final = "Malformed group"
"""Not a name of Feide's: a group that Feide's validator names by no error of its own, and that nobody can read."""

NAMES: Final = (
    DUPLICATE_IDENTIFIER,
    GROUP_ID_NOT_CANONICAL,
    GROUP_ID_WITHOUT_GROUP,
    INVALID_CODE,
    WITHOUT_CODE,
    GROUP_WITHOUT_ID,
    MISSING_GREP,
    MISSING_GROUP_IDS,
    MISSING_GROUPS,
    MISSING_UNIT,
    MISSING_ATTRIBUTE,
    WHITESPACE,
    MALFORMED_GROUP,
)

_OF_THE_SCHOOL = frozenset((INVALID_CODE, WITHOUT_CODE, MISSING_GREP, MISSING_GROUPS))
_OWNER_MUST = ("eduOrgLegalName", "o", "norEduOrgNIN", "mail", "norEduOrgSchemaVersion")
_UNIT_MUST = ("ou", "norEduOrgUnitUniqueIdentifier", "mail")
_PERSON_MUST = (
    "cn",
    "displayName",
    "norEduPersonLegalName",
    "givenName",
    "sn",
    "eduPersonPrincipalName",
    "uid",
    "eduPersonOrgDN",
    "eduPersonAffiliation",
)
_OF_A_SCHOOL = ("eduPersonOrgUnitDN", "eduPersonPrimaryOrgUnitDN")
_NAMED = ("cn", "displayName", "norEduPersonLegalName", "givenName", "sn", "o", "ou", "eduOrgLegalName")
_EXTRA_BLANK = re.compile(r"\s{2}|^\s|\s$|[^\S \u00a0]")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something Feide would complain about. ``str(finding)`` is ``<name>: <where>: <detail>``.

    ``name`` is Feide's own. ``where`` is an organisation by its number (``NO123456785``), a person by the line of the
    entry only: findings go to terminals and logs, and hold nothing personal. ``blocks`` is False for what the data of
    a school lack (no group, no Grep code, no e-mail address): Feide lets these in, and the school corrects them. It
    is True for what makes the file itself wrong, which is then not to be published.
    """

    name: str
    where: str
    detail: str
    line: int
    blocks: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.where}: {self.detail}"


class Openable(Protocol):
    """What ``check`` needs of a path, here or in an object store."""

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Open the file to read bytes."""
        ...


def check(path: Openable) -> Iterator[Finding]:
    """Yield what Feide's validator would find in an LDIF file; raise errors.Unreadable when it is not LDIF.

    Streams: memory does not grow with the number of people. What differs from Feide's validator, which looks into the
    directory itself:

    - ``userPassword`` is not asked for: passwords are in the directory, never in this file. ``norEduPersonNIN`` is
      mandatory where a valid number exists, which a file cannot tell, so it is not asked for either.
    - "Group with invalid code" is about the form of the code only (three letters, four digits; none for a class): there
      is no network here to ask Grep whether the code exists.
    - "Groups without a corresponding group ID" and its opposite compare canonical forms, so that a group ID in the
      wrong form is one finding and not three.
    - ``eduPersonOrgUnitDN`` is asked of pupils and teachers: others may belong to no school.
    - Check digits of organisation numbers are not looked at: ``parse`` warns of them.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"Filen kan ikke åpnes ({error.strerror or 'ukjent grunn'}).") from None
    with file:
        try:
            yield from _Check().run(ldif.read(file))
        except OSError as error:
            raise Unreadable(f"Filen kan ikke leses ({error.strerror or 'ukjent grunn'}).") from None


class _Check:
    """One walk through a directory: what has to be remembered from one entry to the next."""

    def __init__(self) -> None:
        self._identifiers: set[str] = set()
        self._units: set[str] = set()
        self._sought: dict[str, list[tuple[int, str]]] = {}

    def run(self, entries: Iterator[ldif.Entry]) -> Iterator[Finding]:
        for entry in entries:
            classes = {value.text.lower() for value in entry.attributes.get("objectclass", ())}
            # An entry can be both owner and school; a plain organizationalUnit is only a folder.
            if classes & {"noreduorg", "eduorg"}:
                yield from self._owner(entry)
            if "noreduorgunit" in classes:
                yield from self._unit(entry)
            if classes & {"noreduperson", "eduperson"}:
                yield from self._person(entry)
        for dn in sorted(self._sought.keys() - self._units):
            for line, attribute in self._sought[dn]:
                yield _finding(
                    MISSING_UNIT, line, f"{attribute} peker på noe som ikke er en organisasjonsenhet i filen"
                )

    def _owner(self, entry: ldif.Entry) -> Iterator[Finding]:
        where = _number(entry, "noreduorgnin")
        yield from _missing(entry, _OWNER_MUST, where)
        yield from _whitespace(entry, where)

    def _unit(self, entry: ldif.Entry) -> Iterator[Finding]:
        where = _number(entry, "noreduorgunituniqueidentifier")
        self._units.add(ldif.normal_dn(entry.dn))
        yield from _missing(entry, _UNIT_MUST, where)
        yield from _whitespace(entry, where)
        for value in entry.attributes.get("noreduorgunituniqueidentifier", ())[:1]:
            identifier = " ".join(value.text.split()).lower()
            if identifier in self._identifiers:
                yield _finding(DUPLICATE_IDENTIFIER, entry.line, "en annen organisasjonsenhet har det også", where)
            elif identifier:
                self._identifiers.add(identifier)

    def _person(self, entry: ldif.Entry) -> Iterator[Finding]:
        attributes = entry.attributes
        roles = {value.text.lower() for value in attributes.get("edupersonaffiliation", ())}
        in_school = bool(roles & {"student", "faculty"})
        at_school = in_school or any(_has(entry, name) for name in _OF_A_SCHOOL)
        yield from _missing(entry, _PERSON_MUST + _OF_A_SCHOOL if at_school else _PERSON_MUST)
        yield from _whitespace(entry)
        for attribute in _OF_A_SCHOOL:
            for dn in {ldif.normal_dn(value.text) for value in attributes.get(attribute.lower(), ())} - self._units:
                self._sought.setdefault(dn, []).append((entry.line, attribute))
        yield from _entitlements(entry, is_pupil="student" in roles, in_school=in_school)


def _entitlements(entry: ldif.Entry, *, is_pupil: bool, in_school: bool) -> Iterator[Finding]:
    groups: list[tuple[int, Value]] = []
    groupids: list[tuple[int, Value]] = []
    has_grep = False
    for line, text in entry.attributes.get("edupersonentitlement", ()):
        value = _parsed(text)
        if value.kind == "group":
            groups.append((line, value))
        elif value.kind == "groupid":
            groupids.append((line, value))
        elif value.kind == "grep":
            has_grep = has_grep or value.valid

    if is_pupil and not has_grep:
        yield _finding(MISSING_GREP, entry.line, "det er ikke noe trinn")
    if in_school and not groups:
        yield _finding(MISSING_GROUPS, entry.line, "det er ingen grupper")
    if groups and not groupids:
        yield _finding(MISSING_GROUP_IDS, entry.line, f"det er {len(groups)} grupper og ingen gruppe-id-er")

    for line, value in groups:
        rest = []
        for error in value.errors:
            if error in _CODE_ERRORS:
                name = WITHOUT_CODE if error == NO_CODE else INVALID_CODE
                yield _finding(name, entry.line, f"gruppen på linje {line}: {error}")
            elif error != CHECK_DIGIT:
                rest.append(error)
        if rest:
            yield _finding(MALFORMED_GROUP, entry.line, f"gruppen på linje {line}: {'; '.join(rest)}")
    for line, value in groupids:
        rest = [error for error in value.errors if error != CHECK_DIGIT]
        if rest:
            yield _finding(GROUP_ID_NOT_CANONICAL, entry.line, f"gruppe-id-en på linje {line}: {'; '.join(rest)}")

    held = {value.groupid for _, value in groupids}
    for line, value in groups:
        if value.groupid is None or value.groupid not in held:
            yield _finding(GROUP_WITHOUT_ID, entry.line, f"gruppen på linje {line}")
    held = {value.groupid for _, value in groups}
    for line, value in groupids:
        if value.groupid is None or value.groupid not in held:
            yield _finding(GROUP_ID_WITHOUT_GROUP, entry.line, f"gruppe-id-en på linje {line}")


_parsed: Callable[[str], Value] = lru_cache(maxsize=2**15)(parse)


def _missing(entry: ldif.Entry, names: tuple[str, ...], where: str | None = None) -> Iterator[Finding]:
    for name in names:
        if not _has(entry, name):
            yield _finding(MISSING_ATTRIBUTE, entry.line, name, where, blocks=name != "mail")


def _whitespace(entry: ldif.Entry, where: str | None = None) -> Iterator[Finding]:
    for name in _NAMED:
        if any(_EXTRA_BLANK.search(value.text) for value in entry.attributes.get(name.lower(), ())):
            yield _finding(WHITESPACE, entry.line, name, where)


def _has(entry: ldif.Entry, name: str) -> bool:
    return any(value.text.strip() for value in entry.attributes.get(name.lower(), ()))


def _number(entry: ldif.Entry, attribute: str) -> str | None:
    values = entry.attributes.get(attribute)
    return values[0].text if values and _ORG.fullmatch(values[0].text) else None


def _finding(name: str, line: int, detail: str, where: str | None = None, *, blocks: bool = True) -> Finding:
    return Finding(name, where or f"linje {line}", detail, line, blocks=blocks and name not in _OF_THE_SCHOOL)
