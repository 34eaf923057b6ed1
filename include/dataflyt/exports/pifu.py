"""The pupils, guardians, employees and groups of a school owner as PIFU-IMS SAS 1.3: one full XML file.

In: a ``Golden``, which gives people, groups and memberships as they may be shown; nothing is held back here.
Out: one file in this order: properties, people, organisations and groups, memberships. Same input, same bytes: the
time in it is the run's ``as_of``.

Source: Senter for IKT i utdanningen, PIFU-IMS SAS 1.3 (XSD of 2020-04-12 and guide).

- People are called by the warehouse's own id, which stays when a number changes; the school owner and schools by
  organisation number (``skoleeier:944073787``, ``skole:974588145``); groups by the school system's id.
- A guardian is a person with number, name and perhaps contact, whom pupils name as ``pifu_hasContactPerson`` of type
  guardian. PIFU has no word for organisations with access or for people without a number: they are not in the file.
- Roles are 01 pupil, 02 teacher, 06 contact teacher and 04 for other employees.

What is not written, and why:

- any address: a graded one must never leave, and a school system gets addresses from FREG, not from here;
- gender, photo, absence, results, passwords: nobody needs them from here to give access;
- groups of other kinds than class, subject, contact teacher's group and year level: being in them can say much (extra
  language teaching), and no access rests on them;
- an e-mail address or telephone number that PIFU cannot hold: counted in ``Counts.left_out``.

``check`` reads a file as a receiver would, knows nothing of the writer, and runs before the file is published.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.exports.feide_ldif import Owner, School
from dataflyt.formats.feide import YEAR_LEVEL, Finding, Openable
from dataflyt.identity import numbers
from dataflyt.identity.names import clean

NAMESPACE: Final = "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1"
"""Of PIFU-IMS SAS 1.3: from 1.3 on it carries the major version only."""

KINDS: Final = {"basisgruppe": "1", "undervisningsgruppe": "2", "kontaktlærergruppe": "3", "trinn": "4"}
"""The kinds of groups that are written, with PIFU's level."""


class Person(NamedTuple):
    """A pupil, an employee, a guardian, or several of these.

    ``person_id`` is the warehouse's own. ``number`` is fødselsnummer or D-number, ``local_number`` one that the kommune
    gave. ``guardians`` are the person ids of those with access to this pupil. ``mail`` is an employee's address at
    work; ``private_mail`` and ``mobile`` are a guardian's own.
    """

    person_id: str
    given_names: str
    family_name: str
    legal_name: str
    is_pupil: bool = False
    is_employee: bool = False
    number: str | None = None
    local_number: str | None = None
    uid: str | None = None
    birth_date: date | None = None
    guardians: tuple[str, ...] = ()
    mail: str | None = None
    private_mail: str | None = None
    mobile: str | None = None


class Group(NamedTuple):
    """A group with its own dates. ``kind`` is of KINDS, ``orgnr`` the school's, ``grep`` a short code (MAT0006)."""

    group_id: str
    orgnr: str
    kind: str
    name: str
    grep: str | None
    year_level: int | None
    from_date: date | None
    to_date: date | None


class Membership(NamedTuple):
    """A person's part in a school (``target`` is its orgnr) or in a group (``target`` is its id).

    ``role`` is PIFU's two digits; ``main`` is pifu_primaryRelation and stands for schools only.
    """

    of_school: bool
    target: str
    person_id: str
    role: str
    main: bool | None = None
    from_date: date | None = None
    to_date: date | None = None


class Golden(Protocol):
    """What the export needs of the golden record: only people who may be shown, with what may be shown of them."""

    def owner(self) -> Owner:
        """Return the school owner."""
        ...

    def as_of(self) -> datetime:
        """Return the moment the record speaks of, with its time zone."""
        ...

    def schools(self) -> Iterable[School]:
        """Return its schools."""
        ...

    def people_and_guardians(self) -> Iterable[Person]:
        """Yield pupils, employees and those with access to a pupil, each once, in an order that stays."""
        ...

    def groups(self) -> Iterable[Group]:
        """Yield the groups, in an order that stays."""
        ...

    def memberships(self) -> Iterable[Membership]:
        """Yield the memberships, those of a school or group together, and those of a person in it together."""
        ...


