"""PIFU-IMS SAS files to rows, and plain IMS Enterprise 1.1, the base of PIFU-IMS.

In: a full file (namespaces 1.1, 1.2 and v1, or none). Out: rows in the order of the file; a ``person`` is followed by
its ``guardian`` rows. A file that says it holds only changes (``properties/type`` delta or event), an element without
its id, and a broken file raise ``Unreadable``. A file without persons is readable. Quality rules find it, and find a
full file that lacks rows of last time. A person, group or role that is marked as deleted (``recstatus`` 3) counts as
absent. The memberships of such a person or in such a group count as absent too.

A membership is not in force (``active`` false) when its role's ``status`` is 0, or the ``pifu_status`` of the role or
the person is inaktiv. A private candidate (``pifu_status`` privatist, and neither heltid nor deltid) is not a pupil:
the ``subrole`` of such a membership is privatist.

A changed id is written as a pair, ``New`` and ``Old``, and an id that was given by mistake as ``Duplicate``. A
reference by such an id, before the pair or after it, gets the right id. An id that another person has, or that two
claim, is unchanged. A file with such ids is read twice.

A person with only ``fn`` gets a given name and a family name from it. The family name is the last word (assumed), or
the part before a comma.

Plain IMS Enterprise has none of PIFU's words. This is assumed, since no file of a Norwegian system was found: an id
that is a valid national identity number is the person's number (Identum says that the number is the id in such files);
an organisation is a ``group`` whose ``typevalue`` is a word for a school or its owner, and its number is ``org/id``.

Source: Senter for IKT i utdanningen, PIFU-IMS SAS 1.1, 1.2 and 1.3 (XSD and guide); IMS Enterprise 1.1.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.formats.dates import end_day, start_day
from dataflyt.formats.text import tidy
from dataflyt.formats.xml_records import (
    CHUNK,
    NAMES,
    Element,
    attribute,
    children,
    inside,
    name_of,
    records,
    text_in,
    texts,
)
from dataflyt.identity import numbers
from dataflyt.sources.sas.rows import Group, Guardian, Membership, Person, School
from dataflyt.sources.sas.values import grep_codes, nine_digits, year_level_in

_CONTAINERS = {"enterprise": frozenset[str](), "membership": frozenset({"sourcedid"})}
_SEX = {"1": "kvinne", "2": "mann"}
_ORG_LEVELS = {"1": "skoleeier", "2": "skole"}
_GROUP_TYPES = {
    "1": "basisgruppe",
    "2": "undervisningsgruppe",
    "3": "kontaktlærergruppe",
    "4": "trinn",
    "5": "utdanningsprogram",
    "6": "programområde",
    "7": "fag",
    "8": "foresattegruppe",
    "9": "språkopplæring",
    "10": "sammensattgruppe",
    "11": "elevråd",
    "12": "fau",
    "13": "skoleutvalg",
    "14": "skolemiljøutvalg",
    "15": "sfo",
    "16": "eksamensgruppe",
}
_OF_NAME = frozenset(("fn", "given", "family"))
_OF_DEMOGRAPHICS = frozenset(("gender", "bday"))
_YES_NO = {"1": True, "0": False}


_DELETED = "3"
_INACTIVE = "inaktiv"
PRIVATE_CANDIDATE = "privatist"
_PUPIL = "01"
_A_GROUP = "2"
_REAL_PUPIL = frozenset({"heltid", "deltid"})


@dataclass
class _Kind:
    """The ids of a file's people, or of its groups: the ids that stand for other ids, and the deleted ids."""

    renamed: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)

    def learn(self, record: Element) -> str | None:
        """Take in a person or group, and return its id; None if it is deleted or has no id."""
        own = _id_of(_ids_in(record))
        if own and attribute(record, "recstatus") == _DELETED:
            self.gone.add(own)
            return None
        if own:
            self.there.add(own)
            self.learn_pairs(record)
        return own

    def learn_pairs(self, element: Element) -> None:
        """Take in the ids that stand for another id in this element."""
        own, others = _own_and_others(element)
        for other in others:
            # An id that two claim cannot be followed to either.
            self.renamed[other] = own if self.renamed.get(other, own) == own else other

    def follow_pairs(self) -> None:
        """Drop pairs and deletions that the rest of the file contradicts, and follow each pair to its end."""
        self.gone -= self.there
        for other in [old for old, new in self.renamed.items() if old in self.there or old == new]:
            del self.renamed[other]
        for other in self.renamed:
            self.renamed[other] = self.now(other)

    def now(self, one: str) -> str:
        """Return the id that this id now stands for."""
        if one not in self.renamed:
            return one
        seen = set()
        while one in self.renamed and one not in seen:
            seen.add(one)
            one = self.renamed[one]
        return one

    def meant(self, ids: Mapping[str, str]) -> str | None:
        """Return the id that a reference means. If it has several, one that the file has is returned."""
        own = _id_of(ids)
        found = own and self.now(own)
        if found and found not in self.there and len(ids) > 1:
            found = next((one for one in map(self.now, ids.values()) if one in self.there), found)
        return found


