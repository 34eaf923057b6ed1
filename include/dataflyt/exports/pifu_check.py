"""The check of a PIFU-IMS file: XML in, findings out.

Source: Senter for IKT i utdanningen, PIFU-IMS SAS 1.1, 1.2 and 1.3 (XSDs of 2014-07-04, 2019-06-07 and 2020-04-12).

The check follows the XSD, and lets through only the part of PIFU that our export uses: no address, and no relative
except a guardian. It also checks what the XSD does not: every reference leads to an element of the file; no person,
group or member occurs twice; numbers have valid check digits; and every person is a member of something or the guardian
of a person in the file. The file is streamed: only ids are remembered.

No finding repeats what stands in the file: it names the element and the line.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Any, BinaryIO, Final, NamedTuple

from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import walked
from dataflyt.exports.model import Finding, Openable
from dataflyt.identity import numbers

NAMESPACES: Final = {
    "1.1": "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-1.1",
    "1.2": "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-1.2",
    "1.3": "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1",
}
"""The namespace of each version of PIFU-IMS SAS. From 1.3 on it carries the major version only."""

NOT_VALID: Final = "Element som ikke er som det skal"
NOT_HERE: Final = "Element som denne eksporten aldri har"
OUT_OF_ORDER: Final = "Elementer i feil rekkefølge"
DUPLICATE_ID: Final = "Samme id to ganger"
UNRESOLVED: Final = "Henvisning til noe som ikke finnes"
WITHOUT_PART: Final = "Person uten tilknytning"
WRONG_NUMBER: Final = "Fødselsnummer med feil kontrollsifre"
WRONG_ORGNR: Final = "Organisasjonsnummer med feil kontrollsiffer"
REVERSED: Final = "Datoer i feil rekkefølge"

_DOES_NOT_BLOCK = frozenset((WRONG_NUMBER, WRONG_ORGNR, REVERSED))
"""Mistakes in a school's data, which the school corrects; everything else makes the file itself wrong."""


def check(path: Openable, version: str = "1.3") -> Iterator[Finding]:
    """Yield what is wrong with a PIFU-IMS file of a version; raise Unreadable when it is not one."""
    return walked(path, _Check(version).run)