class Counts(NamedTuple):
    """What was written. ``people`` are pupils and employees; who is both counts in both of these.

    Guardians and their relations are not counted: beside what FREG and KRR answered, their number would tell of how
    many protected people it is.
    """

    owners: int
    schools: int
    people: int
    pupils: int
    employees: int
    groups: int
    memberships: int
    left_out: int


def write(golden: Golden, out: BinaryIO) -> Counts:
    """Write the people and groups of one school owner to ``out`` and return the counts."""
    writer = _Writer(golden.owner(), golden.as_of(), list(golden.schools()))
    for part in (
        [writer.head()],
        map(writer.person, golden.people_and_guardians()),
        [writer.organisations()],
        map(writer.group, golden.groups()),
        writer.memberships(golden.memberships()),
        ["</enterprise>\n"],
    ):
        chunk: list[str] = []
        for text in part:
            chunk.append(text)
            if len(chunk) == _CHUNK:
                out.write("".join(chunk).encode())
                chunk.clear()
        out.write("".join(chunk).encode())
    return writer.counts()


_CHUNK: Final = 500
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_MOBILE = re.compile(r"\+[0-9]{8,15}")
_NORWEGIAN_MOBILE = re.compile(r"[49][0-9]{7}")
_UNIQUE = "<pifu_scope>Enhetsregisteret</pifu_scope><pifu_unique>1</pifu_unique>"
_GREP = "<pifu_scope>grep - levende læreplaner</pifu_scope><pifu_unique>0</pifu_unique>"


def _escaped(value: str) -> str:
    """Return the text as it can stand in an element; what XML cannot hold falls off."""
    if not value.isprintable():
        value = _FORBIDDEN.sub("", value)
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return value.replace("\r", "&#13;") if "\r" in value else value


def _short(value: str, longest: int) -> str:
    """Return a name as it can stand in an element of so many letters at most."""
    return _escaped(_FORBIDDEN.sub("", clean(value))[:longest].strip())


def _timeframe(begin: date | None, end: date | None) -> str:
    if begin is None and end is None:
        return ""
    return (
        "<timeframe>"
        + (f"<begin>{begin.isoformat()}</begin>" if begin else "")
        + (f"<end>{end.isoformat()}</end>" if end else "")
        + "</timeframe>"
    )


@lru_cache(maxsize=4096)
def _role(role: str, main: bool | None, begin: date | None, end: date | None) -> str:
    primary = "" if main is None else f"<extension><pifu_primaryRelation>{main:d}</pifu_primaryRelation></extension>"
    return f'<role roletype="{role}"><status>1</status>{_timeframe(begin, end)}{primary}</role>'