@dataclass
class _Whole:
    """The facts of the whole file that must be known before a row of it can be read."""

    people: _Kind = field(default_factory=_Kind)
    groups: _Kind = field(default_factory=_Kind)
    inactive: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)

    def learn(self, record: Element) -> None:
        """Take in a record and the ids that it points to."""
        name = name_of(record)
        if name == "person" and (person_id := self.people.learn(record)):
            said = _statuses(record)
            if _INACTIVE in said:
                self.inactive.add(person_id)
            if PRIVATE_CANDIDATE in said and not said & _REAL_PUPIL:
                self.private.add(person_id)
            for guardian, _ in _contacts(record):
                self.people.learn_pairs(guardian)
        elif name == "group" and self.groups.learn(record):
            for relation in _parents(record):
                self.groups.learn_pairs(relation)
        elif name == "member" and text_in(record, "idtype") != _A_GROUP:
            self.people.learn_pairs(record)


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield the rows of a PIFU-IMS SAS file, or of a plain IMS Enterprise file. Raises Unreadable."""
    membership: Element | None = None
    group_id = ""
    whole = _whole(stream)
    for parent, record in _records(stream):
        name = NAMES[record.tag]
        if name == "member" and (parent is membership or name_of(parent) == "membership"):
            if parent is not membership:
                membership, group_id = parent, _required(whole.groups.meant(_ids_in(parent)), parent)
            if group_id not in whole.groups.gone:
                yield from _member(record, group_id, whole)
        elif name == "properties":
            _refuse_changes(record)
        elif name == "person" and (status := attribute(record, "recstatus")) != _DELETED:
            yield from _person(record, status, whole)
        elif name == "group" and attribute(record, "recstatus") != _DELETED:
            yield _group(record, whole.groups)


def _records(stream: BinaryIO) -> Iterator[tuple[Element, Element]]:
    return records(stream, "enterprise", _CONTAINERS, "en PIFU-IMS-fil")


_REACHES_FAR = {
    b"old": re.compile(rb"""["']\s*old\s*["']"""),
    b"duplicate": re.compile(rb"""["']\s*duplicate\s*["']"""),
    b"recstatus": re.compile(rb"""recstatus\s*=\s*["']\s*3"""),
    b"inaktiv": re.compile(rb"inaktiv"),
    b"privatist": re.compile(rb"privatist"),
}


def _whole(stream: BinaryIO) -> _Whole:
    """Return the file's facts that concern more than one record; leave the stream at its old position.

    Most files have no such facts. Their bytes are searched first, which takes a tenth of the time of reading them.
    """
    found = _Whole()
    if not stream.seekable():
        raise Unreadable("Filen ligger på et lager der den bare kan leses forfra.")
    beginning = stream.tell()
    reaches_far = _reaches_far(stream)
    stream.seek(beginning)
    if reaches_far:
        membership: Element | None = None
        for parent, record in _records(stream):
            if name_of(parent) == "membership" and membership is not parent:
                membership = parent
                found.groups.learn_pairs(parent)
            found.learn(record)
        stream.seek(beginning)
        found.people.follow_pairs()
        found.groups.follow_pairs()
    return found


