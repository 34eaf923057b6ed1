"""PIFU-IMS SAS files to rows, and plain IMS Enterprise 1.1, on which PIFU-IMS rests.

In: a full file (namespaces 1.1, 1.2 and v1, or none). Out: rows in the order of the file; a ``person`` is followed by
its ``guardian`` rows. A file that says it holds only changes (``properties/type`` delta or event), an element without
its id, and a broken file raise ``Unreadable``. No person at all is readable: whether that may be, and whether a file
that calls itself full lacks what it had last time, is for the checks. What is marked as deleted is not there.

An id that has changed stands as a pair, ``New`` and ``Old``: memberships that still point with the old one are given
the new one.

Plain IMS Enterprise has none of PIFU's words. Assumed, since no file of a Norwegian system was found: an id that is a
valid national identity number is the person's number (Identum says that the number is the id in such files); an
organisation is a ``group`` whose ``typevalue`` is a word for a school or its owner, its number ``org/id``.

Source: Senter for IKT i utdanningen, PIFU-IMS SAS 1.1, 1.2 and 1.3 (XSD and guide); IMS Enterprise 1.1.
"""

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.identity import numbers
from dataflyt.sources.reading import Element, attribute, children, day, name_of, records, text_in, texts, tidy
from dataflyt.sources.sas.tables import Group, Guardian, Membership, Person, School

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
_YES_NO = {"1": True, "0": False}


_DELETED = "3"


