"""The groups' calendars: what another library reads from them, and what their check finds."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.exports import calendar, calendar_check
from dataflyt.exports.model import Lesson, School
from dataflyt.formats import sheets

OSLO = ZoneInfo("Europe/Oslo")
MOMENT = datetime(2026, 11, 23, 4, 0, 7, 250000, OSLO)
FIRST, LAST = date(2026, 8, 17), date(2027, 6, 18)


def lesson(group: str = "8A", weekday: int = 2, starts: str = "08:30", **other: object) -> Lesson:
    made = Lesson(
        orgnr="974588145",
        school="Skåredalen skole",
        group_id=f"gruppe-{group}",
        group=f"NOR Norsk {group}",
        from_date=FIRST,
        to_date=LAST,
        token=(f"{group}".encode().hex() * 32)[:32].lower(),
        weekday=weekday,
        starts=starts,
        ends="09:15",
        room="Rom 12",
    )
    return made._replace(**other)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Kommune:
    """A kommune that a test makes up."""

    lessons_: tuple[Lesson, ...]

    def as_of(self) -> datetime:
        return MOMENT

    def schools(self) -> tuple[School, ...]:
        return (School("974588145", "Skåredalen skole"),)

    def lessons(self) -> Iterator[Lesson]:
        return iter(sorted(self.lessons_, key=lambda one: (one.orgnr, one.group_id, one.weekday, one.starts)))


class InMemory:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, mode: str = "rb") -> io.BytesIO:
        return io.BytesIO(self.content)


def written(*lessons: Lesson) -> bytes:
    out = io.BytesIO()
    calendar.write(Kommune(lessons), out)  # type: ignore[arg-type]
    return out.getvalue()


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(held: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(held, key=lambda name: name == "kalendere.csv"):  # the list stands last
            archive.writestr(name, held[name])
    return out.getvalue()


def found(content: bytes) -> set[str]:
    return {finding.name for finding in calendar_check.check(InMemory(content))}


def meetings(content: bytes, first: date, last: date) -> set[tuple[datetime, datetime, str, str]]:
    """Return what another library finds in a calendar between two days: from, until, title and place."""
    events = recurring_ical_events.of(icalendar.Calendar.from_ical(content)).between(first, last + timedelta(days=1))
    return {
        (
            event["DTSTART"].dt,
            event["DTEND"].dt if "DTEND" in event else event["DTSTART"].dt,
            str(event["SUMMARY"]),
            str(event.get("LOCATION", "")),
        )
        for event in events
    }


def test_a_teacher_sees_the_lessons_of_the_group_each_week_in_norwegian_time() -> None:
    eight, other = lesson("8A"), lesson("8B", 3)
    held = files(written(eight, eight._replace(weekday=5, room=""), other))
    lines = list(csv.reader(io.StringIO(held["kalendere.csv"].decode("utf-8-sig"), newline=""), delimiter=";"))
    assert lines == [
        ["Skole", "Organisasjonsnummer", "Gruppe", "Gruppens id", "Fil"],
        ["Skåredalen skole", "974588145", "NOR Norsk 8A", "gruppe-8A", f"{eight.token}.ics"],
        ["Skåredalen skole", "974588145", "NOR Norsk 8B", "gruppe-8B", f"{other.token}.ics"],
    ]
    week = meetings(held[f"{eight.token}.ics"], date(2026, 10, 19), date(2026, 11, 1))
    assert week == {
        (datetime(2026, 10, day, 8, 30, tzinfo=OSLO), datetime(2026, 10, day, 9, 15, tzinfo=OSLO), "NOR Norsk 8A", room)
        for day, room in ((20, "Rom 12"), (23, ""), (27, "Rom 12"), (30, ""))
    }
    # Winter time began on 25 October: the lesson is still at 8.30.
    assert {begins.utcoffset() for begins, *_ in week} == {timedelta(hours=2), timedelta(hours=1)}


def test_a_calendar_names_nobody_and_does_not_tell_its_own_address() -> None:
    one = lesson()
    content = files(written(one))[f"{one.token}.ics"]
    assert one.token.encode() not in content
    assert not any(word in content for word in (b"ATTENDEE", b"ORGANIZER", b"DESCRIPTION", b"URL", b"mailto"))


def test_the_same_lessons_give_the_same_bytes() -> None:
    assert written(lesson(), lesson("8B")) == written(lesson("8B"), lesson())


def test_a_kommune_without_lessons_has_a_list_without_lines() -> None:
    content = written()
    assert list(files(content)) == ["kalendere.csv"]
    assert found(content) == set()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=90).filter(
    lambda one: bool(calendar.clean(one).strip())
)
CLOCKS = st.times().map(lambda one: f"{one:%H:%M}")
DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 7), CLOCKS, CLOCKS, DAYS, DAYS, TEXTS)
def test_any_lesson_is_read_by_another_library_on_just_its_days(
    group: str, room: str, weekday: int, starts: str, ends: str, first: date, last: date, school: str
) -> None:
    one = lesson(weekday=weekday, starts=starts, ends=max(starts, ends), from_date=first, to_date=last)
    one = one._replace(group=calendar.clean(group), room=room, school=calendar.clean(school))
    content = written(one)
    days = {first + timedelta(days=at) for at in range((last - first).days + 1)}
    expected = {day for day in days if day.isoweekday() == weekday}
    held = files(content)
    assert set(held) == {"kalendere.csv"} | ({f"{one.token}.ics"} if expected else set())
    assert found(content) == set()
    if expected:
        read = meetings(held[f"{one.token}.ics"], first, last)
        assert {begins.date() for begins, *_ in read} == expected
        assert {(f"{begins:%H:%M}", title, place) for begins, _, title, place in read} == {
            (starts, one.group, calendar.clean(room))
        }


@pytest.mark.parametrize(
    ("was", "becomes", "finding"),
    [
        (b"RRULE:FREQ=WEEKLY", b"RRULE:FREQ=DAILY", calendar_check.NOT_A_LESSON),
        (b"LOCATION:Rom 12", b"DESCRIPTION:Ola Nordmann", calendar_check.TELLS),
        (b"LOCATION:Rom 12", b"ATTENDEE:mailto:ola@example.no", calendar_check.TELLS),
        (b"DTSTART;TZID=Europe/Oslo:", b"DTSTART:", calendar_check.NOT_A_LESSON),
        (b"BYDAY=TU", b"BYDAY=WE", calendar_check.NOT_A_LESSON),
        (b"END:VCALENDAR", b"", calendar_check.NOT_A_CALENDAR),
        (b"BEGIN:VEVENT", b"BEGIN:VTODO", calendar_check.NOT_A_CALENDAR),
    ],
)
def test_the_check_finds_a_calendar_that_is_something_else(was: bytes, becomes: bytes, finding: str) -> None:
    one = lesson()
    held = files(written(one))
    name = f"{one.token}.ics"
    broken = held[name].replace(was, becomes)
    if was == b"BEGIN:VEVENT":
        broken = broken.replace(b"END:VEVENT", b"END:VTODO")
    assert broken != held[name]
    assert finding in found(packed(held | {name: broken}))


def test_the_check_finds_a_file_that_is_not_in_the_list_and_a_name_that_can_be_guessed() -> None:
    one = lesson()
    held = files(written(one))
    assert found(packed(held | {"0" * 32 + ".ics": held[f"{one.token}.ics"]})) == {calendar_check.WITHOUT_FILE}
    guessed = held["kalendere.csv"].replace(f"{one.token}.ics".encode(), b"8A.ics")
    assert found(packed({"kalendere.csv": guessed, "8A.ics": held[f"{one.token}.ics"]})) == {
        calendar_check.NOT_A_CALENDAR
    }
    with pytest.raises(Unreadable):
        found(b"not a zip file")


def test_a_name_that_a_spreadsheet_would_run_is_text_in_the_list() -> None:
    one = lesson()._replace(group="=cmd|' /C calc'!A0", school="+Skolen")
    held = files(written(one))
    (_, line) = csv.reader(io.StringIO(held["kalendere.csv"].decode("utf-8-sig"), newline=""), delimiter=";")
    assert line[0] == sheets.as_text("+Skolen")
    assert line[2].startswith("'=")
    assert found(packed(held)) == set()


def test_the_events_say_when_the_run_was() -> None:
    one = lesson()
    (event,) = icalendar.Calendar.from_ical(files(written(one))[f"{one.token}.ics"]).walk("VEVENT")
    assert event["DTSTAMP"].dt == datetime(2026, 11, 23, 3, 0, 7, tzinfo=UTC)