# Which elements an element may have, as a regular expression over their names, each with a blank after it (the XSD).
_CONTENT: Final = {
    "properties": "datasource (target )*type datetime ",
    "sourcedid": "source id ",
    "person": "sourcedid (userid )*name (demographics )?(email )?(tel )*(extension )?",
    "name": "fn n ",
    "n": "family given ",
    "demographics": "(gender )?(bday )?",
    "group": "sourcedid (grouptype )+description (timeframe )?(relationship )+(extension )?",
    "grouptype": "scheme typevalue ",
    "description": "short (long )?(full )?",
    "timeframe": "(begin )?(end )?(adminperiod )?",
    "relationship": "sourcedid label ",
    "member": "sourcedid idtype (role )+",
    "role": "(subrole )?status (timeframe )?(extension )?",
    "extension": "(pifu_id )*(pifu_name )*(pifu_email )*(pifu_tel )*(pifu_status )*(pifu_hasContactPerson )*"
    "(pifu_primaryRelation )?(pifu_schoolType )*",
    "pifu_id": "pifu_value pifu_scope pifu_unique ",
    "pifu_name": "pifu_value ",
    "pifu_hasContactPerson": "sourcedid ",
}
_DAYS = frozenset(("datetime", "bday", "begin", "end"))
_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TEXT: Final = {
    "datasource": ".{1,256}",
    "target": ".{1,256}",
    "type": "full",
    "datetime": _DAY + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)?",
    "source": ".{1,32}",
    "id": ".{1,256}",
    "userid": ".{1,256}",
    "fn": ".{1,256}",
    "family": ".{1,256}",
    "given": ".{1,256}",
    "gender": "[012]",
    "bday": _DAY,
    "email": r"(?=.{1,256}$)[^@]+@[^@]+\.[^@.]+",
    "tel": r"\+\d{1,31}",
    "scheme": "pifu-ims-go-(org|grp)",
    "typevalue": r"[a-zåøæ]{1,256}",
    "short": ".{1,60}",
    "long": ".{1,256}",
    "full": ".{1,2048}",
    "begin": _DAY,
    "end": _DAY,
    "adminperiod": r"[VH]*\d{4}(/[VH]*\d{4})?",
    "label": ".{1,128}",
    "idtype": "1",
    "subrole": "faglærer|lærerstudent|vikar|rådgiver|kontormedarbeider|skolehelsetjeneste|skolebibliotekar|vaktmester|"
    "renholdsarbeider|foresattrepresentant|rektor|inspektør|iktansvarlig|sosiallærer|sensor|pptansatt",
    "status": "[01]",
    "pifu_value": ".{1,256}",
    "pifu_scope": ".{1,256}",
    "pifu_unique": "[01]",
    "pifu_email": r"(?=.{1,256}$)[^@]+@[^@]+\.[^@.]+",
    "pifu_tel": r"\+\d{1,31}",
    "pifu_status": "aktiv|inaktiv|heltid|deltid|norsk-utv-i-utlandet|utenlandsk-utv-i-norge|voksen|privatist",
    "pifu_primaryRelation": "[01]",
    "pifu_schoolType": "barneskole|ungdomsskole|videregående|barnehage|sfo",
}
_ATTRIBUTE: Final = {
    "properties": ("lang", ".{1,128}"),
    "userid": ("useridtype", "personNIN|personLIN|personFIN|studentID|workforceID|username|sisID|feideID|microsoftUPN"),
    "tel": ("teltype", "[13]"),
    "typevalue": ("level", r"\d{1,2}"),
    "relationship": ("relation", "1"),
    "role": ("roletype", "0[1-8]"),
    "pifu_id": (
        "type",
        "organizationNumber|municipalityNumber|domainName|grepCode|grepCodeShortForm|grepCodeGradeLevel",
    ),
    "pifu_name": ("type", "legalName|name|fullName|shortName"),
    "pifu_email": ("type", "personEmailPrivate|personEmailAtOrg"),
    "pifu_tel": ("type", "personMobilePrivate|personMobileAtOrg"),
    "pifu_status": ("type", "activeInactive|pupilStatus"),
    "pifu_hasContactPerson": ("type", "guardian"),
}
"""The one attribute that an element must have; the elements that are not here have none."""
_BEFORE_1_3: Final = {
    "userid": ("useridtype", "personNIN|personLIN|personFIN|studentID|workforceID|username|sisID"),
    "pifu_id": ("type", "organizationNumber|municipalityNumber|domainName|grepCode|grepCodeShortForm"),
}
_ATTRIBUTE_OF: Final = {
    "1.1": _ATTRIBUTE | _BEFORE_1_3 | {"userid": ("useridtype", "personNIN|studentID|workforceID|username|sisID")},
    "1.2": _ATTRIBUTE | _BEFORE_1_3,
    "1.3": _ATTRIBUTE,
}
_SINCE_1_3: Final = frozenset(("pifu_schoolType",))
"""Elements that older versions do not have."""
_TYPES: Final = {
    ("pifu-ims-go-org", "1"): "skoleeier",
    ("pifu-ims-go-org", "2"): "skole",
    ("pifu-ims-go-grp", "1"): "basisgruppe",
    ("pifu-ims-go-grp", "2"): "undervisningsgruppe",
    ("pifu-ims-go-grp", "3"): "kontaktlærergruppe",
    ("pifu-ims-go-grp", "4"): "trinn",
    ("pifu-ims-go-grp", "7"): "fag",
}


class _Rule(NamedTuple):
    """What the XSD requires of an element: its children or text, and its one attribute."""

    name: str
    content: re.Pattern[str] | None
    text: re.Pattern[str] | None
    attribute: str | None
    allowed: re.Pattern[str] | None


def _rule(name: str, version: str) -> _Rule:
    attribute, allowed = _ATTRIBUTE_OF[version].get(name, (None, None))
    return _Rule(
        name,
        re.compile(_CONTENT[name]) if name in _CONTENT else None,
        re.compile(_TEXT[name], re.DOTALL | re.ASCII) if name in _TEXT else None,
        attribute,
        re.compile(allowed, re.ASCII) if allowed else None,
    )


_RULES: Final = {
    f"{{{namespace}}}{name}": _rule(name, version)
    for version, namespace in NAMESPACES.items()
    for name in (*_CONTENT, *_TEXT)
    if version == "1.3" or name not in _SINCE_1_3
}
_ANY_ID = re.compile(rb"(?<=<id>)[^<]{1,256}(?=</id>)")
_ENOUGH: Final = 4096
_TOP = ("properties", "person", "group", "membership")


