"""Pupils, employees, classes and subject groups as Microsoft School Data Sync 2.1: one zip file of CSV files.

In: a ``Shown``, which gives people, groups and memberships as they may be shown. Out: orgs, users, roles, classes,
enrollments, academicSessions and courses; demographics and relationships where the kommune's file lets it. The same
input gives the same bytes.

Source: Microsoft Learn, "SDS V2.1 CSV file format" and "Default list of values", and the sample files of
OfficeDev/O365-EDU-Tools (headers).

- SDS takes whole rosters alone, and always the same set of files: a file that is missing makes its records inactive. So
  every file is written even when it has no row.
- Only people with a user name are in it: SDS matches users with accounts in Microsoft 365, and demands a username with
  a domain. It is the FEIDE name. SDS can be set up to match by the part before ``@``.
- Roles at a school are student, teacher and staff; a person's one primary role is at the main school. The school owner
  is a municipality.
- A class of a whole school year is in a session of type schoolYear, named by the year it begins in as in Microsoft's
  samples. Any other class is in a session of type semester, with its own days.

Only where the kommune's file says so (``export_extras``): ``birth_dates`` (demographics, with no other column),
``contact`` (email and sms) and ``guardians`` (relationships). SDS takes no guardian without an e-mail address: one
without it is left out, and one who is an employee stands with the address at work. A guardian without a user name has
``<id>@<realm>`` as username. The address, which Microsoft's samples have there, may be another guardian's too, or
somebody's FEIDE name. Two users with one username are an error, and a name that depended on others would change with
them. The address stands in ``email`` alone, where two may have the same.

Never: numbers, addresses, sex, passwords, flags.

``sds_check`` reads the file as a receiver would, before it is published.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import BinaryIO, Final
from zipfile import ZipFile

from dataflyt.exports import rosters
from dataflyt.exports.model import Counts, Export, Group, Person, Shown
from dataflyt.exports.sds_check import check, read
from dataflyt.formats import reaching
from dataflyt.formats.dates import OSLO, school_year

HEADS: Final = {
    "orgs": "sourcedId name type parentSourcedId",
    "academicSessions": "sourcedId title type schoolYear startDate endDate",
    "courses": "sourcedId orgSourcedId title code schoolYearSourcedId subject grade",
    "classes": "sourcedId orgSourcedId title sessionSourcedIds courseSourcedId",
    "users": "sourcedId username givenName familyName password activeDirectoryMatchId email phone sms",
    "roles": "userSourcedId orgSourcedId role sessionSourcedId grade isPrimary roleStartDate roleEndDate",
    "enrollments": "classSourcedId userSourcedId role",
    "demographics": "userSourcedId sex birthDate birthCity birthState birthCountry ethnicityCodes raceCodes",
    "relationships": "userSourcedId relationshipUserSourcedId relationshipRole",
}
"""The files and their columns, in the order in which they are written."""
_ROLES: Final = {rosters.PUPIL: "student"} | dict.fromkeys(rosters.TEACHERS, "teacher")


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the roster of one school owner to ``out`` and return the counts."""
    with ZipFile(out, "w") as archive:
        return _Writer(shown, archive).write()