class _Writer:
    """Holds what repeats from person to person and from group to group, and the counts."""

    def __init__(self, owner: Owner, as_of: datetime, schools: list[School]) -> None:
        self._owner = owner
        self._as_of = as_of
        self._schools = schools
        self._realm = _short(owner.realm.lower(), 200)
        self._source = f"<sourcedid><source>dataflyt@{_escaped(owner.orgnr)}</source><id>"
        self._labels = {school.orgnr: _short(school.name, 128) or school.orgnr for school in schools}
        self._counted: Counter[str] = Counter()

    def head(self) -> str:
        """Everything before the people."""
        made = self._as_of.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<enterprise xmlns="{NAMESPACE}">\n'
            f'<properties lang="no"><datasource>dataflyt@{self._realm}</datasource>'
            f"<type>full</type><datetime>{made}Z</datetime></properties>\n"
        )

    def person(self, person: Person) -> str:
        """Return one person's element."""
        given, family = _short(person.given_names, 256), _short(person.family_name, 256)
        whole = _short(person.legal_name, 256) or given or family or person.person_id
        parts = [f"<person>{self._sourcedid(person.person_id)}"]
        if person.number:
            parts.append(f'<userid useridtype="personNIN">{_escaped(person.number)}</userid>')
        if person.local_number and (local := _short(person.local_number, 256)):
            parts.append(f'<userid useridtype="personLIN">{local}</userid>')
        if person.uid:
            uid = _escaped(person.uid)
            parts.append(f'<userid useridtype="username">{uid}</userid>')
            parts.append(f'<userid useridtype="feideID">{uid}@{self._realm}</userid>')
        # PIFU demands both names: people with one name have it twice, as in the FEIDE directory.
        parts.append(
            f"<name><fn>{whole}</fn><n><family>{family or whole}</family><given>{given or whole}</given></n></name>"
        )
        if person.birth_date:
            parts.append(f"<demographics><bday>{person.birth_date.isoformat()}</bday></demographics>")
        extension = []
        if mail := self._fits(person.mail or person.private_mail, _mail):
            kind = "personEmailAtOrg" if person.mail else "personEmailPrivate"
            parts.append(f"<email>{mail}</email>")
            extension.append(f'<pifu_email type="{kind}">{mail}</pifu_email>')
        if mobile := self._fits(person.mobile, _mobile):
            parts.append(f'<tel teltype="3">{mobile}</tel>')
            extension.append(f'<pifu_tel type="personMobilePrivate">{mobile}</pifu_tel>')
        extension += [
            f'<pifu_hasContactPerson type="guardian">{self._sourcedid(guardian)}</pifu_hasContactPerson>'
            for guardian in person.guardians
        ]
        if extension:
            parts.append(f"<extension>{''.join(extension)}</extension>")
        parts.append("</person>\n")
        self._counted["people"] += person.is_pupil or person.is_employee
        self._counted["pupils"] += person.is_pupil
        self._counted["employees"] += person.is_employee
        return "".join(parts)

    def organisations(self) -> str:
        """Return the school owner, which is its own parent, and the schools below it."""
        owner = self._owner
        name = _short(owner.name, 128) or owner.orgnr
        parent = self._parent(f"skoleeier:{owner.orgnr}", name)
        rows = [("skoleeier", "1", owner.orgnr, owner.name)]
        rows += [("skole", "2", school.orgnr, school.name) for school in self._schools]
        return "".join(
            f"<group>{self._sourcedid(f'{word}:{orgnr}')}<grouptype><scheme>pifu-ims-go-org</scheme>"
            f'<typevalue level="{level}">{word}</typevalue></grouptype>{_description(name, orgnr)}{parent}'
            f'<extension><pifu_id type="organizationNumber"><pifu_value>{_escaped(orgnr)}</pifu_value>'
            f"{_UNIQUE}</pifu_id>"
            f'<pifu_name type="name"><pifu_value>{_short(name, 256) or orgnr}</pifu_value></pifu_name></extension>'
            "</group>\n"
            for word, level, orgnr, name in rows
        )

    def group(self, group: Group) -> str:
        """Return one group's element."""
        ids = []
        if group.grep:
            ids.append(("grepCodeShortForm", group.grep))
        elif group.year_level:
            level = str(group.year_level)
            level = f"aarstrinn{level}" if group.year_level <= 10 else f"vg{group.year_level - 10}"
            address = YEAR_LEVEL.removesuffix("aarstrinn") + level
            ids.append(("grepCode" if group.kind == "trinn" else "grepCodeGradeLevel", address))
        extension = "".join(
            f'<pifu_id type="{kind}"><pifu_value>{_escaped(value)}</pifu_value>{_GREP}</pifu_id>' for kind, value in ids
        )
        self._counted["groups"] += 1
        return (
            f"<group>{self._sourcedid(group.group_id)}<grouptype><scheme>pifu-ims-go-grp</scheme>"
            f'<typevalue level="{KINDS[group.kind]}">{group.kind}</typevalue></grouptype>'
            f"{_description(group.name, group.group_id)}{_timeframe(group.from_date, group.to_date)}"
            f"{self._parent(f'skole:{group.orgnr}', self._labels.get(group.orgnr, group.orgnr))}"
            f"{f'<extension>{extension}</extension>' if extension else ''}</group>\n"
        )

    def memberships(self, memberships: Iterable[Membership]) -> Iterator[str]:
        """Yield the memberships in pieces: a school's may be thousands."""
        for (of_school, target), parts in groupby(memberships, itemgetter(0, 1)):
            yield f"<membership>{self._sourcedid(f'skole:{target}' if of_school else target)}\n"
            person_id = None
            for part in parts:
                if part.person_id != person_id:
                    if person_id is not None:
                        yield "</member>\n"
                    person_id = part.person_id
                    self._counted["memberships"] += 1
                    yield f"<member>{self._sourcedid(person_id)}<idtype>1</idtype>"
                yield _role(part.role, part.main, part.from_date, part.to_date)
            yield "</member>\n</membership>\n"

    def counts(self) -> Counts:
        """Return what was written so far."""
        counted = {name: self._counted[name] for name in Counts._fields}
        return Counts(**counted | {"owners": 1, "schools": len(self._schools)})

    def _sourcedid(self, local: str) -> str:
        return f"{self._source}{_escaped(local)}</id></sourcedid>"

    def _parent(self, local: str, label: str) -> str:
        return f'<relationship relation="1">{self._sourcedid(local)}<label>{label}</label></relationship>'

    def _fits(self, value: str | None, form: Callable[[str], str | None]) -> str | None:
        if not value:
            return None
        fitting = form(value.strip())
        self._counted["left_out"] += fitting is None
        return fitting


