"""The contents of HR's and the SAS's files, in the other formats that such systems deliver.

- ``write_oneroster``: OneRoster 1.2, a zip file of CSV (1EdTech, CSV Binding 1.2.1), filled as FINT's provider fills
  OneRoster: ``identifier`` is the organisation number of a school and the identity number of a person.
- ``write_visma``: Visma Enterprise HRM's ``personsXML``, with the structure of a sample; no schema is public.
- ``write_calendar``: the timetable as iCalendar (RFC 5545). The content of a school system's events is not
  published. Here SUMMARY is the group's id.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import IO

from simulator.files import _X, DECLARATION, SLOTS, _leaf, _write, units
from simulator.model import Employee, Member, Position, World

ROLES = {"01": "student", "02": "teacher", "04": "proctor", "05": "principal", "06": "teacher", "07": "administrator"}
ROLES["08"] = "aide"
CLASS_TYPES = {"basisgruppe": "homeroom", "undervisningsgruppe": "scheduled"}


def write_oneroster(world: World, day: date, out: IO[bytes]) -> None:
    """Write a whole roster (bulk): everybody in the SAS, schools, groups and memberships."""
    tables = dict(_tables(world))
    manifest = [("propertyName", "value"), ("manifest.version", "1.0"), ("oneroster.version", "1.2")]
    manifest += [(f"file.{name}", "bulk") for name in tables]
    with zipfile.ZipFile(out, "w") as archive:
        for name, rows in {"manifest": manifest, **tables}.items():
            text = io.StringIO()
            csv.writer(text, lineterminator="\r\n").writerows(rows)
            moment = (day.year, day.month, day.day, 3, 0, 0)
            entry = zipfile.ZipInfo(f"{name}.csv", moment)
            archive.writestr(entry, text.getvalue().encode(), zipfile.ZIP_DEFLATED)


def _tables(world: World) -> Iterator[tuple[str, Iterable[tuple[object, ...]]]]:
    blank = ("", "")  # status and dateLastModified, empty in bulk
    kommune, begins, ends = world.kommune, f"{world.year}-08-01", f"{world.year + 1}-07-31"
    yield (
        "orgs",
        [
            ("sourcedId", "status", "dateLastModified", "name", "type", "identifier", "parentSourcedId"),
            ("eier", *blank, kommune.name, "district", kommune.orgnr, ""),
            *((school.school_id, *blank, school.name, "school", school.orgnr, "eier") for school in kommune.schools),
        ],
    )
    sessions = ("sourcedId", "status", "dateLastModified", "title", "type", "startDate", "endDate", "parentSourcedId")
    year = ("year", *blank, f"{world.year}/{world.year + 1}", "schoolYear", begins, ends, "", world.year + 1)
    yield "academicSessions", [(*sessions, "schoolYear"), year]
    heading: tuple[str, ...]
    heading = ("sourcedId", "status", "dateLastModified", "title", "grades", "courseSourcedId", "classType")
    yield (
        "classes",
        [
            (*heading, "schoolSourcedId", "termSourcedIds", "subjectCodes"),
            *(
                (
                    *(group.group_id, *blank, group.short, group.level or "", f"course/{group.group_id}"),
                    *(CLASS_TYPES.get(group.kind[1], f"ext:{group.kind[1]}"), group.school.school_id),
                    *("year" if group.dated else "", ""),
                )
                for group in world.groups
            ),
        ],
    )
    yield (
        "courses",
        [
            ("sourcedId", "status", "dateLastModified", "title", "courseCode", "grades", "subjectCodes"),
            *(
                (f"course/{group.group_id}", *blank, group.long, group.grep_short or "", "", "")
                for group in world.groups
            ),
        ],
    )
    heading = ("sourcedId", "status", "dateLastModified", "enabledUser", "username", "userIds", "givenName")
    people = list(world.sas_persons())
    yield (
        "users",
        [
            (*heading, "familyName", "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds"),
            *(
                (
                    *(person.person_id, *blank, "true", person.username or "", "", person.given, person.family, ""),
                    *(person.number or person.local_number or "", person.email or "", person.mobile or "", ""),
                    ",".join(person.guardians),
                )
                for person in people
            ),
        ],
    )
    yield (
        "demographics",
        [
            ("sourcedId", "status", "dateLastModified", "birthDate", "sex"),
            *((p.person_id, *blank, p.born or "", "female" if p.sex == "kvinne" else "male") for p in people),
        ],
    )
    schools = {school.school_id for school in kommune.schools}
    places: dict[bool, list[tuple[str, Member]]] = {True: [], False: []}
    for target, members in world.memberships():
        places[target in schools] += [(target, member) for member in members]

    def until(member: Member) -> tuple[object, ...]:
        return (member.since or begins, date(world.year + 1, 7, 31) + timedelta(days=1))

    heading = ("sourcedId", "status", "dateLastModified", "userSourcedId", "roleType", "role", "beginDate", "endDate")
    yield (
        "roles",
        [
            (*heading, "orgSourcedId"),
            *(
                (
                    *(f"r{at}", *blank, member.person_id, "secondary" if member.main is False else "primary"),
                    *(ROLES[member.role], *until(member), school),
                )
                for at, (school, member) in enumerate(places[True])
            ),
        ],
    )
    heading = ("sourcedId", "status", "dateLastModified", "classSourcedId", "userSourcedId", "role", "primary")
    yield (
        "enrollments",
        [
            (*heading, "beginDate", "endDate"),
            *(
                (f"e{at}", *blank, group, member.person_id, ROLES[member.role], "false", *until(member))
                for at, (group, member) in enumerate(places[False])
            ),
        ],
    )


def write_visma(world: World, day: date, out: IO[bytes]) -> None:
    """Employees and their positions. The workplace is the school that a unit is, or is below."""
    names = {unit: name for unit, _, name in units(world.kommune)}
    schools = {school.unit: school.orgnr for school in world.kommune.schools}
    for unit, above, _ in units(world.kommune):
        if above in schools:
            schools[unit] = schools[above]
    out.write(DECLARATION + b"<personsXML>\n")
    for employee in world.employees:
        _write(out, _visma_person(employee, day, names, schools))
    _write(out, "</personsXML>")


def _visma_person(employee: Employee, day: date, names: dict[str, str], schools: dict[str, str]) -> str:
    person = employee.person

    def position(number: int, held: Position) -> str:
        return _X.position(
            _X.chart(_X.unit(id=held.unit, name=names[held.unit]), id="1", name="x"),
            _X.positionInfo(_X.positionCode(positionCode=held.code, positionId=str(number), name=held.name)),
            _leaf("positionPercentage", held.percentage),
            _leaf("positionStartDate", held.date_from),
            _leaf("positionEndDate", held.date_to),
            _X.positionStatistics(*(_X.businessNumber(value=schools[held.unit]) for _ in [0] if held.unit in schools)),
            isPrimaryPosition=str(held.main).lower(),
            validFromDate=str(day),
        )

    employments = (
        _X.employment(
            _X.category(_leaf("description", held.kind), id=held.kind),
            _leaf("employeeId", employee.employee_id),
            _leaf("startDate", held.date_from),
            _X.positions(position(number, held)),
            _leaf("salary", 512_345),
        )
        for number, held in enumerate(employee.positions, 1)
    )
    return _X.person(
        _X.authentication(_leaf("userId", employee.username)),
        _leaf("bankAccount", "86011117947"),
        _X.contactInfo(_leaf("email", employee.email), _leaf("mobilePhone", employee.mobile)),
        _leaf("dateOfBirth", person.born),
        _X.employments(*employments),
        _leaf("familyName", person.family),
        _leaf("genderCode", "MALE" if person.sex == "mann" else "FEMALE"),
        _leaf("givenName", f"{person.given} {person.middle}" if person.middle else person.given),
        _leaf("ssn", person.number),
        personIdHRM=employee.employee_id,
    )


def write_calendar(world: World, day: date, out: IO[bytes]) -> None:
    """One event for each lesson, repeated weekly from the week of ``day`` to the end of the school year."""
    monday = day - timedelta(days=day.weekday())
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//simulator//NO"]
    for group in world.groups:
        for weekday, slot, room in sorted(group.lessons):
            hour, minute = SLOTS[slot].split(":")
            when = f"{monday + timedelta(days=weekday - 1):%Y%m%d}T"
            lines += [
                *("BEGIN:VEVENT", f"UID:{group.group_id}/{weekday}/{slot}@sas", f"SUMMARY:{group.group_id}"),
                f"DTSTART;TZID=Europe/Oslo:{when}{hour}{minute}00",
                *("DURATION:PT45M", f"RRULE:FREQ=WEEKLY;UNTIL={world.year + 1}0731T000000Z", f"LOCATION:{room}"),
                "END:VEVENT",
            ]
    out.write("\r\n".join([*lines, "END:VCALENDAR", ""]).encode())