class Names:
    """The names of a version's elements, with its namespace."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._namespace = NAMESPACES[version]
        self.enterprise, self.membership, self.member, self.role = map(
            self.tag, ("enterprise", "membership", "member", "role")
        )
        self.sourcedid, self.id, self.userid, self.contact = map(
            self.tag, ("sourcedid", "id", "userid", "pifu_hasContactPerson")
        )
        self.timeframe, self.begin, self.end = map(self.tag, ("timeframe", "begin", "end"))
        self.top = [self.tag(name) for name in _TOP]

    def tag(self, name: str) -> str:
        """Return an element's name with the namespace."""
        return f"{{{self._namespace}}}{name}"

    def path(self, *names: str) -> str:
        """Return the path of elements inside each other."""
        return "/".join(map(self.tag, names))

    def id_of(self, element: etree._Element) -> str:
        """Return the id in an element's first sourcedid."""
        for sourcedid in element.iterchildren(self.sourcedid):
            for found in sourcedid.iterchildren(self.id):
                return found.text or ""
        return ""

    def reversed(self, element: etree._Element) -> bool:
        """Tell whether an element's period ends before it begins."""
        for frame in element.iterchildren(self.timeframe):
            begin, end = frame.findtext(self.begin), frame.findtext(self.end)
            if begin and end and begin > end:
                return True
        return False


