"""The FEIDE directory of a school owner as LDIF: full, ready for ``slapadd`` or ``ldapadd`` into an empty OpenLDAP.

In: a ``Shown``, which gives the owner, its schools and its people as they may be shown. This module hides nobody. Out:
one file in this order: the owner, on the suffix that the realm gives (``dc=haugesund,dc=kommune,dc=no``); the schools,
``ou=<name>`` below it; ``ou=people``; the people, ``uid=<uid>,ou=people``. The same input gives the same bytes.

Sources: "Feides informasjonsmodell for grunnopplæringa" 2018-03 on norEdu* 2.0; RFC 2849 (LDIF), RFC 4514 (names).

What is not written, and why:

- ``version: 1``: ``slapadd`` takes the line for an attribute and stops (OpenLDAP 2.5); every reader does without it.
- ``userPassword``: Dataflyt holds no passwords; they stay in the directory.
- ``schacHomeOrganization``: not every directory has the schac schema, and an unknown attribute stops the whole load.
- an e-mail address or telephone number that LDAP cannot hold (letters outside ASCII): counted in ``Counts.left_out``.

``feide_ldif_check`` reads the file before it is published. A group that Feide could not read (no name, dates reversed)
or a person of a school that is not in the file raises CheckFailed: nothing is then published, and what is published
already stays.

``feide_changes`` writes the changes that bring a directory from the file published before to this one.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import BinaryIO, Final, NamedTuple

from dataflyt.errors import CheckFailed, ConfigError
from dataflyt.exports import feide_changes, feide_changes_check
from dataflyt.exports.feide_ldif_check import check
from dataflyt.exports.feide_ldif_read import read
from dataflyt.exports.model import AccountHolder, Changes, Counts, Export, Owner, School, Shown
from dataflyt.formats import feide
from dataflyt.formats.ldif import attribute, escape
from dataflyt.identity.names import clean

SCHEMA_VERSION: Final = "2.0"
"""norEdu* 2.0, as ``norEduOrgSchemaVersion`` says."""

AFFILIATIONS: Final = ("faculty", "staff", "employee", "student", "affiliate", "member")
_PRIMARY = ("faculty", "student", "staff", "employee", "affiliate", "member")
_IMPLIED = {"faculty": ("employee", "member"), "staff": ("employee", "member")}
_ALSO_MEMBERS = frozenset(("employee", "student"))

_REALM = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_MAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")
_TELEPHONE = re.compile(r"[+0-9][0-9 ()+-]*")
_CLASSES = ("top", "person", "organizationalPerson", "inetOrgPerson", "eduPerson", "norEduPerson")
_PERSON_CLASSES = "".join(f"objectClass: {name}\n" for name in _CLASSES)
_OTHER_CLASSES = ("organization", "dcObject", "eduOrg", "norEduOrg", "organizationalUnit", "norEduOrgUnit")
CLASSES: Final = {name.lower(): name for name in (*_CLASSES, *_OTHER_CLASSES)}
"""Every object class in the file, by its name in lower case."""
ATTRIBUTES: Final = (
    *("objectClass", "dc", "o", "eduOrgLegalName", "norEduOrgNIN", "norEduOrgSchemaVersion"),
    *("ou", "norEduOrgUnitUniqueIdentifier"),
    *("uid", "cn", "sn", "givenName", "displayName", "norEduPersonLegalName", "eduPersonPrincipalName"),
    *("norEduPersonNIN", "norEduPersonLIN", "norEduPersonBirthDate", "mail", "mobile"),
    *("eduPersonOrgDN", "eduPersonOrgUnitDN", "eduPersonPrimaryOrgUnitDN"),
    *("eduPersonAffiliation", "eduPersonScopedAffiliation", "eduPersonPrimaryAffiliation", "eduPersonEntitlement"),
)
"""Every attribute that the file can have, in its order."""
_CHUNK = 500


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the directory of one school owner to ``out`` and return the counts. Raises CheckFailed, ConfigError."""
    schools = sorted(shown.schools(), key=lambda school: (school.orgnr, school.name))
    writer = _Writer(shown.owner(), schools)
    out.write(writer.head().encode("ascii"))
    chunk: list[str] = []
    for person in shown.account_holders():
        chunk.append(writer.person(person))
        if len(chunk) == _CHUNK:
            out.write("".join(chunk).encode("ascii"))
            chunk.clear()
    out.write("".join(chunk).encode("ascii"))
    return writer.counts()


class _Written(NamedTuple):
    """A group as it stands in the file: two values to sort by, and the two lines that are written."""

    groupid: str
    value: str
    groupid_line: str
    value_line: str


