"""The pupils, guardians, employees and groups of a school owner as PIFU-IMS SAS: one full XML file.

In: a ``Shown``, which gives people, groups and memberships as they may be shown. This module hides nobody. Out: one
file in this order: properties, people, organisations and groups, memberships. The same input gives the same bytes: the
time in the file is the run's ``as_of``.

Source: Senter for IKT i utdanningen, PIFU-IMS SAS 1.3 (XSD of 2020-04-12 and guide), 1.2 (XSD of 2019-06-07) and 1.1
(XSD of 2014-07-04). A receiver of an older version gets ``pifu_1_2`` or ``pifu_1_1``: the same file without what that
version has no word for, the FEIDE name beside the user name, a group's year level and, in 1.1, a pupil's local number.

- Ids: a person has the warehouse's id, which stays when a number changes. The school owner and the schools have their
  organisation numbers (``skoleeier:944073787``, ``skole:974588145``). A group has the school system's id.
- A guardian is a person with number, name and perhaps contact details. The pupil's ``pifu_hasContactPerson`` of type
  guardian names them. PIFU has no word for organisations with access or for guardians without a number: they are not in
  the file.
- Roles are 01 pupil, 02 teacher, 06 contact teacher, 05 management, 07 administrator, 08 assistant and 04 for other
  employees. Somebody who teaches a group of a school is 02 there. 05, 07, 08 and the subroles are those of the school
  system, or of the kommune's file, which gives the meaning of its own positions in HR. A teacher whom people have
  registered by hand has the subrole vikar or lærerstudent.
- The targets are the receivers that the kommune's file names for this file.

What is not written, and why:

- any address: a protected address must never leave, and a school system gets addresses from FREG;
- gender, photo, absence, results, passwords: no receiver needs them in order to give access;
- groups of other kinds than class, teaching group, contact teacher's group, year level and subject: membership in them
  can say much about a pupil (extra language teaching), and no access follows from them;
- an e-mail address or telephone number that PIFU cannot hold: counted in ``Counts.left_out``.

``pifu_check`` reads the file as a receiver would, before it is published. ``pifu_changes`` writes the changes that
bring a receiver from the file published before to this one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO, Final

from dataflyt.exports import pifu_changes, pifu_changes_check
from dataflyt.exports.model import Changes, Counts, Export, Group, Membership, Owner, Person, School, Shown
from dataflyt.exports.pifu_check import NAMESPACES, check
from dataflyt.exports.pifu_read import read
from dataflyt.formats import reaching
from dataflyt.formats.feide import YEAR_LEVEL
from dataflyt.identity.names import clean

KINDS: Final = {"basisgruppe": "1", "undervisningsgruppe": "2", "kontaktlærergruppe": "3", "trinn": "4", "fag": "7"}
"""The kinds of groups that are written, with PIFU's level."""


UNKNOWN: Final = {
    "1.1": frozenset(("personLIN", "feideID", "grepCodeGradeLevel")),
    "1.2": frozenset(("feideID", "grepCodeGradeLevel")),
    "1.3": frozenset[str](),
}
"""The kinds of ids that we would write and a version does not have."""


