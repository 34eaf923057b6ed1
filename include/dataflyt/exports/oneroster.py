"""The pupils, employees, classes and subject groups of a school owner as OneRoster 1.2: a zip file of CSV files, bulk.

In: a ``Shown``, which gives people, groups and memberships as they may be shown. Out: orgs, academicSessions, courses,
classes, users, roles, userProfiles and enrollments, demographics where the kommune's file lets it, and manifest. A file
without rows is absent, as the binding demands. The same input gives the same bytes.

Source: 1EdTech OneRoster CSV Binding 1.2.1 (headers, required columns and enumerations); the contents of the fields are
those of FINT's provider, so that a receiver in Norway knows them: the school owner is a district; ``identifier`` of an
org is its organisation number; ``username`` is the user name, ``userIds`` has ``{Feide:…}``; a class is a homeroom of
the course of its year level, a subject group a scheduled class of the course of its Grep code; a school year is two
terms, and is named by the year it ends in; a session's last day is in it, an enrolment's ``endDate`` is the day after.

- Ids: a person has the warehouse's own, a school its organisation number, a class the school system's, hashed where it
  has letters that an id may not have; ``classCode`` has it as it is. Ids of a row without one of its own are joined of
  these. No id is a running number.
- Roles at a school are student, teacher, principal (PIFU's rektor), counselor (rådgiver) and aide, for every other
  employee. Of a person's roles at one school exactly one is primary. The main school is in ``primaryOrgSourcedId``. In
  a class an employee who does not teach is a proctor: an enrolment knows no other word for such a one.
- The one contact teacher of a class is its primary teacher. A class with several has none.
- A person without a user name has the id as ``username``, since the column is required, and cannot log in
  (``enabledUser``), unless as a guardian.

Only where the kommune's file says so (``export_extras``): ``numbers`` (users' ``identifier``), ``birth_dates``
(demographics, with no other column), ``contact`` (email and sms) and ``guardians`` (users with the role guardian at the
school owner, named by ``agentSourcedIds`` of their pupils).

Never: addresses, sex, passwords, photos. Year levels and contact teachers' groups are no classes.

``oneroster_check`` reads the file as a receiver would, before it is published. ``oneroster_changes`` writes the changes
that bring a receiver from the file published before to this one.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import BinaryIO, Final
from zipfile import ZipFile

from dataflyt.exports import oneroster_changes, oneroster_changes_check, rosters
from dataflyt.exports.model import Changes, Counts, Export, Group, Membership, Person, Shown
from dataflyt.exports.oneroster_check import check, read
from dataflyt.formats import reaching
from dataflyt.formats.dates import OSLO, school_year

HEADS: Final = {
    "orgs": "sourcedId status dateLastModified name type identifier parentSourcedId",
    "academicSessions": "sourcedId status dateLastModified title type startDate endDate parentSourcedId schoolYear",
    "courses": "sourcedId status dateLastModified schoolYearSourcedId title courseCode grades orgSourcedId subjects "
    "subjectCodes",
    "classes": "sourcedId status dateLastModified title grades courseSourcedId classCode classType location "
    "schoolSourcedId termSourcedIds subjects subjectCodes periods",
    "users": "sourcedId status dateLastModified enabledUser username userIds givenName familyName middleName "
    "identifier email sms phone agentSourcedIds grades password userMasterIdentifier preferredGivenName "
    "preferredMiddleName preferredFamilyName primaryOrgSourcedId pronouns",
    "roles": "sourcedId status dateLastModified userSourcedId roleType role beginDate endDate orgSourcedId "
    "userProfileSourcedId",
    "userProfiles": "sourcedId status dateLastModified userSourcedId profileType vendorId applicationId description "
    "credentialType username password",
    "enrollments": "sourcedId status dateLastModified classSourcedId schoolSourcedId userSourcedId role primary "
    "beginDate endDate",
    "demographics": "sourcedId status dateLastModified birthDate sex americanIndianOrAlaskaNative asian "
    "blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces "
    "hispanicOrLatinoEthnicity countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
}
"""The files that are written, in this order, and their columns."""
_ABSENT: Final = (
    *("categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems"),
    *("lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales"),
    "userResources",
)
_ROLES: Final = {rosters.PUPIL: "student"} | dict.fromkeys(rosters.TEACHERS, "teacher")
_STAFF: Final = {"rektor": "principal", "rådgiver": "counselor"}
"""The roles for a subrole of an employee who does not teach."""


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the roster of one school owner to ``out`` and return the counts."""
    with ZipFile(out, "w") as archive:
        return _Writer(shown, archive).write()