class _Writer:
    """Write one file after another. Of the people it remembers who is in the file, and their main schools."""

    def __init__(self, shown: Shown, archive: ZipFile) -> None:
        self._shown = shown
        self._archive = archive
        self._owner = shown.owner()
        self._realm = rosters.plain(self._owner.realm.lower())
        self._today = shown.as_of().astimezone(OSLO).date()
        self._extras = shown.extras("sds")
        self._main = rosters.MainSchools(shown.school_memberships())
        self._classes: dict[str, str] = {}  # a class's id in the school system -> its id here
        self._named: set[str] = set()
        self._wanted: set[str] = set()  # the guardians of pupils in the file
        self._reachable: set[str] = set()  # those of them with an address
        self._schools = self._pupils = self._employees = self._left_out = 0

    def write(self) -> Counts:
        """Write every file and return the counts."""
        self._put("orgs", self._orgs())
        self._put("academicSessions", self._sessions())
        self._put("courses", self._courses())
        classes = self._put("classes", map(self._class, self._groups()))
        if "guardians" in self._extras:
            for person in self._shown.people():
                if person.is_pupil and person.uid:
                    self._wanted.update(person.guardians)
        self._put("users", self._users())
        self._put("roles", self._roles())
        enrolled = self._put("enrollments", self._enrollments())
        if "birth_dates" in self._extras:
            self._put("demographics", self._demographics())
        if "guardians" in self._extras:
            self._put("relationships", self._relationships())
        return Counts(
            owners=1,
            schools=self._schools,
            people=self._pupils + self._employees,
            pupils=self._pupils,
            employees=self._employees,
            groups=classes,
            memberships=enrolled,
            left_out=self._left_out,
        )

    def _put(self, name: str, rows: Iterable[dict[str, str]]) -> int:
        heads = HEADS[name].split()
        cells = ([row.get(head, "") for head in heads] for row in rows)
        return rosters.put(self._archive, f"{name}.csv", heads, cells, always=True)

    def _orgs(self) -> Iterator[dict[str, str]]:
        owner, schools = self._owner, list(self._shown.schools())
        self._schools = len(schools)
        alone = owner.orgnr in {school.orgnr for school in schools}
        if not alone:  # a school that is its own owner is one organisation
            yield {
                "sourcedId": owner.orgnr,
                "name": rosters.plain(owner.name) or owner.orgnr,
                "type": "municipality",
            }
        for school in schools:
            yield {
                "sourcedId": school.orgnr,
                "name": rosters.plain(school.name) or school.orgnr,
                "type": "school",
                "parentSourcedId": "" if alone else owner.orgnr,
            }

    def _groups(self) -> Iterator[Group]:
        return (group for group in self._shown.groups() if group.kind in rosters.KINDS)

    def _session(self, group: Group) -> rosters.Session:
        """Return the one session of a class: a school year, or its own days."""
        terms = rosters.sessions(group.from_date, group.to_date, self._today)
        return terms[0] if len(terms) == 1 else rosters.year_session(terms[0].begins.year)

    def _sessions(self) -> Iterator[dict[str, str]]:
        found = {rosters.year_session(school_year(self._today)), *map(self._session, self._groups())}
        for one in sorted(found, key=attrgetter("kind", "session_id")):
            yield {
                "sourcedId": one.session_id,
                "title": one.title,
                "type": "schoolYear" if one.kind == "schoolYear" else "semester",
                "schoolYear": str(one.year - 1),
                "startDate": one.begins.isoformat(),
                "endDate": one.ends.isoformat(),
            }

    def _courses(self) -> Iterator[dict[str, str]]:
        found = {}
        for group in self._groups():
            course_id, title = rosters.courses(group)
            of_level = group.kind == "basisgruppe"
            found[course_id] = {
                "sourcedId": course_id,
                "orgSourcedId": self._owner.orgnr,
                "title": title,
                "code": "" if of_level else rosters.plain(group.grep or ""),
                "grade": rosters.level(group.year_level) if of_level else "",
            }
        return (found[course_id] for course_id in sorted(found))

    def _class(self, group: Group) -> dict[str, str]:
        class_id = self._classes[group.group_id] = rosters.local_id(group.group_id)
        return {
            "sourcedId": class_id,
            "orgSourcedId": group.orgnr,
            "title": rosters.plain(group.name) or class_id,
            "sessionSourcedIds": self._session(group).session_id,
            "courseSourcedId": rosters.courses(group)[0],
        }

    def _users(self) -> Iterator[dict[str, str]]:
        for person in self._shown.people():
            named = bool(person.uid) and (person.is_pupil or person.is_employee)
            wanted = person.person_id in self._wanted
            mail = self._mail(person) if named or wanted else ""
            if not named and not (wanted and mail):
                continue
            if named:
                self._named.add(person.person_id)
                self._pupils += person.is_pupil
                self._employees += person.is_employee
            if wanted and mail:
                self._reachable.add(person.person_id)
            given, family = rosters.names(person.given_names, person.family_name, person.person_id)
            yield {
                "sourcedId": person.person_id,
                "username": f"{person.uid if named else person.person_id}@{self._realm}",
                "givenName": given,
                "familyName": family,
                "email": mail,
                "sms": self._fits(person.mobile, reaching.mobile) if "contact" in self._extras else "",
            }

    def _mail(self, person: Person) -> str:
        """Return the address in small letters, as SDS keeps it."""
        may = "contact" in self._extras
        return self._fits(person.mail or person.private_mail, rosters.mail).lower() if may else ""

    def _fits(self, value: str | None, form: Callable[[str], str | None]) -> str:
        if not value:
            return ""
        fitting = form(value)
        self._left_out += fitting is None
        return fitting or ""

    def _roles(self) -> Iterator[dict[str, str]]:
        of_schools = self._shown.school_memberships()
        for (school, person_id), parts in groupby(of_schools, itemgetter(1, 2)):
            if person_id not in self._named:
                continue
            roles = list(parts)
            main = next((part for part in roles if part.main), roles[0])
            for part in roles:
                primary = part is main and self._main.get(person_id) == school
                yield {
                    "userSourcedId": person_id,
                    "orgSourcedId": school,
                    "role": _ROLES.get(part.role, "staff"),
                    "isPrimary": str(primary).upper(),
                    "roleStartDate": _day(part.from_date),
                    "roleEndDate": _day(part.to_date),
                }

    def _enrollments(self) -> Iterator[dict[str, str]]:
        of_groups = self._shown.group_memberships()
        for (target, person_id), parts in groupby(of_groups, itemgetter(1, 2)):
            if target in self._classes and person_id in self._named:
                for role in dict.fromkeys(_ROLES.get(part.role, "staff") for part in parts):
                    yield {"classSourcedId": self._classes[target], "userSourcedId": person_id, "role": role}

    def _demographics(self) -> Iterator[dict[str, str]]:
        for person in self._shown.people():
            if person.birth_date and person.person_id in self._named:
                yield {"userSourcedId": person.person_id, "birthDate": person.birth_date.isoformat()}

    def _relationships(self) -> Iterator[dict[str, str]]:
        for person in self._shown.people():
            if person.is_pupil and person.person_id in self._named:
                for guardian in person.guardians:
                    if guardian in self._reachable:
                        yield {
                            "userSourcedId": person.person_id,
                            "relationshipUserSourcedId": guardian,
                            "relationshipRole": "guardian",
                        }


def _day(value: date | None) -> str:
    return value.isoformat() if value else ""


EXPORT: Final = Export(name="sds", file="sds.zip", write=write, check=check, read=read, names="named_rosters")