def _description(name: str, otherwise: str) -> str:
    short, whole = _short(name, 60), _short(name, 256)
    return (
        f"<description><short>{short or _short(otherwise, 60)}</short>"
        f"{f'<long>{whole}</long>' if whole != short else ''}</description>"
    )


def _mail(value: str) -> str | None:
    return _escaped(value) if len(value) <= 256 and value.isprintable() and _MAIL.fullmatch(value) else None


def _mobile(value: str) -> str | None:
    """Return the number with its country. KRR's are seen with +47; eight digits are assumed to be Norwegian."""
    bare = "".join(value.split())
    bare = f"+47{bare}" if _NORWEGIAN_MOBILE.fullmatch(bare) else bare
    return bare if _MOBILE.fullmatch(bare) else None


# --- the check of a file --------------------------------------------------------------------------------------------

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
"""What the data of a school lack, which the school corrects; everything else makes the file itself wrong."""


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a PIFU-IMS file; raise errors.Unreadable when it is not one.

    Looks at it as the XSD would, but lets through only the part of PIFU that this export is to hold (no address, no
    relative but a guardian), and looks further: every reference leads to somebody, nobody and nothing stands there
    twice, numbers have right check digits, and everybody is a member of something or a guardian of somebody in the
    file. Streams: only ids are remembered.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"Filen kan ikke åpnes ({error.strerror or 'ukjent grunn'}).") from None
    with file:
        try:
            yield from _Check().run(file)
        except OSError as error:
            raise Unreadable(f"Filen kan ikke leses ({error.strerror or 'ukjent grunn'}).") from None


# What may stand in an element, in the words of the XSD. A name has a blank after it.
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
    "subrole": ".{1,32}",
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
"""Elements with an attribute, which they must have, and no other."""
_TYPES: Final = {
    ("pifu-ims-go-org", "1"): "skoleeier",
    ("pifu-ims-go-org", "2"): "skole",
    ("pifu-ims-go-grp", "1"): "basisgruppe",
    ("pifu-ims-go-grp", "2"): "undervisningsgruppe",
    ("pifu-ims-go-grp", "3"): "kontaktlærergruppe",
    ("pifu-ims-go-grp", "4"): "trinn",
}


class _Rule(NamedTuple):
    """What an element must be: its children or its text, and its one attribute."""

    name: str
    content: re.Pattern[str] | None
    text: re.Pattern[str] | None
    attribute: str | None
    allowed: re.Pattern[str] | None


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _rule(name: str) -> _Rule:
    attribute, allowed = _ATTRIBUTE.get(name, (None, None))
    return _Rule(
        name,
        re.compile(_CONTENT[name]) if name in _CONTENT else None,
        re.compile(_TEXT[name], re.DOTALL | re.ASCII) if name in _TEXT else None,
        attribute,
        re.compile(allowed, re.ASCII) if allowed else None,
    )


_RULES: Final = {_tag(name): _rule(name) for name in (*_CONTENT, *_TEXT)}
_ENTERPRISE, _MEMBERSHIP, _MEMBER, _ROLE = (_tag(name) for name in ("enterprise", "membership", "member", "role"))
_SOURCEDID, _ID, _USERID, _CONTACT = (_tag(name) for name in ("sourcedid", "id", "userid", "pifu_hasContactPerson"))
_ANY_ID = re.compile(rb"(?<=<id>)[^<]{1,256}(?=</id>)")
_ENOUGH: Final = 4096
_TIMEFRAME, _BEGIN, _END = (_tag(name) for name in ("timeframe", "begin", "end"))
_TOP = [_tag(name) for name in ("properties", "person", "group", "membership")]


