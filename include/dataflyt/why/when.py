"""When a correction shows: the kommune's next run, in words."""

from datetime import date, datetime, time, timedelta
from typing import Literal

from dataflyt.config.kommune import Schedule
from dataflyt.formats.dates import OSLO
from dataflyt.why.texts import Language, catalogue, said


def next_run(schedule: Schedule, after: datetime) -> datetime:
    """Return the time of the first run that is due after a moment, in Norwegian time."""
    now = after.astimezone(OSLO)
    hour, minute = (int(part) for part in schedule.at.split(":"))
    for ahead in range(400):
        day = now.date() + timedelta(days=ahead)
        due = datetime.combine(day, time(hour, minute), OSLO)
        if due > now and schedule.due(day):
            return due
    raise AssertionError("every schedule has a run within a month")


def in_words(when: datetime, language: Language, to: Literal["run", "caller"] = "run") -> str:
    """Return a run's time in words: ``ved neste kjøring, søndag 29. november kl. 03.00``; for a caller ``fra …``."""
    words = catalogue(language)
    return said(
        language,
        "next",
        to,
        weekday=words["weekdays"][str(when.weekday())],
        day=when.day,
        month=words["months"][str(when.month)],
        at=f"{when:%H.%M}",
    )


def day_in_words(day: date | None) -> str:
    """Return a day as numbers, ``3.4.2026``; "" for none."""
    return f"{day.day}.{day.month}.{day.year}" if day else ""