class _Check:
    """One walk through a file, and its memory of the elements it has passed."""

    def __init__(self, version: str) -> None:
        self._names = Names(version)
        self._people: dict[str, bool] = {}  # id -> whether a member of something or somebody's guardian
        self._numbers: set[int] = set()
        self._organisations: dict[str, str] = {}  # id -> skoleeier or skole
        self._groups: set[str] = set()
        self._memberships: set[str] = set()
        self._right: set[bytes] = set()
        self._members: set[str] = set()  # of the membership being read
        self._named: dict[str, int] = {}  # guardian who has not been read yet -> the first line that names them
        self._parents: list[tuple[str, str, str, int]] = []  # word, id, parent, line
        self._rank = -1

    def run(self, file: BinaryIO) -> Iterator[Finding]:
        looks = dict(zip(self._names.top, (self._properties, self._person, self._group, self._membership), strict=True))
        for element, is_member in elements(file, self._names):
            if is_member:
                yield from self._member(element)
                continue
            look = looks.get(str(element.tag))
            if look is None:
                yield finding(NOT_HERE, element, "rett under roten")
                continue
            rank = self._names.top.index(str(element.tag))
            if rank < self._rank or rank == self._rank == 0 or rank > 0 > self._rank:
                yield finding(OUT_OF_ORDER, element, "det står der det ikke skal")
            self._rank = max(rank, self._rank)
            yield from look(element)
        yield from self._end()

    def _properties(self, properties: etree._Element) -> Iterator[Finding]:
        yield from faults(properties)

    def _person(self, person: etree._Element) -> Iterator[Finding]:
        yield from faults(person)
        person_id = self._names.id_of(person)
        if person_id in self._people:
            yield finding(DUPLICATE_ID, person, "en person med samme sourcedid står ovenfor")
        self._people[person_id] = self._named.pop(person_id, None) is not None
        for user_id in person.iterchildren(self._names.userid):
            kind, value = user_id.get("useridtype"), user_id.text or ""
            if kind == "personNIN":
                if len(value) != 11 or not numbers.parse(value).valid:
                    yield finding(WRONG_NUMBER, person, "personNIN")
                    continue
                if int(value) in self._numbers:
                    yield finding(DUPLICATE_ID, person, "en person med samme personNIN står ovenfor")
                self._numbers.add(int(value))
        named: set[str] = set()
        for contact in person.iter(self._names.contact):
            guardian = self._names.id_of(contact)
            if guardian in named or guardian == person_id:
                yield finding(DUPLICATE_ID, person, "en foresatt er nevnt to ganger, eller er eleven selv")
            named.add(guardian)
            if guardian in self._people:
                self._people[guardian] = True
            else:
                self._named.setdefault(guardian, _line(person))

    def _group(self, group: etree._Element) -> Iterator[Finding]:
        yield from faults(group)
        group_id = self._names.id_of(group)
        if group_id in self._groups or group_id in self._organisations:
            yield finding(DUPLICATE_ID, group, "en gruppe med samme sourcedid står ovenfor")
        kind = group.find(self._names.path("grouptype", "typevalue"))
        word = (kind.text if kind is not None else None) or ""
        level = (kind.get("level") if kind is not None else None) or ""
        if _TYPES.get((group.findtext(self._names.path("grouptype", "scheme")) or "", level)) != word:
            yield finding(NOT_VALID, group, "grouptype: scheme, level og ord hører ikke sammen")
        parent = group.find(self._names.path("relationship"))
        self._parents.append((word, group_id, "" if parent is None else self._names.id_of(parent), _line(group)))
        if word not in ("skoleeier", "skole"):
            self._groups.add(group_id)
            if self._names.reversed(group):
                yield finding(REVERSED, group, "gruppen slutter før den begynner")
            return
        self._organisations[group_id] = word
        orgnrs = [
            child.findtext(self._names.path("pifu_value")) or ""
            for child in group.iterfind(self._names.path("extension", "pifu_id"))
            if child.get("type") == "organizationNumber"
        ]
        if len(orgnrs) != 1:
            yield finding(NOT_VALID, group, "en organisasjon må ha ett organizationNumber")
        elif numbers.orgnr(orgnrs[0]) != orgnrs[0]:
            yield finding(WRONG_ORGNR, group, "organizationNumber")

    def _member(self, member: etree._Element) -> Iterator[Finding]:
        # Most members differ only in their id. A member that is otherwise equal to a valid one is valid.
        shape = _ANY_ID.sub(b"", etree.tostring(member, with_tail=False), count=1)
        if shape not in self._right:
            wrong = list(faults(member))
            yield from wrong
            if not wrong and len(self._right) < _ENOUGH:
                self._right.add(shape)
        person_id = self._names.id_of(member)
        if person_id in self._people:
            self._people[person_id] = True
        else:
            yield finding(UNRESOLVED, member, "et medlem som ikke er blant personene")
        if person_id in self._members:
            yield finding(DUPLICATE_ID, member, "den samme personen er medlem to ganger")
        self._members.add(person_id)
        if any(self._names.reversed(role) for role in member.iterchildren(self._names.role)):
            yield finding(REVERSED, member, "medlemskapet slutter før det begynner")

    def _membership(self, membership: etree._Element) -> Iterator[Finding]:
        """Check a membership. Its members have been checked before it, and all but the last are removed."""
        if [child.tag for child in membership] != [self._names.sourcedid, self._names.member] or membership.items():
            yield finding(NOT_VALID, membership, "membership: én sourcedid, så medlemmer")
        else:
            yield from faults(membership[0])
        group_id = self._names.id_of(membership)
        if group_id not in self._groups and group_id not in self._organisations:
            yield finding(UNRESOLVED, membership, "et medlemskap i en gruppe som ikke finnes")
        if group_id in self._memberships:
            yield finding(DUPLICATE_ID, membership, "medlemmene i gruppen står ovenfor også")
        self._memberships.add(group_id)
        self._members.clear()

    def _end(self) -> Iterator[Finding]:
        if self._rank < 0:
            yield Finding(NOT_VALID, "linje 1", "properties mangler", 1, blocks=True)
        for line in self._named.values():
            yield Finding(UNRESOLVED, f"linje {line}", "en foresatt som ikke er blant personene", line, blocks=True)
        if unplaced := list(self._people.values()).count(False):
            detail = f"{unplaced} personer er verken medlem av noe eller foresatt for noen"
            yield Finding(WITHOUT_PART, "linje 1", detail, 1, blocks=True)
        if sorted(self._organisations.values()).count("skoleeier") != 1:
            yield Finding(NOT_VALID, "linje 1", "det må være én skoleeier", 1, blocks=True)
        for word, group_id, parent, line in self._parents:
            above = self._organisations.get(parent)
            wanted = "skoleeier" if word in ("skoleeier", "skole") else "skole"
            if above != wanted or (word == "skoleeier" and parent != group_id):
                yield Finding(UNRESOLVED, f"linje {line}", f"overordnet til {word} finnes ikke", line, blocks=True)