class _Check:
    """One walk through a file: what has to be remembered from one element to the next."""

    def __init__(self) -> None:
        self._people: dict[str, bool] = {}  # id -> whether a member of something or somebody's guardian
        self._numbers: set[int] = set()
        self._organisations: dict[str, str] = {}  # id -> skoleeier or skole
        self._groups: set[str] = set()
        self._memberships: set[str] = set()
        self._right: set[bytes] = set()
        self._members: set[str] = set()  # of the membership that is being read
        self._named: dict[str, int] = {}  # guardian who has not come yet -> the first line that names it
        self._parents: list[tuple[str, str, str, int]] = []  # word, id, parent, line
        self._rank = -1

    def run(self, file: BinaryIO) -> Iterator[Finding]:
        looks = dict(zip(_TOP, (self._properties, self._person, self._group, self._membership), strict=True))
        for element, is_member in _elements(file):
            if is_member:
                yield from self._member(element)
                continue
            look = looks.get(str(element.tag))
            if look is None:
                yield _finding(NOT_HERE, element, "rett under roten")
                continue
            rank = _TOP.index(str(element.tag))
            if rank < self._rank or rank == self._rank == 0 or rank > 0 > self._rank:
                yield _finding(OUT_OF_ORDER, element, "det står der det ikke skal")
            self._rank = max(rank, self._rank)
            yield from look(element)
        yield from self._end()

    def _properties(self, properties: etree._Element) -> Iterator[Finding]:
        yield from _faults(properties)

    def _person(self, person: etree._Element) -> Iterator[Finding]:
        yield from _faults(person)
        person_id = _id(person)
        if person_id in self._people:
            yield _finding(DUPLICATE_ID, person, "en person med samme sourcedid står ovenfor")
        self._people[person_id] = self._named.pop(person_id, None) is not None
        for user_id in person.iterchildren(_USERID):
            kind, value = user_id.get("useridtype"), user_id.text or ""
            if kind == "personNIN":
                if len(value) != 11 or not numbers.parse(value).valid:
                    yield _finding(WRONG_NUMBER, person, "personNIN")
                    continue
                if int(value) in self._numbers:
                    yield _finding(DUPLICATE_ID, person, "en person med samme personNIN står ovenfor")
                self._numbers.add(int(value))
        named: set[str] = set()
        for contact in person.iter(_CONTACT):
            guardian = _id(contact)
            if guardian in named or guardian == person_id:
                yield _finding(DUPLICATE_ID, person, "en foresatt er nevnt to ganger, eller er eleven selv")
            named.add(guardian)
            if guardian in self._people:
                self._people[guardian] = True
            else:
                self._named.setdefault(guardian, _line(person))

    def _group(self, group: etree._Element) -> Iterator[Finding]:
        yield from _faults(group)
        group_id = _id(group)
        if group_id in self._groups or group_id in self._organisations:
            yield _finding(DUPLICATE_ID, group, "en gruppe med samme sourcedid står ovenfor")
        kind = group.find(_path("grouptype", "typevalue"))
        word = (kind.text if kind is not None else None) or ""
        level = (kind.get("level") if kind is not None else None) or ""
        if _TYPES.get((group.findtext(_path("grouptype", "scheme")) or "", level)) != word:
            yield _finding(NOT_VALID, group, "grouptype: scheme, level og ord hører ikke sammen")
        parent = group.find(_path("relationship"))
        self._parents.append((word, group_id, "" if parent is None else _id(parent), _line(group)))
        if word not in ("skoleeier", "skole"):
            self._groups.add(group_id)
            if _reversed(group):
                yield _finding(REVERSED, group, "gruppen slutter før den begynner")
            return
        self._organisations[group_id] = word
        orgnrs = [
            child.findtext(_path("pifu_value")) or ""
            for child in group.iterfind(_path("extension", "pifu_id"))
            if child.get("type") == "organizationNumber"
        ]
        if len(orgnrs) != 1:
            yield _finding(NOT_VALID, group, "en organisasjon må ha ett organizationNumber")
        elif numbers.orgnr(orgnrs[0]) != orgnrs[0]:
            yield _finding(WRONG_ORGNR, group, "organizationNumber")

    def _member(self, member: etree._Element) -> Iterator[Finding]:
        # Most members are alike but for the id: those like one that was right are right.
        shape = _ANY_ID.sub(b"", etree.tostring(member, with_tail=False), count=1)
        if shape not in self._right:
            faults = list(_faults(member))
            yield from faults
            if not faults and len(self._right) < _ENOUGH:
                self._right.add(shape)
        person_id = _id(member)
        if person_id in self._people:
            self._people[person_id] = True
        else:
            yield _finding(UNRESOLVED, member, "et medlem som ikke er blant personene")
        if person_id in self._members:
            yield _finding(DUPLICATE_ID, member, "den samme personen er medlem to ganger")
        self._members.add(person_id)
        if any(_reversed(role) for role in member.iterchildren(_ROLE)):
            yield _finding(REVERSED, member, "medlemskapet slutter før det begynner")

    def _membership(self, membership: etree._Element) -> Iterator[Finding]:
        """Look at a membership, whose members have been looked at and are gone but for the last."""
        if [child.tag for child in membership] != [_SOURCEDID, _MEMBER] or membership.items():
            yield _finding(NOT_VALID, membership, "membership: én sourcedid, så medlemmer")
        else:
            yield from _faults(membership[0])
        group_id = _id(membership)
        if group_id not in self._groups and group_id not in self._organisations:
            yield _finding(UNRESOLVED, membership, "et medlemskap i en gruppe som ikke finnes")
        if group_id in self._memberships:
            yield _finding(DUPLICATE_ID, membership, "medlemmene i gruppen står ovenfor også")
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