def pifu(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read a PIFU-IMS SAS file, or a plain IMS Enterprise file."""
    membership: Element | None = None
    group_id = ""
    people: dict[str, str] = {}  # new id by old one
    groups: dict[str, str] = {}
    for parent, record in records(stream, "enterprise", _CONTAINERS, "a PIFU-IMS file"):
        name = name_of(record)
        if name == "member" and name_of(parent) == "membership":
            if membership is not parent:
                membership, group_id = parent, _wanted_id(_ids_in(parent), parent)
                group_id = groups.get(group_id, group_id)
            yield from _member(record, group_id, people)
        elif name == "properties":
            _refuse_changes(record)
        elif name == "person" and attribute(record, "recstatus") != _DELETED:
            yield from _person(record, people)
        elif name == "group" and attribute(record, "recstatus") != _DELETED:
            yield _group(record, groups)


def _refuse_changes(properties: Element) -> None:
    kind = (texts(properties).get("type") or "full").lower()
    if kind != "full":
        shown = f" ({kind})" if kind in {"delta", "event", "melding"} else ""
        raise Unreadable(f"The file holds only changes{shown}; a full extract (properties/type full) is required.")


def _keep_id(found: dict[str, str], sourcedid: Element) -> None:
    """Keep an id by its ``sourcedidtype`` in lower case, ``new`` where none is given; the first of each counts."""
    value = text_in(sourcedid, "id")
    if value:
        found.setdefault((attribute(sourcedid, "sourcedidtype") or "new").lower(), value)


def _ids_in(element: Element) -> dict[str, str]:
    ids: dict[str, str] = {}
    for name, child in children(element):
        if name == "sourcedid":
            _keep_id(ids, child)
    return ids


def _id_of(ids: Mapping[str, str]) -> str | None:
    return ids.get("new") or next(iter(ids.values()), None)


def _wanted_id(ids: Mapping[str, str], element: Element) -> str:
    found = _id_of(ids)
    if found is None:
        raise Unreadable(f"The element {name_of(element)} in line {element.sourceline} has no sourcedid.")
    return found


def _own_id(ids: Mapping[str, str], element: Element, renamed: dict[str, str]) -> str:
    """Return the id of a person or group, and remember the old one that it has besides."""
    found = _wanted_id(ids, element)
    if "old" in ids and ids["old"] != found:
        renamed[ids["old"]] = found
    return found


def _person(person: Element, renamed: dict[str, str]) -> Iterator[NamedTuple]:
    ids: dict[str, str] = {}
    user_ids: dict[str, str | None] = {}
    name: dict[str, str | None] = {}
    demographics: dict[str, str | None] = {}
    emails: dict[str, str | None] = {}
    mobiles: dict[str, str | None] = {}
    contacts: list[tuple[str, str | None]] = []
    for tag, child in children(person):
        if tag == "sourcedid":
            _keep_id(ids, child)
        elif tag == "userid":
            user_ids.setdefault((attribute(child, "useridtype") or "").lower(), tidy(child.text))
        elif tag == "name":
            name = _name(child)
        elif tag == "demographics":
            demographics = texts(child)
        elif tag == "email":
            emails.setdefault("", tidy(child.text))
        elif tag == "tel" and attribute(child, "teltype") == "3":
            mobiles.setdefault("", tidy(child.text))
        elif tag == "extension":
            for more, extra in children(child):
                if more == "pifu_email":
                    emails.setdefault((attribute(extra, "type") or "").lower(), tidy(extra.text))
                elif more == "pifu_tel":
                    mobiles.setdefault((attribute(extra, "type") or "?").lower(), tidy(extra.text))
                elif more == "pifu_hascontactperson":
                    guardian_id = _id_of(_ids_in(extra))
                    if guardian_id:
                        contacts.append((guardian_id, attribute(extra, "type")))
    person_id = _own_id(ids, person, renamed)
    number, encrypted = user_ids.get("personnin"), user_ids.get("personninencrypted")
    username = user_ids.get("username") or user_ids.get("")
    told = numbers.told(
        number or encrypted, user_ids.get("personlin"), person_id, encrypted=bool(encrypted and not number)
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
        birth_date=day(demographics.get("bday")),
        email=emails.get("") or emails.get("personemailatorg") or emails.get("personemailprivate"),
        mobile=mobiles.get("") or mobiles.get("personmobileatorg") or mobiles.get("personmobileprivate"),
        recstatus=attribute(person, "recstatus"),
        number_kind=told.number_kind,
    )
    for guardian_id, kind in contacts:
        yield Guardian(person_id, renamed.get(guardian_id, guardian_id), kind)


def _name(element: Element) -> dict[str, str | None]:
    """Return ``fn`` and, from inside ``n``, ``given`` and ``family``."""
    found = texts(element)
    for name, child in children(element):
        if name == "n":
            found |= texts(child)
    return found


def _group(group: Element, renamed: dict[str, str]) -> School | Group:
    own: dict[str, str] = {}
    organisation: str | None = None
    kind: str | None = None
    parent_id: str | None = None
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
        elif name == "relationship":
            if attribute(child, "relation") in (None, "1") and parent_id is None:
                parent_id = _id_of(_ids_in(child))
        elif name == "extension":
            for more, extra in children(child):
                if more == "pifu_id":
                    _keep_value(ids, extra)
                elif more == "pifu_name":
                    _keep_value(names, extra)
                elif more == "pifu_schooltype":
                    school_type = school_type or tidy(extra.text)
    group_id = _own_id(own, group, renamed)
    if parent_id:
        parent_id = renamed.get(parent_id, parent_id)
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
        begin_date=day(frame.get("begin")),
        end_date=day(frame.get("end")),
        adminperiod=frame.get("adminperiod"),
    )


_PLAIN_WORDS = {
    **dict.fromkeys(("school", "skole", "skule"), "skole"),
    **dict.fromkeys(("schoolowner", "skoleeier", "skuleeigar", "kommune"), "skoleeier"),
    **dict.fromkeys(("class", "klasse", "basegroup", "basisgruppe"), "basisgruppe"),
    **dict.fromkeys(("teachinggroup", "undervisningsgruppe", "faggruppe"), "undervisningsgruppe"),
}
"""Words for kinds of groups in plain IMS Enterprise, whose vocabulary is each system's own (an assumption)."""


def _group_type(element: Element) -> tuple[bool, str | None]:
    """Return whether it is an organisation (school owner or school) rather than a group, and PIFU's word for it."""
    scheme = word = level = None
    for name, child in children(element):
        if name == "scheme":
            scheme = (tidy(child.text) or "").lower() or None
        elif name == "typevalue":
            word, level = (tidy(child.text) or "").lower() or None, attribute(child, "level")
    if scheme and not scheme.startswith("pifu"):  # where the level is a depth, and the words are others
        word, level = _PLAIN_WORDS.get((word or "").replace(" ", ""), word), None
    is_organisation = (scheme or "").endswith("-org") or word in _ORG_LEVELS.values()
    words = _ORG_LEVELS if is_organisation else _GROUP_TYPES
    known = word if word in words.values() else words.get(level or "")
    return is_organisation, known or word or ("skole" if is_organisation else None)


def _keep_value(found: dict[str, str], element: Element) -> None:
    kind, value = attribute(element, "type"), text_in(element, "pifu_value")
    if kind and value:
        found.setdefault(kind.lower(), value)


def nine_digits(value: str | None) -> str | None:
    """Take away the blanks and the ``NO`` that some systems write around an organisation number."""
    bare = "".join((value or "").split()).upper().removeprefix("NO")
    return bare if len(bare) == 9 and bare.isdecimal() else value


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CODE_AT_END = re.compile(r"/kl06/(?:v\d+/[a-z0-9-]+/)?([A-Z]{3}\d{2,4})$")


def grep_codes(code: str | None, long: str | None) -> tuple[str | None, str | None]:
    """Return the short code and the long form; ``uuid:`` stands once, though some write it never or twice."""
    if long is None:
        return code, None
    bare = long
    while bare.lower().startswith("uuid:"):
        bare = bare[5:].strip()
    if bare != long or _UUID.fullmatch(bare):
        return code, f"uuid:{bare}" if bare else None
    if long.lower().startswith(("http:", "https:")):
        at_end = _CODE_AT_END.search(long)
        return code or (at_end[1] if at_end else None), long
    return code or long, None


_YEAR_LEVEL = re.compile(r"(?:^|/)(?:(?:aarstrinn|årstrinn)?(\d{1,2})(?:\. ?(?:års)?trinn)?|vg([123]))$", re.IGNORECASE)


def year_level_in(*texts_with_it: str | None) -> int | None:
    """Return 1-13 from the first text that says it: ``…/aarstrinn7``, ``7``, ``7. årstrinn`` or ``…/vg1`` (11)."""
    for value in texts_with_it:
        found = _YEAR_LEVEL.search(value or "")
        if found:
            level = int(found[1]) if found[1] else 10 + int(found[2])
            if 1 <= level <= 13:
                return level
    return None


def _member(member: Element, group_id: str, renamed: Mapping[str, str]) -> Iterator[Membership]:
    ids: dict[str, str] = {}
    roles: list[Element] = []
    for name, child in children(member):
        if name == "sourcedid":
            _keep_id(ids, child)
        elif name == "role":
            roles.append(child)
        elif name == "idtype" and tidy(child.text) == "2":
            return  # a group as a member of a group
    person_id = _wanted_id(ids, member)
    person_id = renamed.get(person_id, person_id)
    if not roles:
        yield Membership(group_id, person_id, None, None, None, None, None, None)
    for role in roles:
        values: dict[str, str | None] = {}
        frame: dict[str, str | None] = {}
        extra: dict[str, str | None] = {}
        for name, child in children(role):
            if name == "timeframe":
                frame = texts(child)
            elif name == "extension":
                extra = texts(child)
            elif values.get(name) is None:
                values[name] = tidy(child.text)
        kind = attribute(role, "roletype")
        yield Membership(
            group_id=group_id,
            person_id=person_id,
            role=kind.zfill(2) if kind and kind.isdecimal() else kind,
            subrole=values.get("subrole"),
            active=_YES_NO.get(values.get("status") or ""),
            main=_YES_NO.get(extra.get("pifu_primaryrelation") or ""),
            begin_date=day(frame.get("begin")),
            end_date=day(frame.get("end")),
        )