def elements(file: BinaryIO, names: Names) -> Iterator[tuple[etree._Element, bool]]:
    """Yield the elements directly below the root, and each member (with True) before its membership.

    An element is removed from the tree once it has been checked, so that memory does not grow.
    """
    try:
        _, root = next(etree.iterparse(file, events=("start",), resolve_entities=False, no_network=True))
        if root.tag != names.enterprise:
            raise Unreadable(f"Filen begynner ikke som PIFU-IMS {names.version}.")
        file.seek(0)
        kept: etree._Element | None = None  # the element that was checked last
        for _, element in etree.iterparse(
            file,
            events=("end",),
            tag=(*names.top, names.member, names.enterprise),
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        ):
            parent = element.getparent()
            if parent is not None and parent.tag == names.membership and element.tag == names.member:
                yield element, True
                before = element.getprevious()
                if before is not None and before.tag == names.member:
                    _refuse_text(before)
                    parent.remove(before)
            elif parent is None or parent.getparent() is None:
                # An unchecked element before this one is of a kind that the caller did not ask for.
                above = list(element) if parent is None else [*element.itersiblings(preceding=True)][::-1]
                for other in above:
                    if other is not kept:
                        yield other, False
                if parent is not None:
                    yield element, False
                    if element.tag == names.membership:
                        _refuse_text(*element, inside=element)
                    for other in above:
                        parent.remove(other)
                    kept = element
                _refuse_text(*above, inside=element if parent is None else parent)
        return
    except etree.XMLSyntaxError as error:
        sentence = f"Filen er ikke velformet XML (linje {error.lineno})."
    except StopIteration:
        sentence = "Filen er tom."
    raise Unreadable(sentence)


def _refuse_text(*elements: etree._Element, inside: etree._Element | None = None) -> None:
    """Raise Unreadable where there is text after one of the elements or at the beginning of ``inside``."""
    texts = [(element.sourceline, element.tail) for element in elements]
    texts += [] if inside is None else [(inside.sourceline, inside.text)]
    for line, text in texts:
        if text and text.strip():
            raise Unreadable(f"Filen har tekst mellom elementene, etter linje {line}.")


def faults(record: etree._Element) -> Iterator[Finding]:
    """Yield what is wrong with an element and with everything in it, but not with its place in the file."""
    for element in record.iter():
        rule = _RULES.get(element.tag)
        if rule is None:
            yield finding(NOT_HERE, element, f"i {_RULES[str(record.tag)].name}")
            continue
        attributes = element.items()
        if (attributes or rule.attribute) and not _has_right_attribute(element.tag, *attributes):
            yield finding(NOT_VALID, element, f"{rule.name}: attributtet mangler, er ukjent eller er ett for mye")
        text = element.text or ""
        if rule.text is not None:
            if len(element) or not rule.text.fullmatch(text) or (rule.name in _DAYS and not _is_day(text[:10])):
                yield finding(NOT_VALID, element, f"{rule.name} er tom, for lang eller har feil form")
        elif not _has_right_content(element.tag, *[child.tag for child in element]):
            yield finding(
                NOT_VALID, element, f"{rule.name} mangler et element, har ett for mye, eller har dem i feil rekkefølge"
            )
        elif text and text.strip():
            yield finding(NOT_VALID, element, f"{rule.name} har egen tekst")
        if element is not record and element.tail and element.tail.strip():
            yield finding(NOT_VALID, element, f"det står tekst ved siden av {rule.name}")


# The same few combinations recur: their results are kept.


@lru_cache(maxsize=1024)
def _has_right_attribute(tag: str, *attributes: tuple[str, str]) -> bool:
    rule = _RULES[tag]
    if rule.attribute is None or rule.allowed is None:
        return not attributes
    return [name for name, _ in attributes] == [rule.attribute] and bool(rule.allowed.fullmatch(attributes[0][1]))


@lru_cache(maxsize=1024)
def _has_right_content(tag: str, *below: str) -> bool:
    rule = _RULES[tag]
    names = [_RULES[child].name if child in _RULES else "?" for child in below]
    return bool(rule.content and rule.content.fullmatch("".join(f"{name} " for name in names)))


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _line(element: etree._Element) -> int:
    line: Any = element.sourceline
    return line or 0


def finding(name: str, element: etree._Element, detail: str) -> Finding:
    """Return a finding at the line of an element."""
    line = _line(element)
    return Finding(name, f"linje {line}", detail, line, blocks=name not in _DOES_NOT_BLOCK)