def _reaches_far(stream: BinaryIO) -> bool:
    before = b""
    while chunk := stream.read(CHUNK):
        some = chunk.replace(b"\0", b"").lower()
        between = before + some[:64]
        for word, pattern in _REACHES_FAR.items():
            if (word in some or word in between) and pattern.search(before + some):
                return True
        before = (before + some[-64:])[-64:]
    return False


def _statuses(record: Element) -> set[str]:
    """Return the values of every ``pifu_status`` of a person or a role, in lower case."""
    return {
        (tidy(status.text) or "").lower()
        for name, extension in children(record)
        if name == "extension"
        for more, status in children(extension)
        if more == "pifu_status"
    }


def _refuse_changes(properties: Element) -> None:
    kind = (texts(properties).get("type") or "full").lower()
    if kind != "full":
        shown = f" ({kind})" if kind in {"delta", "event", "melding"} else ""
        raise Unreadable(f"Filen har bare endringer{shown}, og skulle vært et fullt uttrekk (properties/type full).")


def _keep_id(found: dict[str, str], sourcedid: Element) -> None:
    """Keep an id by its ``sourcedidtype`` in lower case (default ``new``); the first id of each type counts."""
    value = text_in(sourcedid, "id")
    if value:
        found.setdefault((attribute(sourcedid, "sourcedidtype") or "new").lower(), value)


def _ids_in(element: Element) -> dict[str, str]:
    ids: dict[str, str] = {}
    for child in inside(element):
        if NAMES[child.tag] == "sourcedid":
            _keep_id(ids, child)
    return ids


def _id_of(ids: Mapping[str, str]) -> str | None:
    return ids.get("new") or next(iter(ids.values()), None)


def _own_and_others(element: Element) -> tuple[str, list[str]]:
    """Return an element's id, and every other id that it has had or was given by mistake."""
    every = [
        ((attribute(child, "sourcedidtype") or "new").lower(), value)
        for name, child in children(element)
        if name == "sourcedid" and (value := text_in(child, "id"))
    ]
    if len(every) < 2:
        return "", []
    own = next((value for kind, value in every if kind == "new"), every[0][1])
    return own, [value for kind, value in every if value != own and kind in ("old", "duplicate")]


def _required(found: str | None, element: Element) -> str:
    if found is None:
        raise Unreadable(f"Elementet {name_of(element)} i linje {element.sourceline} har ingen sourcedid.")
    return found


def _contacts(person: Element) -> Iterator[tuple[Element, str | None]]:
    """Yield each contact person of a person, and the kind of contact."""
    for name, extension in children(person):
        if name == "extension":
            for more, contact in children(extension):
                if more == "pifu_hascontactperson":
                    yield contact, attribute(contact, "type")


def _parents(group: Element) -> Iterator[Element]:
    """Yield each relationship of a group to the groups above it."""
    for name, relation in children(group):
        if name == "relationship" and attribute(relation, "relation") in (None, "1"):
            yield relation


