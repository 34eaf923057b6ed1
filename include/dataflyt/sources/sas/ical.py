"""Calendars (RFC 5545) to timetable rows: which group has a lesson on which weekday.

In: a calendar, for example from Vigilo's link to a timetable. Out: ``timetable`` rows in the order of the file, each
once. A broken or swollen file raises ``Unreadable``; an unreadable event is passed over.

Vigilo has not published the contents of its calendars. Assumed: an event is a lesson, its SUMMARY is the id of the
group, as in the school system's other file, and its LOCATION is the room. Quality rules find a group that is not in the
other file.

The libraries ``icalendar`` and ``recurring-ical-events`` interpret a calendar. They would follow a rule that repeats
every second until the year 9999. They therefore get one series at a time, only the properties that a lesson has, and
only rules that a timetable can have.
"""

import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from dataflyt.errors import Unreadable
from dataflyt.formats.dates import OSLO
from dataflyt.formats.text import from_windows_1252, refuse_other_formats, tidy
from dataflyt.sources.sas.rows import Timetable

Event: TypeAlias = Any
"""An ``icalendar.Event``, whose values are of thirty types."""

_BROKEN = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
"""The errors that the libraries raise for malformed events."""
_MOST_OCCURRENCES = 200_000
"""Lessons. A school with 100 groups of 30 lessons a week has three quarters of this in a year."""


