"""The check of calendars: the zip file in, findings out. It reads each calendar as a receiver does.

Looked for: every group of the list has its calendar and no other file is there; every name is one that cannot be
guessed; every event is a weekly lesson in Norwegian time that ends; and nothing in a calendar is about a person or
leads out of it (an attendee, a description, a link). No finding repeats what stands in the file.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final, cast

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import BROKEN_ZIP, RUNS, opened_zip, walked
from dataflyt.exports.model import Finding, Openable

LIST: Final = "kalendere.csv"
NOT_A_CALENDAR: Final = "Fil som ikke er en kalender"
WITHOUT_FILE: Final = "Gruppe uten kalender, eller kalender uten gruppe"
NOT_VALID: Final = "Linje som ikke er som den skal"
FORMULA: Final = "Celle som blir lest som en formel"
NOT_A_LESSON: Final = "Hendelse som ikke er en time hver uke"
TELLS: Final = "Kalender med mer enn timene"

_COLUMNS = ["Skole", "Organisasjonsnummer", "Gruppe", "Gruppens id", "Fil"]
_NAME = re.compile(r"[0-9a-f]{32}\.ics")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KNOWN = {"UID", "DTSTAMP", "DTSTART", "DTEND", "RRULE", "SUMMARY", "LOCATION"}


def check(path: Openable) -> Iterator[Finding]:
    """Yield what is wrong with a zip file of calendars; raise Unreadable when it is not one."""
    return walked(path, _walk)


def _walk(file: BinaryIO) -> Iterator[Finding]:
    archive = opened_zip(file)
    *names, last = archive.namelist() or [""]
    if last != LIST:
        raise Unreadable("Filen slutter ikke med listen over kalendere.")
    listed: list[str] = []
    for number, cells in _lines(archive):
        if number == 1 and cells != _COLUMNS:
            raise Unreadable("Listen over kalendere har andre kolonner enn den skal ha.")
        if number == 1:
            continue
        if len(cells) != len(_COLUMNS) or not all(cells) or not re.fullmatch("[0-9]{9}", cells[1]):
            yield Finding(NOT_VALID, f"linje {number}", "en celle mangler eller er en annen", number, blocks=True)
            continue
        if any(RUNS.search(cell) for cell in cells):
            yield Finding(FORMULA, f"NO{cells[1]}", f"linje {number}", number, blocks=True)
        listed.append(cells[-1])
    if sorted(listed) != sorted(names) or len({*listed}) != len(listed):
        yield Finding(WITHOUT_FILE, "listen", "den har ikke de samme filene som zip-filen", 0, blocks=True)
    for at, name in enumerate(names, 1):
        if not _NAME.fullmatch(name):
            yield Finding(NOT_A_CALENDAR, f"fil {at} i zip-filen", "navnet kan gjettes", 0, blocks=True)
            continue
        for kind, detail in _calendar(archive, name):
            yield Finding(kind, f"fil {at} i zip-filen", detail, 0, blocks=True)


def _lines(archive: zipfile.ZipFile) -> Iterator[tuple[int, list[str]]]:
    try:
        with archive.open(LIST) as file:
            text = io.TextIOWrapper(cast("BinaryIO", file), encoding="utf-8-sig", newline="")
            yield from enumerate(csv.reader(text, delimiter=";", strict=True), 1)
    except (csv.Error, *BROKEN_ZIP):
        raise Unreadable("Listen over kalendere kan ikke leses som CSV.") from None


def _calendar(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, str]]:
    import icalendar

    try:
        calendar: Any = icalendar.Calendar.from_ical(archive.read(name))
        parts = [(part.name, part) for part in calendar.subcomponents]
    except (*BROKEN_ZIP, TypeError, AttributeError, LookupError):
        yield NOT_A_CALENDAR, "den kan ikke leses"
        return
    events = [part for kind, part in parts if kind == "VEVENT"]
    if calendar.name != "VCALENDAR" or not events or {kind for kind, _ in parts} != {"VEVENT", "VTIMEZONE"}:
        yield NOT_A_CALENDAR, "den har ingen timer, eller noe annet enn timer"
    if len({str(event.get("UID")) for event in events}) != len(events):
        yield NOT_A_LESSON, "to hendelser har samme UID"
    for number, event in enumerate(events, 1):
        if not event.keys() <= _KNOWN or event.errors:
            yield TELLS, f"hendelse {number} har en egenskap til"
        if not _is_lesson(event):
            yield NOT_A_LESSON, f"hendelse {number}"


def _is_lesson(event: Any) -> bool:
    try:
        begins, rule = event["DTSTART"].dt, event["RRULE"]
        ends = event["DTEND"].dt if "DTEND" in event else begins
        return (
            isinstance(begins, datetime)
            and str(begins.tzinfo) == "Europe/Oslo"
            and begins <= ends
            and begins.date() == ends.date()
            and [str(one).upper() for one in rule["FREQ"]] == ["WEEKLY"]
            and [str(one) for one in rule["BYDAY"]] == [_DAYS[begins.weekday()]]
            and len(rule["UNTIL"]) == 1
            and rule["UNTIL"][0] >= begins
            and bool(str(event["SUMMARY"]).strip())
            and "DTSTAMP" in event
            and bool(str(event["UID"]))
        )
    except (KeyError, AttributeError, TypeError, ValueError):
        return False