def _person(person: Element, recstatus: str | None, whole: _Whole) -> Iterator[NamedTuple]:
    ids: dict[str, str] = {}
    user_ids: dict[str, str | None] = {}
    name: dict[str, str | None] = {}
    demographics: dict[str, str | None] = {}
    emails: dict[str, str | None] = {}
    mobiles: dict[str, str | None] = {}
    contacts: list[tuple[Element, str | None]] = []
    for child in inside(person):
        tag = NAMES[child.tag]
        if tag == "sourcedid":
            _keep_id(ids, child)
        elif tag == "userid":
            user_ids.setdefault((attribute(child, "useridtype") or "").lower(), tidy(child.text))
        elif tag == "name":
            name = _name(child)
        elif tag == "demographics":
            demographics = texts(child, _OF_DEMOGRAPHICS)
        elif tag == "email":
            emails.setdefault("", tidy(child.text))
        elif tag == "tel" and attribute(child, "teltype") == "3":
            mobiles.setdefault("", tidy(child.text))
        elif tag == "extension":
            for extra in inside(child):
                more = NAMES[extra.tag]
                if more == "pifu_email":
                    emails.setdefault((attribute(extra, "type") or "").lower(), tidy(extra.text))
                elif more == "pifu_tel":
                    mobiles.setdefault((attribute(extra, "type") or "?").lower(), tidy(extra.text))
                elif more == "pifu_hascontactperson":
                    contacts.append((extra, attribute(extra, "type")))
    person_id = _required(_id_of(ids), person)
    number, encrypted = user_ids.get("personnin"), user_ids.get("personninencrypted")
    username = user_ids.get("username") or user_ids.get("")
    told = numbers.told(
        number or encrypted,
        user_ids.get("personlin"),
        person_id,
        born=start_day(demographics.get("bday")),
        encrypted=bool(encrypted and not number),
    )
    if not person.tag.startswith("{"):  # plain IMS Enterprise
        if told.number is None and told.number_kind is None and "personlin" not in user_ids:
            # Identum: the number is the id in such files.
            meant = [found for found in (username, person_id) if (one := numbers.read(found)) and one.kind != "local"]
            told = numbers.told(next(iter(meant), None), None, username, person_id)
        if username in (number, told.number):
            username = None
    yield Person(
        person_id=person_id,
        old_person_id=ids.get("old"),
        number=told.number,
        local_number=told.local_number,
        feide_id=user_ids.get("feideid"),
        username=username,
        given_name=name.get("given"),
        family_name=name.get("family"),
        full_name=name.get("fn"),
        sex=_SEX.get(demographics.get("gender") or ""),
        birth_date=start_day(demographics.get("bday")),
        email=emails.get("") or emails.get("personemailatorg") or emails.get("personemailprivate"),
        mobile=mobiles.get("") or mobiles.get("personmobileatorg") or mobiles.get("personmobileprivate"),
        recstatus=recstatus,
        number_kind=told.number_kind,
    )
    for contact, kind in contacts:
        guardian_id = whole.people.meant(_ids_in(contact))
        if guardian_id and guardian_id not in whole.people.gone:
            yield Guardian(person_id, guardian_id, kind)


def _name(element: Element) -> dict[str, str | None]:
    """Return ``fn``, and ``given`` and ``family`` from inside ``n``, or from ``fn`` if ``n`` has neither."""
    found: dict[str, str | None] = {}
    inner: dict[str, str | None] = {}
    for child in inside(element):
        name = NAMES[child.tag]
        if name == "n":
            inner |= texts(child, _OF_NAME)
        elif name in _OF_NAME and found.get(name) is None:
            found[name] = tidy(child.text)
    found |= inner
    whole = found.get("fn")
    if whole and not found.get("given") and not found.get("family"):
        family, comma, given = whole.partition(",")
        if not comma:
            given, _, family = " ".join(whole.split()).rpartition(" ")
        found |= {"given": tidy(given), "family": tidy(family)}
    return found


def _group(group: Element, groups: _Kind) -> School | Group:
    own: dict[str, str] = {}
    organisation: str | None = None
    kind: str | None = None
    description: dict[str, str | None] = {}
    frame: dict[str, str | None] = {}
    ids: dict[str, str] = {}
    names: dict[str, str] = {}
    school_type: str | None = None
    for name, child in children(group):
        if name == "sourcedid":
            _keep_id(own, child)
        elif name == "grouptype":
            is_organisation, word = _group_type(child)
            if is_organisation:
                organisation = organisation or word
            else:
                kind = kind or word
        elif name == "description":
            description = texts(child)
        elif name == "timeframe":
            frame = texts(child)
        elif name == "org":
            ids.setdefault("org", text_in(child, "id") or "")
        elif name == "extension":
            for more, extra in children(child):
                if more == "pifu_id":
                    _keep_value(ids, extra)
                elif more == "pifu_name":
                    _keep_value(names, extra)
                elif more == "pifu_schooltype":
                    school_type = school_type or tidy(extra.text)
    group_id = _required(_id_of(own), group)
    parent_id = next(filter(None, (groups.meant(_ids_in(relation)) for relation in _parents(group))), None)
    short = description.get("short")
    if organisation:
        return School(
            school_id=group_id,
            parent_id=None if parent_id == group_id else parent_id,
            level=organisation,
            orgnr=nine_digits(ids.get("organizationnumber") or ids.get("org") or None),
            name=names.get("name") or short or names.get("fullname") or names.get("legalname"),
            school_type=school_type,
        )
    code, uri = grep_codes(ids.get("grepcodeshortform"), ids.get("grepcode"))
    return Group(
        group_id=group_id,
        school_id=parent_id,
        group_type=kind,
        name=short,
        long_name=description.get("long") or description.get("full"),
        grep_code=code,
        grep_uri=uri,
        year_level=year_level_in(ids.get("grepcodegradelevel"), uri, code if kind == "trinn" else None),
        begin_date=start_day(frame.get("begin")),
        end_date=end_day(frame.get("end")),
        adminperiod=frame.get("adminperiod"),
    )


