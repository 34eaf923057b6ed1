"""The check of a FEIDE directory: an LDIF file in, findings out, by the names of Feide's own LDAP validator.

Sources: "Feides informasjonsmodell for grunnopplæringa" 2018-03, attributes; Feide, "LDAP validator, Validator errors";
Feide, "Sjekkliste for god datakvalitet".

The file is read one entry at a time, and memory does not grow with the number of people. Feide's validator reads the
directory itself. This check reads a file, and differs in this:

- ``userPassword`` is not required: passwords are in the directory and never in this file.
- ``norEduPersonNIN`` is not required: it is mandatory where a valid number exists, and a file cannot tell whether one
  does.
- "Group with invalid code" looks at the form of the code (three letters, four digits; none for a class). Grep is not
  asked whether the code exists.
- "Groups without a corresponding group ID" and its opposite compare canonical forms, so that a group ID in the wrong
  form is one finding and not three.
- ``eduPersonOrgUnitDN`` is required for pupils and teachers only: other people may belong to no school.
- Check digits of organisation numbers are not checked here: ``feide.parse`` warns of wrong ones.

No finding repeats what stands in the file: it names the part and the line.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import BinaryIO, Final

from dataflyt.exports.checking import walked
from dataflyt.exports.model import Finding, Openable
from dataflyt.formats import feide, ldif

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
"""The name of the finding for a group that cannot be read. It is ours: Feide's validator has none."""

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

_ORG = re.compile(r"NO[0-9]{9}")
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


def check(path: Openable) -> Iterator[Finding]:
    """Yield what Feide's validator would find in an LDIF file; raise Unreadable when it is not LDIF."""
    return walked(path, _Check().run)


class _Check:
    """One walk through a directory, and its memory of the entries it has passed."""

    def __init__(self) -> None:
        self._identifiers: set[str] = set()
        self._units: set[str] = set()
        self._sought: dict[str, list[tuple[int, str]]] = {}

    def run(self, file: BinaryIO) -> Iterator[Finding]:
        for entry in ldif.read(file):
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
    groups: list[tuple[int, feide.Value]] = []
    groupids: list[tuple[int, feide.Value]] = []
    has_grep = False
    for line, text in entry.attributes.get("edupersonentitlement", ()):
        value = parsed(text)
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
            if error in feide.CODE_ERRORS:
                name = WITHOUT_CODE if error == feide.NO_CODE else INVALID_CODE
                yield _finding(name, entry.line, f"gruppen på linje {line}: {error}")
            elif error != feide.CHECK_DIGIT:
                rest.append(error)
        if rest:
            yield _finding(MALFORMED_GROUP, entry.line, f"gruppen på linje {line}: {'; '.join(rest)}")
    for line, value in groupids:
        rest = [error for error in value.errors if error != feide.CHECK_DIGIT]
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


parsed: Callable[[str], feide.Value] = lru_cache(maxsize=2**15)(feide.parse)
"""``feide.parse`` that remembers: people share their groups."""


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