class _Writer:
    """Write one entry at a time, and count. The lines that people share are made once."""

    def __init__(self, owner: Owner, schools: list[School]) -> None:
        self._owner = owner
        self._realm = owner.realm.strip().lower()
        if not _REALM.fullmatch(self._realm):
            raise ConfigError("FEIDE-realmet er ikke et domene: skriv det som haugesund.kommune.no.")
        self._schools = schools
        self._suffix = ",".join(f"dc={part}" for part in self._realm.split("."))
        self._org_line = attribute("eduPersonOrgDN", self._suffix)
        self._names = _school_names(schools)
        dns = {school.orgnr: f"{name},{self._suffix}" for school, name in zip(schools, self._names, strict=True)}
        self._unit_lines = {orgnr: attribute("eduPersonOrgUnitDN", dn) for orgnr, dn in dns.items()}
        self._primary_lines = {orgnr: attribute("eduPersonPrimaryOrgUnitDN", dn) for orgnr, dn in dns.items()}
        self._affiliation_lines = lru_cache(maxsize=256)(self._affiliations)
        self._groups: dict[feide.Group, _Written] = {}
        self._groupids: set[str] = set()
        self._counted: Counter[str] = Counter()
        self._last_uid = ""

    def head(self) -> str:
        """Return everything before the people."""
        owner, suffix = self._owner, self._suffix
        name = clean(owner.name) or _org(owner.orgnr)
        entries = [
            attribute("dn", suffix)
            + "objectClass: top\nobjectClass: organization\nobjectClass: dcObject\n"
            + "objectClass: eduOrg\nobjectClass: norEduOrg\n"
            + attribute("dc", self._realm.split(".")[0])
            + attribute("o", name)
            + attribute("eduOrgLegalName", name)
            + attribute("norEduOrgNIN", _org(owner.orgnr))
            + f"norEduOrgSchemaVersion: {SCHEMA_VERSION}\n"
            + self._mail(owner.mail),
        ]
        for school, rdn in zip(self._schools, self._names, strict=True):
            entries.append(
                attribute("dn", f"{rdn},{suffix}")
                + "objectClass: top\nobjectClass: organizationalUnit\nobjectClass: norEduOrgUnit\n"
                + attribute("ou", _school_name(school))
                + attribute("norEduOrgUnitUniqueIdentifier", _org(school.orgnr))
                + self._mail(school.mail)
            )
        entries.append(
            attribute("dn", f"ou=people,{suffix}") + "objectClass: top\nobjectClass: organizationalUnit\nou: people\n"
        )
        return "\n".join(entries) + "\n"

    def person(self, person: AccountHolder) -> str:
        """Return the entry of one person, with the blank line after it."""
        uid = person.uid.strip().lower()
        if not uid or uid == self._last_uid:
            raise CheckFailed("FEIDE-eksporten er stoppet: to personer har samme brukernavn, eller en mangler det.")
        self._last_uid = uid
        given, family = clean(person.given_names), clean(person.family_name)
        whole = f"{given} {family}".strip() or uid
        display = clean(person.display_name) or whole
        lines = [
            attribute("dn", f"uid={escape(uid)},ou=people,{self._suffix}"),
            _PERSON_CLASSES,
            attribute("uid", uid),
            attribute("cn", display),
            # The person class and Feide both demand family name and given name: a person with one name gets it as both.
            attribute("sn", family or whole),
            attribute("givenName", given or whole),
            attribute("displayName", display),
            attribute("norEduPersonLegalName", clean(person.legal_name) or whole),
            attribute("eduPersonPrincipalName", f"{uid}@{self._realm}"),
        ]
        if person.number:
            lines.append(attribute("norEduPersonNIN", person.number))
        local = {
            feide.local_number(self._realm, "localnin", person.local_number or ""): None,
            feide.local_number(self._realm, "employee", person.employee_number or ""): None,
        }
        lines += [attribute("norEduPersonLIN", number) for number in local if number]
        if person.birth_date:
            lines.append(f"norEduPersonBirthDate: {person.birth_date.isoformat().replace('-', '')}\n")
        lines.append(self._mail(person.mail))
        if person.mobile:
            lines.append(self._fits("mobile", person.mobile, _TELEPHONE))
        lines.append(self._org_line)
        lines += self._units(person)
        affiliations, pupil, employee = self._affiliation_lines(person.affiliations)
        lines.append(affiliations)
        lines += [
            attribute("eduPersonEntitlement", feide.year_level(level)) for level in sorted(set(person.year_levels))
        ]
        lines += [attribute("eduPersonEntitlement", feide.former_name(name)) for name in person.former_names]
        lines += self._memberships(person)
        lines.append("\n")
        self._counted["people"] += 1
        self._counted["pupils"] += pupil
        self._counted["employees"] += employee
        return "".join(lines)

    def counts(self) -> Counts:
        """Return what was written so far."""
        counted = self._counted
        return Counts(
            owners=1,
            schools=len(self._schools),
            people=counted["people"],
            pupils=counted["pupils"],
            employees=counted["employees"],
            groups=len(self._groupids),
            memberships=counted["memberships"],
            left_out=counted["left_out"],
        )

    def _units(self, person: AccountHolder) -> list[str]:
        primary = person.primary_school or (person.schools[0] if person.schools else None)
        if primary is None:
            return []
        try:
            lines = [self._unit_lines[orgnr] for orgnr in sorted({*person.schools, primary})]
            lines.append(self._primary_lines[primary])
        except KeyError as unknown:
            raise CheckFailed(
                "FEIDE-eksporten er stoppet: en person hører til en skole som ikke er med.", orgnr=unknown.args[0]
            ) from None
        return lines

    def _affiliations(self, given: tuple[str, ...]) -> tuple[str, bool, bool]:
        all_of_them = set(given)
        for affiliation in given:
            all_of_them.update(_IMPLIED.get(affiliation, ()))
        if all_of_them & _ALSO_MEMBERS:
            all_of_them.add("member")
        unknown = all_of_them.difference(AFFILIATIONS)
        if unknown:
            raise ValueError(f"Feide has no affiliation {', '.join(sorted(unknown))}.")
        ordered = [affiliation for affiliation in AFFILIATIONS if affiliation in all_of_them]
        lines = [attribute("eduPersonAffiliation", affiliation) for affiliation in ordered]
        lines += [attribute("eduPersonScopedAffiliation", f"{affiliation}@{self._realm}") for affiliation in ordered]
        primary = next((affiliation for affiliation in _PRIMARY if affiliation in all_of_them), None)
        if primary:
            lines.append(attribute("eduPersonPrimaryAffiliation", primary))
        return "".join(lines), "student" in all_of_them, "employee" in all_of_them

    def _memberships(self, person: AccountHolder) -> list[str]:
        lines: list[str] = []
        last_value = last_groupid = ""
        for group in sorted([self._written(group) for group in person.groups]):
            if group.value != last_value:
                lines.append(group.value_line)
                last_value = group.value
                self._counted["memberships"] += 1
            if group.groupid != last_groupid:
                lines.append(group.groupid_line)
                last_groupid = group.groupid
        return lines

    def _written(self, group: feide.Group) -> _Written:
        written = self._groups.get(group)
        if written is None:
            try:
                value, groupid = group.value, group.groupid
            except ValueError as error:
                raise CheckFailed(
                    "FEIDE-eksporten er stoppet: en gruppe mangler navn eller id, eller har umulige datoer.",
                    orgnr=group.orgnr,
                    why=str(error),
                ) from None
            lines = attribute("eduPersonEntitlement", groupid), attribute("eduPersonEntitlement", value)
            written = self._groups[group] = _Written(groupid, value, *lines)
            self._groupids.add(groupid)
        return written

    def _mail(self, mail: str | None) -> str:
        return self._fits("mail", mail, _MAIL) if mail else ""

    def _fits(self, name: str, value: str, form: re.Pattern[str]) -> str:
        value = value.strip()
        if form.fullmatch(value):
            return attribute(name, value)
        self._counted["left_out"] += 1
        return ""


def _school_names(schools: list[School]) -> list[str]:
    """Return ``ou=<name>`` for each school, with its number added where LDAP could not tell two names apart."""
    keys = [unicodedata.normalize("NFKC", _school_name(school)).casefold() for school in schools]
    taken = Counter([*keys, "people"])
    return [
        f"ou={escape(_school_name(school))}"
        + (f"+norEduOrgUnitUniqueIdentifier={_org(school.orgnr)}" if taken[key] > 1 else "")
        for school, key in zip(schools, keys, strict=True)
    ]


def _school_name(school: School) -> str:
    return clean(school.name) or _org(school.orgnr)


def _org(orgnr: str) -> str:
    return f"NO{orgnr}"


CHANGES: Final = Changes("feide-changes.ldif", feide_changes.write, feide_changes_check.check, feide_changes.named)
EXPORT: Final = Export(
    name="feide_ldif",
    file="feide.ldif",
    write=write,
    check=check,
    read=read,
    names="accounts",
    changes=CHANGES,
)
