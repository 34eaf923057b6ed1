"""Timetables to rows: which group has a lesson on which weekday.

In: CSV of a form that is our own (``timetable``: columns ``group``, ``weekday``, ``start``, ``end``, ``room``; comma or
semicolon; UTF-8 or ISO-8859-1), or a calendar (``ical``: RFC 5545), such as Vigilo's link to a timetable gives.
Out: ``timetable`` rows in the order of the file. A broken file raises ``Unreadable``.

What Vigilo's calendars say is not published. Assumed: an event is a lesson, its SUMMARY the id of the group, as in the
school system's other file, its LOCATION the room. A group that is not in the other file is for the checks.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from dataflyt.errors import Unreadable
from dataflyt.sources.reading import csv_rows, refuse_other_formats, tidy
from dataflyt.sources.sas.tables import Timetable

_WEEKDAYS = ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag")
_NYNORSK = {"måndag": 1, "tysdag": 2, "laurdag": 6, "sundag": 7}
_TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)(?:[:.][0-5]\d)?")
_COLUMNS = ("group", "weekday", "start", "end", "room")


def timetable(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read a timetable in CSV. Columns may stand in any order and others beside them; blank lines are passed over."""
    rows = csv_rows(stream, "a timetable")
    _, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise Unreadable(f"The timetable lacks the column {missing[0]}; its first line names {', '.join(_COLUMNS)}.")
    places = [names.index(column) for column in _COLUMNS]
    for line, row in rows:
        cells = [tidy(row[place]) if place < len(row) else None for place in places]
        group_id, weekday, begins, ends, room = cells
        if group_id is None:
            if any(cells):
                raise Unreadable(f"The lesson in line {line} of the timetable has no group.")
            continue
        yield Timetable(group_id, _weekday(weekday), _clock(begins), _clock(ends), room)


def _weekday(value: str | None) -> int | None:
    word = (value or "").lower()
    if word in set("1234567"):
        return int(word)
    return _WEEKDAYS.index(word) + 1 if word in _WEEKDAYS else _NYNORSK.get(word)


def _clock(value: str | None) -> str | None:
    """Return a time of day as ``HH:MM``; other text as it stands."""
    found = _TIME.fullmatch(value or "")
    return f"{int(found[1]):02}:{found[2]}" if found else value


# --- iCalendar -------------------------------------------------------------------------------------------------------

_OSLO = ZoneInfo("Europe/Oslo")
_LONGEST = 64 * 1024
_DAYS = {"MO": 1, "TU": 2, "WE": 3, "TH": 4, "FR": 5, "SA": 6, "SU": 7}
_STAMP = re.compile(r"(\d{8})T(\d{6})(Z?)")
_DURATION = re.compile(r"\+?P(?:(\d{1,4})W|(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?)")
_LINE = re.compile(r"([^;:\"]*+)((?:[^:\"]|\"[^\"]*+\")*+):(.*)", re.DOTALL)  # name, parameters, value
_WANTED = frozenset({"SUMMARY", "LOCATION", "STATUS", "DTSTART", "DTEND", "DURATION", "RRULE"})
_TEXT = {"\\n": " ", "\\N": " ", "\\\\": "\\", "\\,": ",", "\\;": ";"}


def ical(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read a calendar: a row per event that has a time of day and a name, and per weekday that it is repeated on.

    A time in UTC is told in Norwegian time, one in a named zone as it stands. Cancelled events are no lessons.
    """
    start = stream.read(4096)
    refuse_other_formats(start, "a calendar (iCalendar)")
    if not start.removeprefix(b"\xef\xbb\xbf").lstrip().upper().startswith(b"BEGIN:VCALENDAR"):
        raise Unreadable("The file is no calendar: it does not begin with BEGIN:VCALENDAR.")
    inside: list[str] = []
    event: dict[str, tuple[str, str]] = {}
    ended = False
    for number, line in _content_lines(start, stream):
        found = _LINE.fullmatch(line)
        if not found:
            continue
        name, parameters, value = found[1].strip().upper(), found[2], found[3]
        if name == "BEGIN":
            inside.append(value.strip().upper())
            ended = False
            if len(inside) > 20:
                raise Unreadable(f"The calendar is nested too deep (line {number}).")
            if inside[-1] == "VEVENT":
                event = {}
        elif name == "END":
            if not inside or inside.pop() != value.strip().upper():
                raise Unreadable(f"The calendar is broken: an END does not fit its BEGIN (line {number}).")
            if value.strip().upper() == "VEVENT":
                yield from _lessons(event)
            ended = not inside
        elif name in _WANTED and inside[-1:] == ["VEVENT"]:
            event.setdefault(name, (parameters.upper(), value))
    if not ended:
        raise Unreadable("The calendar is not whole: it ends before END:VCALENDAR.")


def _content_lines(start: bytes, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield line number and text of RFC 5545's content lines, which may be folded anywhere, in mid-letter too."""
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
            raise Unreadable(f"The calendar has a line that is too long (line {number}).")
    if parts:
        yield begins, _decoded(b"".join(parts))


def _physical_lines(start: bytes, stream: BinaryIO) -> Iterator[bytes]:
    rest = start
    while chunk := stream.read(_LONGEST):
        lines = (rest + chunk).splitlines(keepends=True)
        rest = lines.pop()
        if len(rest) > 2 * _LONGEST:
            raise Unreadable("The calendar has a line that is too long.")
        yield from lines
    yield from rest.splitlines(keepends=True)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig").replace("\0", "")
    except UnicodeDecodeError:
        return line.decode("iso-8859-1").replace("\0", "")


def _lessons(event: dict[str, tuple[str, str]]) -> Iterator[Timetable]:
    values = {name: value for name, (_, value) in event.items()}
    group_id = _text(values.get("SUMMARY"))
    if group_id is None or "DTSTART" not in event or values.get("STATUS", "").strip().upper() == "CANCELLED":
        return
    begins = _moment(*event["DTSTART"])
    if begins is None:  # a whole day: a holiday, no lesson
        return
    ends = _moment(*event["DTEND"]) if "DTEND" in event else _after(begins, values.get("DURATION", ""))
    for weekday in _weekdays(values.get("RRULE", "")) or (begins.isoweekday(),):
        yield Timetable(
            group_id, weekday, f"{begins:%H:%M}", f"{ends:%H:%M}" if ends else None, _text(values.get("LOCATION"))
        )


def _moment(parameters: str, value: str) -> datetime | None:
    found = _STAMP.fullmatch(value.strip().upper())
    if not found:
        return None
    try:
        moment = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S")
        if found[3] or "TZID=UTC" in parameters or "TZID=ETC/UTC" in parameters:
            moment = moment.replace(tzinfo=UTC).astimezone(_OSLO)
    except (ValueError, OverflowError):
        return None
    return moment


def _after(begins: datetime, duration: str) -> datetime | None:
    found = _DURATION.fullmatch(duration.strip().upper())
    if not found or not any(found.groups()):
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        return begins + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None


def _weekdays(rule: str) -> tuple[int, ...]:
    """Return the weekdays of a repetition: ``FREQ=WEEKLY;BYDAY=MO,WE`` gives 1 and 3; none where it names none."""
    parts = dict(part.split("=", 1) for part in rule.upper().split(";") if "=" in part)
    named = {day.strip()[-2:] for day in parts.get("BYDAY", "").split(",")}
    return tuple(number for day, number in _DAYS.items() if day in named)


def _text(value: str | None) -> str | None:
    return tidy(re.sub(r"\\[nN\\,;]", lambda found: _TEXT[found[0]], value)) if value else None