class _Writer:
    """Write one file after another. Of the people it remembers main school, user name, day of birth and guardians."""

    def __init__(self, shown: Shown, archive: ZipFile) -> None:
        self._shown = shown
        self._archive = archive
        self._owner = shown.owner()
        self._realm = rosters.plain(self._owner.realm.lower())
        self._today = shown.as_of().astimezone(OSLO).date()
        self._extras = shown.extras("oneroster")
        self._main = rosters.MainSchools(shown.school_memberships())
        self._guardians: set[str] = set()
        self._uids: list[tuple[str, str]] = []
        self._births: list[tuple[str, date]] = []
        self._classes: dict[str, tuple[str, str]] = {}  # a class's id in the school system -> its id here, its school
        self._schools = self._pupils = self._employees = self._left_out = 0

    def write(self) -> Counts:
        """Write every file and return the counts."""
        written = {
            name: self._put(name, rows)
            for name, rows in (
                ("orgs", self._orgs()),
                ("academicSessions", self._sessions()),
                ("courses", self._courses()),
                ("classes", map(self._class, self._groups())),
                ("users", self._users()),
                ("roles", self._roles()),
                ("userProfiles", self._profiles()),
            )
        }
        heads = HEADS["enrollments"].split()
        written["enrollments"] = rosters.put_lines(self._archive, "enrollments.csv", heads, self._enrollments())
        written["demographics"] = self._put("demographics", self._demographics())
        about = {"manifest.version": "1.0", "oneroster.version": "1.2"}
        bulk = {name: "bulk" if rows else "absent" for name, rows in written.items()}
        about |= {f"file.{name}": kind for name, kind in sorted((bulk | dict.fromkeys(_ABSENT, "absent")).items())}
        about |= {"source.systemName": "Dataflyt", "source.systemCode": self._owner.orgnr}
        rosters.put(self._archive, "manifest.csv", ("propertyName", "value"), about.items())
        return Counts(
            owners=1,
            schools=self._schools,
            people=self._pupils + self._employees,
            pupils=self._pupils,
            employees=self._employees,
            groups=written["classes"],
            memberships=written["enrollments"],
            left_out=self._left_out,
        )

    def _put(self, name: str, rows: Iterable[dict[str, str]]) -> int:
        """Write a table. Its rows are by column."""
        heads = HEADS[name].split()
        empty = [""] * len(heads)
        lines = (list(map(row.get, heads, empty)) for row in rows)
        return rosters.put(self._archive, f"{name}.csv", heads, lines)

    def _orgs(self) -> Iterator[dict[str, str]]:
        owner, schools = self._owner, list(self._shown.schools())
        self._schools = len(schools)
        alone = owner.orgnr in {school.orgnr for school in schools}
        if not alone:  # a school that is its own owner is one organisation
            yield {
                "sourcedId": owner.orgnr,
                "name": rosters.plain(owner.name) or owner.orgnr,
                "type": "district",
                "identifier": owner.orgnr,
            }
        for school in schools:
            yield {
                "sourcedId": school.orgnr,
                "name": rosters.plain(school.name) or school.orgnr,
                "type": "school",
                "identifier": school.orgnr,
                "parentSourcedId": "" if alone else owner.orgnr,
            }

    def _groups(self) -> Iterator[Group]:
        return (group for group in self._shown.groups() if group.kind in rosters.KINDS)

    def _sessions(self) -> Iterator[dict[str, str]]:
        found = {rosters.year_session(school_year(self._today))}
        for group in self._groups():
            found.update(rosters.sessions(group.from_date, group.to_date, self._today))
        found |= {rosters.year_session(one.year - 1) for one in found if one.parent_id}
        for one in sorted(found, key=attrgetter("kind", "session_id")):
            yield {
                "sourcedId": one.session_id,
                "title": one.title,
                "type": one.kind,
                "startDate": one.begins.isoformat(),
                "endDate": one.ends.isoformat(),
                "parentSourcedId": one.parent_id,
                "schoolYear": str(one.year),
            }

    def _courses(self) -> Iterator[dict[str, str]]:
        found = {}
        for group in self._groups():
            course_id, title = rosters.courses(group)
            of_level = group.kind == "basisgruppe"
            code = "" if of_level else rosters.plain(group.grep or "")
            found[course_id] = {
                "sourcedId": course_id,
                "title": title,
                "courseCode": code,
                "grades": rosters.level(group.year_level) if of_level else "",
                "orgSourcedId": self._owner.orgnr,
                "subjects": code,
                "subjectCodes": code,
            }
        return (found[course_id] for course_id in sorted(found))

    def _class(self, group: Group) -> dict[str, str]:
        class_id = rosters.local_id(group.group_id)
        self._classes[group.group_id] = (class_id, group.orgnr)
        terms = rosters.sessions(group.from_date, group.to_date, self._today)
        code = rosters.plain(group.grep or "") if group.kind == "undervisningsgruppe" else ""
        return {
            "sourcedId": class_id,
            "title": rosters.plain(group.name) or class_id,
            "grades": rosters.level(group.year_level),
            "courseSourcedId": rosters.courses(group)[0],
            "classCode": rosters.plain(group.group_id),
            "classType": "homeroom" if group.kind == "basisgruppe" else "scheduled",
            "schoolSourcedId": group.orgnr,
            "termSourcedIds": ",".join(term.session_id for term in terms),
            "subjects": code,
            "subjectCodes": code,
        }

    def _people(self) -> Iterator[Person]:
        """Yield the people that the file may hold: all, or those who are not guardians alone."""
        everybody = "guardians" in self._extras
        return (one for one in self._shown.people() if everybody or one.is_pupil or one.is_employee)

    def _users(self) -> Iterator[dict[str, str]]:
        for person in self._people():
            self._pupils += person.is_pupil
            self._employees += person.is_employee
            at_school = person.is_pupil or person.is_employee
            agents = person.guardians if "guardians" in self._extras and person.is_pupil else ()
            self._guardians.update(agents)
            if person.uid:
                self._uids.append((person.person_id, person.uid))
            if person.birth_date and "birth_dates" in self._extras:
                self._births.append((person.person_id, person.birth_date))
            given, family = rosters.names(person.given_names, person.family_name, person.person_id)
            row = {
                "sourcedId": person.person_id,
                "enabledUser": "true" if person.uid or not at_school else "false",
                "username": person.uid or person.person_id,
                "userIds": f"{{Feide:{person.uid}@{self._realm}}}" if person.uid else "",
                "givenName": given,
                "familyName": family,
                "agentSourcedIds": ",".join(agents),
                "primaryOrgSourcedId": self._main.get(person.person_id) or self._owner.orgnr,
            }
            if "numbers" in self._extras:
                row["identifier"] = rosters.plain(person.number or person.local_number or "")
            if "contact" in self._extras:
                row["email"] = self._fits(person.mail or person.private_mail, rosters.mail)
                row["sms"] = self._fits(person.mobile, reaching.mobile)
            yield row

    def _fits(self, value: str | None, form: Callable[[str], str | None]) -> str:
        if not value:
            return ""
        fitting = form(value)
        self._left_out += fitting is None
        return fitting or ""

    def _roles(self) -> Iterator[dict[str, str]]:
        at_owner = set()
        for (school, person_id), parts in groupby(self._shown.school_memberships(), itemgetter(1, 2)):
            roles = list(parts)
            if school == self._owner.orgnr:
                at_owner.add(person_id)
            # Exactly one role of a person at an organisation is primary: the main one, or the first.
            primary = next((part for part in roles if part.main), roles[0])
            for part in roles:
                role = _ROLES.get(part.role) or _STAFF.get(part.subrole or "", "aide")
                yield self._role(person_id, school, role, part.from_date, part.to_date, primary=part is primary)
        for person_id in sorted(self._guardians):
            primary_too = person_id not in at_owner  # a school that is its own owner has roles of its own
            yield self._role(person_id, self._owner.orgnr, "guardian", None, None, primary=primary_too)

    @staticmethod
    def _role(
        person_id: str, org: str, role: str, begins: date | None, ends: date | None, *, primary: bool
    ) -> dict[str, str]:
        return {
            "sourcedId": f"{person_id}_{org}_{role}",
            "userSourcedId": person_id,
            "roleType": "primary" if primary else "secondary",
            "role": role,
            "beginDate": begins.isoformat() if begins else "",
            "endDate": _day_after(ends),
            "orgSourcedId": org,
        }

    def _profiles(self) -> Iterator[dict[str, str]]:
        for person_id, uid in self._uids:
            yield {
                "sourcedId": person_id,
                "userSourcedId": person_id,
                "profileType": "Feide",
                "vendorId": "Feide",
                "credentialType": "Feide",
                "username": f"{uid}@{self._realm}",
            }

    def _enrollments(self) -> Iterator[str]:
        for target, parts in groupby(self._shown.group_memberships(), itemgetter(1)):
            if target in self._classes:
                yield from self._enrolled(*self._classes[target], list(parts))

    @staticmethod
    def _enrolled(class_id: str, school: str, parts: list[Membership]) -> Iterator[str]:
        """Yield the enrolments of a class as lines of the file. A teacher who is its contact teacher has one.

        A kommune has a million. A person's id is a UUID and a class's has no letter to escape.
        """
        contacts = {part.person_id for part in parts if part.role == "06"}
        of_class = f"{class_id},{rosters.cell(school)}"
        seen = set()
        for part in parts:
            role = _ROLES.get(part.role, "proctor")
            if (part.person_id, role) in seen:
                continue
            seen.add((part.person_id, role))
            person_id = part.person_id
            primary = "" if role != "teacher" else "true" if contacts == {person_id} else "false"
            begins = part.from_date.isoformat() if part.from_date else ""
            ends = _day_after(part.to_date) if part.to_date else ""
            yield f"{person_id}_{class_id}_{role},,,{of_class},{person_id},{role},{primary},{begins},{ends}\r\n"

    def _demographics(self) -> Iterator[dict[str, str]]:
        for person_id, born in self._births:
            yield {"sourcedId": person_id, "birthDate": born.isoformat()}


def _day_after(last: date | None) -> str:
    """Return the first day that is not in a period; empty for an open one, and for one until the end of time."""
    return (last + timedelta(days=1)).isoformat() if last and last < date.max else ""


EXPORT: Final = Export(
    name="oneroster",
    file="oneroster.zip",
    write=write,
    check=check,
    read=read,
    names="rosters",
    changes=Changes(
        "oneroster-changes.zip", oneroster_changes.write, oneroster_changes_check.check, oneroster_changes.named
    ),
)