def write(shown: Shown, out: BinaryIO, version: str = "1.3", export: str = "pifu") -> Counts:
    """Write the people and groups of one school owner to ``out`` and return the counts."""
    writer = _Writer(shown.owner(), shown.as_of(), list(shown.schools()), version)
    for part in (
        [writer.head(shown.receivers(export))],
        map(writer.person, shown.people()),
        [writer.organisations()],
        map(writer.group, shown.groups()),
        writer.memberships(shown.memberships()),
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
_UNIQUE = "<pifu_scope>Enhetsregisteret</pifu_scope><pifu_unique>1</pifu_unique>"
_GREP = "<pifu_scope>grep - levende læreplaner</pifu_scope><pifu_unique>0</pifu_unique>"


def _escaped(value: str) -> str:
    """Return the text as it can stand in an element; letters that XML cannot hold are left out."""
    if not value.isprintable():
        value = _FORBIDDEN.sub("", value)
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A person, group or member is one line: ``pifu_changes`` reads the file a line at a time.
    return value if value.isprintable() else value.replace("\r", "&#13;").replace("\n", "&#10;")


def _short(value: str, longest: int) -> str:
    """Return a name as it can stand in an element of at most ``longest`` letters."""
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
def _role(role: str, subrole: str | None, main: bool | None, begin: date | None, end: date | None) -> str:
    primary = "" if main is None else f"<extension><pifu_primaryRelation>{main:d}</pifu_primaryRelation></extension>"
    word = f"<subrole>{subrole}</subrole>" if subrole else ""
    return f'<role roletype="{role}">{word}<status>1</status>{_timeframe(begin, end)}{primary}</role>'


class _Writer:
    """Write one element at a time, and count. The parts that all elements share are computed once."""

    def __init__(self, owner: Owner, as_of: datetime, schools: list[School], version: str) -> None:
        self._owner = owner
        self._namespace = NAMESPACES[version]
        self._unknown = UNKNOWN[version]
        self._as_of = as_of
        self._schools = schools
        self._realm = _short(owner.realm.lower(), 200)
        self._source = f"<sourcedid><source>dataflyt@{_escaped(owner.orgnr)}</source><id>"
        self._labels = {school.orgnr: _short(school.name, 128) or school.orgnr for school in schools}
        self._counted: Counter[str] = Counter()

    def head(self, receivers: Iterable[str]) -> str:
        """Return everything before the people. A receiver is named as the kommune names it, at the kommune's realm."""
        names = [name for one in receivers if (name := _short(one, 50))]
        targets = "".join(f"<target>{name}@{self._realm}</target>" for name in names)
        made = self._as_of.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<enterprise xmlns="{self._namespace}">\n'
            f'<properties lang="no"><datasource>dataflyt@{self._realm}</datasource>{targets}'
            f"<type>full</type><datetime>{made}Z</datetime></properties>\n"
        )

    def person(self, person: Person) -> str:
        """Return one person's element."""
        given, family = _short(person.given_names, 256), _short(person.family_name, 256)
        whole = _short(person.legal_name, 256) or given or family or person.person_id
        parts = [f"<person>{self._sourcedid(person.person_id)}"]
        if person.number:
            parts.append(f'<userid useridtype="personNIN">{_escaped(person.number)}</userid>')
        local = _short(person.local_number or "", 256)
        if local and "personLIN" not in self._unknown:
            parts.append(f'<userid useridtype="personLIN">{local}</userid>')
        if person.uid:
            uid = _escaped(person.uid)
            parts.append(f'<userid useridtype="username">{uid}</userid>')
            if "feideID" not in self._unknown:
                parts.append(f'<userid useridtype="feideID">{uid}@{self._realm}</userid>')
        # PIFU demands both names: a person with one name gets it as both, as in the FEIDE directory.
        parts.append(
            f"<name><fn>{whole}</fn><n><family>{family or whole}</family><given>{given or whole}</given></n></name>"
        )
        if person.birth_date:
            parts.append(f"<demographics><bday>{person.birth_date.isoformat()}</bday></demographics>")
        extension = []
        if mail := self._fits(person.mail or person.private_mail, reaching.mail):
            kind = "personEmailAtOrg" if person.mail else "personEmailPrivate"
            parts.append(f"<email>{mail}</email>")
            extension.append(f'<pifu_email type="{kind}">{mail}</pifu_email>')
        if mobile := self._fits(person.mobile, reaching.mobile):
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
            f'<pifu_id type="{kind}"><pifu_value>{_escaped(value)}</pifu_value>{_GREP}</pifu_id>'
            for kind, value in ids
            if kind not in self._unknown
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
        """Yield the memberships in pieces: a school can have thousands."""
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
                yield _role(part.role, part.subrole, part.main, part.from_date, part.to_date)
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
        fitting = form(value)
        self._counted["left_out"] += fitting is None
        return None if fitting is None else _escaped(fitting)


def _description(name: str, otherwise: str) -> str:
    short, whole = _short(name, 60), _short(name, 256)
    return (
        # Name and id can both consist of letters that ``clean`` removes: the id is then written as it is.
        f"<description><short>{short or _short(otherwise, 60) or _escaped(otherwise[:60])}</short>"
        f"{f'<long>{whole}</long>' if whole != short else ''}</description>"
    )


EXPORT: Final = Export(
    name="pifu",
    file="pifu.xml",
    write=write,
    check=check,
    read=read,
    changes=Changes("pifu-changes.xml", pifu_changes.write, pifu_changes_check.check, pifu_changes.named),
)