def read(stream: BinaryIO, today: date | None = None) -> Iterator[NamedTuple]:
    """Yield a row for each weekday and time at which an event with a name takes place. Raises Unreadable.

    The period that is read is the school year of ``today`` (default: the day in Norway) and two months from then, so
    that summer gets the next timetable too. Times are Norwegian. A day that was moved, cancelled or left out of a
    series is not a lesson, and an event of whole days is not one. A rule that no timetable has (every second, every
    year) is not followed: the event counts on its first day.
    """
    today = today or datetime.now(OSLO).date()
    year = today.year - (today.month < 8)
    during = date(year, 8, 1), max(date(year + 1, 7, 31), today + timedelta(days=62))
    zones, series = _sorted(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote the file
        lessons = _timetable(zones, series, during)
    yield from lessons


def _timetable(zones: Iterable[str], series: Iterable[Iterable[str]], during: tuple[date, date]) -> Iterable[Timetable]:
    """Return the lessons of a calendar, each once. Raises Unreadable if there are too many."""
    _learn(zones, during[0].year)
    lessons: dict[Timetable, None] = {}
    left = _MOST_OCCURRENCES
    for texts in series:
        events, changes = _versions(texts)
        for event in events:
            found = _occurrences(event, changes, during)
            left -= 1 + len(changes) + len(found)
            if left < 0:
                raise Unreadable("Kalenderen gjentar hendelser langt oftere enn en timeplan gjør.")
            lessons.update(dict.fromkeys(_weekly(found, during)))
    return lessons


# --- Events ----------------------------------------------------------------------------------------------------------

_OLDEST = 10
"""Years. No lesson has been repeated for longer."""
_FARTHEST = timedelta(days=31)
"""The rest of a series is not moved farther than this at once."""


def _learn(zones: Iterable[str], year: int) -> None:
    """Teach the library the time zones that a calendar defines, and make it forget the previous calendar's.

    A zone that is Norwegian time by another name is not taught: a time in an unknown zone counts as Norwegian, and is
    read faster.
    """
    from icalendar import Timezone
    from icalendar.timezone import tzp

    tzp.use_default()
    foreign = [zone for zone in zones if _is_foreign(zone, year)]
    tzp.use_default()
    for zone in foreign:
        Timezone.from_ical(zone)


def _is_foreign(zone: str, year: int) -> bool:
    from icalendar import Timezone

    try:
        known: Any = Timezone.from_ical(zone)
        winter, summer = datetime(year, 1, 1, tzinfo=known.to_tz()), datetime(year, 7, 1, tzinfo=known.to_tz())
        return any(moment.utcoffset() != moment.replace(tzinfo=OSLO).utcoffset() for moment in (winter, summer))
    except _BROKEN:
        return False


def _versions(texts: Iterable[str]) -> tuple[list[Event], list[Event]]:
    """Return the events of one UID in their newest version, and the changes to some of their days."""
    import icalendar

    events: list[tuple[int, Event]] = []
    changes: list[Event] = []
    for text in texts:
        try:
            event: Event = icalendar.Event.from_ical(text)
            sequence = event.pop("SEQUENCE", 0)
        except _BROKEN:
            continue
        if "RECURRENCE-ID" in event:
            changes.append(event)
        else:
            events.append((sequence if isinstance(sequence, int) else 0, event))
    newest = max((sequence for sequence, _ in events), default=0)
    return [event for sequence, event in events if sequence == newest], changes


def _occurrences(event: Event, changes: Sequence[Event], during: tuple[date, date]) -> list[Event]:
    """Return the occurrences of an event: one copy of the event for each."""
    from icalendar import Calendar
    from recurring_ical_events import CalendarQuery

    try:
        if not isinstance(event["DTSTART"].dt, datetime) or _is_cancelled(event):
            return []
        for name in ("DTSTART", "DTEND"):  # the library would use the zone of a day that is left out
            if name in event:
                event[name].dt = _instant(event[name].dt)
        _tame(event, during)
        calendar = Calendar()
        calendar.add_component(event)
        for change in changes:
            if _lasts(change) and not _is_cancelled(change):
                calendar.add_component(change)
            else:
                event.add("EXDATE", change["RECURRENCE-ID"].dt)
        return list(CalendarQuery(calendar).between(*during))
    except _BROKEN:
        return []


def _is_cancelled(event: Event) -> bool:
    return str(event.get("STATUS", "")).strip().upper() == "CANCELLED"


def _lasts(change: Event) -> bool:
    """Tell whether a change is of all the days that follow, and no farther than the library may follow it."""
    changed = change["RECURRENCE-ID"]
    is_near = abs(_instant(change["DTSTART"].dt) - _instant(changed.dt)) <= _FARTHEST
    return is_near and str(changed.params.get("RANGE", "")).upper() == "THISANDFUTURE"


def _instant(moment: date) -> datetime:
    """Return a moment with its zone; a moment without a zone is Norwegian."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=OSLO)


def _tame(event: Event, during: tuple[date, date]) -> None:
    """Remove a rule that is not followed; make a rule that lasts to a day last to the end of that day."""
    rule: Any = event.get("RRULE")
    try:
        is_followed = _is_followed(rule, event["DTSTART"].dt, during)
    except _BROKEN:  # there is no rule, or it is malformed
        is_followed = False
    if not is_followed:
        event.pop("RRULE", None)
        return
    until = rule.get("UNTIL", [None])[0]
    if until is not None:
        if not isinstance(until, datetime):
            until = datetime.combine(until, time(23, 59, 59))
        if until.date() > during[1]:
            del rule["UNTIL"]
        else:
            rule["UNTIL"] = [_instant(until).astimezone(UTC)]


def _is_followed(rule: Any, begins: datetime, during: tuple[date, date]) -> bool:
    """Tell whether a timetable can have this rule, and whether its next time always comes soon.

    The library looks for the next time until the year 9999, which takes seconds if there is none.
    """
    parts = {name.upper(): values for name, values in rule.items()}
    (frequency,) = parts.pop("FREQ")
    (every,) = parts.pop("INTERVAL", [1])
    (count,) = parts.pop("COUNT", [1])
    times = math.prod(len(parts.pop(name, [0])) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
    by = parts.keys() - {"UNTIL", "WKST"}
    if begins.year < during[0].year - _OLDEST or not 1 <= every <= 366 or count < 1 or times > 10:
        return False
    if frequency in ("DAILY", "WEEKLY"):
        skips = frequency == "DAILY" and every % 7 == 0  # it may never meet one of the weekdays
        return not by or (by == {"BYDAY"} and not skips) or (by <= {"BYDAY", "BYMONTH"} and every == 1)
    if frequency == "MONTHLY" and by == {"BYDAY"}:
        return all(abs(day.relative or 1) <= 4 for day in parts["BYDAY"])
    return frequency == "MONTHLY" and (not by or (by == {"BYMONTHDAY"} and abs(parts["BYMONTHDAY"][0]) <= 28))


def _weekly(occurrences: Iterable[Event], during: tuple[date, date]) -> Iterator[Timetable]:
    """Yield a lesson for each weekday and time of a series, with the values of its first occurrence.

    A series in another zone than ours has one time in that zone, and may have two in ours.
    """
    told = set()
    found = []
    for event in occurrences:
        begins, ends = event["DTSTART"].dt, event["DTEND"].dt
        if isinstance(begins, datetime) and _instant(ends) - _instant(begins) < timedelta(days=1):
            found.append((_instant(begins).astimezone(OSLO), begins.time(), ends, event))
    for begins, written, ends, event in sorted(found, key=lambda one: one[0]):
        group_id, room = _text(event, "SUMMARY"), _text(event, "LOCATION")
        lesson = group_id, begins.isoweekday(), written, ends.time(), room
        if group_id is None or lesson in told or not during[0] <= begins.date() <= during[1]:
            continue
        told.add(lesson)
        end = _instant(ends).astimezone(OSLO)
        yield Timetable(
            group_id, begins.isoweekday(), f"{begins:%H:%M}", f"{end:%H:%M}" if end > begins else None, room
        )


def _text(event: Event, name: str) -> str | None:
    return tidy(re.sub(r"\s*\n\s*", " ", str(event.get(name) or "")))


# --- The file --------------------------------------------------------------------------------------------------------

_LONGEST = 64 * 1024
_LONGEST_ZONE = 1024
"""Summer and winter time take half of this. A zone with many rules makes each time in it slow to read."""
_MOST_ZONES = 50
_LARGEST = 32 * 1024 * 1024
_ONCE = frozenset(
    ("UID", "SUMMARY", "LOCATION", "STATUS", "DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID", "SEQUENCE")
)
_OFTEN = frozenset({"RDATE", "EXDATE"})
_OF_A_ZONE = frozenset({"TZID", "TZNAME", "TZOFFSETFROM", "TZOFFSETTO", "DTSTART", "RRULE"})
_EVERY_YEAR = re.compile(r"FREQ=YEARLY(;(BYMONTH=\d\d?|BYDAY=[+-]?[1-5]?[A-Z]{2}|UNTIL=\w+|WKST=\w\w))*", re.IGNORECASE)
_LINE = re.compile(r"([^;:\"]*+)((?:[^:\"]|\"[^\"]*+\")*+):(.*)", re.DOTALL)  # name, parameters, value


def _sorted(stream: BinaryIO) -> tuple[list[str], Iterable[list[str]]]:
    """Return the texts of a calendar's time zones, and those of its events by UID."""
    zones: list[str] = []
    series: dict[object, list[str]] = {}
    size = 0
    for number, (kind, uid, text) in enumerate(_components(stream)):
        size += len(text)
        if size > _LARGEST:
            raise Unreadable(f"Kalenderen har mer enn {_LARGEST // 1024**2} MB med hendelser, og ble ikke lest.")
        if kind == "VTIMEZONE":
            zones += [text] if len(text) <= _LONGEST_ZONE and len(zones) < _MOST_ZONES else []
        else:
            series.setdefault(uid or number, []).append(text)
    return zones, series.values()


def _components(stream: BinaryIO) -> Iterator[tuple[str, str | None, str]]:
    """Yield kind, UID and text of each event and time zone; the text has only the properties that are needed."""
    lines: list[str] = []
    found: dict[str, str] = {}
    size = 0
    is_cancelled = False
    for number, inside, name, value, line in _lines(stream):
        if len(inside) == 1:
            is_cancelled = name != "BEGIN" and (is_cancelled or (name == "METHOD" and value.upper() == "CANCEL"))
            continue
        kind = inside[1]
        if len(inside) == 2 and name == "BEGIN":
            lines, found, size = [], {}, 0
        if kind == "VEVENT":
            wanted = len(inside) == 2 and (name in _OFTEN or name in ("BEGIN", "END") or name in _ONCE - found.keys())
        else:
            wanted = kind == "VTIMEZONE" and len(inside) < 4 and _is_of_a_zone(name, value)
        if wanted:
            found.setdefault(name, value)
            lines.append(line)
            size += len(line)
        if size > _LONGEST:
            raise Unreadable(f"Kalenderen har en for lang hendelse (linje {number}).")
        has_all = kind == "VTIMEZONE" or {"SUMMARY", "DTSTART"} <= found.keys() or "RECURRENCE-ID" in found
        if len(inside) == 2 and name == "END" and lines and has_all and not is_cancelled:
            yield kind, found.get("UID"), "\r\n".join((*lines, ""))


def _is_of_a_zone(name: str, value: str) -> bool:
    if name == "RRULE":  # summer and winter; any other rule would be followed for a thousand years
        return _EVERY_YEAR.fullmatch(value) is not None
    return name in _OF_A_ZONE or name in ("BEGIN", "END")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, list[str], str, str, str]]:
    """Yield each line's number, enclosing components, name, value and text; BEGIN and END are inside theirs."""
    start = stream.read(4096)
    refuse_other_formats(start, "en kalender (iCalendar)")
    if not start.removeprefix(b"\xef\xbb\xbf").lstrip().upper().startswith(b"BEGIN:VCALENDAR"):
        raise Unreadable("Filen er ikke en kalender, for den begynner ikke med BEGIN:VCALENDAR.")
    inside: list[str] = []
    for number, line in _content_lines(start, stream):
        split = _LINE.fullmatch(line)
        if not split:
            continue
        name, value = split[1].strip().upper(), split[3].strip()
        if name == "BEGIN":
            inside.append(value.upper())
            if len(inside) > 20:
                raise Unreadable(f"Kalenderen har for mange nivåer (linje {number}).")
        if name == "END" and inside[-1:] != [value.upper()]:
            raise Unreadable(f"Kalenderen er ødelagt, for en END passer ikke til sin BEGIN (linje {number}).")
        if inside:
            yield number, inside, name, value, line
        if name == "END":
            inside.pop()
    if inside:
        raise Unreadable("Kalenderen er ikke hel, for den slutter før END:VCALENDAR.")


def _content_lines(start: bytes, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield line number and text of RFC 5545's content lines, which may be folded anywhere, even inside a letter."""
    parts: list[bytes] = []
    size = begins = 0
    for number, raw in enumerate(_physical_lines(start, stream), 1):
        line = raw.rstrip(b"\r\n")
        if not parts or line[:1] not in (b" ", b"\t"):
            if parts:
                yield begins, _decoded(b"".join(parts))
            parts, size, begins = [line], len(line), number
        else:
            parts.append(line[1:])
            size += len(line)
        if size > _LONGEST:
            raise Unreadable(f"Kalenderen har en for lang linje (linje {number}).")
    if parts:
        yield begins, _decoded(b"".join(parts))


def _physical_lines(start: bytes, stream: BinaryIO) -> Iterator[bytes]:
    rest = start
    while chunk := stream.read(_LONGEST):
        lines = (rest + chunk).splitlines(keepends=True)
        rest = lines.pop()
        if len(rest) > 2 * _LONGEST:
            raise Unreadable("Kalenderen har en for lang linje.")
        yield from lines
    yield from rest.splitlines(keepends=True)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig").replace("\0", "")
    except UnicodeDecodeError:
        return from_windows_1252(line).replace("\0", "")