_PLAIN_WORDS = {
    **dict.fromkeys(("school", "skole", "skule"), "skole"),
    **dict.fromkeys(("schoolowner", "skoleeier", "skuleeigar", "kommune"), "skoleeier"),
    **dict.fromkeys(("class", "klasse", "basegroup", "basisgruppe"), "basisgruppe"),
    **dict.fromkeys(("teachinggroup", "undervisningsgruppe", "faggruppe"), "undervisningsgruppe"),
}
"""Words for kinds of groups in plain IMS Enterprise (an assumption: each system has its own vocabulary)."""


def _group_type(element: Element) -> tuple[bool, str | None]:
    """Return whether a ``group`` is an organisation (school owner or school), and PIFU's word for it."""
    scheme = word = level = None
    for name, child in children(element):
        if name == "scheme":
            scheme = (tidy(child.text) or "").lower() or None
        elif name == "typevalue":
            word, level = (tidy(child.text) or "").lower() or None, attribute(child, "level")
    if scheme and not scheme.startswith("pifu"):  # in files where the level is a depth and the words differ
        word, level = _PLAIN_WORDS.get((word or "").replace(" ", ""), word), None
    is_organisation = (scheme or "").endswith("-org") or word in _ORG_LEVELS.values()
    words = _ORG_LEVELS if is_organisation else _GROUP_TYPES
    known = word if word in words.values() else words.get(level or "")
    return is_organisation, known or word or ("skole" if is_organisation else None)


def _keep_value(found: dict[str, str], element: Element) -> None:
    kind, value = attribute(element, "type"), text_in(element, "pifu_value")
    if kind and value:
        found.setdefault(kind.lower(), value)


def _member(member: Element, group_id: str, whole: _Whole) -> Iterator[Membership]:
    ids: dict[str, str] = {}
    roles: list[Element] = []
    for child in inside(member):
        name = NAMES[child.tag]
        if name == "sourcedid":
            _keep_id(ids, child)
        elif name == "role":
            roles.append(child)
        elif name == "idtype" and tidy(child.text) == _A_GROUP:
            return  # a group as a member of a group
    person_id = _required(whole.people.meant(ids), member)
    if person_id in whole.people.gone:
        return
    if not roles:
        inactive = False if person_id in whole.inactive else None
        yield Membership(group_id, person_id, None, None, inactive, None, None, None)
    for role in roles:
        if attribute(role, "recstatus") != _DELETED:
            yield _role(role, group_id, person_id, whole)


def _role(role: Element, group_id: str, person_id: str, whole: _Whole) -> Membership:
    values: dict[str, str | None] = {}
    frame: dict[str, str | None] = {}
    extra: dict[str, str | None] = {}
    for child in inside(role):
        name = NAMES[child.tag]
        if name == "timeframe":
            frame = texts(child)
        elif name == "extension":
            extra = texts(child)
        elif values.get(name) is None:
            values[name] = tidy(child.text)
    kind = attribute(role, "roletype")
    kind = kind.zfill(2) if kind and kind.isdecimal() else kind
    said: Container[str] = _statuses(role) if "pifu_status" in extra else ()
    private = person_id in whole.private or PRIVATE_CANDIDATE in said
    inactive = person_id in whole.inactive or _INACTIVE in said
    return Membership(
        group_id=group_id,
        person_id=person_id,
        role=kind,
        subrole=PRIVATE_CANDIDATE if private and kind == _PUPIL else values.get("subrole"),
        active=False if inactive else _YES_NO.get(values.get("status") or ""),
        main=_YES_NO.get(extra.get("pifu_primaryrelation") or ""),
        begin_date=start_day(frame.get("begin")),
        end_date=end_day(frame.get("end")),
    )