def _elements(file: BinaryIO) -> Iterator[tuple[etree._Element, bool]]:
    """Yield what stands directly below the root, and each member (True) before its membership; forget it afterwards."""
    try:
        _, root = next(etree.iterparse(file, events=("start",), resolve_entities=False, no_network=True))
        if root.tag != _ENTERPRISE:
            raise Unreadable("Filen begynner ikke som PIFU-IMS 1.3.")
        file.seek(0)
        kept: etree._Element | None = None  # the last element that was looked at
        for _, element in etree.iterparse(
            file,
            events=("end",),
            tag=(*_TOP, _MEMBER, _ENTERPRISE),
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        ):
            parent = element.getparent()
            if parent is not None and parent.tag == _MEMBERSHIP and element.tag == _MEMBER:
                yield element, True
                before = element.getprevious()
                if before is not None and before.tag == _MEMBER:
                    _refuse_text(before)
                    parent.remove(before)
            elif parent is None or parent.getparent() is None:
                # Whatever stands before it and has not been looked at is something nobody waited for.
                above = list(element) if parent is None else [*element.itersiblings(preceding=True)][::-1]
                for other in above:
                    if other is not kept:
                        yield other, False
                if parent is not None:
                    yield element, False
                    if element.tag == _MEMBERSHIP:
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


def _faults(record: etree._Element) -> Iterator[Finding]:
    """Yield what is wrong with an element and all that stands in it, apart from its place."""
    for element in record.iter():
        rule = _RULES.get(element.tag)
        if rule is None:
            yield _finding(NOT_HERE, element, f"i {_RULES[str(record.tag)].name}")
            continue
        attributes = element.items()
        if (attributes or rule.attribute) and not _has_right_attribute(element.tag, *attributes):
            yield _finding(NOT_VALID, element, f"{rule.name}: attributtet mangler, er ukjent eller er ett for mye")
        text = element.text or ""
        if rule.text is not None:
            if len(element) or not rule.text.fullmatch(text) or (rule.name in _DAYS and not _is_day(text[:10])):
                yield _finding(NOT_VALID, element, f"{rule.name} er tom, for lang eller har feil form")
        elif not _has_right_content(element.tag, *[child.tag for child in element]):
            yield _finding(
                NOT_VALID, element, f"{rule.name} mangler et element, har ett for mye, eller har dem i feil rekkefølge"
            )
        elif text and text.strip():
            yield _finding(NOT_VALID, element, f"{rule.name} har egen tekst")
        if element is not record and element.tail and element.tail.strip():
            yield _finding(NOT_VALID, element, f"det står tekst ved siden av {rule.name}")


# Both see the same few combinations over and over.


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


def _id(element: etree._Element) -> str:
    for sourcedid in element.iterchildren(_SOURCEDID):
        for found in sourcedid.iterchildren(_ID):
            return found.text or ""
    return ""


def _reversed(element: etree._Element) -> bool:
    for frame in element.iterchildren(_TIMEFRAME):
        begin, end = frame.findtext(_BEGIN), frame.findtext(_END)
        if begin and end and begin > end:
            return True
    return False


def _path(*names: str) -> str:
    return "/".join(map(_tag, names))


def _line(element: etree._Element) -> int:
    line: Any = element.sourceline
    return line or 0


def _finding(name: str, element: etree._Element, detail: str) -> Finding:
    line = _line(element)
    return Finding(name, f"linje {line}", detail, line, blocks=name not in _DOES_NOT_BLOCK)
