"""The groups' calendars: one zip file with an iCalendar file (RFC 5545) for each group, and the list of their links.

In: the lessons of a ``Shown``. Out: ``<token>.ics`` of each group, then ``kalendere.csv``, which has the file of each.
The same input gives the same bytes.

A calendar is put on a web server, and its address is the whole key to it. The file's name is therefore 32 digits that
nobody can guess, the same for as long as the group has its id. ``kalendere.csv`` is for those who hand out the links,
and is never put on the server.

A lesson is an event that is repeated every week from the group's first day to its last. The timetables that are read
tell the weekday and no dates: holidays are in the calendar too. No person is in it.

The library ``icalendar`` writes every line. Memory holds the list and one group.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, Final
from zipfile import ZipFile

from dataflyt.exports.calendar_check import LIST, check
from dataflyt.exports.model import Counts, Export, Lesson, Shown
from dataflyt.formats import sheets
from dataflyt.formats.dates import OSLO
from dataflyt.identity.names import clean

if TYPE_CHECKING:
    import icalendar

HEADS: Final = ("Skole", "Organisasjonsnummer", "Gruppe", "Gruppens id", "Fil")
_ZONE: Final = """BEGIN:VTIMEZONE
TZID:Europe/Oslo
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19960331T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
""".replace("\n", "\r\n")
"""Norwegian time since 1996 (directive 2000/84/EC)."""
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def write(shown: Shown, out: BinaryIO) -> Counts:
    """Write the calendars of one school owner to ``out`` and return the counts."""
    import pandas as pd

    moment = shown.as_of()
    links: list[tuple[str, str, str, str, str]] = []
    with ZipFile(out, "w") as archive:
        for lesson, lessons in _groups(shown):
            links.append((lesson.school, lesson.orgnr, lesson.group, lesson.group_id, f"{lesson.token}.ics"))
            with archive.open(sheets.zipped(f"{lesson.token}.ics"), "w") as file:
                file.write(_calendar(lesson, lessons, moment))
        with archive.open(sheets.zipped(LIST), "w") as file:
            sheets.write_csv([pd.DataFrame(links, columns=list(HEADS))], file)  # type: ignore[arg-type]
    schools = sum(1 for _ in shown.schools())
    return Counts(
        owners=1, schools=schools, people=0, pupils=0, employees=0, groups=len(links), memberships=0, left_out=0
    )


def _groups(shown: Shown) -> Iterator[tuple[Lesson, list[tuple[Lesson, date]]]]:
    """Yield each group's first lesson, and all of its lessons with the day of the first one; at least one."""
    for _, found in groupby(shown.lessons(), lambda one: (one.orgnr, one.group_id)):
        lessons = [(one, day) for one in found if (day := _first(one)) <= one.to_date]
        if lessons:
            yield lessons[0][0], lessons


def _first(lesson: Lesson) -> date:
    """Return the first day of a lesson: its weekday, on the group's first day or after it."""
    return lesson.from_date + timedelta(days=(lesson.weekday - lesson.from_date.isoweekday()) % 7)


def _calendar(group: Lesson, lessons: list[tuple[Lesson, date]], moment: datetime) -> bytes:
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("PRODID", "-//Dataflyt//Kalendere//NO")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", clean(f"{group.group} {group.school}"))
    calendar.add_component(_zone())
    for lesson, day in lessons:
        calendar.add_component(_event(lesson, day, moment))
    return bytes(calendar.to_ical())


@cache
def _zone() -> "icalendar.Component":
    import icalendar

    return icalendar.Timezone.from_ical(_ZONE)


def _event(lesson: Lesson, day: date, moment: datetime) -> "icalendar.Event":
    import icalendar

    def at(clock: str) -> datetime:
        return datetime.combine(day, time.fromisoformat(clock), OSLO)

    event = icalendar.Event()
    # Not the token itself: who is shown an event of the calendar is not to learn the link.
    named = (lesson.token, str(lesson.weekday), lesson.starts, lesson.ends, lesson.room)
    event.add("UID", f"{hashlib.sha256('|'.join(named).encode()).hexdigest()[:32]}@dataflyt")
    event.add("DTSTAMP", moment.astimezone(UTC).replace(microsecond=0))
    event.add("DTSTART", at(lesson.starts))
    if lesson.ends > lesson.starts:
        event.add("DTEND", at(lesson.ends))
    last = datetime.combine(lesson.to_date, time(23, 59, 59), OSLO).astimezone(UTC)
    event.add("RRULE", {"FREQ": "WEEKLY", "UNTIL": last, "BYDAY": _DAYS[lesson.weekday - 1]})
    event.add("SUMMARY", lesson.group)
    if room := clean(lesson.room):
        event.add("LOCATION", room)
    return event


EXPORT: Final = Export(name="calendar", file="kalendere.zip", write=write, check=check)
